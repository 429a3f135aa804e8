// definition_hash.h - what of a definition decides the content of segment files, as a number.
//
// Files written by another hash are of no use even if the definition_id is the same, as after the
// source table's columns changed behind the catalog's back.
#ifndef VECTORD_COLLECTION_DEFINITION_HASH_H
#define VECTORD_COLLECTION_DEFINITION_HASH_H

#include <cstdint>

#include "daemon/collection/definition.h"
#include "daemon/storage/manifest.h"

namespace vectord {

// On disk: a change of what goes in makes every collection rebuild itself once.
uint64_t HashDefinition(const Definition& definition);

// The stamps that a definition decides; cluster and slot are the caller's to fill in.
SourceStamps StampsOf(const Definition& definition);

}  // namespace vectord

#endif

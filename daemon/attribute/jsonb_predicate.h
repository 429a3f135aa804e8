// jsonb_predicate.h - conditions on a column of jsonb: @>, ? and ->> 'key' = 'text'.
//
// Values stand as jsonb_send() writes them: a version, then the text that PostgreSQL prints.
#ifndef VECTORD_ATTRIBUTE_JSONB_PREDICATE_H
#define VECTORD_ATTRIBUTE_JSONB_PREDICATE_H

#include <memory>
#include <string>
#include <vector>

#include "daemon/attribute/predicate.h"
#include "daemon/base/status.h"
#include "shared/messages.h"

namespace vectord {

// kind: one of kJson... . MALFORMED_MESSAGE when the operands are not what it takes.
Result<std::unique_ptr<const Predicate>> MakeJsonbPredicate(
    vfdw::FilterKind kind, const std::vector<std::string>& operands);

}  // namespace vectord

#endif

// array_predicate.h - conditions on a column of arrays: &&, @> and value = ANY (column).
//
// Values stand as array_send() writes them; the number of dimensions does not matter, as in
// PostgreSQL.
#ifndef VECTORD_ATTRIBUTE_ARRAY_PREDICATE_H
#define VECTORD_ATTRIBUTE_ARRAY_PREDICATE_H

#include <memory>
#include <string>
#include <vector>

#include "daemon/attribute/predicate.h"
#include "daemon/base/status.h"
#include "shared/messages.h"

namespace vectord {

// kind: one of kArray... . operands: elements, as `element` encodes them; has_null: NULL was among
// them. Null when elements of the array cannot be compared; MALFORMED_MESSAGE when the operands are
// none.
Result<std::unique_ptr<const Predicate>> MakeArrayPredicate(
    vfdw::FilterKind kind, uint32_t array_type_oid, vfdw::ValueEncoding element,
    const std::vector<std::string>& operands, bool has_null);

}  // namespace vectord

#endif

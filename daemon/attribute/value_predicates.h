// value_predicates.h - a column's value beside one or more others: =, <, IN, a prefix.
//
// Operands come from outside: each maker checks them, and says MALFORMED_MESSAGE when they are no
// values of the kind.
#ifndef VECTORD_ATTRIBUTE_VALUE_PREDICATES_H
#define VECTORD_ATTRIBUTE_VALUE_PREDICATES_H

#include <memory>
#include <string>
#include <vector>

#include "daemon/attribute/predicate.h"
#include "daemon/attribute/value_kind.h"
#include "daemon/base/status.h"

namespace vectord {

enum class Comparison { kEqual, kNotEqual, kLess, kLessEqual, kGreater, kGreaterEqual };

// REQUIRES: HasOrder(kind), or HasEquality(kind) with the first two; also below.
Result<std::unique_ptr<const Predicate>> MakeComparison(ValueKind kind, Comparison comparison,
                                                        const std::string& operand);
// Equal to one of them.
Result<std::unique_ptr<const Predicate>> MakeIsOneOf(ValueKind kind,
                                                     const std::vector<std::string>& operands);
// The bytes begin with these. For columns of kText; blanks at the end count.
std::unique_ptr<const Predicate> MakePrefix(std::string prefix, bool sorted_by_bytes);

// The rows of a column in the order of their values. False: a value is not what its kind allows.
bool SortRows(ValueKind kind, const Column& column, SortedRows* rows);

}  // namespace vectord

#endif

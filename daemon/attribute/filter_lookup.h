// filter_lookup.h - the rows that a filter may let pass, by the order of columns.
//
// Internal to filter.cpp.
#ifndef VECTORD_ATTRIBUTE_FILTER_LOOKUP_H
#define VECTORD_ATTRIBUTE_FILTER_LOOKUP_H

#include <cstdint>
#include <optional>
#include <vector>

#include "daemon/attribute/filter.h"

namespace vectord {

struct LookedUp {
  std::vector<uint64_t> rows;  // bit i of word i / 64: row i exists, and may pass; no other does
  size_t count = 0;            // of them at most
  bool exact = true;           // those are the rows that pass
};

// Measured with 500,000 rows: to set a bit at random takes as long as to test so many numbers.
inline constexpr uint64_t kCostOfLookup = 8;

// Nothing where rows cannot be looked up, or testing all of them is cheaper.
std::optional<LookedUp> LookUp(const Filter::Node& root, const FilteredRows& rows);

}  // namespace vectord

#endif

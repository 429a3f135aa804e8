// predicate.h - one condition on one column, tested 64 rows at a time.
//
// Made once for a request, from operands that were checked; then const, and used by any thread.
#ifndef VECTORD_ATTRIBUTE_PREDICATE_H
#define VECTORD_ATTRIBUTE_PREDICATE_H

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/attribute/column.h"

namespace vectord {

// What a condition is for up to 64 rows: true, unknown (SQL's NULL), or, in neither set, false.
struct Truth {
  uint64_t yes = 0;
  uint64_t unknown = 0;
};

// Up to 64 rows of a column, of which those in `active` are asked for. Whatever is said of the
// others means nothing.
struct RowWord {
  const Column& column;
  size_t first;
  size_t count;  // 1 to 64
  uint64_t active;
};

// Row numbers of a column by its values, ascending, equal ones by row; no rows with NULL.
using SortedRows = std::vector<uint32_t>;
// Pieces of it, disjoint: [first, second) each.
using Spans = std::vector<std::pair<size_t, size_t>>;

class Predicate {
 public:
  virtual ~Predicate() = default;

  // For rows whose value is not NULL; rows with NULL are the caller's. False: a value is not what
  // its type allows, so nothing can be said.
  [[nodiscard]] virtual bool Test(const RowWord& rows, Truth* truth) const = 0;

  // Of all rows of the words [first, first + count), which are whole: bit i of yes[w] for row i of
  // word first + w, which means nothing where the value is NULL. False, and nothing is done: row by
  // row is as fast. A predicate that can do it has no unknown of its own and always can.
  virtual bool TestWords(const Column&, size_t /*first*/, size_t /*count*/,
                         uint64_t* /*yes*/) const {
    return false;
  }

  // Where in the sorted rows those stand for which it is true; all of them, no others. False: this
  // predicate does not follow the order of values.
  virtual bool Find(const Column&, const SortedRows&, Spans*) const { return false; }

  // What a test of one row costs, beside one of a number.
  virtual int cost() const = 0;
  virtual size_t memory_bytes() const = 0;
};

// Calls test(row, bit) for each active row.
template <typename PerRow>
void ForActiveRows(const RowWord& rows, PerRow test) {
  for (uint64_t left = rows.active; left != 0; left &= left - 1) {
    const int bit = __builtin_ctzll(left);
    test(rows.first + static_cast<size_t>(bit), uint64_t{1} << bit);
  }
}

// Bit i is byte i. REQUIRES: bytes are 0 or 1; count of them, at most 64, may be read.
inline uint64_t PackFlags(const uint8_t* flags, size_t count) {
  uint64_t word = 0;
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    uint64_t eight;
    __builtin_memcpy(&eight, flags + i, 8);
    // Each byte's lowest bit moves to its place in the highest byte; no two meet elsewhere.
    word |= (eight * 0x0102040810204080ULL >> 56) << i;
  }
  for (; i < count; i++) word |= uint64_t{flags[i]} << i;
  return word;
}

}  // namespace vectord

#endif

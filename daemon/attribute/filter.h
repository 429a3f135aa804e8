// filter.h - which rows of a segment a WHERE clause is true for.
//
// Made from the nodes of a request (shared/PROTOCOL.md, "FilterNode"), whatever they are: what
// cannot be answered exactly is refused. Conditions follow SQL's three-valued logic; a row passes
// when the whole is true.
//
// Immutable; used by any thread.
#ifndef VECTORD_ATTRIBUTE_FILTER_H
#define VECTORD_ATTRIBUTE_FILTER_H

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "daemon/attribute/column.h"
#include "daemon/attribute/filter_cache.h"
#include "daemon/attribute/predicate.h"
#include "daemon/attribute/sorted_columns.h"
#include "daemon/attribute/value_kind.h"
#include "daemon/base/status.h"
#include "shared/messages.h"

namespace vectord {

// A column that conditions may name.
struct FilterColumn {
  std::string name;
  ValueEncoding encoding = ValueEncoding::kNone;  // kFloat32Vector: only IS NULL
  uint32_t type_oid = 0;
  size_t index = 0;  // within the ColumnSet; unused for the vector
};

// The rows to be looked at.
struct FilteredRows {
  const ColumnSet& columns;
  bool have_vectors = true;               // all rows have one, or none
  const uint64_t* live = nullptr;         // bit i of word i / 64: row i exists; null: all do
  const SortedColumns* sorted = nullptr;  // of the same columns; may be null
  MemoryBudget* budget = nullptr;         // for what sorted and cache keep; null: they keep nothing
  const FilterCache* cache = nullptr;     // of the same columns; may be null
};

class Filter {
 public:
  // A node of the tree that the postfix nodes make.
  struct Node {
    enum class Kind { kAnd, kOr, kNot, kIsTrue, kIsFalse, kIsUnknown, kIsNull, kTest, kConstant };
    Kind kind = Kind::kConstant;
    std::vector<Node> children;
    size_t column = 0;                        // of kIsNull, kTest
    bool is_vector = false;                   // kIsNull of the vector column
    ValueKind value_kind = ValueKind::kNone;  // of a kTest that may follow the order of values
    std::unique_ptr<const Predicate> predicate;
    bool constant_unknown = false;  // a constant is unknown or false
    int cost = 0;
    int depth = 1;
  };

  // MALFORMED_MESSAGE, COLUMN_MISSING, WRONG_TYPE (the condition is not one of the column's type),
  // NOT_READY (the column is of an older type) or LIMIT_EXCEEDED (too deep). REQUIRES: nodes are
  // not empty.
  static Result<std::shared_ptr<const Filter>> Compile(const std::vector<vfdw::FilterNode>& nodes,
                                                       const std::vector<FilterColumn>& columns);

  // identity: all that tells it apart from other filters on the same columns; empty: too long to be
  // compared.
  Filter(Node root, std::string identity)
      : root_(std::move(root)), identity_(std::move(identity)) {}

  // Bit i of word i / 64: row i exists and passes. Shared with the cache where it is kept there.
  // CANCELED when the flag was seen, CORRUPT when a value is none of its type.
  Result<std::shared_ptr<const std::vector<uint64_t>>> Evaluate(
      const FilteredRows& rows, const std::atomic<bool>* cancelled) const;
  // What a row costs at most, in comparisons of a number; without what can be looked up.
  int cost() const { return root_.cost; }
  size_t memory_bytes() const;

 private:
  struct Evaluated {
    std::vector<uint64_t> rows;
    uint64_t work = 0;  // in tests of a number
  };
  Result<Evaluated> Compute(const FilteredRows& rows, const std::atomic<bool>* cancelled) const;

  const Node root_;
  const std::string identity_;
};

}  // namespace vectord

#endif

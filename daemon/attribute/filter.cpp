// filter.cpp - evaluation of a filter, see filter.h.
//
// 64 rows at a time go down the tree together with the set of those that still matter: under AND
// what is false already is not looked at again, under OR what is true. So an expensive condition
// beside a selective one costs little.
#include "daemon/attribute/filter.h"

#include <algorithm>

namespace vectord {
namespace {

using Node = Filter::Node;

class Evaluation {
 public:
  explicit Evaluation(const FilteredRows& rows) : rows_(rows), count_(rows.columns.rows()) {}

  // Of the rows of a word, for those in active. REQUIRES: active has no bit behind the last row.
  Truth Test(const Node& node, size_t word, uint64_t active) {
    switch (node.kind) {
      case Node::Kind::kAnd:
        return And(node, word, active);
      case Node::Kind::kOr:
        return Or(node, word, active);
      case Node::Kind::kIsNull:
        return {IsNull(node, word) & active, 0};
      case Node::Kind::kTest:
        return Leaf(node, word, active);
      case Node::Kind::kConstant:
        return {0, node.constant_unknown ? active : 0};
      default:
        return Unary(node.kind, Test(node.children[0], word, active), active);
    }
  }

  bool corrupt() const { return corrupt_; }

 private:
  static Truth Unary(Node::Kind kind, Truth truth, uint64_t active) {
    const uint64_t no = active & ~truth.yes & ~truth.unknown;
    if (kind == Node::Kind::kNot) return {no, truth.unknown};
    if (kind == Node::Kind::kIsTrue) return {truth.yes, 0};
    return {kind == Node::Kind::kIsFalse ? no : truth.unknown, 0};
  }

  Truth And(const Node& node, size_t word, uint64_t active) {
    Truth all{active, 0};
    for (const Node& child : node.children) {
      const uint64_t not_false = all.yes | all.unknown;
      if (not_false == 0) break;
      const Truth truth = Test(child, word, not_false);
      all.yes &= truth.yes;
      all.unknown = not_false & (truth.yes | truth.unknown) & ~all.yes;
    }
    return all;
  }

  Truth Or(const Node& node, size_t word, uint64_t active) {
    Truth any;
    for (const Node& child : node.children) {
      const uint64_t not_true = active & ~any.yes;
      if (not_true == 0) break;
      const Truth truth = Test(child, word, not_true);
      any.yes |= truth.yes;
      any.unknown = (any.unknown | truth.unknown) & ~any.yes;
    }
    return any;
  }

  size_t RowsOfWord(size_t word) const { return std::min<size_t>(64, count_ - word * 64); }

  uint64_t NullsOf(const Column& column, size_t word) const {
    const uint8_t* const flags = column.null_flags();
    return flags == nullptr ? 0 : PackFlags(flags + word * 64, RowsOfWord(word));
  }

  uint64_t IsNull(const Node& node, size_t word) const {
    if (node.is_vector) return rows_.have_vectors ? 0 : ~uint64_t{0};
    return NullsOf(rows_.columns.at(node.column), word);
  }

  Truth Leaf(const Node& node, size_t word, uint64_t active) {
    const Column& column = rows_.columns.at(node.column);
    const uint64_t nulls = NullsOf(column, word) & active;
    const uint64_t asked = active & ~nulls;
    Truth truth;
    if (asked != 0 && !node.predicate->Test({column, word * 64, RowsOfWord(word), asked}, &truth))
      corrupt_ = true;
    return {truth.yes & asked, (truth.unknown & asked) | nulls};
  }

  const FilteredRows& rows_;
  const size_t count_;
  bool corrupt_ = false;
};

// The rows that exist, as a bitmap of their own.
std::vector<uint64_t> LiveRows(const FilteredRows& rows) {
  const size_t count = rows.columns.rows(), words = (count + 63) / 64;
  if (rows.live != nullptr) return std::vector<uint64_t>(rows.live, rows.live + words);
  std::vector<uint64_t> all(words, ~uint64_t{0});
  if (count % 64 != 0) all.back() = (uint64_t{1} << count % 64) - 1;
  return all;
}

size_t MemoryOf(const Node& node) {
  size_t bytes = sizeof(node) + (node.predicate ? node.predicate->memory_bytes() : 0);
  for (const Node& child : node.children) bytes += MemoryOf(child);
  return bytes;
}

}  // namespace

Result<std::vector<uint64_t>> Filter::Evaluate(const FilteredRows& rows,
                                               const std::atomic<bool>* cancelled) const {
  constexpr size_t kWordsBetweenLooks = 16;
  std::vector<uint64_t> passing = LiveRows(rows);
  Evaluation evaluation(rows);
  size_t tested = 0;
  for (size_t word = 0; word < passing.size(); word++) {
    if (passing[word] == 0) continue;
    if (++tested % kWordsBetweenLooks == 0 && cancelled != nullptr &&
        cancelled->load(std::memory_order_relaxed))
      return Status(ErrorCode::CANCELED, "the search was canceled");
    passing[word] = evaluation.Test(root_, word, passing[word]).yes;
  }
  if (evaluation.corrupt())
    return Status(ErrorCode::CORRUPT, "a stored value has not the form of its type",
                  "A filter could not be evaluated.",
                  "Rebuild the collection: SELECT vector_fdw.rebuild_collection(...).");
  return passing;
}

size_t Filter::memory_bytes() const { return sizeof(*this) + MemoryOf(root_); }

}  // namespace vectord

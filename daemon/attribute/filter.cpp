// filter.cpp - evaluation of a filter, see filter.h.
//
// 64 rows at a time go down the tree together with the set of those that still matter: under AND
// what is false already is not looked at again, under OR what is true. So an expensive condition
// beside a selective one costs little.
//
// Of a column with a dictionary each value is tested once, when more rows than values are asked
// for; then a row's test is a look at its code.
//
// Before that, rows are looked up in the order of columns (sorted_columns.h) where it pays; then
// only these are tested.
#include "daemon/attribute/filter.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace vectord {
namespace {

using Node = Filter::Node;

// What a condition is for each value of a dictionary, in bytes of 0 or 1.
struct CodeTruths {
  size_t rows_tested = 0;             // one by one, so far
  std::vector<uint8_t> yes, unknown;  // by code; empty until it pays
  bool any_unknown = false;
};

// Bit i: flags[codes[i]], of count codes, at most 64.
uint64_t PackFlagsOf(const uint16_t* codes, size_t count, const uint8_t* flags) {
  uint8_t bytes[64];
  for (size_t i = 0; i < count; i++) bytes[i] = flags[codes[i]];
  return PackFlags(bytes, count);
}

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
    if (asked != 0) {
      const RowWord rows{column, word * 64, RowsOfWord(word), asked};
      const CodeTruths* const truths = column.codes() ? TruthsOf(node, rows) : nullptr;
      if (truths != nullptr) {
        const uint16_t* const codes = column.codes() + rows.first;
        truth.yes = PackFlagsOf(codes, rows.count, truths->yes.data());
        if (truths->any_unknown)
          truth.unknown = PackFlagsOf(codes, rows.count, truths->unknown.data());
      } else if (!node.predicate->Test(rows, &truth)) {
        corrupt_ = true;
      }
    }
    return {truth.yes & asked, (truth.unknown & asked) | nulls};
  }

  // Null while fewer rows were asked for than there are values.
  const CodeTruths* TruthsOf(const Node& node, const RowWord& rows) {
    CodeTruths& truths = code_truths_[&node];
    if (!truths.yes.empty()) return &truths;
    truths.rows_tested += static_cast<size_t>(__builtin_popcountll(rows.active));
    if (truths.rows_tested <= rows.column.distinct_values()) return nullptr;
    const Column values = rows.column.Dictionary();
    for (size_t first = 0; first < values.rows(); first += 64) {
      const size_t count = std::min<size_t>(64, values.rows() - first);
      const uint64_t all = ~uint64_t{0} >> (64 - count);
      Truth truth;
      if (!node.predicate->Test({values, first, count, all}, &truth)) corrupt_ = true;
      for (size_t i = 0; i < count; i++) {
        truths.yes.push_back(truth.yes >> i & 1);
        truths.unknown.push_back(truth.unknown >> i & 1);
      }
      truths.any_unknown |= (truth.unknown & all) != 0;
    }
    return &truths;
  }

  const FilteredRows& rows_;
  const size_t count_;
  std::unordered_map<const Node*, CodeTruths> code_truths_;
  bool corrupt_ = false;
};

// Rows that may pass, by the order of columns: all for which the filter is true, perhaps others.
struct LookedUp {
  struct Piece {
    const SortedRows* sorted;
    Spans spans;
  };
  std::vector<Piece> pieces;
  size_t rows = 0;
  bool exact = true;  // no others
};

class Lookup {
 public:
  explicit Lookup(const FilteredRows& rows) : rows_(rows) {}

  // False: some of the rows cannot be looked up.
  bool Find(const Node& node, LookedUp* found) const {
    switch (node.kind) {
      case Node::Kind::kTest:
        return FindLeaf(node, found);
      case Node::Kind::kAnd:
        return FindFewest(node, found);
      case Node::Kind::kOr:
        return FindAll(node, found);
      case Node::Kind::kIsTrue:
        return Find(node.children[0], found);
      case Node::Kind::kConstant:
        return true;  // true for no row
      default:
        return false;
    }
  }

 private:
  bool FindLeaf(const Node& node, LookedUp* found) const {
    const SortedRows* const sorted =
        rows_.sorted->Get(rows_.columns, node.column, node.value_kind, rows_.budget);
    if (sorted == nullptr) return false;
    LookedUp::Piece piece{sorted, {}};
    if (!node.predicate->Find(rows_.columns.at(node.column), *sorted, &piece.spans)) return false;
    for (const auto& span : piece.spans) found->rows += span.second - span.first;
    found->pieces.push_back(std::move(piece));
    return true;
  }

  bool FindFewest(const Node& node, LookedUp* found) const {
    bool any = false;
    LookedUp fewest;
    for (const Node& child : node.children) {
      LookedUp of_child;
      if (!Find(child, &of_child) || (any && of_child.rows >= fewest.rows)) continue;
      fewest = std::move(of_child);
      any = true;
    }
    if (!any) return false;
    Add(std::move(fewest), found);
    found->exact &= node.children.size() == 1;
    return true;
  }

  bool FindAll(const Node& node, LookedUp* found) const {
    for (const Node& child : node.children) {
      LookedUp of_child;
      if (!Find(child, &of_child)) return false;
      Add(std::move(of_child), found);
    }
    return true;
  }

  static void Add(LookedUp&& part, LookedUp* found) {
    found->rows += part.rows;
    found->exact &= part.exact;
    for (LookedUp::Piece& piece : part.pieces) found->pieces.push_back(std::move(piece));
  }

  const FilteredRows& rows_;
};

// A node's cost in this segment.
int CostIn(const Node& node, const ColumnSet& columns) {
  constexpr int kCostOfCode = 2;
  if (node.kind == Node::Kind::kTest && columns.at(node.column).codes() != nullptr)
    return std::min(node.cost, kCostOfCode);
  if (node.children.empty()) return node.cost;
  int cost = 0;
  for (const Node& child : node.children) cost += CostIn(child, columns);
  return cost;
}

// Looks up what passes where that is cheaper than to test every row. False: it is not.
bool LookUp(const Node& root, const FilteredRows& rows, LookedUp* found) {
  if (rows.sorted == nullptr || !Lookup(rows).Find(root, found)) return false;
  // Measured: setting a bit at random takes as long as some ten comparisons of numbers in a row.
  constexpr uint64_t kCostOfBit = 12;
  const uint64_t cost = static_cast<uint64_t>(std::max(CostIn(root, rows.columns), 1));
  return found->rows * (kCostOfBit + cost) <= rows.columns.rows() * cost;
}

std::vector<uint64_t> BitsOf(const LookedUp& found, const FilteredRows& rows) {
  const size_t words = (rows.columns.rows() + 63) / 64;
  std::vector<uint64_t> bits(words, 0);
  for (const LookedUp::Piece& piece : found.pieces)
    for (const auto& span : piece.spans)
      for (size_t i = span.first; i < span.second; i++) {
        const uint32_t row = (*piece.sorted)[i];
        bits[row / 64] |= uint64_t{1} << row % 64;
      }
  if (rows.live != nullptr)
    for (size_t word = 0; word < words; word++) bits[word] &= rows.live[word];
  return bits;
}

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
  LookedUp found;
  const bool looked_up = LookUp(root_, rows, &found);
  std::vector<uint64_t> passing = looked_up ? BitsOf(found, rows) : LiveRows(rows);
  if (looked_up && found.exact) return passing;
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

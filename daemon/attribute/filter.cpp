// filter.cpp - evaluation of a filter, see filter.h.
//
// A block of rows at a time goes down the tree together with the set of those that still matter:
// under AND what is false already is not looked at again, under OR what is true. So an expensive
// condition beside a selective one costs little. Blocks are so large that going down costs nothing
// beside the comparison of numbers, and so small that a column's part of one stays in the nearest
// cache.
//
// Of a column with a dictionary each value is tested once, when more rows than values are asked
// for; then a row's test is a look at its code.
//
// Before that, rows are looked up in the order of columns (filter_lookup.h) where it pays; then
// only these are tested.
#include "daemon/attribute/filter.h"

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <utility>

#include "daemon/attribute/filter_lookup.h"
#include "daemon/kernel/row_bits.h"

namespace vectord {
namespace {

using Node = Filter::Node;

// What a condition is for each value of a dictionary.
struct CodeTruths {
  size_t rows_tested = 0;             // one by one, so far
  std::vector<uint8_t> yes, unknown;  // bytes of 0 or 1 by code; empty until it pays
  bool any_unknown = false;
  // The codes for which it is true; empty: there are none, or more than a few.
  std::vector<uint16_t> few;
};

// Bit i: flags[codes[i]], of count codes, at most 64.
uint64_t PackFlagsOf(const uint16_t* codes, size_t count, const uint8_t* flags) {
  uint8_t bytes[64];
  for (size_t i = 0; i < count; i++) bytes[i] = flags[codes[i]];
  return PackFlags(bytes, count);
}

// Words of 64 rows each: [first, first + count).
struct Block {
  static constexpr size_t kMostWords = 32;
  size_t first, count;
};

// A set of rows of a block, by word. Nothing is said of what is behind the block's last word.
struct RowSet {
  uint64_t words[Block::kMostWords];
};

// As Truth, of a block.
struct BlockTruth {
  RowSet yes, unknown;
};

bool IsEmpty(const RowSet& set, size_t words) {
  uint64_t any = 0;
  for (size_t w = 0; w < words; w++) any |= set.words[w];
  return any == 0;
}

class Evaluation {
 public:
  explicit Evaluation(const FilteredRows& rows) : rows_(rows), count_(rows.columns.rows()) {}

  // Of the rows of a block, for those in active. REQUIRES: active has no bit behind the last row.
  void Test(const Node& node, const Block& block, const RowSet& active, BlockTruth* truth) {
    switch (node.kind) {
      case Node::Kind::kAnd:
        return And(node, block, active, truth);
      case Node::Kind::kOr:
        return Or(node, block, active, truth);
      case Node::Kind::kIsNull:
        for (size_t w = 0; w < block.count; w++)
          truth->yes.words[w] = IsNull(node, block.first + w) & active.words[w];
        std::fill_n(truth->unknown.words, block.count, 0);
        return;
      case Node::Kind::kTest:
        return Leaf(node, block, active, truth);
      case Node::Kind::kConstant:
        std::fill_n(truth->yes.words, block.count, 0);
        for (size_t w = 0; w < block.count; w++)
          truth->unknown.words[w] = node.constant_unknown ? active.words[w] : 0;
        return;
      default:
        Test(node.children[0], block, active, truth);
        for (size_t w = 0; w < block.count; w++)
          Unary(node.kind, active.words[w], &truth->yes.words[w], &truth->unknown.words[w]);
    }
  }

  bool corrupt() const { return corrupt_; }

 private:
  static void Unary(Node::Kind kind, uint64_t active, uint64_t* yes, uint64_t* unknown) {
    const uint64_t no = active & ~*yes & ~*unknown;
    if (kind == Node::Kind::kIsFalse || kind == Node::Kind::kNot) *yes = no;
    if (kind == Node::Kind::kIsUnknown) *yes = *unknown;
    if (kind != Node::Kind::kNot) *unknown = 0;
  }

  void And(const Node& node, const Block& block, const RowSet& active, BlockTruth* all) {
    all->yes = active;
    std::fill_n(all->unknown.words, block.count, 0);
    for (const Node& child : node.children) {
      RowSet not_false;
      for (size_t w = 0; w < block.count; w++)
        not_false.words[w] = all->yes.words[w] | all->unknown.words[w];
      if (IsEmpty(not_false, block.count)) return;
      BlockTruth truth;
      Test(child, block, not_false, &truth);
      for (size_t w = 0; w < block.count; w++) {
        all->yes.words[w] &= truth.yes.words[w];
        all->unknown.words[w] =
            not_false.words[w] & (truth.yes.words[w] | truth.unknown.words[w]) & ~all->yes.words[w];
      }
    }
  }

  void Or(const Node& node, const Block& block, const RowSet& active, BlockTruth* any) {
    std::fill_n(any->yes.words, block.count, 0);
    std::fill_n(any->unknown.words, block.count, 0);
    for (const Node& child : node.children) {
      RowSet not_true;
      for (size_t w = 0; w < block.count; w++)
        not_true.words[w] = active.words[w] & ~any->yes.words[w];
      if (IsEmpty(not_true, block.count)) return;
      BlockTruth truth;
      Test(child, block, not_true, &truth);
      for (size_t w = 0; w < block.count; w++) {
        any->yes.words[w] |= truth.yes.words[w];
        any->unknown.words[w] =
            (any->unknown.words[w] | truth.unknown.words[w]) & ~any->yes.words[w];
      }
    }
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

  void Leaf(const Node& node, const Block& block, const RowSet& active, BlockTruth* truth) {
    const Column& column = rows_.columns.at(node.column);
    RowSet asked;
    for (size_t w = 0; w < block.count; w++) {
      truth->unknown.words[w] = NullsOf(column, block.first + w) & active.words[w];
      asked.words[w] = active.words[w] & ~truth->unknown.words[w];
    }
    const size_t asked_rows = kernels_.count(asked.words, block.count);
    const CodeTruths* const truths =
        column.codes() != nullptr ? TruthsOf(node, column, asked_rows) : nullptr;
    const size_t done = truths != nullptr || asked_rows <= kFewRowsPerWord * block.count
                            ? 0
                            : TestAtOnce(node, column, block, asked, truth);
    for (size_t w = done; w < block.count; w++) {
      if (asked.words[w] == 0) {
        truth->yes.words[w] = 0;
        continue;
      }
      const RowWord rows{column, (block.first + w) * 64, RowsOfWord(block.first + w),
                         asked.words[w]};
      const Truth word = truths != nullptr ? TestCodes(*truths, rows) : TestRows(node, rows);
      truth->yes.words[w] = word.yes & asked.words[w];
      truth->unknown.words[w] |= word.unknown & asked.words[w];
    }
  }

  // Tests words from the first on without a look at what is asked for; returns how many.
  size_t TestAtOnce(const Node& node, const Column& column, const Block& block, const RowSet& asked,
                    BlockTruth* truth) const {
    const size_t whole = std::min(block.count, count_ / 64 - block.first);
    if (column.codes() != nullptr ||
        !node.predicate->TestWords(column, block.first, whole, truth->yes.words))
      return 0;
    for (size_t w = 0; w < whole; w++) truth->yes.words[w] &= asked.words[w];
    return whole;
  }

  Truth TestRows(const Node& node, const RowWord& rows) {
    Truth truth;
    if (!node.predicate->Test(rows, &truth)) corrupt_ = true;
    return truth;
  }

  Truth TestCodes(const CodeTruths& truths, const RowWord& rows) const {
    const uint16_t* const codes = rows.column.codes() + rows.first;
    if (truths.any_unknown)
      return {PackFlagsOf(codes, rows.count, truths.yes.data()),
              PackFlagsOf(codes, rows.count, truths.unknown.data())};
    if (truths.few.empty() || rows.count < 64)
      return {PackFlagsOf(codes, rows.count, truths.yes.data()), 0};
    uint64_t yes = 0;
    for (const uint16_t code : truths.few) {
      uint64_t equal;
      kernels_.of_16(reinterpret_cast<const char*>(codes), 1, code, 0, &equal);
      yes |= equal;
    }
    return {yes, 0};
  }

  // Null while fewer rows were asked for than there are values.
  const CodeTruths* TruthsOf(const Node& node, const Column& column, size_t asked_rows) {
    constexpr size_t kFewCodes = 8;
    CodeTruths& truths = code_truths_[&node];
    if (!truths.yes.empty()) return &truths;
    truths.rows_tested += asked_rows;
    if (truths.rows_tested <= column.distinct_values()) return nullptr;
    const Column values = column.Dictionary();
    for (size_t first = 0; first < values.rows(); first += 64) {
      const size_t count = std::min<size_t>(64, values.rows() - first);
      const uint64_t all = ~uint64_t{0} >> (64 - count);
      const Truth truth = TestRows(node, {values, first, count, all});
      for (size_t i = 0; i < count; i++) {
        truths.yes.push_back(truth.yes >> i & 1);
        truths.unknown.push_back(truth.unknown >> i & 1);
        if (truths.yes.back() != 0 && truths.few.size() <= kFewCodes)
          truths.few.push_back(static_cast<uint16_t>(first + i));
      }
      truths.any_unknown |= (truth.unknown & all) != 0;
    }
    if (truths.few.size() > kFewCodes) truths.few.clear();
    return &truths;
  }

  // To test a word at once takes as long as to test so many of its rows one by one.
  static constexpr size_t kFewRowsPerWord = 4;

  const FilteredRows& rows_;
  const size_t count_;
  const RowBitsKernels& kernels_ = ActiveRowBits();
  std::unordered_map<const Node*, CodeTruths> code_truths_;
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

Result<Filter::Evaluated> Filter::Compute(const FilteredRows& rows,
                                          const std::atomic<bool>* cancelled) const {
  std::optional<LookedUp> found = LookUp(root_, rows);
  const uint64_t work = found ? found->count * kCostOfLookup : 0;
  if (found && found->exact) return Evaluated{std::move(found->rows), work};
  const size_t tests = found ? found->count : rows.columns.rows();
  std::vector<uint64_t> passing = found ? std::move(found->rows) : LiveRows(rows);
  Evaluation evaluation(rows);
  for (Block block{0, 0}; block.first < passing.size(); block.first += block.count) {
    if (cancelled != nullptr && cancelled->load(std::memory_order_relaxed))
      return Status(ErrorCode::CANCELED, "the search was canceled");
    block.count = std::min(Block::kMostWords, passing.size() - block.first);
    uint64_t* const words = passing.data() + block.first;
    RowSet active;
    std::copy_n(words, block.count, active.words);
    if (IsEmpty(active, block.count)) continue;
    BlockTruth truth;
    evaluation.Test(root_, block, active, &truth);
    std::copy_n(truth.yes.words, block.count, words);
  }
  if (evaluation.corrupt())
    return Status(ErrorCode::CORRUPT, "a stored value has not the form of its type",
                  "A filter could not be evaluated.",
                  "Rebuild the collection: SELECT vector_fdw.rebuild_collection(...).");
  return Evaluated{std::move(passing),
                   work + tests * static_cast<uint64_t>(std::max(root_.cost, 1))};
}

Result<FilterCache::Rows> Filter::Evaluate(const FilteredRows& rows,
                                           const std::atomic<bool>* cancelled) const {
  // Some 10 us; less is not worth keeping.
  constexpr uint64_t kMuchWork = 100000;
  const auto share = [](std::vector<uint64_t> passing) -> FilterCache::Rows {
    return std::make_shared<const std::vector<uint64_t>>(std::move(passing));
  };
  if (rows.cache == nullptr || rows.budget == nullptr || identity_.empty()) {
    VFDW_ASSIGN_OR_RETURN(Evaluated evaluated, Compute(rows, cancelled));
    return share(std::move(evaluated.rows));
  }
  FilterCache::Rows passing = rows.cache->Find(identity_);
  if (passing == nullptr) {
    FilteredRows all = rows;
    all.live = nullptr;
    VFDW_ASSIGN_OR_RETURN(Evaluated evaluated, Compute(all, cancelled));
    passing = share(std::move(evaluated.rows));
    if (evaluated.work >= kMuchWork && rows.cache->AskedBefore(identity_))
      rows.cache->Keep(identity_, *passing, rows.budget);
  }
  if (rows.live == nullptr) return passing;
  std::vector<uint64_t> living(*passing);
  for (size_t word = 0; word < living.size(); word++) living[word] &= rows.live[word];
  return share(std::move(living));
}

size_t Filter::memory_bytes() const {
  return sizeof(*this) + MemoryOf(root_) + identity_.capacity();
}

}  // namespace vectord

// sorted_columns_test.cpp - filters that look rows up pass the same rows as filters that test all.
#include "daemon/attribute/sorted_columns.h"

#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "daemon/attribute/filter.h"
#include "test/unit/attribute/filter_nodes.h"

namespace vectord {
namespace {

using vfdw::FilterKind;
using vfdw::FilterNode;

constexpr size_t kRows = SortedColumns::kFewestRows + 77;
constexpr uint32_t kReal = 701, kText = 25, kBpchar = 1042, kInt = 23;

const std::vector<FilterColumn> kColumns = {{"number", ValueEncoding::kInt32, kInt, 0},
                                            {"real", ValueEncoding::kFloat64, kReal, 1},
                                            {"text", ValueEncoding::kText, kText, 2},
                                            {"padded", ValueEncoding::kText, kBpchar, 3}};

// With NULLs, ties, NaN, and values that begin alike.
struct Table {
  std::mt19937 random;
  ColumnSet columns;

  explicit Table(uint32_t seed) : random(seed) {
    std::vector<Column> made;
    for (const FilterColumn& column : kColumns) made.emplace_back(column.encoding, column.type_oid);
    for (size_t row = 0; row < kRows; row++)
      for (size_t c = 0; c < made.size(); c++) {
        if (random() % 20 == 0)
          made[c].AppendNull();
        else
          made[c].Append(Value(c));
      }
    columns = ColumnSet(std::move(made));
  }

  std::string Value(size_t column) {
    const int pick = static_cast<int>(random() % 50) - 25;
    if (column == 0) return Bytes(int32_t{pick * 85000000});  // as far apart as they can be
    if (column == 1) return Bytes(pick == 0 ? double(NAN) : pick * 0.5);
    std::string text = "the same beginning " + std::to_string(pick);
    if (column == 3) text.append(random() % 3, ' ');
    return pick == 1 ? "" : text;
  }

  FilterNode RandomLeaf() {
    constexpr FilterKind kKinds[] = {
        FilterKind::kEqual,     FilterKind::kNotEqual,    FilterKind::kLess,
        FilterKind::kLessEqual, FilterKind::kGreater,     FilterKind::kGreaterEqual,
        FilterKind::kIn,        FilterKind::kNotDistinct, FilterKind::kPrefix};
    const size_t column = random() % kColumns.size();
    FilterNode leaf = Leaf(kKinds[random() % (column >= 2 ? 9 : 8)], kColumns[column].name);
    const size_t operands = leaf.kind == static_cast<uint8_t>(FilterKind::kIn) ? random() % 4 : 1;
    for (size_t i = 0; i < operands; i++) leaf.values.push_back(Value(column));
    return leaf;
  }

  std::vector<FilterNode> RandomFilter() {
    std::vector<FilterNode> nodes = {RandomLeaf()};
    const uint32_t more = random() % 3;
    for (uint32_t i = 0; i < more; i++) nodes.push_back(RandomLeaf());
    if (more > 0)
      nodes.push_back(Joined(random() % 2 == 0 ? FilterKind::kAnd : FilterKind::kOr, more + 1));
    if (random() % 5 == 0) nodes.push_back(Unary(FilterKind::kNot));
    return nodes;
  }
};

std::vector<uint64_t> Passing(const std::vector<FilterNode>& nodes, const FilteredRows& rows) {
  auto filter = Filter::Compile(nodes, kColumns);
  EXPECT_TRUE(filter.ok());
  auto words = (*filter)->Evaluate(rows, nullptr);
  EXPECT_TRUE(words.ok());
  return **words;
}

TEST(SortedColumns, PassTheSameRowsAsTestingAll) {
  const auto seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Table table(seed);
  MemoryBudget budget(size_t{1} << 30, "test");
  const SortedColumns sorted(table.columns.count());
  std::vector<uint64_t> live((kRows + 63) / 64);
  for (uint64_t& word : live) word = table.random() | uint64_t{table.random()} << 32;
  live.back() &= (uint64_t{1} << kRows % 64) - 1;
  for (int round = 0; round < 400; round++) {
    const std::vector<FilterNode> nodes = table.RandomFilter();
    const uint64_t* const some = round % 2 == 0 ? live.data() : nullptr;
    EXPECT_EQ(Passing(nodes, {table.columns, true, some, &sorted, &budget}),
              Passing(nodes, {table.columns, true, some}))
        << "round " << round;
  }
  EXPECT_EQ(sorted.memory_bytes(), budget.used());
  EXPECT_GT(sorted.memory_bytes(), 3 * kRows * sizeof(uint32_t));
}

TEST(SortedColumns, StandByValueAndLeaveOutNull) {
  Table table(1);
  MemoryBudget budget(size_t{1} << 30, "test");
  const SortedColumns sorted(table.columns.count());
  const Column& column = table.columns.at(0);
  const SortedRows* const rows = sorted.Get(table.columns, 0, ValueKind::kInt32, &budget);
  ASSERT_NE(rows, nullptr);
  size_t nulls = 0;
  for (size_t row = 0; row < kRows; row++) nulls += column.IsNull(row);
  EXPECT_EQ(rows->size(), kRows - nulls);
  for (size_t i = 0; i + 1 < rows->size(); i++) {
    int32_t a, b;
    memcpy(&a, column.Value((*rows)[i]).data(), sizeof a);
    memcpy(&b, column.Value((*rows)[i + 1]).data(), sizeof b);
    ASSERT_TRUE(a < b || (a == b && (*rows)[i] < (*rows)[i + 1]));
  }
  EXPECT_EQ(sorted.Get(table.columns, 0, ValueKind::kInt32, &budget), rows);
  EXPECT_EQ(sorted.Get(table.columns, 0, ValueKind::kUint32, &budget), nullptr);
}

TEST(SortedColumns, AreNotMadeBeyondTheBudget) {
  Table table(2);
  MemoryBudget budget(1000, "test");
  const SortedColumns sorted(table.columns.count());
  EXPECT_EQ(sorted.Get(table.columns, 0, ValueKind::kInt32, &budget), nullptr);
  EXPECT_EQ(budget.used(), 0u);
  budget.SetLimit(size_t{1} << 30);
  EXPECT_NE(sorted.Get(table.columns, 0, ValueKind::kInt32, &budget), nullptr);
}

TEST(SortedColumns, AreMadeOnceByThreadsThatMeet) {
  Table table(3);
  MemoryBudget budget(size_t{1} << 30, "test");
  const SortedColumns sorted(table.columns.count());
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; i++)
    threads.emplace_back([&] {
      for (size_t c = 0; c < 3; c++) {
        const ValueKind kind = ValueKindOf(kColumns[c].encoding, kColumns[c].type_oid);
        while (sorted.Get(table.columns, c, kind, &budget) == nullptr) std::this_thread::yield();
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(sorted.memory_bytes(), budget.used());
}

}  // namespace
}  // namespace vectord

// filter_cache_test.cpp - what filters let pass is kept when they are asked for again, and is
// right.
#include "daemon/attribute/filter_cache.h"

#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "daemon/attribute/filter.h"
#include "test/unit/attribute/filter_nodes.h"

namespace vectord {
namespace {

using vfdw::FilterKind;
using vfdw::FilterNode;

const std::vector<uint64_t> kRows = {1, 2, 3};

class FilterCacheTest : public testing::Test {
 protected:
  MemoryBudget budget_{size_t{1} << 20, "test"};
  FilterCache cache_;
};

TEST_F(FilterCacheTest, GivesBackWhatWasKept) {
  EXPECT_EQ(cache_.Find("a"), nullptr);
  EXPECT_FALSE(cache_.AskedBefore("a"));
  EXPECT_TRUE(cache_.AskedBefore("a"));
  EXPECT_FALSE(cache_.AskedBefore("b"));
  cache_.Keep("a", kRows, &budget_);
  ASSERT_NE(cache_.Find("a"), nullptr);
  EXPECT_EQ(*cache_.Find("a"), kRows);
  EXPECT_EQ(cache_.Find("b"), nullptr);
  EXPECT_GT(cache_.memory_bytes(), kRows.size() * sizeof(uint64_t));
  EXPECT_EQ(budget_.used(), cache_.memory_bytes());
}

TEST_F(FilterCacheTest, TheFilterUsedLongestAgoMakesRoom) {
  for (size_t i = 0; i < FilterCache::kMostFilters; i++)
    cache_.Keep(std::to_string(i), {i}, &budget_);
  ASSERT_NE(cache_.Find("0"), nullptr);
  cache_.Keep("more", kRows, &budget_);
  EXPECT_NE(cache_.Find("0"), nullptr);
  EXPECT_EQ(cache_.Find("1"), nullptr);
  EXPECT_EQ(*cache_.Find("2"), std::vector<uint64_t>{2});
  EXPECT_NE(cache_.Find("more"), nullptr);
  EXPECT_EQ(budget_.used(), cache_.memory_bytes());
}

TEST_F(FilterCacheTest, NothingIsKeptBeyondTheMemory) {
  cache_.Keep("a", std::vector<uint64_t>(1000), &budget_);
  budget_.SetLimit((budget_.used() + 10) * 8 / 7);          // an eighth is for rows
  cache_.Keep("b", std::vector<uint64_t>(1000), &budget_);  // in place of the other
  EXPECT_EQ(cache_.Find("a"), nullptr);
  EXPECT_NE(cache_.Find("b"), nullptr);
  cache_.Keep("c", std::vector<uint64_t>(100000), &budget_);
  EXPECT_EQ(cache_.Find("c"), nullptr);
  EXPECT_EQ(budget_.used(), cache_.memory_bytes());
}

TEST_F(FilterCacheTest, ThreadsAskAndKeepAtTheSameTime) {
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; thread++)
    threads.emplace_back([&, thread] {
      std::mt19937 random(static_cast<uint32_t>(thread));
      for (int i = 0; i < 2000; i++) {
        const uint64_t number = random() % 50;
        const std::string filter = std::to_string(number);
        if (const FilterCache::Rows rows = cache_.Find(filter))
          EXPECT_EQ(*rows, std::vector<uint64_t>{number});
        else if (cache_.AskedBefore(filter))
          cache_.Keep(filter, {number}, &budget_);
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(budget_.used(), cache_.memory_bytes());
}

// Rows are as many as it takes for a filter to be worth keeping.
class RepeatedFilterTest : public FilterCacheTest {
 protected:
  static constexpr size_t kCount = 150001;
  RepeatedFilterTest() {
    Column a(ValueEncoding::kInt64, 20), b(ValueEncoding::kInt64, 20);
    for (size_t row = 0; row < kCount; row++) {
      a.Append(Bytes(static_cast<int64_t>(row % 10)));
      b.Append(Bytes(static_cast<int64_t>(row % 7)));
    }
    std::vector<Column> columns;
    columns.push_back(std::move(a));
    columns.push_back(std::move(b));
    columns_ = ColumnSet(std::move(columns));
  }
  // Of the rows that pass "a" < bound.
  size_t Count(int64_t bound, const std::vector<FilterColumn>& columns,
               const std::vector<uint64_t>* live = nullptr) {
    const auto filter = Filter::Compile({Leaf(FilterKind::kLess, "a", {Bytes(bound)})}, columns);
    EXPECT_TRUE(filter.ok());
    const auto rows = (*filter)->Evaluate(
        {columns_, true, live ? live->data() : nullptr, nullptr, &budget_, &cache_}, nullptr);
    EXPECT_TRUE(rows.ok());
    size_t count = 0;
    for (const uint64_t word : **rows) count += static_cast<size_t>(__builtin_popcountll(word));
    return count;
  }
  const std::vector<FilterColumn> kNames = {{"a", ValueEncoding::kInt64, 20, 0},
                                            {"b", ValueEncoding::kInt64, 20, 1}};
  ColumnSet columns_;
};

TEST_F(RepeatedFilterTest, IsKeptTheSecondTimeAndStaysRight) {
  std::vector<uint64_t> live((kCount + 63) / 64, ~uint64_t{0});
  live.back() = (uint64_t{1} << kCount % 64) - 1;
  EXPECT_EQ(Count(5, kNames), 75001u);
  EXPECT_EQ(cache_.memory_bytes(), 0u);
  EXPECT_EQ(Count(5, kNames, &live), 75001u);
  const size_t one = cache_.memory_bytes();
  EXPECT_GT(one, kCount / 8);
  live[0] = 0;  // rows were deleted since
  EXPECT_EQ(Count(5, kNames, &live), 75001u - 34);
  EXPECT_EQ(Count(5, kNames), 75001u);
  EXPECT_EQ(Count(6, kNames), 90001u);  // another operand
  EXPECT_EQ(cache_.memory_bytes(), one);
}

TEST_F(RepeatedFilterTest, OfTheSameNameOnAnotherColumnIsAnother) {
  const std::vector<FilterColumn> renamed = {{"b", ValueEncoding::kInt64, 20, 0},
                                             {"a", ValueEncoding::kInt64, 20, 1}};
  for (int turn = 0; turn < 3; turn++) {
    EXPECT_EQ(Count(5, kNames), 75001u);
    EXPECT_EQ(Count(5, renamed), 107145u);
  }
}

TEST_F(RepeatedFilterTest, ThatIsHugeIsNotKept) {
  std::vector<std::string> values;
  for (int64_t value = 0; value < 1000; value++) values.push_back(Bytes(value));
  const auto filter = Filter::Compile({Leaf(FilterKind::kIn, "a", values)}, kNames);
  ASSERT_TRUE(filter.ok());
  for (int turn = 0; turn < 3; turn++)
    ASSERT_TRUE(
        (*filter)->Evaluate({columns_, true, nullptr, nullptr, &budget_, &cache_}, nullptr).ok());
  EXPECT_EQ(cache_.memory_bytes(), 0u);
}

}  // namespace
}  // namespace vectord

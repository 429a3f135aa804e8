// block_ranges_test.cpp - ranges cover every block once, and are of about equal size.
#include "daemon/source/block_ranges.h"

#include <gtest/gtest.h>

namespace vectord {
namespace {

constexpr uint64_t kMB = 1 << 20;

void ExpectCover(const std::vector<BlockRange>& ranges) {
  ASSERT_FALSE(ranges.empty());
  EXPECT_EQ(ranges.front().begin, 0u);
  for (size_t i = 1; i < ranges.size(); i++) {
    EXPECT_EQ(ranges[i].begin, ranges[i - 1].end);
    EXPECT_LT(ranges[i - 1].begin, ranges[i - 1].end);
  }
  EXPECT_EQ(ranges.back().end, BlockRange::kNoEnd);
}

TEST(BlockRanges, AnEmptyTableIsOneOpenRange) {
  for (const std::vector<RelationSize>& sizes :
       {std::vector<RelationSize>{}, std::vector<RelationSize>{{0, 0}},
        std::vector<RelationSize>{{1, 8192}}}) {
    const auto ranges = PlanBlockRanges(sizes, 16 * kMB);
    EXPECT_EQ(ranges.size(), 1u);
    ExpectCover(ranges);
  }
}

TEST(BlockRanges, ALargeTableIsCutEvenly) {
  const auto ranges = PlanBlockRanges({{12800, 100 * kMB}}, 16 * kMB);
  ExpectCover(ranges);
  EXPECT_EQ(ranges.size(), 7u);
  EXPECT_EQ(ranges[0].end, 2048u);
}

TEST(BlockRanges, ToastCountsForTheSize) {
  const auto ranges = PlanBlockRanges({{10, 100 * kMB}}, 16 * kMB);
  ExpectCover(ranges);
  EXPECT_EQ(ranges.size(), 6u);  // of 2, 2, 1, 2, 1 and 2 blocks
}

TEST(BlockRanges, ARangeIsNeverSmallerThanABlock) {
  const auto ranges = PlanBlockRanges({{2, 100 * kMB}}, kMB);
  ExpectCover(ranges);
  EXPECT_EQ(ranges.size(), 2u);
}

TEST(BlockRanges, UnequalPartitionsShareRanges) {
  const auto ranges =
      PlanBlockRanges({{12800, 100 * kMB}, {1280, 10 * kMB}, {0, 0}, {128, kMB}}, 16 * kMB);
  ExpectCover(ranges);
  EXPECT_EQ(ranges.size(), 7u);
  EXPECT_LT(ranges[0].end, 2048u);  // where the small ones add to it
}

}  // namespace
}  // namespace vectord

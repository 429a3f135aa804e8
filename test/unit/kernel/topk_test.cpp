// topk_test.cpp - the k best in PostgreSQL's order of float8, then by row.
#include "daemon/kernel/topk.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace vectord {
namespace {

std::vector<Candidate> RandomCandidates(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<Candidate> candidates;
  for (uint32_t row = 0; row < count; row++) {
    const double distance = random() % 50 == 0 ? NAN : static_cast<double>(random() % 100);
    candidates.push_back({distance, row});
  }
  std::shuffle(candidates.begin(), candidates.end(), random);
  return candidates;
}

std::vector<Candidate> Best(const std::vector<Candidate>& candidates, size_t k) {
  TopK best(k);
  for (const Candidate& candidate : candidates) best.Push(candidate.distance, candidate.row);
  std::vector<Candidate> out;
  EXPECT_TRUE(best.Take(&out));
  return out;
}

TEST(TopK, RaisingTheBarTellsHowManyGotOverIt) {
  TopK best(3);
  EXPECT_EQ(best.RaiseBar(), 0u);
  for (const uint32_t row : {1, 2}) best.Push(10.0 * row, row);
  EXPECT_EQ(best.RaiseBar(), 2u);  // no bar yet: fewer than 3
  for (const uint32_t row : {3, 4, 5}) best.Push(10.0 * row, row);
  EXPECT_EQ(best.RaiseBar(), 3u);
  EXPECT_EQ(best.Bound(), 30);
  best.Push(31, 6);
  best.Push(NAN, 7);
  EXPECT_EQ(best.RaiseBar(), 0u);
  best.Push(30, 0);  // a tie, but the smaller row
  best.Push(5, 8);
  best.Push(15, 9);
  EXPECT_EQ(best.RaiseBar(), 3u);
  EXPECT_EQ(best.Bound(), 15);
  std::vector<Candidate> out;
  ASSERT_TRUE(best.Take(&out));
  EXPECT_EQ(out, (std::vector<Candidate>{{5, 8}, {10, 1}, {15, 9}}));
}

TEST(TopK, RaisingTheBarChangesNoAnswer) {
  const std::vector<Candidate> candidates = RandomCandidates(1000, 4);
  for (const size_t k : {0, 1, 10, 999, 1000, 5000}) {
    TopK best(k);
    for (const Candidate& candidate : candidates) {
      best.Push(candidate.distance, candidate.row);
      if (candidate.row % 7 == 0) best.RaiseBar();
    }
    std::vector<Candidate> out;
    ASSERT_TRUE(best.Take(&out));
    EXPECT_EQ(out, Best(candidates, k)) << "k " << k;
  }
}

TEST(TopK, EqualsSortingEverythingForEveryK) {
  const std::vector<Candidate> candidates = RandomCandidates(1000, 1);
  std::vector<Candidate> sorted = candidates;
  std::sort(sorted.begin(), sorted.end(), ComesBefore);
  for (const size_t k : {0, 1, 2, 10, 63, 64, 65, 500, 999, 1000, 5000}) {
    const std::vector<Candidate> expected(sorted.begin(),
                                          sorted.begin() + std::min(k, sorted.size()));
    EXPECT_EQ(Best(candidates, k), expected) << "k " << k;
  }
}

TEST(TopK, NanComesAfterInfinityAndIsEqualToNan) {
  const std::vector<Candidate> best = Best({{NAN, 1}, {INFINITY, 2}, {-NAN, 0}, {-INFINITY, 3}}, 4);
  EXPECT_EQ(best[0].row, 3u);
  EXPECT_EQ(best[1].row, 2u);
  EXPECT_EQ(best[2].row, 0u);
  EXPECT_EQ(best[3].row, 1u);
}

TEST(TopK, ZerosOfBothSignsAreTies) {
  const std::vector<Candidate> best = Best({{0.0, 1}, {-0.0, 2}, {0.0, 0}}, 3);
  for (uint32_t i = 0; i < 3; i++) EXPECT_EQ(best[i].row, i);
}

TEST(TopK, TheBoundFallsAsBetterCandidatesCome) {
  TopK best(1);
  EXPECT_EQ(best.Bound(), INFINITY);
  for (uint32_t row = 0; row < 1000; row++) best.Push(1000.0 - row, row);
  EXPECT_LT(best.Bound(), 100);
}

TEST(TopK, CancelingStopsASortOfManyCandidates) {
  std::atomic<bool> cancelled{false};
  TopK best(1000000, &cancelled);
  for (const Candidate& candidate : RandomCandidates(200000, 2))
    best.Push(candidate.distance, candidate.row);
  cancelled = true;
  std::vector<Candidate> out;
  EXPECT_FALSE(best.Take(&out));
  EXPECT_TRUE(out.empty());
}

}  // namespace
}  // namespace vectord

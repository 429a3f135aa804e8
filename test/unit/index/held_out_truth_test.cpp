// held_out_truth_test.cpp - the blocked scan for many queries agrees with one scan for each.
#include "daemon/index/held_out_truth.h"

#include <gtest/gtest.h>

#include "test/unit/index/vectors_for_tests.h"

namespace vectord {
namespace {

TEST(HeldOutTruth, DistancesAreThoseOfExactSearches) {
  const Vectors vectors = CoarseVectors(3333, 20, 1);
  const std::vector<uint32_t> queries = {0, 70, 3332, 64, 2000};
  std::vector<uint64_t> most((3333 + 63) / 64, 0), few = most;
  for (size_t row = 0; row < 3333; row++) {
    if (row % 7 != 0) most[row / 64] |= uint64_t{1} << (row % 64);
    if (row % 900 == 1) few[row / 64] |= uint64_t{1} << (row % 64);
  }
  BuildControl control;
  control.threads = 2;
  for (const vfdw_metric metric : kMetrics) {
    const auto store = StoreOf(vectors);
    const auto truth =
        FindTrueNeighbours(*store, metric, queries,
                           {{most.data(), {1, 10, 100, 5000, 10}}, {few.data(), {10, 2}}}, control);
    ASSERT_TRUE(truth.ok());
    const auto expect = [&](const TrueNeighbours& found, size_t q, const uint64_t* allowed,
                            size_t k) {
      const auto sorted =
          FirstOf(SortedByDistance(*store, metric, vectors[queries[q]], allowed), k);
      ASSERT_EQ(found.size(), sorted.size());
      for (size_t i = 0; i < found.size(); i++)
        EXPECT_EQ(vfdw_compare_distances(found[i].distance, sorted[i].distance), 0);
    };
    for (size_t q = 0; q < queries.size(); q++)
      expect((*truth)[0][q], q, most.data(), std::vector<size_t>{1, 10, 100, 5000, 10}[q]);
    expect((*truth)[1][0], 0, few.data(), 10);
    expect((*truth)[1][1], 1, few.data(), 2);
  }
}

TEST(HeldOutTruth, ARaisedFlagEndsIt) {
  const auto store = StoreOf(RandomVectors(500, 4, 1));
  const std::atomic<bool> cancelled{true};
  BuildControl control;
  control.cancelled = &cancelled;
  const std::vector<uint64_t> all(8, ~uint64_t{0} >> 1);
  const auto truth = FindTrueNeighbours(*store, VFDW_METRIC_L2, {1}, {{all.data(), {3}}}, control);
  EXPECT_EQ(truth.status().code(), ErrorCode::CANCELED);
}

}  // namespace
}  // namespace vectord

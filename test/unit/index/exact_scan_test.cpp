// exact_scan_test.cpp - the exact scan against sorting everything, bit for bit.
#include "daemon/index/exact_scan.h"

#include <gtest/gtest.h>

#include <random>

#include "test/unit/index/vectors_for_tests.h"

namespace vectord {
namespace {

std::vector<Candidate> Scan(const VectorStore& store, vfdw_metric metric, const float* query,
                            const SearchParams& params) {
  std::vector<Candidate> out;
  SearchStats stats;
  EXPECT_TRUE(ExactScan(store, metric, query, params, &out, &stats).ok());
  EXPECT_STREQ(stats.strategy, "exact");
  return out;
}

void ExpectScanEqualsSort(const Vectors& vectors, const Vectors& queries) {
  const auto store = StoreOf(vectors);
  for (const vfdw_metric metric : kMetrics)
    for (size_t q = 0; q < queries.size(); q++)
      for (const size_t k : {0, 1, 10, 100, 100000}) {
        SearchParams params;
        params.k = k;
        EXPECT_EQ(Scan(*store, metric, queries[q], params),
                  FirstOf(SortedByDistance(*store, metric, queries[q]), k));
      }
}

TEST(ExactScan, EqualsSortingEverythingOnRandomVectors) {
  ExpectScanEqualsSort(RandomVectors(777, 100, 1), RandomVectors(5, 100, 2));
}

TEST(ExactScan, TiesDuplicatesAndZeroVectorsComeInRowOrder) {
  ExpectScanEqualsSort(CoarseVectors(1500, 2, 1), CoarseVectors(30, 2, 2));
}

TEST(ExactScan, EmptyStoresAndStoresOfOneRowAreAnswered) {
  ExpectScanEqualsSort({7, {}}, RandomVectors(2, 7, 1));
  ExpectScanEqualsSort(RandomVectors(1, 7, 1), RandomVectors(2, 7, 1));
}

TEST(ExactScan, EveryInstructionSetGivesTheSameAnswer) {
  const Vectors vectors = RandomVectors(500, 37, 1), queries = RandomVectors(3, 37, 2);
  for (const Isa isa : {Isa::kScalar, Isa::kAvx2, Isa::kAvx512}) {
    if (isa > DetectedIsa()) continue;
    ASSERT_TRUE(ForceIsa(isa).ok());
    ExpectScanEqualsSort(vectors, queries);
  }
  ASSERT_TRUE(ForceIsa(std::nullopt).ok());
}

TEST(ExactScan, OnlyAllowedRowsAreReturned) {
  std::mt19937_64 random(1);
  for (const size_t rows : {1, 63, 64, 65, 1000}) {
    const auto store = StoreOf(RandomVectors(rows, 8, 1));
    const Vectors query = RandomVectors(1, 8, 2);
    std::vector<uint64_t> allowed((rows + 63) / 64);
    for (uint64_t& word : allowed) word = random() & random();
    SearchParams params;
    params.k = 50;
    params.allowed_rows = allowed.data();
    for (const vfdw_metric metric : kMetrics)
      EXPECT_EQ(Scan(*store, metric, query[0], params),
                FirstOf(SortedByDistance(*store, metric, query[0], allowed.data()), 50));
  }
}

TEST(ExactScan, ContinuingAfterEachAnswerReturnsEveryRowOnceInOrder) {
  const auto store = StoreOf(CoarseVectors(700, 2, 1));  // ties, and NaN under cosine
  const Vectors query = CoarseVectors(1, 2, 5);
  for (const vfdw_metric metric : kMetrics) {
    std::vector<Candidate> stream;
    SearchParams params;
    params.k = 33;
    for (;;) {
      const std::vector<Candidate> next = Scan(*store, metric, query[0], params);
      if (next.empty()) break;
      stream.insert(stream.end(), next.begin(), next.end());
      params.after = next.back();
    }
    EXPECT_EQ(stream, SortedByDistance(*store, metric, query[0]));
  }
}

TEST(ExactScan, ARaisedFlagCancelsIt) {
  const auto store = StoreOf(RandomVectors(100, 8, 1));
  const std::atomic<bool> cancelled{true};
  SearchParams params;
  params.cancelled = &cancelled;
  std::vector<Candidate> out;
  SearchStats stats;
  const Status status = ExactScan(*store, VFDW_METRIC_L2, store->row(0), params, &out, &stats);
  EXPECT_EQ(status.code(), ErrorCode::CANCELED);
  EXPECT_TRUE(out.empty());
}

TEST(ExactScan, CountsAllowedRowsOnlyUpToTheLastRow) {
  const uint64_t all[2] = {~uint64_t{0}, ~uint64_t{0}};
  for (const size_t rows : {0, 1, 63, 64, 65, 128}) EXPECT_EQ(CountAllowed(all, rows), rows);
  EXPECT_EQ(CountAllowed(nullptr, 77), 77u);
}

}  // namespace
}  // namespace vectord

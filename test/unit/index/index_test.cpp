// index_test.cpp - the promises of index.h, for every kind of index and every metric.
#include "daemon/index/index.h"

#include <gtest/gtest.h>

#include <thread>

#include "test/unit/index/vectors_for_tests.h"

namespace vectord {
namespace {

// Exactly min(k, n) rows, in order, none twice, each with metric.h's distance.
void ExpectWellFormed(const Index& index, const float* query, const SearchParams& params,
                      size_t expected_rows) {
  SearchStats stats;
  const std::vector<Candidate> found = MustSearch(index, query, params, &stats);
  ASSERT_EQ(found.size(), expected_rows) << stats.strategy;
  for (size_t i = 0; i < found.size(); i++) {
    const Candidate recomputed{vfdw_distance(index.metric(), query, index.store().row(found[i].row),
                                             index.store().dimensions()),
                               found[i].row};
    ASSERT_EQ(found[i], recomputed);
    ASSERT_TRUE(i == 0 || ComesBefore(found[i - 1], found[i]));
  }
}

template <class Body>
void ForEveryIndex(const Vectors& vectors, Body body) {
  for (const IndexKind kind : kKinds) {
    for (const vfdw_metric metric : kMetrics) {
      SCOPED_TRACE(Named(kind, metric));
      const auto store = StoreOf(vectors);
      body(*Build(kind, metric, store));
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

TEST(Index, ReturnsExactlyAsManyRowsAsAskedForInOrderWithExactDistances) {
  const Vectors queries = ClusteredVectors(5, 24, 2);
  ForEveryIndex(ClusteredVectors(6000, 24, 1), [&](const Index& index) {
    for (const size_t k : {0, 1, 10, 100, 1000, 6000, 7000})
      for (size_t q = 0; q < queries.size(); q++) {
        SearchParams params;
        params.k = k;
        ExpectWellFormed(index, queries[q], params, std::min<size_t>(k, 6000));
      }
  });
}

TEST(Index, TiesDuplicatesAndZeroVectorsAreAnsweredExactlyAsManyAsThereAre) {
  const Vectors queries = CoarseVectors(10, 2, 2);
  ForEveryIndex(CoarseVectors(2500, 2, 1), [&](const Index& index) {
    for (const size_t k : {1, 50, 2500})
      for (size_t q = 0; q < queries.size(); q++) {
        SearchParams params;
        params.k = k;
        ExpectWellFormed(index, queries[q], params, k);
      }
  });
}

// A walk reads short codes of long rows: what it costs beside a scan depends on both.
TEST(Index, GraphsOfLongRowsAreWalkedWithEffortsForWhichShortRowsAreScanned) {
  const auto strategy = [](size_t dimensions) {
    const Vectors vectors = ClusteredVectors(2000, dimensions, 1);
    SearchParams params;
    params.effort = 80;
    SearchStats stats;
    MustSearch(*Build(IndexKind::kHnsw, VFDW_METRIC_L2, StoreOf(vectors)), vectors[0], params,
               &stats);
    return std::string(stats.strategy);
  };
  EXPECT_EQ(strategy(384), "graph");
  EXPECT_EQ(strategy(16), "exact");
}

TEST(Index, EmptyTablesAndTablesOfOneOrTwoRowsWork) {
  for (const size_t rows : {0, 1, 2}) {
    const Vectors query = RandomVectors(1, 6, 9);
    ForEveryIndex(RandomVectors(rows, 6, 1), [&](const Index& index) {
      SearchParams params;
      ExpectWellFormed(index, query[0], params, rows);
    });
  }
}

TEST(Index, ExactGivesTheTrueAnswer) {
  const Vectors queries = RandomVectors(3, 16, 2);
  ForEveryIndex(RandomVectors(2000, 16, 1), [&](const Index& index) {
    for (size_t q = 0; q < queries.size(); q++) {
      SearchParams params;
      params.exact = true;
      SearchStats stats;
      EXPECT_EQ(MustSearch(index, queries[q], params, &stats),
                FirstOf(SortedByDistance(index.store(), index.metric(), queries[q]), params.k));
      EXPECT_STREQ(stats.strategy, "exact");
      EXPECT_EQ(stats.distances_computed, 2000u);
    }
  });
}

TEST(Index, AZeroQueryUnderCosineGivesNanAndRowsInTheirOrder) {
  const Vectors vectors = RandomVectors(6000, 8, 1);
  const std::vector<float> zero(8, 0);
  for (const IndexKind kind : kKinds) {
    const auto index = Build(kind, VFDW_METRIC_COSINE, StoreOf(vectors));
    SearchStats stats;
    const auto found = MustSearch(*index, zero.data(), {}, &stats);
    ASSERT_EQ(found.size(), 10u);
    for (uint32_t i = 0; i < 10; i++) {
      EXPECT_TRUE(std::isnan(found[i].distance));
      EXPECT_EQ(found[i].row, i);
    }
  }
}

TEST(Index, AFilterIsHonouredAndNeverCostsRows) {
  const Vectors vectors = ClusteredVectors(9000, 16, 1), queries = ClusteredVectors(5, 16, 2);
  std::mt19937_64 random(3);
  std::vector<uint64_t> half(9000 / 64 + 1), few(9000 / 64 + 1);
  for (uint64_t& word : half) word = random();
  for (uint64_t& word : few) word = random() & random() & random() & random() & random();
  ForEveryIndex(vectors, [&](const Index& index) {
    for (const std::vector<uint64_t>* allowed : {&half, &few})
      for (size_t q = 0; q < queries.size(); q++) {
        SearchParams params;
        params.allowed_rows = allowed->data();
        ExpectWellFormed(index, queries[q], params, 10);
        SearchStats stats;
        for (const Candidate& found : MustSearch(index, queries[q], params, &stats))
          EXPECT_TRUE((*allowed)[found.row / 64] >> (found.row % 64) & 1);
      }
  });
}

TEST(Index, MoreEffortFindsMore) {
  const Vectors queries = RandomVectors(50, 24, 2);
  for (const IndexKind kind : {IndexKind::kHnsw, IndexKind::kIvf}) {
    const auto index = Build(kind, VFDW_METRIC_L2, StoreOf(RandomVectors(12000, 24, 1)));
    SearchParams little, much;
    little.effort = kind == IndexKind::kHnsw ? 10 : 1;
    much.effort = kind == IndexKind::kHnsw ? 200 : 100;
    EXPECT_LT(RecallOf(*index, queries, little), RecallOf(*index, queries, much));
  }
}

TEST(Index, DefaultsReachTheRecallTheyAreCalibratedTo) {
  const Vectors vectors = ClusteredVectors(15000, 48, 1), queries = ClusteredVectors(100, 48, 2);
  for (const IndexKind kind : {IndexKind::kHnsw, IndexKind::kIvf})
    for (const vfdw_metric metric : kMetrics) {
      SCOPED_TRACE(Named(kind, metric));
      const auto index = BuildWithDefaults(kind, metric, StoreOf(vectors));
      EXPECT_GE(RecallOf(*index, queries, {}), 0.97) << "effort " << index->default_effort();
      SearchStats stats;
      MustSearch(*index, queries[0], {}, &stats);
      EXPECT_STREQ(stats.strategy, kind == IndexKind::kHnsw ? "graph" : "lists");
      EXPECT_EQ(stats.effort, index->default_effort());
    }
}

TEST(Index, WhereNoEffortIsEnoughTheDefaultIsTheExactScan) {
  // Given vectors without any structure, of which a graph this small cannot find the nearest
  const auto index =
      BuildWithDefaults(IndexKind::kHnsw, VFDW_METRIC_L2, StoreOf(RandomVectors(5000, 64, 1)));
  const Vectors queries = RandomVectors(5, 64, 2);
  EXPECT_EQ(RecallOf(*index, queries, {}), 1.0);
}

TEST(Index, ARaisedFlagCancelsEverySearch) {
  const Vectors vectors = ClusteredVectors(9000, 16, 1);
  const std::atomic<bool> cancelled{true};
  ForEveryIndex(vectors, [&](const Index& index) {
    for (const size_t k : {10, 100, 9000}) {
      SearchParams params;
      params.k = k;
      params.effort = 100;
      params.cancelled = &cancelled;
      std::vector<Candidate> out(1);
      SearchStats stats;
      const Status status = index.Search(vectors[0], params, &out, &stats);
      EXPECT_EQ(status.code(), ErrorCode::CANCELED) << k << " " << stats.strategy;
      EXPECT_TRUE(out.empty());
    }
  });
}

TEST(Index, SearchesAtTheSameTimeGiveTheAnswersOfSearchesOneByOne) {
  const Vectors vectors = ClusteredVectors(9000, 16, 1), queries = ClusteredVectors(64, 16, 2);
  for (const IndexKind kind : kKinds) {
    const auto index = Build(kind, VFDW_METRIC_COSINE, StoreOf(vectors));
    std::vector<std::vector<Candidate>> alone(queries.size());
    SearchStats stats;
    for (size_t q = 0; q < queries.size(); q++)
      alone[q] = MustSearch(*index, queries[q], {}, &stats);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; t++)
      threads.emplace_back([&] {
        for (int round = 0; round < 5; round++)
          for (size_t q = 0; q < queries.size(); q++) {
            SearchStats own_stats;
            EXPECT_EQ(MustSearch(*index, queries[q], {}, &own_stats), alone[q]);
          }
      });
    for (std::thread& thread : threads) thread.join();
  }
}

TEST(Index, VectorsWhoseProductsOverflowStillGiveEveryRow) {
  Vectors vectors = RandomVectors(2500, 4, 1);
  for (float& x : vectors.elements) x *= 1e25f;
  ForEveryIndex(vectors, [&](const Index& index) {
    for (const size_t k : {10, 2500}) {
      SearchParams params;
      params.k = k;
      ExpectWellFormed(index, vectors[0], params, k);
    }
  });
}

}  // namespace
}  // namespace vectord

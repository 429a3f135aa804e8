// index_builder_test.cpp - options, estimates, cancelling and the reordering of a build.
#include "daemon/index/index_builder.h"

#include <gtest/gtest.h>

#include <thread>

#include "daemon/index/hnsw_index.h"
#include "daemon/index/ivf_index.h"
#include "test/unit/index/vectors_for_tests.h"

namespace vectord {
namespace {

TEST(IndexSpec, DefaultsOfTheTableAreThoseOfTheStruct) {
  for (const IndexOption& option : kIndexOptions) {
    EXPECT_EQ(IndexSpec().*option.field, option.default_value) << option.name;
    EXPECT_EQ(FindIndexOption(option.name), &option);
  }
  EXPECT_EQ(FindIndexOption("lists"), nullptr);
  EXPECT_TRUE(ValidateIndexSpec(IndexSpec()).ok());
}

TEST(IndexSpec, ValuesOutsideTheBoundsAreRefusedWithTheBounds) {
  for (const IndexOption& option : kIndexOptions) {
    IndexSpec spec;
    spec.*option.field = option.max + 1;
    const Status status = ValidateIndexSpec(spec);
    EXPECT_EQ(status.code(), ErrorCode::INVALID_PARAMETER);
    EXPECT_NE(status.message().find(option.name), std::string::npos);
    EXPECT_NE(status.detail().find(std::to_string(option.max)), std::string::npos);
    spec.*option.field = option.max;
    EXPECT_TRUE(ValidateIndexSpec(spec).ok());
  }
}

TEST(IndexSpec, KindsAreKnownByTheirNames) {
  for (const IndexKind kind : kKinds) {
    IndexKind found;
    ASSERT_TRUE(IndexKindFromName(IndexKindName(kind), &found));
    EXPECT_EQ(found, kind);
  }
  IndexKind unused;
  EXPECT_FALSE(IndexKindFromName("btree", &unused));
}

TEST(IndexBuilder, TheEstimateIsWithinTenPercentOfTheTruth) {
  const Vectors vectors = ClusteredVectors(10000, 24, 1);
  for (const IndexKind kind : kKinds)
    for (const uint32_t m : {4, 16, 48}) {
      const auto store = StoreOf(vectors);
      IndexSpec spec;
      spec.kind = kind;
      spec.m = m;
      spec.ef_construction = 16;
      spec.ef_search = 20;
      spec.nprobe = 1;
      std::vector<uint32_t> permutation;
      BuildControl control;
      control.threads = 2;
      const auto index = BuildIndex(spec, store, control, &permutation);
      ASSERT_TRUE(index.ok());
      SearchStats stats;
      MustSearch(**index, vectors[0], {}, &stats);  // scratch memory is counted, too
      const double real = static_cast<double>((*index)->memory_bytes());
      EXPECT_NEAR(EstimateIndexBytes(spec, 10000, 24) / real, 1.0, 0.1)
          << IndexKindName(kind) << " m " << m << " real " << real;
    }
}

TEST(IndexBuilder, ThePermutationOfIvfTellsWhereEveryRowWent) {
  const Vectors vectors = RandomVectors(6000, 10, 1);
  const auto store = StoreOf(vectors);
  IndexSpec spec;
  spec.kind = IndexKind::kIvf;
  std::vector<uint32_t> permutation;
  ASSERT_TRUE(BuildIndex(spec, store, {}, &permutation).ok());
  ASSERT_EQ(permutation.size(), 6000u);
  for (size_t row = 0; row < 6000; row++)
    EXPECT_TRUE(std::equal(store->row(row), store->row(row) + 10, vectors[permutation[row]]));
}

TEST(IndexBuilder, IvfTooSmallToBeMeasuredIsScannedUnlessListsAreNamed) {
  const auto store = StoreOf(RandomVectors(2000, 32, 1));
  const Vectors queries = RandomVectors(1, 32, 2);
  for (const uint32_t nprobe : {0, 2}) {
    IndexSpec spec;
    spec.kind = IndexKind::kIvf;
    spec.nprobe = nprobe;
    std::vector<uint32_t> permutation;
    const auto index = BuildIndex(spec, store, {}, &permutation);
    ASSERT_TRUE(index.ok());
    SearchStats stats;
    MustSearch(**index, queries[0], {}, &stats);
    EXPECT_EQ(stats.strategy, std::string(nprobe == 0 ? "exact" : "lists"));
  }
}

TEST(IndexBuilder, FlatAndHnswLeaveTheRowsWhereTheyAre) {
  const Vectors vectors = RandomVectors(300, 10, 1);
  for (const IndexKind kind : {IndexKind::kFlat, IndexKind::kHnsw}) {
    const auto store = StoreOf(vectors);
    IndexSpec spec;
    spec.kind = kind;
    std::vector<uint32_t> permutation = {1};
    ASSERT_TRUE(BuildIndex(spec, store, {}, &permutation).ok());
    EXPECT_TRUE(permutation.empty());
    EXPECT_TRUE(std::equal(store->row(7), store->row(7) + 10, vectors[7]));
  }
}

TEST(IndexBuilder, IvfListsCoverEveryRowWithADirectionOnceAndKeepTheOthersBehind) {
  Vectors vectors = RandomVectors(6000, 10, 1);
  for (size_t row = 0; row < 6000; row += 100)
    for (size_t i = 0; i < 10; i++) vectors.elements[row * 10 + i] = 0;
  const auto store = StoreOf(vectors);
  const auto index = Build(IndexKind::kIvf, VFDW_METRIC_COSINE, store);
  const IvfLists& lists = static_cast<const IvfIndex&>(*index).lists();
  EXPECT_EQ(lists.list_begin.front(), 0u);
  EXPECT_EQ(lists.list_begin.back(), 5940u);
  EXPECT_TRUE(std::is_sorted(lists.list_begin.begin(), lists.list_begin.end()));
  for (size_t row = 5940; row < 6000; row++) EXPECT_EQ(store->squared_norms()[row], 0);
}

TEST(IndexBuilder, AGraphHasEveryRowWithADirectionAndNoLinkToAnyOther) {
  Vectors vectors = RandomVectors(3000, 10, 1);
  for (size_t i = 0; i < 10; i++) vectors.elements[5 * 10 + i] = 0;
  const auto store = StoreOf(vectors);
  const auto index = Build(IndexKind::kHnsw, VFDW_METRIC_COSINE, store);
  const HnswGraph& graph = static_cast<const HnswIndex&>(*index).graph();
  EXPECT_EQ(graph.linked_rows, 2999u);
  for (uint32_t row = 0; row < 3000; row++) {
    const uint32_t* const links = graph.BottomLinks(row);
    EXPECT_EQ(links[0] == kNoLink, row == 5);
    for (uint32_t i = 0; i < graph.bottom_degree && links[i] != kNoLink; i++) {
      EXPECT_LT(links[i], 3000u);
      EXPECT_NE(links[i], 5u);
    }
  }
}

TEST(IndexBuilder, ABuildReportsEveryRowAsDone) {
  for (const IndexKind kind : kKinds) {
    std::atomic<uint64_t> done{0};
    BuildControl control;
    control.rows_done = &done;
    IndexSpec spec;
    spec.kind = kind;
    std::vector<uint32_t> permutation;
    ASSERT_TRUE(BuildIndex(spec, StoreOf(RandomVectors(6000, 8, 1)), control, &permutation).ok());
    EXPECT_EQ(done, 6000u);
  }
}

TEST(IndexBuilder, ARaisedFlagCancelsTheBuild) {
  const std::atomic<bool> cancelled{true};
  for (const IndexKind kind : {IndexKind::kHnsw, IndexKind::kIvf}) {
    BuildControl control;
    control.cancelled = &cancelled;
    IndexSpec spec;
    spec.kind = kind;
    std::vector<uint32_t> permutation;
    const auto index = BuildIndex(spec, StoreOf(RandomVectors(6000, 8, 1)), control, &permutation);
    EXPECT_EQ(index.status().code(), ErrorCode::CANCELED);
  }
}

TEST(IndexBuilder, ABuildCanBeCanceledWhileItRuns) {
  const Vectors vectors = RandomVectors(30000, 16, 1);
  for (const IndexKind kind : {IndexKind::kHnsw, IndexKind::kIvf}) {
    std::atomic<bool> cancelled{false};
    std::atomic<uint64_t> done{0};
    BuildControl control;
    control.threads = 2;
    control.cancelled = &cancelled;
    control.rows_done = &done;
    std::thread canceler([&] {
      while (done == 0) std::this_thread::yield();
      cancelled = true;
    });
    IndexSpec spec;
    spec.kind = kind;
    spec.nlist = 50;
    std::vector<uint32_t> permutation;
    const auto index = BuildIndex(spec, StoreOf(vectors), control, &permutation);
    canceler.join();
    EXPECT_EQ(index.status().code(), ErrorCode::CANCELED);
  }
}

TEST(IndexBuilder, ThereMayBeAsManyListsAsRows) {
  const auto store = StoreOf(RandomVectors(5200, 4, 1));
  IndexSpec spec;
  spec.kind = IndexKind::kIvf;
  spec.nlist = 5200;
  std::vector<uint32_t> permutation;
  const auto index = BuildIndex(spec, store, {}, &permutation);
  ASSERT_TRUE(index.ok()) << index.status().ToString();
  SearchStats stats;
  SearchParams params;
  params.effort = 5200;
  EXPECT_EQ(MustSearch(**index, store->row(3), params, &stats).front().row, 3u);
}

TEST(IndexBuilder, AGivenEffortIsTheDefaultOfItsSearches) {
  const auto store = StoreOf(ClusteredVectors(9000, 64, 1));
  IndexSpec spec;
  spec.ef_search = 77;
  std::vector<uint32_t> permutation;
  const auto index = BuildIndex(spec, store, {}, &permutation);
  ASSERT_TRUE(index.ok());
  SearchStats stats;
  MustSearch(**index, store->row(3), {}, &stats);
  EXPECT_EQ(stats.effort, 77u);
}

TEST(IndexBuilder, InnerProductOfVectorsOfAllLengthsIsFoundToo) {
  // Given vectors whose lengths differ by a factor of ten
  Vectors vectors = RandomVectors(9000, 16, 1);
  std::mt19937 random(2);
  for (size_t row = 0; row < vectors.size(); row++) {
    const float length = std::pow(10.0f, static_cast<float>(random() % 1000) / 1000);
    for (size_t i = 0; i < 16; i++) vectors.elements[row * 16 + i] *= length;
  }
  const auto index = Build(IndexKind::kHnsw, VFDW_METRIC_IP, StoreOf(vectors));
  EXPECT_GE(RecallOf(*index, RandomVectors(100, 16, 3), {}), 0.97);
}

}  // namespace
}  // namespace vectord

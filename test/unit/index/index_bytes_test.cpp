// index_bytes_test.cpp - indexes of every kind as bytes: the same answers, or an error.
#include "daemon/index/index_bytes.h"

#include <gtest/gtest.h>

#include "test/unit/index/vectors_for_tests.h"

namespace vectord {
namespace {

std::string Written(const Index& index) {
  StringSink sink;
  EXPECT_TRUE(WriteIndex(index, &sink).ok());
  return sink.Take();
}

Result<std::unique_ptr<const Index>> Read(std::string_view bytes,
                                          std::shared_ptr<const VectorStore> store,
                                          vfdw_metric metric) {
  SpanSource source(bytes);
  return ReadIndex(&source, std::move(store), metric);
}

TEST(IndexAsBytes, AnswersAreTheSameAsBefore) {
  const Vectors vectors = ClusteredVectors(3000, 24, 1);
  const Vectors queries = ClusteredVectors(20, 24, 2);
  for (const IndexKind kind : kKinds)
    for (const vfdw_metric metric : kMetrics) {
      SCOPED_TRACE(Named(kind, metric));
      const auto store = StoreOf(vectors);
      const auto built = Build(kind, metric, store);
      const auto read = Read(Written(*built), store, metric);
      ASSERT_TRUE(read.ok()) << read.status().ToString();
      EXPECT_EQ((*read)->kind(), kind);
      EXPECT_EQ((*read)->default_effort(), built->default_effort());
      for (const uint32_t effort : {0, 10, 200})
        for (size_t q = 0; q < queries.size(); q++) {
          SearchParams params;
          params.effort = effort;
          SearchStats before, after;
          EXPECT_EQ(MustSearch(**read, queries[q], params, &after),
                    MustSearch(*built, queries[q], params, &before));
          EXPECT_STREQ(after.strategy, before.strategy);
          EXPECT_EQ(after.distances_computed, before.distances_computed);
        }
    }
}

TEST(IndexAsBytes, WhatWasMeasuredOfSearchesIsThereAgain) {
  const Vectors vectors = RandomVectors(9000, 12, 1);
  for (const IndexKind kind : {IndexKind::kHnsw, IndexKind::kIvf}) {
    const auto store = StoreOf(vectors);
    const auto built = BuildWithDefaults(kind, VFDW_METRIC_L2, store);
    const auto read = Read(Written(*built), store, VFDW_METRIC_L2);
    ASSERT_TRUE(read.ok()) << read.status().ToString();
    EXPECT_FALSE((*read)->recall_curves().empty());
    for (const double target : {0.0, 0.8, 0.9, 0.95, 0.99, 1.0})
      EXPECT_EQ((*read)->EffortFor(target), built->EffortFor(target)) << target;
    EXPECT_LT(built->EffortFor(0.8), built->EffortFor(0.95));
    EXPECT_EQ(Written(**read), Written(*built));
  }
}

TEST(IndexAsBytes, AnIndexOfNothingIsRead) {
  // Zero vectors have no place in an index under cosine.
  const auto store = StoreOf(Vectors{4, std::vector<float>(40)});
  for (const IndexKind kind : kKinds) {
    const auto built = Build(kind, VFDW_METRIC_COSINE, store);
    const auto read = Read(Written(*built), store, VFDW_METRIC_COSINE);
    ASSERT_TRUE(read.ok()) << read.status().ToString();
    const float query[] = {1, 2, 3, 4};
    SearchStats stats;
    EXPECT_EQ(MustSearch(**read, query, SearchParams(), &stats).size(), 10u);
  }
}

TEST(IndexAsBytes, AnIndexOverOtherVectorsIsRefused) {
  const auto store = StoreOf(RandomVectors(100, 4, 1));
  for (const IndexKind kind : kKinds) {
    const std::string bytes = Written(*Build(kind, VFDW_METRIC_L2, store));
    for (const auto& other : {StoreOf(RandomVectors(99, 4, 1)), StoreOf(RandomVectors(100, 3, 1))})
      EXPECT_EQ(Read(bytes, other, VFDW_METRIC_L2).status().code(), ErrorCode::CORRUPT);
    EXPECT_EQ(Read(bytes, store, VFDW_METRIC_L1).status().code(), ErrorCode::CORRUPT);
  }
}

TEST(IndexAsBytes, EveryOtherLengthIsNoticed) {
  const auto store = StoreOf(RandomVectors(60, 4, 1));
  for (const IndexKind kind : kKinds) {
    const std::string bytes = Written(*Build(kind, VFDW_METRIC_L2, store));
    for (size_t size = 0; size < bytes.size(); size++)
      EXPECT_EQ(Read(bytes.substr(0, size), store, VFDW_METRIC_L2).status().code(),
                ErrorCode::CORRUPT);
    EXPECT_EQ(Read(bytes + '\0', store, VFDW_METRIC_L2).status().code(), ErrorCode::CORRUPT);
  }
}

// With sanitizers this shows that no number in the bytes is followed unchecked.
TEST(IndexAsBytes, AFlippedBitIsNoticedOrSafeToSearch) {
  const Vectors vectors = RandomVectors(120, 4, 1);
  const auto store = StoreOf(vectors);
  for (const IndexKind kind : kKinds) {
    const std::string bytes = Written(*Build(kind, VFDW_METRIC_L2, store));
    size_t accepted = 0;
    for (size_t i = 0; i < bytes.size() * 8; i++) {
      std::string damaged = bytes;
      damaged[i / 8] = static_cast<char>(damaged[i / 8] ^ (1 << i % 8));
      const auto read = Read(damaged, store, VFDW_METRIC_L2);
      if (!read.ok()) continue;
      accepted++;
      SearchParams params;
      params.k = 3;
      params.effort = 3;
      SearchStats stats;
      EXPECT_LE(MustSearch(**read, vectors[i % 120], params, &stats).size(), 3u);
    }
    EXPECT_LT(accepted, bytes.size() * 8);
  }
}

}  // namespace
}  // namespace vectord

// filtered_walk_test.cpp - searches of a graph under a filter: what they find, and when they scan.
#include "daemon/index/filtered_walk.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "daemon/index/index_builder.h"
#include "test/unit/index/vectors_for_tests.h"

namespace vectord {
namespace {

constexpr size_t kRows = 24000, kClusters = 4, kK = 10;
// Vectors differ in few of them; short ones would be scanned.
constexpr size_t kDimensions = 128, kUsedDimensions = 8;

// Row i belongs to cluster i % kClusters, which lie far from each other.
struct Clustered {
  std::shared_ptr<VectorStore> store = std::move(VectorStore::Create(kDimensions, kRows)).value();
  std::unique_ptr<const Index> index;

  Clustered() {
    std::mt19937 random(1);
    std::normal_distribution<float> noise;
    for (size_t row = 0; row < kRows; row++) {
      std::vector<float> v(kDimensions);
      for (size_t d = 0; d < kUsedDimensions; d++) v[d] = noise(random);
      v[row % kClusters] += 20;
      EXPECT_TRUE(store->AppendBatch(v.data(), 1).ok());
    }
    std::vector<uint32_t> permutation;
    BuildControl control;
    control.threads = 2;
    index = std::move(BuildIndex(IndexSpec(), store, control, &permutation)).value();
  }
  static const Clustered& Get() {
    static const Clustered* const made = new Clustered();
    return *made;
  }
};

std::vector<uint64_t> Bits(const std::function<bool(size_t)>& allowed) {
  std::vector<uint64_t> bits(kRows / 64 + 1);
  for (size_t row = 0; row < kRows; row++)
    if (allowed(row)) bits[row / 64] |= uint64_t{1} << row % 64;
  return bits;
}

// Rows spread evenly, by a hash of their number.
bool IsOf(size_t row, unsigned percent) {
  return row * 2654435761u % 4294967296u / 42949673u < percent;
}

struct Found {
  double recall = 0;
  std::set<std::string> strategies;
};

// Searches for some rows of the first cluster, with noise.
Found SearchAll(const std::vector<uint64_t>& allowed) {
  const Clustered& clustered = Clustered::Get();
  std::mt19937 random(2);
  std::normal_distribution<float> noise;
  Found found;
  constexpr int kQueries = 40;
  for (int i = 0; i < kQueries; i++) {
    std::vector<float> query(kDimensions);
    for (size_t d = 0; d < kUsedDimensions; d++) query[d] = noise(random);
    query[0] += 20;
    SearchParams params;
    params.k = kK;
    params.effort = 40;
    params.allowed_rows = allowed.data();
    std::vector<Candidate> given, truth;
    SearchStats stats;
    EXPECT_TRUE(clustered.index->Search(query.data(), params, &given, &stats).ok());
    found.strategies.insert(stats.strategy);
    params.exact = true;
    EXPECT_TRUE(clustered.index->Search(query.data(), params, &truth, &stats).ok());
    EXPECT_EQ(given.size(), truth.size());
    for (const Candidate& candidate : given) {
      EXPECT_TRUE(IsAllowed(allowed.data(), candidate.row));
      found.recall += std::count(truth.begin(), truth.end(), candidate);
    }
  }
  found.recall /= kQueries * kK;
  return found;
}

TEST(FilteredWalk, FindsTheNearestOfRowsSpreadEvenly) {
  for (const unsigned percent : {25u, 50u, 90u}) {
    const Found found = SearchAll(Bits([&](size_t row) { return IsOf(row, percent); }));
    EXPECT_EQ(found.strategies, std::set<std::string>{"filtered graph"}) << percent;
    EXPECT_GE(found.recall, 0.95) << percent;
  }
}

// Given rows without clusters, of which a walk meets many on its way.
TEST(FilteredWalk, OfLittleEffortIsNoScan) {
  constexpr size_t kUniformRows = 12000, kQueries = 100;
  IndexSpec spec;
  spec.ef_search = 50;
  BuildControl control;
  control.threads = 2;
  std::vector<uint32_t> permutation;
  const auto index = std::move(BuildIndex(spec, StoreOf(RandomVectors(kUniformRows, 24, 1)),
                                          control, &permutation))
                         .value();
  const Vectors queries = RandomVectors(kQueries, 24, 2);
  for (const unsigned percent : {50u, 90u}) {
    const auto allowed = Bits([&](size_t row) { return IsOf(row, percent); });
    for (const uint32_t effort : {1, 2, 5, 10}) {
      SearchParams params;
      params.k = params.effort = effort;
      params.allowed_rows = allowed.data();
      for (size_t q = 0; q < kQueries; q++) {
        SearchStats stats;
        MustSearch(*index, queries[q], params, &stats);
        EXPECT_STREQ(stats.strategy, "filtered graph") << percent << " % effort " << effort;
      }
    }
  }
}

TEST(FilteredWalk, OfFewRowsIsAnExactScan) {
  for (const unsigned percent : {0u, 1u, 10u}) {
    const Found found = SearchAll(Bits([&](size_t row) { return IsOf(row, percent); }));
    EXPECT_EQ(found.strategies, std::set<std::string>{"exact"}) << percent;
  }
}

TEST(FilteredWalk, OfRowsThatAreAllFarFromTheQueryIsAnExactScan) {
  for (const size_t far : {1, 2, 3}) {
    const Found found =
        SearchAll(Bits([&](size_t row) { return row % kClusters >= kClusters - far; }));
    EXPECT_EQ(found.strategies, std::set<std::string>{"exact"}) << far;
    EXPECT_EQ(found.recall, 1.0);
  }
}

TEST(FilteredWalk, OfTheQuerysOwnClusterFindsTheNearest) {
  const Found found = SearchAll(Bits([](size_t row) { return row % kClusters == 0; }));
  EXPECT_GE(found.recall, 0.95);
  EXPECT_EQ(found.strategies, std::set<std::string>{"filtered graph"});
}

TEST(FilteredWalk, StopsWhenItIsCanceled) {
  for (const unsigned percent : {25u, 50u}) {
    const std::vector<uint64_t> allowed = Bits([&](size_t row) { return IsOf(row, percent); });
    const std::atomic<bool> cancelled{true};
    SearchParams params;
    params.k = 1000;
    params.effort = 1000;
    params.allowed_rows = allowed.data();
    params.cancelled = &cancelled;
    std::vector<Candidate> found;
    SearchStats stats;
    const std::vector<float> query(kDimensions, 1);
    EXPECT_EQ(Clustered::Get().index->Search(query.data(), params, &found, &stats).code(),
              ErrorCode::CANCELED);
    EXPECT_TRUE(found.empty());
  }
}

}  // namespace
}  // namespace vectord

// hnsw_linker_test.cpp - the order of linking, the graphs that come of it, and what they find.
#include "daemon/index/hnsw_linker.h"

#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include "daemon/index/hnsw_index.h"
#include "test/unit/index/vectors_for_tests.h"

namespace vectord {
namespace {

IndexSpec SpecOf(vfdw_metric metric) {
  IndexSpec spec;
  spec.metric = metric;
  return spec;
}

// The first `rows` rows of the order linked, in as many steps as there are ends.
HnswGraph LinkInSteps(const VectorStore& store, const LinkingOrder& order,
                      const std::vector<size_t>& ends, int threads) {
  BuildControl control;
  control.threads = threads;
  auto linker = MakeHnswLinker(SpecOf(VFDW_METRIC_L2), store, order, std::nullopt);
  if (!linker.ok()) throw std::runtime_error(linker.status().ToString());
  size_t begin = 0;
  for (const size_t end : ends) {
    if (begin > 0) (*linker)->Reopen((*linker)->Seal(begin));
    const Status status = (*linker)->Link(begin, end, control);
    if (!status.ok()) throw std::runtime_error(status.ToString());
    begin = end;
  }
  return (*linker)->Seal(begin);
}

std::vector<uint32_t> BottomOf(const HnswGraph& graph, size_t rows) {
  return {graph.BottomLinks(0), graph.BottomLinks(0) + rows * graph.bottom_degree};
}

// Rows that a walk without a bound would reach from the entry.
size_t CountReached(const HnswGraph& graph, size_t rows) {
  std::vector<bool> reached(rows);
  std::vector<uint32_t> open = {graph.upper.empty() ? graph.entry
                                                    : graph.upper.back().row[graph.entry]};
  reached[open.front()] = true;
  size_t count = 0;
  while (!open.empty()) {
    const uint32_t row = open.back();
    open.pop_back();
    count++;
    for (uint32_t i = 0; i < graph.bottom_degree; i++) {
      const uint32_t link = graph.BottomLinks(row)[i];
      if (link == kNoLink) break;
      if (!reached[link]) open.push_back(link);
      reached[link] = true;
    }
  }
  return count;
}

// Each of few vectors many times.
Vectors RepeatedVectors(size_t count, size_t dimensions, size_t copies, uint32_t seed) {
  const Vectors distinct = ClusteredVectors(count / copies, dimensions, seed);
  Vectors vectors{dimensions, {}};
  for (size_t row = 0; row < count; row++) {
    const float* const one = distinct[row * 7919 % distinct.size()];
    vectors.elements.insert(vectors.elements.end(), one, one + dimensions);
  }
  return vectors;
}

// Ties at the end of the true answer count as found.
double RecallByDistance(const Index& index, const Vectors& queries, uint32_t effort) {
  SearchParams params;
  params.effort = effort;
  size_t hits = 0;
  for (size_t q = 0; q < queries.size(); q++) {
    SearchStats stats;
    const auto truth =
        FirstOf(SortedByDistance(index.store(), index.metric(), queries[q]), params.k);
    for (const Candidate& found : MustSearch(index, queries[q], params, &stats))
      hits += found.distance <= truth.back().distance;
  }
  return static_cast<double>(hits) / static_cast<double>(queries.size() * params.k);
}

TEST(LinkingOrder, EveryRowIsInItOnceAndOneInMIsOnTheNextLevel) {
  const auto store = StoreOf(RandomVectors(20000, 4, 1));
  for (const uint32_t m : {2, 16, 100}) {
    IndexSpec spec;
    spec.m = m;
    const LinkingOrder order = ChooseLinkingOrder(spec, *store);
    const std::set<uint32_t> rows(order.rows.begin(), order.rows.end());
    EXPECT_EQ(order.rows.size(), 20000u);
    EXPECT_EQ(rows.size(), 20000u);
    EXPECT_EQ(*rows.rbegin(), 19999u);
    EXPECT_NEAR(order.seats[0] * m / 20000.0, 1.0, 0.25) << "m " << m;
    EXPECT_TRUE(std::is_sorted(order.seats.rbegin(), order.seats.rend()));
    EXPECT_GE(order.seats.back(), 1u);
  }
}

TEST(LinkingOrder, LevelsDependOnTheRowsNumberAlone) {
  // Given a table and the beginning of it, with other vectors
  const LinkingOrder all =
      ChooseLinkingOrder(SpecOf(VFDW_METRIC_L2), *StoreOf(RandomVectors(9000, 4, 1)));
  const LinkingOrder half =
      ChooseLinkingOrder(SpecOf(VFDW_METRIC_L2), *StoreOf(RandomVectors(4500, 4, 2)));
  const std::set<uint32_t> above(all.rows.begin(), all.rows.begin() + all.seats[0]);
  size_t above_in_half = 0;
  for (const uint32_t row : above) above_in_half += row < 4500;
  EXPECT_EQ(above_in_half, half.seats[0]);
  for (size_t seat = 0; seat < half.seats[0]; seat++)
    EXPECT_TRUE(above.count(half.rows[seat])) << "row " << half.rows[seat];
}

TEST(HnswLinker, OneThreadMakesTheSameGraphAgain) {
  const size_t rows = 4000;
  const auto store = StoreOf(ClusteredVectors(rows, 16, 1));
  const LinkingOrder order = ChooseLinkingOrder(SpecOf(VFDW_METRIC_L2), *store);
  const HnswGraph one = LinkInSteps(*store, order, {300, rows}, 1);
  const HnswGraph other = LinkInSteps(*store, order, {300, rows}, 1);
  EXPECT_EQ(BottomOf(one, rows), BottomOf(other, rows));
  ASSERT_EQ(one.upper.size(), other.upper.size());
  for (size_t level = 0; level < one.upper.size(); level++)
    EXPECT_EQ(one.upper[level].links, other.upper[level].links);
}

TEST(HnswLinker, AGraphMadeInStepsIsWhole) {
  const size_t rows = 4000;
  const auto store = StoreOf(ClusteredVectors(rows, 16, 1));
  const LinkingOrder order = ChooseLinkingOrder(SpecOf(VFDW_METRIC_L2), *store);
  const HnswGraph graph = LinkInSteps(*store, order, {1, 100, 2000, 2001, rows}, 2);
  EXPECT_EQ(graph.linked_rows, rows);
  EXPECT_GE(CountReached(graph, rows), rows - rows / 1000);
}

TEST(HnswLinker, AGraphHalfLinkedKnowsNothingOfTheRest) {
  const size_t rows = 4000, linked = 3000;
  const auto store = StoreOf(ClusteredVectors(rows, 16, 1));
  const LinkingOrder order = ChooseLinkingOrder(SpecOf(VFDW_METRIC_L2), *store);
  const HnswGraph graph = LinkInSteps(*store, order, {linked}, 2);
  const std::set<uint32_t> unlinked(order.rows.begin() + linked, order.rows.end());
  EXPECT_EQ(graph.linked_rows, linked);
  for (const uint32_t link : BottomOf(graph, rows)) EXPECT_FALSE(unlinked.count(link));
  for (const uint32_t row : unlinked) EXPECT_EQ(graph.BottomLinks(row)[0], kNoLink);
}

TEST(HnswLinker, NoListHoldsALinkTwiceOrItself) {
  const size_t rows = 6000;
  const auto store = StoreOf(RepeatedVectors(rows, 16, 50, 1));
  const LinkingOrder order = ChooseLinkingOrder(SpecOf(VFDW_METRIC_L2), *store);
  const HnswGraph graph = LinkInSteps(*store, order, {rows}, 4);
  for (uint32_t row = 0; row < rows; row++) {
    std::set<uint32_t> seen = {row};
    const uint32_t* const links = graph.BottomLinks(row);
    for (uint32_t i = 0; i < graph.bottom_degree && links[i] != kNoLink; i++)
      EXPECT_TRUE(seen.insert(links[i]).second) << "row " << row;
  }
}

TEST(HnswLinker, NearlyEveryRowIsReachedFromTheEntry) {
  const size_t rows = 10000;
  for (const Vectors& vectors : {ClusteredVectors(rows, 24, 1), RandomVectors(rows, 24, 1)}) {
    const auto store = StoreOf(vectors);
    const LinkingOrder order = ChooseLinkingOrder(SpecOf(VFDW_METRIC_L2), *store);
    EXPECT_GE(CountReached(LinkInSteps(*store, order, {rows}, 2), rows), rows - rows / 1000);
  }
}

TEST(HnswLinker, TablesOfFewRowsAreLinkedToo) {
  for (const size_t rows : {1, 2, 3, 40}) {
    const auto store = StoreOf(RandomVectors(rows, 8, 1));
    const LinkingOrder order = ChooseLinkingOrder(SpecOf(VFDW_METRIC_L2), *store);
    EXPECT_EQ(CountReached(LinkInSteps(*store, order, {rows}, 2), rows), rows);
  }
}

class LinkedByEveryMetric : public testing::TestWithParam<vfdw_metric> {};

// By float32, and where the dimensions are many enough by codes.
TEST_P(LinkedByEveryMetric, NeighboursAreFoundWhateverTheDataLooksLike) {
  const size_t rows = 8000;
  for (const size_t dimensions : {48, 128}) {
    const struct {
      const char* name;
      Vectors vectors, queries;
      double recall;
    } cases[] = {
        {"clustered", ClusteredVectors(rows, dimensions, 1), ClusteredVectors(100, dimensions, 2),
         0.98},
        {"uniform", RandomVectors(rows, dimensions, 1), RandomVectors(100, dimensions, 2),
         dimensions == 48 ? 0.85 : 0.72},
        {"repeated", RepeatedVectors(rows, dimensions, 20, 1), ClusteredVectors(100, dimensions, 2),
         0.9},
    };
    for (const auto& one : cases) {
      const auto index = Build(IndexKind::kHnsw, GetParam(), StoreOf(one.vectors));
      const double recall = RecallByDistance(*index, one.queries, 80);
      EXPECT_GE(recall, one.recall) << one.name << " of " << dimensions << " dimensions";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Metrics, LinkedByEveryMetric, testing::ValuesIn(kMetrics));

}  // namespace
}  // namespace vectord

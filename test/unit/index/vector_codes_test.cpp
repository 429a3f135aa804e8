// vector_codes_test.cpp - searches by every quantizer, metric and kind of index that has codes.
#include "daemon/index/vector_codes.h"

#include <gtest/gtest.h>

#include <map>

#include "daemon/index/hnsw_index.h"
#include "daemon/index/index_bytes.h"
#include "daemon/index/ivf_index.h"
#include "daemon/kernel/cpu.h"
#include "test/unit/index/vectors_for_tests.h"

namespace vectord {
namespace {

// Under a sanitizer, which takes twenty times as long, only as many rows as must be for codes
// unasked, and one metric for each kind of codes.
#ifdef __SANITIZE_ADDRESS__
constexpr size_t kRows = 5700, kFewRows = 1100;
constexpr bool kEveryMetric = false;
#else
constexpr size_t kRows = 9000, kFewRows = 8000;
constexpr bool kEveryMetric = true;
#endif
constexpr size_t kDimensions = 100;  // no whole number of blocks
constexpr Quantizer kQuantizers[] = {Quantizer::kFp16, Quantizer::kSq8, Quantizer::kPq};
constexpr IndexKind kCodedKinds[] = {IndexKind::kHnsw, IndexKind::kIvf};

IndexSpec SpecOf(IndexKind kind, vfdw_metric metric, Quantizer quantizer) {
  IndexSpec spec;
  spec.kind = kind;
  spec.metric = metric;
  spec.quantizer = quantizer;
  spec.ef_search = 100;
  spec.nprobe = 40;
  return spec;
}

const VectorCodes* CodesOf(const Index& index) {
  return index.kind() == IndexKind::kHnsw ? static_cast<const HnswIndex&>(index).graph().codes.get()
                                          : static_cast<const IvfIndex&>(index).lists().codes.get();
}

SearchParams Nearest(size_t k) {
  SearchParams params;
  params.k = k;
  return params;
}

std::string Named(const IndexSpec& spec) {
  return Named(spec.kind, spec.metric) + " and " + QuantizerName(spec.quantizer);
}

// Of the same rows for all tests; each is built once.
const Vectors& CommonVectors() {
  static const Vectors vectors = ClusteredVectors(kRows, kDimensions, 1);
  return vectors;
}

const Index& IndexBy(const IndexSpec& spec) {
  static std::map<std::string, std::unique_ptr<Index>> built;
  std::unique_ptr<Index>& index = built[Named(spec)];
  if (!index) index = BuildFrom(spec, StoreOf(CommonVectors()));
  return *index;
}

template <class Test>
void ForEachCodedSpec(Test test) {
  size_t codes = 0;
  for (const IndexKind kind : kCodedKinds)
    for (const Quantizer quantizer : kQuantizers) {
      codes++;
      for (const vfdw_metric metric : kMetrics) {
        if (!kEveryMetric && metric != kMetrics[codes % std::size(kMetrics)]) continue;
        const IndexSpec spec = SpecOf(kind, metric, quantizer);
        SCOPED_TRACE(Named(spec));
        test(spec);
      }
    }
}

TEST(VectorCodes, SearchesByThemFindNearlyAsMuchAsByFloat32) {
  const Vectors queries = ClusteredVectors(40, kDimensions, 2);
  for (const IndexKind kind : kCodedKinds)
    for (const vfdw_metric metric : kMetrics) {
      const Index& exact = IndexBy(SpecOf(kind, metric, Quantizer::kNone));
      ASSERT_EQ(CodesOf(exact), nullptr);
      const double by_float32 = RecallOf(exact, queries, Nearest(10));
      for (const Quantizer quantizer : kQuantizers) {
        const IndexSpec spec = SpecOf(kind, metric, quantizer);
        const Index& index = IndexBy(spec);
        ASSERT_NE(CodesOf(index), nullptr) << Named(spec);
        EXPECT_EQ(CodesOf(index)->quantizer(), quantizer);
        const double lost = by_float32 - RecallOf(index, queries, Nearest(10));
        EXPECT_LE(lost, quantizer == Quantizer::kPq ? 0.03 : 0.01) << Named(spec);
      }
    }
}

TEST(VectorCodes, WhatIsFoundHasItsExactDistanceAndThereAreAsManyRowsAsWanted) {
  const Vectors queries = ClusteredVectors(5, kDimensions, 2);
  ForEachCodedSpec([&](const IndexSpec& spec) {
    const Index& index = IndexBy(spec);
    for (const size_t k : {1, 10, 70})
      for (size_t q = 0; q < queries.size(); q++) {
        SearchStats stats;
        const auto found = MustSearch(index, queries[q], Nearest(k), &stats);
        ASSERT_EQ(found.size(), k);
        EXPECT_TRUE(std::is_sorted(found.begin(), found.end(), ComesBefore));
        for (const Candidate& one : found)
          EXPECT_EQ(one.distance, vfdw_distance(spec.metric, queries[q], index.store().row(one.row),
                                                kDimensions));
        if (k == 10) {
          EXPECT_STRNE(stats.strategy, "exact");
        }
      }
  });
}

TEST(VectorCodes, ASearchFindsOnlyAllowedRows) {
  std::vector<uint64_t> allowed((kRows + 63) / 64, 0x5fffffffffffffff);
  allowed.back() &= (uint64_t{1} << kRows % 64) - 1;
  ForEachCodedSpec([&](const IndexSpec& spec) {
    SearchParams params = Nearest(10);
    params.allowed_rows = allowed.data();
    params.effort = 20;
    SearchStats stats;
    const auto found = MustSearch(IndexBy(spec), CommonVectors()[77], params, &stats);
    EXPECT_STRNE(stats.strategy, "exact");
    EXPECT_EQ(found.size(), 10u);
    for (const Candidate& one : found) EXPECT_TRUE(IsAllowed(allowed.data(), one.row));
  });
}

TEST(VectorCodes, ARaisedFlagCancelsASearch) {
  const std::atomic<bool> cancelled{true};
  for (const IndexKind kind : kCodedKinds) {
    const Index& index = IndexBy(SpecOf(kind, VFDW_METRIC_L2, Quantizer::kSq8));
    SearchParams params = Nearest(10);
    params.cancelled = &cancelled;
    SearchStats stats;
    std::vector<Candidate> found;
    EXPECT_EQ(index.Search(CommonVectors()[1], params, &found, &stats).code(), ErrorCode::CANCELED);
    EXPECT_TRUE(found.empty());
  }
}

TEST(VectorCodes, BytesGiveBackAnIndexThatAnswersAlike) {
  ForEachCodedSpec([&](const IndexSpec& spec) {
    const Index& index = IndexBy(spec);
    StringSink sink;
    ASSERT_TRUE(WriteIndex(index, &sink).ok());
    SpanSource source(sink.bytes());
    const auto read = ReadIndex(&source, index.shared_store(), spec.metric);
    ASSERT_TRUE(read.ok()) << read.status().ToString();
    ASSERT_NE(CodesOf(**read), nullptr);
    EXPECT_EQ(CodesOf(**read)->memory_bytes(), CodesOf(index)->memory_bytes());
    for (size_t q = 0; q < 10; q++) {
      SearchStats stats;
      EXPECT_EQ(MustSearch(**read, CommonVectors()[q], Nearest(10), &stats),
                MustSearch(index, CommonVectors()[q], Nearest(10), &stats));
    }
  });
}

TEST(VectorCodes, CutBytesAreCorruptAndChangedOnesSafeToSearch) {
  const Vectors vectors = ClusteredVectors(1500, kDimensions, 1);
  std::mt19937 random(3);
  for (const Quantizer quantizer : kQuantizers) {
    const auto store = StoreOf(vectors);
    const auto index = BuildFrom(SpecOf(IndexKind::kHnsw, VFDW_METRIC_L2, quantizer), store);
    StringSink sink;
    ASSERT_TRUE(WriteIndex(*index, &sink).ok());
    for (const size_t size : {33u, 40u, 5000u, 150000u}) {
      SpanSource source(std::string_view(sink.bytes()).substr(0, size));
      EXPECT_EQ(ReadIndex(&source, store, VFDW_METRIC_L2).status().code(), ErrorCode::CORRUPT);
    }
    for (int i = 0; i < 30; i++) {
      std::string bytes = sink.bytes();
      // The header, the codes' own, and anywhere.
      for (int j = 0; j < 20; j++)
        bytes[random() % (i < 10   ? 32
                          : i < 20 ? 1000
                                   : bytes.size())] = static_cast<char>(random());
      SpanSource source(bytes);
      const auto read = ReadIndex(&source, store, VFDW_METRIC_L2);
      if (!read.ok()) continue;
      SearchStats stats;
      EXPECT_EQ(MustSearch(**read, vectors[5], Nearest(10), &stats).size(), 10u);
    }
  }
}

TEST(VectorCodes, EveryInstructionSetFindsTheSame) {
  const float* const query = CommonVectors()[9];
  for (const vfdw_metric metric : kMetrics)
    for (const Quantizer quantizer : kQuantizers) {
      const Index& index = IndexBy(SpecOf(IndexKind::kHnsw, metric, quantizer));
      SearchStats stats;
      ASSERT_TRUE(ForceIsa(Isa::kScalar).ok());
      const auto expected = MustSearch(index, query, Nearest(20), &stats);
      for (const Isa isa : {Isa::kAvx2, Isa::kAvx512}) {
        if (isa > DetectedIsa()) continue;
        ASSERT_TRUE(ForceIsa(isa).ok());
        EXPECT_EQ(MustSearch(index, query, Nearest(20), &stats), expected)
            << IsaName(isa) << " and " << QuantizerName(quantizer);
      }
      ASSERT_TRUE(ForceIsa(std::nullopt).ok());
    }
}

TEST(VectorCodes, HugeTinyAndEqualElementsAreFoundAsOftenAsWanted) {
  Vectors huge = ClusteredVectors(kFewRows, 8, 1), tiny = huge, equal = huge;
  for (float& x : huge.elements) x *= 1e37f;
  for (float& x : tiny.elements) x *= 1e-37f;
  for (float& x : equal.elements) x = 0.25f;
  for (const Vectors* vectors : {&huge, &tiny, &equal})
    ForEachCodedSpec([&](IndexSpec spec) {
      spec.ef_construction = 16;
      const auto index = BuildFrom(spec, StoreOf(*vectors));
      SearchStats stats;
      EXPECT_EQ(MustSearch(*index, (*vectors)[3], Nearest(10), &stats).size(), 10u);
    });
}

TEST(VectorCodes, AQueryFarFromAllRowsFindsTheNearest) {
  Vectors query = ClusteredVectors(1, kDimensions, 2);
  for (float& x : query.elements) x *= 100;
  for (const vfdw_metric metric : kMetrics) {
    const Index& index = IndexBy(SpecOf(IndexKind::kHnsw, metric, Quantizer::kSq8));
    EXPECT_GE(RecallOf(index, query, Nearest(10)), 0.8) << metric;
  }
}

TEST(VectorCodes, MoreOversamplingFindsMore) {
  // Given rows that 8 bits cannot tell apart
  Vectors vectors = RandomVectors(kRows, kDimensions, 1);
  const Vectors centers = RandomVectors(30, kDimensions, 2);
  for (size_t i = 0; i < vectors.elements.size(); i++)
    vectors.elements[i] =
        vectors.elements[i] * 0.002f + centers[i / kDimensions % 30][i % kDimensions];
  IndexSpec spec = SpecOf(IndexKind::kIvf, VFDW_METRIC_L2, Quantizer::kSq8);
  const auto store = StoreOf(vectors);
  const auto index = BuildFrom(spec, store);
  const Vectors queries{kDimensions,
                        {vectors.elements.begin(), vectors.elements.begin() + 20 * kDimensions}};
  SearchParams params = Nearest(10);
  params.oversample = 1;
  const double least = RecallOf(*index, queries, params);
  params.oversample = 30;
  EXPECT_GT(RecallOf(*index, queries, params), least + 0.3);
}

TEST(VectorCodes, AnOversampleWidensTheSearchOfAGraph) {
  const auto store = StoreOf(ClusteredVectors(40000, 32, 1));
  IndexSpec spec = SpecOf(IndexKind::kHnsw, VFDW_METRIC_L2, Quantizer::kSq8);
  spec.ef_search = 20;
  const auto index = BuildFrom(spec, store);
  SearchParams params = Nearest(10);
  SearchStats stats;
  MustSearch(*index, store->row(1), params, &stats);
  EXPECT_EQ(stats.effort, 20u);
  params.oversample = 9.5;
  MustSearch(*index, store->row(1), params, &stats);
  EXPECT_EQ(stats.effort, 95u);
}

TEST(VectorCodes, UnaskedASearchGoesByCodesWhereTheyTellRowsApart) {
  IndexSpec spec;
  spec.ef_search = 40;
  spec.nprobe = 10;
  Vectors blurred = RandomVectors(kRows, kDimensions, 1);
  const Vectors centers = RandomVectors(60, kDimensions, 2);
  for (size_t i = 0; i < blurred.elements.size(); i++)
    blurred.elements[i] =
        blurred.elements[i] * 0.001f + centers[i / kDimensions % 60][i % kDimensions];
  for (const IndexKind kind : kCodedKinds) {
    spec.kind = kind;
    const auto clear = BuildFrom(spec, StoreOf(ClusteredVectors(kRows, kDimensions, 1)));
    ASSERT_NE(CodesOf(*clear), nullptr);
    EXPECT_EQ(CodesOf(*clear)->quantizer(), Quantizer::kSq8);
    EXPECT_EQ(CodesOf(*BuildFrom(spec, StoreOf(blurred))), nullptr);
    EXPECT_EQ(CodesOf(*BuildFrom(spec, StoreOf(ClusteredVectors(kRows, 16, 1)))), nullptr);
    EXPECT_EQ(CodesOf(*BuildFrom(spec, StoreOf(ClusteredVectors(500, kDimensions, 1)))), nullptr);
  }
}

TEST(VectorCodes, TheEstimateIsWhatTheyOccupy) {
  ForEachCodedSpec([&](const IndexSpec& spec) {
    const Index& index = IndexBy(spec);
    EXPECT_EQ(EstimateCodesBytes(spec.quantizer, kRows, kDimensions),
              CodesOf(index)->memory_bytes());
    SearchStats stats;
    MustSearch(index, CommonVectors()[0], {}, &stats);  // scratch memory is counted, too
    EXPECT_NEAR(
        EstimateIndexBytes(spec, kRows, kDimensions) / static_cast<double>(index.memory_bytes()),
        1.0, 0.1);
  });
}

TEST(VectorCodes, TheBetterTheCodesTheFewerRowsAreCompared) {
  EXPECT_EQ(CountToCompare(Quantizer::kNone, 10, 0), 10u);
  EXPECT_LT(CountToCompare(Quantizer::kFp16, 10, 0), CountToCompare(Quantizer::kSq8, 10, 0));
  EXPECT_LT(CountToCompare(Quantizer::kSq8, 10, 0), CountToCompare(Quantizer::kPq, 10, 0));
  EXPECT_EQ(CountToCompare(Quantizer::kSq8, 10, 2.55), 26u);
  EXPECT_EQ(CountToCompare(Quantizer::kSq8, 10, 1), 10u);
}

}  // namespace
}  // namespace vectord

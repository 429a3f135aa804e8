// code_scan_test.cpp - scans by codes against scans without them, bit for bit, on rows that suit
// codes and on rows that do not.
#include "daemon/index/code_scan.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "daemon/index/code_bounds.h"
#include "daemon/index/exact_scan.h"
#include "daemon/index/sq8_codes.h"
#include "daemon/kernel/cpu.h"
#include "test/unit/index/vectors_for_tests.h"

namespace vectord {
namespace {

#ifdef __SANITIZE_ADDRESS__
constexpr size_t kRows = 1500;
#else
constexpr size_t kRows = 6000;
#endif
constexpr vfdw_metric kBounded[] = {VFDW_METRIC_L2, VFDW_METRIC_IP, VFDW_METRIC_COSINE};

struct DataSet {
  std::string name;
  Vectors rows, queries;
};

Vectors Changed(Vectors vectors, const std::function<float(float, size_t)>& change) {
  for (size_t i = 0; i < vectors.elements.size(); i++)
    vectors.elements[i] = change(vectors.elements[i], i);
  return vectors;
}

Vectors Times(const Vectors& vectors, float factor) {
  return Changed(vectors, [factor](float x, size_t) { return x * factor; });
}

DataSet Of(const std::string& name, const Vectors& rows, const Vectors& queries) {
  return {name, rows, queries};
}

std::vector<DataSet> DataSets() {
  const Vectors normal = RandomVectors(kRows, 70, 1), asked = RandomVectors(3, 70, 2);
  const Vectors clustered = ClusteredVectors(kRows, 100, 1), near = ClusteredVectors(3, 100, 2);
  const auto shifted = [](const Vectors& v, float by) {
    return Changed(v, [by](float x, size_t) { return x + by; });
  };
  const auto with_outliers = [](const Vectors& v, float factor, size_t one_in = 911) {
    return Changed(v, [=](float x, size_t i) { return i % one_in == 0 ? x * factor : x; });
  };
  constexpr size_t kCutOff = 12007;
  const Vectors cut_off = with_outliers(normal, 50, kCutOff);
  const Vectors among_them{70,
                           {cut_off.elements.begin() + kCutOff / 70 * 70,
                            cut_off.elements.begin() + kCutOff / 70 * 70 + 70}};
  std::vector<DataSet> sets = {
      Of("normal", normal, asked),
      Of("clustered", clustered, near),
      Of("rows themselves", normal, Vectors{70, {normal[5], normal[8]}}),
      Of("one dimension", RandomVectors(kRows, 1, 1), RandomVectors(3, 1, 2)),
      Of("ties, duplicates and zeros", CoarseVectors(kRows, 3, 1), CoarseVectors(5, 3, 2)),
      Of("zeros asked for", normal, Vectors{70, std::vector<float>(70)}),
      Of("many dimensions", RandomVectors(600, 2000, 1), RandomVectors(2, 2000, 2)),
      Of("far from the origin", shifted(normal, 1000), shifted(asked, 1000)),
      Of("very far from the origin", shifted(normal, 1e6f), shifted(asked, 1e6f)),
      Of("far from the query", shifted(normal, 1000), asked),
      Of("long queries", normal, Times(asked, 1e4f)),
      Of("short queries", normal, Times(asked, 1e-4f)),
      Of("outliers", with_outliers(normal, 50), asked),
      Of("outliers like the query", with_outliers(normal, 50), with_outliers(asked, 50)),
      Of("huge outliers", with_outliers(normal, 1e18f), asked),
      Of("cut off", cut_off, asked),
      Of("cut off like the query", cut_off, with_outliers(asked, 50)),
      Of("cut off, asked for themselves", cut_off, among_them),
      Of("cut off far away", with_outliers(normal, 1e18f, kCutOff), asked),
      Of("cut off beside the query", with_outliers(normal, 5, kCutOff), Times(asked, 1.3f)),
      Of("a direction in common", shifted(Times(normal, 1e-4f), 1), shifted(asked, 1)),
  };
  for (const float size : {1e-22f, 1e-18f, 1e-9f, 1e9f, 1e16f, 1e18f})
    sets.push_back(
        Of("all times " + std::to_string(size), Times(normal, size), Times(asked, size)));
  for (const float size : {1e-21f, 1e-12f, 1e12f, 1e18f}) {
    sets.push_back(Of("queries times " + std::to_string(size), normal, Times(asked, size)));
    sets.push_back(Of("rows times " + std::to_string(size), Times(normal, size), asked));
  }
  return sets;
}

std::shared_ptr<const Sq8Codes> CodesOf(vfdw_metric metric, const VectorStore& store) {
  auto codes = Sq8Codes::Make(metric, store, BuildControl());
  EXPECT_TRUE(codes.ok());
  return std::move(codes).value();
}

// Calls test(store, codes, query) for everything that can be encoded.
void ForEachQuery(
    const std::function<void(const VectorStore&, const Sq8Codes&, const float*)>& test) {
  for (const DataSet& set : DataSets()) {
    const auto store = StoreOf(set.rows);
    for (const vfdw_metric metric : kBounded) {
      SCOPED_TRACE(set.name + ", " + Named(IndexKind::kHnsw, metric));
      const auto codes = CodesOf(metric, *store);
      if (!codes) continue;
      for (size_t q = 0; q < set.queries.size(); q++) test(*store, *codes, set.queries[q]);
    }
  }
}

TEST(CodeBounds, NoRowIsNearerThanItsKeyProves) {
  ForEachQuery([](const VectorStore& store, const Sq8Codes& codes, const float* query) {
    const Sq8Codes::Query keys_of(codes, query);
    const CodeBounds bounds(codes, keys_of, query);
    size_t wrong = 0;
    for (uint32_t row = 0; row < store.size(); row++) {
      const double distance =
          vfdw_distance(codes.metric(), query, store.row(row), store.dimensions());
      float key;
      keys_of.Keys(&row, 1, &key);
      const bool holds = bounds.AreForCutOffRows() || !codes.IsCutOff(row);
      wrong += holds && key > bounds.LargestKey(distance);
    }
    EXPECT_EQ(wrong, 0u);
  });
}

TEST(CodeBounds, LargerDistancesAllowLargerKeys) {
  ForEachQuery([](const VectorStore& store, const Sq8Codes& codes, const float* query) {
    const CodeBounds bounds(codes, Sq8Codes::Query(codes, query), query);
    std::vector<Candidate> sorted = SortedByDistance(store, codes.metric(), query);
    for (size_t i = 1; i < sorted.size() && !std::isnan(sorted[i].distance); i++)
      ASSERT_GE(bounds.LargestKey(sorted[i].distance), bounds.LargestKey(sorted[i - 1].distance));
  });
}

// Of 64 rows: all, or by chance so many.
std::vector<uint64_t> AllowedBitmap(size_t rows, uint32_t of_64, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<uint64_t> words((rows + 63) / 64);
  for (size_t row = 0; row < rows; row++)
    if (random() % 64 < of_64) words[row / 64] |= uint64_t{1} << (row % 64);
  return words;
}

TEST(CodeScan, FindsWhatTheScanWithoutCodesFinds) {
  ForEachQuery([](const VectorStore& store, const Sq8Codes& codes, const float* query) {
    for (const uint32_t of_64 : {64u, 40u, 3u}) {
      const std::vector<uint64_t> allowed = AllowedBitmap(store.size(), of_64, of_64);
      for (const size_t k : {1, 10, 300, 10000}) {
        SearchParams params;
        params.k = k;
        if (of_64 < 64) params.allowed_rows = allowed.data();
        std::vector<Candidate> with, without;
        SearchStats stats;
        ASSERT_TRUE(ScanByCodes(store, codes, query, params, &with, &stats).ok());
        EXPECT_STREQ(stats.strategy, "exact");
        ASSERT_TRUE(ExactScan(store, codes.metric(), query, params, &without, &stats).ok());
        ASSERT_EQ(with, without) << "k " << k << ", " << of_64 << " of 64 rows";
      }
    }
  });
}

TEST(CodeScan, EveryInstructionSetGivesTheSameAnswer) {
  const auto store = StoreOf(RandomVectors(3000, 70, 1));
  const Vectors queries = RandomVectors(3, 70, 2);
  SearchParams params;
  for (const vfdw_metric metric : kBounded)
    for (size_t q = 0; q < queries.size(); q++)
      for (const Isa isa : {Isa::kScalar, Isa::kAvx2, Isa::kAvx512}) {
        if (isa > DetectedIsa()) continue;
        ASSERT_TRUE(ForceIsa(isa).ok());
        std::vector<Candidate> out;
        SearchStats stats;
        EXPECT_TRUE(
            ScanByCodes(*store, *CodesOf(metric, *store), queries[q], params, &out, &stats).ok());
        EXPECT_EQ(out, FirstOf(SortedByDistance(*store, metric, queries[q]), params.k));
      }
  ASSERT_TRUE(ForceIsa(std::nullopt).ok());
}

TEST(CodeScan, FewRowsAreCompared) {
  const auto store = StoreOf(ClusteredVectors(kRows, 100, 1));
  const Vectors queries = ClusteredVectors(20, 100, 2);
  for (const vfdw_metric metric : kBounded) {
    const auto codes = CodesOf(metric, *store);
    SearchStats stats;
    for (size_t q = 0; q < queries.size(); q++) {
      std::vector<Candidate> out;
      ASSERT_TRUE(ScanByCodes(*store, *codes, queries[q], SearchParams(), &out, &stats).ok());
    }
    EXPECT_LT(stats.distances_computed, queries.size() * kRows * 11 / 10);
  }
}

TEST(CodeScan, ACancelledOneReturnsNothing) {
  const auto store = StoreOf(RandomVectors(3000, 70, 1));
  const std::atomic<bool> cancelled{true};
  SearchParams params;
  params.cancelled = &cancelled;
  std::vector<Candidate> out(1);
  SearchStats stats;
  EXPECT_EQ(
      ScanByCodes(*store, *CodesOf(VFDW_METRIC_L2, *store), store->row(0), params, &out, &stats)
          .code(),
      ErrorCode::CANCELED);
  EXPECT_TRUE(out.empty());
}

TEST(CodeScan, IsForCodesAndSearchesThatGainByIt) {
  const auto store = StoreOf(RandomVectors(3000, 70, 1));
  SearchParams params;
  EXPECT_FALSE(CanScanByCodes(nullptr, params, 3000));
  EXPECT_FALSE(CanScanByCodes(CodesOf(VFDW_METRIC_L1, *store).get(), params, 3000));
  const auto codes = CodesOf(VFDW_METRIC_L2, *store);
  EXPECT_TRUE(CanScanByCodes(codes.get(), params, 3000));
  EXPECT_FALSE(CanScanByCodes(codes.get(), params, 100));
  params.k = 1000;
  EXPECT_FALSE(CanScanByCodes(codes.get(), params, 3000));
  params.k = 10;
  params.after = Candidate{0, 0};
  EXPECT_FALSE(CanScanByCodes(codes.get(), params, 3000));
}

}  // namespace
}  // namespace vectord

// float_keys_test.cpp - keys by float32, of a query as of a row, order rows as distances do.
#include "daemon/index/float_keys.h"

#include <gtest/gtest.h>

#include <numeric>

#include "daemon/index/key_query.h"
#include "daemon/index/row_keys.h"
#include "test/unit/index/vectors_for_tests.h"

namespace vectord {
namespace {

constexpr size_t kRows = 500, kDimensions = 20;

std::vector<uint32_t> AllRows() {
  std::vector<uint32_t> rows(kRows);
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

std::vector<float> KeysOfQuery(const VectorStore& store, vfdw_metric metric, const float* query) {
  std::vector<float> keys(kRows);
  WithKeyQuery(store, /*codes=*/nullptr, metric, query, [&](const auto& by_query) {
    by_query.Keys(AllRows().data(), kRows, keys.data());
    return true;
  });
  return keys;
}

template <vfdw_metric kMetric>
std::vector<float> KeysOfRow(const VectorStore& store, uint32_t row) {
  std::vector<float> keys(kRows);
  RowKeys<kMetric>(store).Compute(row, AllRows().data(), kRows, keys.data());
  return keys;
}

std::vector<float> KeysOfRow(const VectorStore& store, vfdw_metric metric, uint32_t row) {
  switch (metric) {
    case VFDW_METRIC_L2:
      return KeysOfRow<VFDW_METRIC_L2>(store, row);
    case VFDW_METRIC_IP:
      return KeysOfRow<VFDW_METRIC_IP>(store, row);
    case VFDW_METRIC_COSINE:
      return KeysOfRow<VFDW_METRIC_COSINE>(store, row);
    case VFDW_METRIC_L1:
      break;
  }
  return KeysOfRow<VFDW_METRIC_L1>(store, row);
}

TEST(FloatKeys, TheyOrderRowsAsDistancesDo) {
  const auto store = StoreOf(RandomVectors(kRows, kDimensions, 1));
  for (const vfdw_metric metric : kMetrics) {
    for (const uint32_t row : {0u, 17u}) {
      const std::vector<Candidate> sorted = SortedByDistance(*store, metric, store->row(row));
      for (const auto& keys :
           {KeysOfQuery(*store, metric, store->row(row)), KeysOfRow(*store, metric, row)})
        for (size_t i = 1; i < kRows; i++)
          EXPECT_LE(keys[sorted[i - 1].row], keys[sorted[i].row] + 1e-5f) << metric << " " << i;
    }
  }
}

TEST(FloatKeys, AKeyBetweenRowsIsTheSameFromEitherEnd) {
  const auto store = StoreOf(RandomVectors(kRows, kDimensions, 1));
  for (const vfdw_metric metric : kMetrics)
    for (uint32_t other = 0; other < kRows; other += 7)
      EXPECT_FLOAT_EQ(KeysOfRow(*store, metric, 3)[other], KeysOfRow(*store, metric, other)[3])
          << metric;
}

TEST(FloatKeys, KeysThatOverflowAreFarthest) {
  // Given rows whose products are infinity less infinity
  Vectors vectors = RandomVectors(kRows, kDimensions, 1);
  for (size_t i = 0; i < 5 * kDimensions; i++) vectors.elements[i] = i % 2 == 0 ? 3e38f : 3e37f;
  for (size_t i = 5 * kDimensions; i < 6 * kDimensions; i++)
    vectors.elements[i] = i % 2 == 0 ? 3e38f : -3e38f;
  const auto store = StoreOf(vectors);
  const float infinity = std::numeric_limits<float>::infinity();
  for (const vfdw_metric metric : {VFDW_METRIC_IP, VFDW_METRIC_COSINE}) {
    // Then they come after all others, of the query as of the row
    EXPECT_EQ(KeysOfQuery(*store, metric, store->row(5))[0], infinity) << metric;
    EXPECT_EQ(KeysOfRow(*store, metric, 5)[0], infinity) << metric;
  }
  for (const vfdw_metric metric : kMetrics)
    for (const uint32_t row : {0u, 5u, 400u}) {
      for (const float key : KeysOfQuery(*store, metric, store->row(row)))
        EXPECT_FALSE(std::isnan(key)) << metric;
      for (const float key : KeysOfRow(*store, metric, row))
        EXPECT_FALSE(std::isnan(key)) << metric;
    }
}

}  // namespace
}  // namespace vectord

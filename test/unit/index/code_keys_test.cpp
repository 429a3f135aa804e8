// code_keys_test.cpp - keys by codes order rows as keys by float32 do, or there are none.
#include "daemon/index/code_keys.h"

#include <gtest/gtest.h>

#include <numeric>
#include <optional>

#include "daemon/index/row_keys.h"
#include "daemon/kernel/cpu.h"
#include "test/unit/index/vectors_for_tests.h"

namespace vectord {
namespace {

constexpr size_t kRows = 6000, kDimensions = 100;  // no whole number of blocks
std::optional<CodeKeys> Make(vfdw_metric metric, const VectorStore& store) {
  BuildControl control;
  control.threads = 2;
  const auto codes = MakeCodes(Quantizer::kAutomatic, metric, store, control);
  if (!codes.ok()) throw std::runtime_error(codes.status().ToString());
  if (*codes == nullptr) return std::nullopt;
  auto keys = CodeKeys::Make(std::static_pointer_cast<const Sq8Codes>(*codes), store, control);
  if (!keys.ok()) throw std::runtime_error(keys.status().ToString());
  return std::move(keys).value();
}

std::vector<uint32_t> AllRows() {
  std::vector<uint32_t> rows(kRows);
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

std::vector<float> KeysOf(const CodeKeys& codes, uint32_t row) {
  std::vector<float> keys(kRows);
  codes.Compute(row, AllRows().data(), kRows, keys.data());
  return keys;
}

// Share of the ten true nearest of some rows that are the ten nearest by codes.
double Agreement(vfdw_metric metric, const VectorStore& store, const CodeKeys& codes) {
  size_t agreed = 0, wanted = 0;
  for (uint32_t row = 0; row < kRows; row += 100) {
    const std::vector<float> keys = KeysOf(codes, row);
    std::vector<uint32_t> nearest = AllRows();
    std::partial_sort(nearest.begin(), nearest.begin() + 10, nearest.end(),
                      [&](uint32_t a, uint32_t b) { return keys[a] < keys[b]; });
    for (const Candidate& one : FirstOf(SortedByDistance(store, metric, store.row(row)), 10)) {
      agreed += std::count(nearest.begin(), nearest.begin() + 10, one.row);
      wanted++;
    }
  }
  return static_cast<double>(agreed) / static_cast<double>(wanted);
}

TEST(CodeKeys, TheyOrderRowsAsDistancesDo) {
  const auto store = StoreOf(ClusteredVectors(kRows, kDimensions, 1));
  for (const vfdw_metric metric : kMetrics) {
    const auto codes = Make(metric, *store);
    ASSERT_TRUE(codes) << metric;
    EXPECT_GE(Agreement(metric, *store, *codes), 0.95) << metric;
  }
}

TEST(CodeKeys, AKeyIsTheSameFromEitherEnd) {
  const auto store = StoreOf(ClusteredVectors(kRows, kDimensions, 1));
  for (const vfdw_metric metric : kMetrics) {
    const auto codes = Make(metric, *store);
    ASSERT_TRUE(codes);
    const uint32_t first = 17;
    const std::vector<float> keys = KeysOf(*codes, first);
    for (uint32_t other = 0; other < kRows; other += 7) {
      float key;
      codes->Compute(other, &first, 1, &key);
      EXPECT_EQ(key, keys[other]) << metric;
    }
  }
}

TEST(CodeKeys, EveryInstructionSetGivesTheSameKeys) {
  const auto store = StoreOf(ClusteredVectors(kRows, kDimensions, 1));
  ASSERT_TRUE(ForceIsa(Isa::kScalar).ok());
  const std::vector<float> expected = KeysOf(*Make(VFDW_METRIC_IP, *store), 5);
  for (const Isa isa : {Isa::kAvx2, Isa::kAvx512}) {
    if (isa > DetectedIsa()) continue;
    ASSERT_TRUE(ForceIsa(isa).ok());
    EXPECT_EQ(KeysOf(*Make(VFDW_METRIC_IP, *store), 5), expected) << IsaName(isa);
  }
  ASSERT_TRUE(ForceIsa(std::nullopt).ok());
}

TEST(CodeKeys, RowsFarFromTheOriginAreToldApart) {
  Vectors vectors = ClusteredVectors(kRows, kDimensions, 1);
  for (size_t i = 0; i < vectors.elements.size(); i++)
    vectors.elements[i] += static_cast<float>(i % kDimensions) / 10;
  const auto store = StoreOf(vectors);
  for (const vfdw_metric metric : kMetrics) {
    const auto codes = Make(metric, *store);
    ASSERT_TRUE(codes) << metric;
    EXPECT_GE(Agreement(metric, *store, *codes), 0.9) << metric;
  }
}

TEST(CodeKeys, AnOutlierDoesNotCostTheOthersTheirPrecision) {
  Vectors vectors = ClusteredVectors(kRows, kDimensions, 1);
  for (size_t i = 0; i < kDimensions; i++) vectors.elements[4321 * kDimensions + i] = 1e30f;
  const auto store = StoreOf(vectors);
  const auto codes = Make(VFDW_METRIC_COSINE, *store);
  ASSERT_TRUE(codes);
  EXPECT_GE(Agreement(VFDW_METRIC_COSINE, *store, *codes), 0.9);
}

TEST(CodeKeys, KeysOfHugeElementsAreNumbers) {
  Vectors vectors = ClusteredVectors(kRows, kDimensions, 1);
  for (size_t i = 0; i < 5 * kDimensions; i++) vectors.elements[i] = i % 2 == 0 ? 3e38f : -3e38f;
  const auto store = StoreOf(vectors);
  for (const vfdw_metric metric : kMetrics) {
    const auto codes = Make(metric, *store);
    if (!codes) continue;
    for (const uint32_t row : {1u, 100u})
      for (const float key : KeysOf(*codes, row)) EXPECT_TRUE(std::isfinite(key)) << metric;
  }
}

TEST(CodeKeys, RowsThatCodesWouldConfuseHaveNone) {
  // Given clusters a thousand times smaller than the space between them
  Vectors vectors = RandomVectors(kRows, kDimensions, 1);
  const Vectors centers = RandomVectors(60, kDimensions, 2);
  for (size_t i = 0; i < vectors.elements.size(); i++)
    vectors.elements[i] =
        vectors.elements[i] * 0.001f + centers[i / kDimensions % 60][i % kDimensions];
  for (const vfdw_metric metric : kMetrics) EXPECT_FALSE(Make(metric, *StoreOf(vectors))) << metric;
}

TEST(CodeKeys, RowsThatAreAllAlikeHaveNone) {
  const Vectors vectors{kDimensions, std::vector<float>(kRows * kDimensions, 0.5f)};
  for (const vfdw_metric metric : kMetrics) EXPECT_FALSE(Make(metric, *StoreOf(vectors)));
}

TEST(CodeKeys, ShortRowsAndSmallTablesAreLinkedByFloat32) {
  EXPECT_TRUE(CodeKeys::ArePossible(100000, 128));
  EXPECT_FALSE(CodeKeys::ArePossible(100000, 16));
  EXPECT_FALSE(CodeKeys::ArePossible(100, 128));
}

}  // namespace
}  // namespace vectord

// code_product_test.cpp - products of codes are the same numbers by every instruction set.
#include "daemon/kernel/code_product.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "daemon/kernel/cpu.h"
#include "shared/limits.h"

namespace vectord {
namespace {

// Named, of this CPU, the reference left out.
std::vector<std::pair<std::string, CodeProducts>> ProductsOfThisCpu() {
  std::vector<std::pair<std::string, CodeProducts>> all;
  if (DetectedIsa() >= Isa::kAvx2) all.emplace_back("avx2", code_products::Avx2());
  if (HasAvx512Vnni()) all.emplace_back("avx512vnni", code_products::Avx512Vnni());
  return all;
}

std::vector<std::pair<std::string, CodeDifferences>> DifferencesOfThisCpu() {
  std::vector<std::pair<std::string, CodeDifferences>> all;
  if (DetectedIsa() >= Isa::kAvx2) all.emplace_back("avx2", code_products::Avx2Differences());
  if (HasAvx512Vnni()) all.emplace_back("avx512vnni", code_products::Avx512Differences());
  return all;
}

TEST(CodeDifferences, TheReferenceIsTheSumOfTheirSizes) {
  std::vector<uint8_t> a(kCodeBlock, kZeroCode), rows(2 * kCodeBlock, kZeroCode);
  a[0] = 255, a[1] = 1, a[63] = 130;
  rows[kCodeBlock] = 1, rows[kCodeBlock + 1] = 100, rows[kCodeBlock + 63] = 131;
  const uint32_t ids[] = {1};
  int32_t out;
  code_products::ScalarDifferences()(a.data(), rows.data(), kCodeBlock, ids, 1, &out);
  EXPECT_EQ(out, 254 + 99 + 1);
}

TEST(CodeDifferences, EveryInstructionSetGivesTheReferencesNumbers) {
  const std::vector<uint32_t> ids = {4, 0, 2, 2, 1, 3, 4};
  std::mt19937 random(2);
  for (const size_t bytes : {kCodeBlock, 5 * kCodeBlock, 1024 * kCodeBlock}) {
    std::vector<uint8_t> a(bytes), rows(5 * bytes);
    for (uint8_t& code : a) code = static_cast<uint8_t>(random());
    for (uint8_t& code : rows) code = static_cast<uint8_t>(random());
    std::vector<int32_t> expected(ids.size()), found(ids.size());
    code_products::ScalarDifferences()(a.data(), rows.data(), bytes, ids.data(), ids.size(),
                                       expected.data());
    for (const auto& [name, differences] : DifferencesOfThisCpu()) {
      differences(a.data(), rows.data(), bytes, ids.data(), ids.size(), found.data());
      EXPECT_EQ(found, expected) << name << " of " << bytes << " codes";
    }
  }
}

TEST(CodeProduct, TheReferenceIsTheSumOfProducts) {
  std::vector<uint8_t> a(kCodeBlock, kZeroCode), rows(2 * kCodeBlock, kZeroCode);
  a[0] = 255, a[1] = 1, a[63] = 130;
  rows[kCodeBlock] = 200, rows[kCodeBlock + 1] = 100, rows[kCodeBlock + 63] = 1;
  const uint32_t ids[] = {1};
  int32_t out;
  code_products::Scalar()(a.data(), rows.data(), kCodeBlock, ids, 1, &out);
  EXPECT_EQ(out, 127 * 200 - 127 * 100 + 2 * 1);
}

TEST(CodeProduct, EveryInstructionSetGivesTheReferencesNumbers) {
  constexpr size_t kRows = 11;  // a group of 4, and rows left over
  const std::vector<uint32_t> ids = {7, 0, 10, 3, 3, 9, 1, 2, 8, 4, 6};
  std::mt19937 random(1);
  for (size_t bytes = kCodeBlock; bytes <= 1024; bytes += kCodeBlock) {
    std::vector<uint8_t> a(bytes), rows(kRows * bytes);
    for (uint8_t& code : a) code = static_cast<uint8_t>(random());
    for (uint8_t& code : rows) code = static_cast<uint8_t>(random());
    for (size_t count = 0; count <= kRows; count++) {
      std::vector<int32_t> expected(count), found(count);
      code_products::Scalar()(a.data(), rows.data(), bytes, ids.data(), count, expected.data());
      for (const auto& [name, products] : ProductsOfThisCpu()) {
        products(a.data(), rows.data(), bytes, ids.data(), count, found.data());
        EXPECT_EQ(found, expected) << name << " of " << bytes << " codes";
      }
    }
  }
}

TEST(CodeProduct, TheLongestVectorsOfTheLargestCodesDoNotOverflow) {
  const size_t bytes = (VFDW_MAX_DIMENSIONS + kCodeBlock - 1) / kCodeBlock * kCodeBlock;
  std::vector<uint8_t> a(bytes, kZeroCode), row(bytes, kZeroCode);
  const uint32_t id = 0;
  for (const uint8_t sign : {1, 255}) {
    std::fill(a.begin(), a.begin() + VFDW_MAX_DIMENSIONS, sign);
    std::fill(row.begin(), row.begin() + VFDW_MAX_DIMENSIONS, uint8_t{255});
    const int64_t expected = int64_t{sign - kZeroCode} * 255 * VFDW_MAX_DIMENSIONS;
    auto all = ProductsOfThisCpu();
    all.emplace_back("scalar", code_products::Scalar());
    for (const auto& [name, products] : all) {
      int32_t out;
      products(a.data(), row.data(), bytes, &id, 1, &out);
      EXPECT_EQ(out, expected) << name;
    }
  }
}

TEST(CodeProduct, TheForcedLevelIsTheOneInUse) {
  ASSERT_TRUE(ForceIsa(Isa::kScalar).ok());
  EXPECT_EQ(ActiveCodeProducts(), code_products::Scalar());
  if (DetectedIsa() >= Isa::kAvx2) {
    ASSERT_TRUE(ForceIsa(Isa::kAvx2).ok());
    EXPECT_EQ(ActiveCodeProducts(), code_products::Avx2());
  }
  ASSERT_TRUE(ForceIsa(std::nullopt).ok());
  if (HasAvx512Vnni()) {
    EXPECT_EQ(ActiveCodeProducts(), code_products::Avx512Vnni());
    EXPECT_EQ(ActiveCodeDifferences(), code_products::Avx512Differences());
  }
}

}  // namespace
}  // namespace vectord

// half_test.cpp - numbers of 16 bits, and sums over them by every instruction set.
#include "daemon/kernel/half.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "daemon/kernel/distance.h"

namespace vectord {
namespace {

TEST(Half, EveryFiniteHalfSurvivesFloat32) {
  for (uint32_t half = 0; half <= 0xffff; half++) {
    if ((half >> 10 & 0x1f) == 0x1f) continue;
    EXPECT_EQ(FloatToHalf(HalfToFloat(static_cast<uint16_t>(half))), half);
  }
}

TEST(Half, KnownNumbersHaveTheirBits) {
  EXPECT_EQ(FloatToHalf(1), 0x3c00);
  EXPECT_EQ(FloatToHalf(-2), 0xc000);
  EXPECT_EQ(FloatToHalf(kLargestHalf), 0x7bff);
  EXPECT_EQ(FloatToHalf(0x1p-24f), 0x0001);
  EXPECT_EQ(HalfToFloat(0x0001), 0x1p-24f);
  EXPECT_EQ(HalfToFloat(0x3555), 0.333251953125f);
  EXPECT_TRUE(std::isinf(HalfToFloat(0x7c00)));
}

TEST(Half, ANumberBecomesTheNearestHalfAndATieTheEvenOne) {
  std::mt19937 random(1);
  for (int i = 0; i < 20000; i++) {
    const auto half = static_cast<uint16_t>(random() % 0x7bff);
    const float low = HalfToFloat(half), high = HalfToFloat(static_cast<uint16_t>(half + 1));
    const float middle = low + (high - low) / 2;
    EXPECT_EQ(FloatToHalf(middle), half % 2 == 0 ? half : half + 1);
    EXPECT_EQ(FloatToHalf(std::nextafter(middle, low)), half);
    EXPECT_EQ(FloatToHalf(std::nextafter(middle, high)), half + 1);
  }
}

TEST(Half, EveryInstructionSetSumsToTheSameBits) {
  const std::vector<uint32_t> ids = {6, 0, 2, 2, 5, 1, 3};  // a group of 4, and rows left over
  std::mt19937 random(2);
  for (const size_t dimensions : {32u, 128u, 1536u}) {
    std::vector<uint16_t> rows(7 * dimensions);
    std::vector<float> query(dimensions);
    for (uint16_t& half : rows) {
      half = static_cast<uint16_t>(random());
      if ((half >> 10 & 0x1f) == 0x1f) half = 5;  // tiny ones too
    }
    for (float& x : query) x = std::normal_distribution<float>()(random);
    for (const vfdw_metric metric : {VFDW_METRIC_L2, VFDW_METRIC_IP, VFDW_METRIC_L1}) {
      std::vector<float> expected(ids.size()), found(ids.size());
      KernelsOf(Isa::kScalar)
          ->HalvesForMetric(metric)(query.data(), rows.data(), dimensions, ids.data(), ids.size(),
                                    dimensions, expected.data());
      for (const Isa isa : {Isa::kAvx2, Isa::kAvx512}) {
        if (isa > DetectedIsa()) continue;
        KernelsOf(isa)->HalvesForMetric(metric)(query.data(), rows.data(), dimensions, ids.data(),
                                                ids.size(), dimensions, found.data());
        EXPECT_EQ(memcmp(found.data(), expected.data(), found.size() * sizeof(float)), 0)
            << IsaName(isa) << " of " << dimensions << " by " << metric;
      }
    }
  }
}

TEST(Half, SumsAreThoseOfTheRowsAsFloat32) {
  const size_t dimensions = 96;
  std::mt19937 random(3);
  std::vector<uint16_t> row(dimensions);
  std::vector<float> query(dimensions), decoded(dimensions);
  for (size_t i = 0; i < dimensions; i++) {
    row[i] = FloatToHalf(std::normal_distribution<float>()(random));
    decoded[i] = HalfToFloat(row[i]);
    query[i] = std::normal_distribution<float>()(random);
  }
  const uint32_t id = 0;
  float sum;
  ActiveKernels().half_l2(query.data(), row.data(), dimensions, &id, 1, dimensions, &sum);
  EXPECT_EQ(sum, ActiveKernels().l2.one(query.data(), decoded.data(), dimensions));
  ActiveKernels().half_l1(query.data(), row.data(), dimensions, &id, 1, dimensions, &sum);
  EXPECT_EQ(sum, ActiveKernels().l1.one(query.data(), decoded.data(), dimensions));
}

}  // namespace
}  // namespace vectord

// metric_test.cpp - what each distance means. Kernels are compared with it in test/unit/kernel.
#include "shared/metric.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(Metric, DistancesOfSmallVectors) {
  const float a[] = {1, 2, 3}, b[] = {4, 6, 3};
  EXPECT_EQ(5, vfdw_distance(VFDW_METRIC_L2, a, b, 3));
  EXPECT_EQ(-25, vfdw_distance(VFDW_METRIC_IP, a, b, 3));
  EXPECT_EQ(7, vfdw_distance(VFDW_METRIC_L1, a, b, 3));
  EXPECT_EQ(1 - 25 / std::sqrt(14.0 * 61.0), vfdw_distance(VFDW_METRIC_COSINE, a, b, 3));
}

TEST(Metric, CosineOfAZeroVectorIsNaNAndOfItselfIsZero) {
  const float zero[] = {0, 0}, a[] = {0.1f, 0.7f}, opposite[] = {-0.1f, -0.7f};
  EXPECT_TRUE(std::isnan(vfdw_distance(VFDW_METRIC_COSINE, zero, a, 2)));
  EXPECT_TRUE(std::isnan(vfdw_distance(VFDW_METRIC_COSINE, a, zero, 2)));
  EXPECT_EQ(0, vfdw_distance(VFDW_METRIC_COSINE, a, a, 2));
  EXPECT_EQ(2, vfdw_distance(VFDW_METRIC_COSINE, a, opposite, 2));
}

TEST(Metric, SumIsTakenByLanesAndFoldedInHalves) {
  // In plain order the ones would vanish beside 2^25; in their own lanes they add up first.
  std::vector<float> a(64, 0), ones(64, 1);
  a[0] = 33554432;
  a[1] = a[33] = 1;
  a[3] = a[35] = 1;
  EXPECT_EQ(33554436, vfdw_sum_ip(a.data(), ones.data(), 64));
}

TEST(Metric, ZerosAppendedChangeNoBit) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  for (size_t n = 1; n < 100; n++) {
    std::vector<float> a(n + 40, 0), b(n + 40, 0);
    for (size_t i = 0; i < n; i++) a[i] = normal(random), b[i] = normal(random);
    for (auto metric : {VFDW_METRIC_L2, VFDW_METRIC_IP, VFDW_METRIC_COSINE, VFDW_METRIC_L1})
      EXPECT_EQ(vfdw_distance(metric, a.data(), b.data(), n),
                vfdw_distance(metric, a.data(), b.data(), n + 40));
  }
}

TEST(Metric, DistanceIsTheSameInEitherDirection) {
  std::mt19937 random(8);
  std::normal_distribution<float> normal;
  std::vector<float> a(77), b(77);
  for (float& x : a) x = normal(random);
  for (float& x : b) x = normal(random);
  for (auto metric : {VFDW_METRIC_L2, VFDW_METRIC_IP, VFDW_METRIC_COSINE, VFDW_METRIC_L1})
    EXPECT_EQ(vfdw_distance(metric, a.data(), b.data(), 77),
              vfdw_distance(metric, b.data(), a.data(), 77));
}

TEST(Metric, NaNComesAfterEveryNumberAndEqualsItself) {
  EXPECT_EQ(0, vfdw_compare_distances(kNaN, kNaN));
  EXPECT_GT(vfdw_compare_distances(kNaN, kInfinity), 0);
  EXPECT_LT(vfdw_compare_distances(kInfinity, kNaN), 0);
  EXPECT_LT(vfdw_compare_distances(-kInfinity, 0), 0);
  EXPECT_EQ(0, vfdw_compare_distances(-0.0, 0.0));
}

}  // namespace

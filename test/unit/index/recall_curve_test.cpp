// recall_curve_test.cpp - from measured efforts to the least one that meets a target.
#include "daemon/index/recall_curve.h"

#include <gtest/gtest.h>

#include <cmath>
#include <initializer_list>

namespace vectord {
namespace {

constexpr float kHardlyAnyError = 1e-6f;

RecallCurve CurveOf(std::initializer_list<std::pair<uint32_t, float>> points,
                    float error = kHardlyAnyError) {
  std::vector<RecallPoint> all;
  for (const auto& [effort, recall] : points) all.push_back({effort, recall, error});
  return RecallCurve(std::move(all));
}

TEST(RecallCurve, AMeasuredRecallNeedsTheEffortItWasMeasuredWith) {
  const RecallCurve curve = CurveOf({{10, 0.8f}, {20, 0.9f}, {40, 0.95f}, {80, 0.975f}});
  EXPECT_NEAR(*curve.EffortFor(0.9), 20, 0.01);
  EXPECT_NEAR(*curve.EffortFor(0.95), 40, 0.01);
  EXPECT_NEAR(curve.RecallAt(40), 0.95, 1e-6);
}

TEST(RecallCurve, BetweenEffortsWhatIsMissedFallsAsAPower) {
  // Given that twice the effort misses half
  const RecallCurve curve = CurveOf({{10, 0.8f}, {40, 0.95f}});
  EXPECT_NEAR(*curve.EffortFor(0.9), 20, 0.01);
  EXPECT_NEAR(curve.RecallAt(20), 0.9, 1e-4);
}

TEST(RecallCurve, EffortsRiseWithTheTargetAndMeetIt) {
  const RecallCurve curve = CurveOf({{10, 0.55f}, {13, 0.7f}, {17, 0.71f}, {30, 0.99f}}, 0.004f);
  double last = 0;
  for (double target = 0.4; target < 0.98; target += 0.01) {
    const double effort = *curve.EffortFor(target);
    EXPECT_GE(effort, last);
    EXPECT_GE(curve.TargetMetAt(effort), std::min(target, curve.TargetMetAt(30)) - 1e-6);
    last = effort;
  }
}

TEST(RecallCurve, TheFirstEffortIsTheLeastAndTheLastTheMost) {
  const RecallCurve curve = CurveOf({{10, 0.8f}, {20, 0.9f}});
  EXPECT_EQ(*curve.EffortFor(0.1), 10);
  EXPECT_FALSE(curve.EffortFor(0.91).has_value());
  EXPECT_FALSE(RecallCurve().EffortFor(0.1).has_value());
  EXPECT_NEAR(curve.RecallAt(5), 0.8, 1e-6);
  EXPECT_NEAR(curve.RecallAt(500), 0.9, 1e-6);
}

TEST(RecallCurve, TheErrorOfTheMeasurementIsAddedToTheTarget) {
  const auto points = {std::pair<uint32_t, float>{10, 0.8f}, {20, 0.9f}, {40, 0.95f}};
  EXPECT_GT(*CurveOf(points, 0.004f).EffortFor(0.9), *CurveOf(points).EffortFor(0.9));
  EXPECT_FALSE(CurveOf(points, 0.004f).EffortFor(0.95).has_value());
}

TEST(RecallCurve, AFallToNothingMissedIsNotTrustedInBetween) {
  // Given lists of which all were scanned at last
  const RecallCurve curve = CurveOf({{200, 0.97f}, {250, 1.0f}});
  EXPECT_LE(curve.RecallAt(225), 0.99);
  EXPECT_LE(*curve.EffortFor(0.9999), 250);
}

// A little less than what the curves below have, for they count with an error.
constexpr double kTarget = 0.9499;

RecallCurves ThreeLimits() {
  RecallCurves curves;
  curves.Add({1, 1, CurveOf({{1, 0.5f}, {4, 0.95f}})});
  curves.Add({10, 1, CurveOf({{10, 0.8f}, {20, 0.95f}})});
  curves.Add({10, 0.2f, CurveOf({{10, 0.7f}, {30, 0.95f}})});
  curves.Add({100, 1, CurveOf({{100, 0.9f}, {160, 0.95f}})});
  return curves;
}

TEST(RecallCurves, EffortsAreThoseOfTheLimitAndBetweenLimitsInBetween) {
  const RecallCurves curves = ThreeLimits();
  EXPECT_NEAR(*curves.EffortFor(kTarget, 1), 4, 0.05);
  EXPECT_NEAR(*curves.EffortFor(kTarget, 10), 20, 0.1);
  // In the middle of a line by logarithms, or up to a tenth more.
  EXPECT_GT(*curves.EffortFor(kTarget, std::sqrt(1000.0)), std::sqrt(20 * 160.0));
  EXPECT_LT(*curves.EffortFor(kTarget, std::sqrt(1000.0)), 1.1 * std::sqrt(20 * 160.0));
  EXPECT_NEAR(*curves.EffortFor(kTarget, 100), 160, 1);
  EXPECT_GT(*curves.EffortFor(kTarget, 1000), 1000);
  EXPECT_LE(*curves.EffortFor(kTarget, 1000), 1601);
}

TEST(RecallCurves, WhatALimitMissesEvenAtMostIsLeftToAScan) {
  RecallCurves curves;
  curves.Add({10, 1, CurveOf({{10, 0.8f}, {20, 0.95f}})});
  curves.Add({100, 1, CurveOf({{100, 0.9f}})});
  EXPECT_FALSE(curves.EffortFor(kTarget, 200).has_value());
  EXPECT_FALSE(curves.EffortFor(0.99, 10).has_value());
  // In between at least so much is needed that it is found to cost more than a scan.
  EXPECT_GT(*curves.EffortFor(kTarget, 99), 100);
}

TEST(RecallCurves, FiltersTakeTheEffortThatWasMeasured) {
  const RecallCurves curves = ThreeLimits();
  EXPECT_NEAR(*curves.FactorFor(kTarget, 0.2, 10), 1.5, 0.01);
  EXPECT_NEAR(*curves.FactorFor(kTarget, 0.01, 10), 1.5, 0.01);
  EXPECT_FALSE(curves.FactorFor(0.96, 0.2, 10).has_value());
  RecallCurves unfiltered;
  unfiltered.Add({10, 1, CurveOf({{10, 0.99f}})});
  EXPECT_EQ(*unfiltered.FactorFor(kTarget, 0.2, 10), 1);
}

TEST(RecallCurves, FiltersMayTakeLessUpToTheLimitThatWasMeasured) {
  RecallCurves curves;
  curves.Add({10, 1, CurveOf({{10, 0.8f}, {40, 0.95f}})});
  curves.Add({10, 0.2f, CurveOf({{10, 0.9f}, {20, 0.95f}})});
  curves.Add({10, 0.05f, CurveOf({{10, 0.95f}})});
  EXPECT_NEAR(*curves.FactorFor(kTarget, 0.2, 1), 0.5, 0.01);
  EXPECT_NEAR(*curves.FactorFor(kTarget, 0.1, 10), std::sqrt(0.5 * 0.25), 0.01);
  EXPECT_NEAR(*curves.FactorFor(kTarget, 0.02, 10), 0.25, 0.01);
  EXPECT_EQ(*curves.FactorFor(kTarget, 0.2, 11), 1);
}

RecallCurves FiltersAtTwoLimits() {
  RecallCurves curves;
  curves.Add({10, 1, CurveOf({{10, 0.8f}, {40, 0.95f}})});
  curves.Add({10, 0.2f, CurveOf({{10, 0.9f}, {20, 0.95f}})});
  curves.Add({100, 1, CurveOf({{100, 0.95f}})});
  curves.Add({100, 0.2f, CurveOf({{100, 0.9f}, {200, 0.95f}})});
  curves.Add({100, 0.05f, CurveOf({{100, 0.9f}, {400, 0.95f}})});
  return curves;
}

TEST(RecallCurves, FiltersTakeWhatWasMeasuredAtTheirLimit) {
  const RecallCurves curves = FiltersAtTwoLimits();
  EXPECT_NEAR(*curves.FactorFor(kTarget, 0.2, 10), 0.5, 0.01);
  EXPECT_NEAR(*curves.FactorFor(kTarget, 0.2, std::sqrt(1000.0)), 1, 0.01);
  EXPECT_NEAR(*curves.FactorFor(kTarget, 0.2, 100), 2, 0.01);
  EXPECT_NEAR(*curves.FactorFor(kTarget, 0.1, 100), std::sqrt(2 * 4.0), 0.01);
  EXPECT_NEAR(*curves.FactorFor(kTarget, 0.05, 1000), 4, 0.05);
}

TEST(RecallCurves, BetweenAShareThatMeetsTheTargetAndOneThatMissesItFiltersTakeMore) {
  RecallCurves curves;
  curves.Add({10, 1, CurveOf({{10, 0.95f}})});
  curves.Add({10, 0.2f, CurveOf({{10, 0.95f}})});
  curves.Add({10, 0.05f, CurveOf({{10, 0.5f}, {40, 0.6f}})});
  EXPECT_NEAR(*curves.FactorFor(kTarget, 0.2, 10), 1, 0.01);
  EXPECT_NEAR(*curves.FactorFor(kTarget, 0.1, 10), std::sqrt(12), 0.01);
  EXPECT_FALSE(curves.FactorFor(kTarget, 0.05, 10).has_value());
  EXPECT_FALSE(curves.FactorFor(kTarget, 0.01, 10).has_value());
}

TEST(RecallCurves, AFilterThatMissesTheTargetAtTheNextLimitTakesRatherMoreThanWasMeasured) {
  RecallCurves curves = FiltersAtTwoLimits();
  curves.Add({1000, 1, CurveOf({{1000, 0.95f}})});
  curves.Add({1000, 0.2f, CurveOf({{1000, 0.9f}})});
  EXPECT_NEAR(*curves.FactorFor(kTarget, 0.2, 100), 2, 0.01);
  EXPECT_NEAR(*curves.FactorFor(kTarget, 0.2, 999), 3, 0.01);
  EXPECT_FALSE(curves.FactorFor(kTarget, 0.2, 1000).has_value());
  EXPECT_FALSE(curves.FactorFor(kTarget, 0.2, 2000).has_value());
}

TEST(RecallCurves, TheDefaultIsAsGoodAsIsCheap) {
  const auto target = [](std::initializer_list<std::pair<uint32_t, float>> points, double scan) {
    RecallCurves curves;
    curves.Add({10, 1, CurveOf(points)});
    return DefaultTarget(curves, scan);
  };
  EXPECT_EQ(target({{10, 0.9f}, {20, 0.951f}, {40, 0.99f}}, 1000), kDefaultTargetIfCheap);
  const double between = target({{10, 0.9f}, {20, 0.951f}, {80, 0.97f}, {400, 0.99f}}, 1000);
  EXPECT_NEAR(between, 0.97, 0.001);
  // Nothing measured reaches 0.98: a scan, if it is as cheap.
  EXPECT_EQ(target({{10, 0.9f}, {20, 0.951f}}, 70), 1);
  EXPECT_LT(target({{10, 0.9f}, {20, 0.951f}}, 1000), 1);
  EXPECT_EQ(target({{10, 0.9f}, {20, 0.94f}}, 1000), 1);
}

std::string BytesOf(const RecallCurves& curves) {
  StringSink sink;
  EXPECT_TRUE(curves.Write(&sink).ok());
  return sink.Take();
}

TEST(RecallCurves, AreReadAsTheyWereWritten) {
  const std::string bytes = BytesOf(ThreeLimits());
  SpanSource source(bytes);
  const auto read = RecallCurves::Read(&source);
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  EXPECT_EQ(BytesOf(*read), bytes);
  EXPECT_EQ(source.remaining(), 0u);
}

TEST(RecallCurves, DamagedOnesAreRefused) {
  const auto status_of = [](std::string bytes) {
    SpanSource source(bytes);
    return RecallCurves::Read(&source).status().code();
  };
  const auto with = [](std::initializer_list<RecallPoint> points, uint32_t k, float share) {
    RecallCurves curves;
    curves.Add({10, 1, CurveOf({{10, 0.5f}})});
    curves.Add({k, share, RecallCurve(std::vector<RecallPoint>(points))});
    return BytesOf(curves);
  };
  EXPECT_EQ(status_of(with({{5, 0.5f, 0.1f}}, 20, 1)), ErrorCode::OK);
  EXPECT_EQ(status_of(with({{5, 0.5f, 0.1f}}, 10, 1)), ErrorCode::CORRUPT);
  EXPECT_EQ(status_of(with({{5, 0.5f, 0.1f}}, 20, 0.5f)), ErrorCode::CORRUPT);
  EXPECT_EQ(status_of(with({{5, 0.5f, 0}}, 20, 1)), ErrorCode::CORRUPT);
  EXPECT_EQ(status_of(with({{5, NAN, 0.1f}}, 20, 1)), ErrorCode::CORRUPT);
  EXPECT_EQ(status_of(with({{0, 0.5f, 0.1f}}, 20, 1)), ErrorCode::CORRUPT);
  EXPECT_EQ(status_of(with({{5, 0.5f, 0.1f}, {5, 0.6f, 0.1f}}, 20, 1)), ErrorCode::CORRUPT);
  EXPECT_EQ(status_of(with({{5, 0.5f, 0.1f}, {6, 0.4f, 0.1f}}, 20, 1)), ErrorCode::CORRUPT);
  EXPECT_EQ(status_of(with({}, 20, 1)), ErrorCode::CORRUPT);
  const std::string whole = BytesOf(ThreeLimits());
  for (size_t size = 0; size < whole.size(); size++)
    EXPECT_EQ(status_of(whole.substr(0, size)), ErrorCode::CORRUPT);
}

}  // namespace
}  // namespace vectord

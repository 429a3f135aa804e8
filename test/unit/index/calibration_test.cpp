// calibration_test.cpp - curves say what searches by walking find, and end where walks do.
#include "daemon/index/calibration.h"

#include <gtest/gtest.h>

#include <cmath>

#include "daemon/index/exact_scan.h"
#include "test/unit/index/vectors_for_tests.h"

namespace vectord {
namespace {

// Walks of an effort find so much of what is nearest, the more the larger it is.
double PartFound(uint32_t effort) { return 1 - 2.0 / (10 + effort); }

class Calibration : public testing::Test {
 protected:
  static constexpr uint32_t kScanEffort = 150, kLastFiltered = 60;

  // Filtered walks of more than `last_filtered` give up.
  RecallCurves Measure(uint32_t last_filtered) {
    const auto search = [&](const float* query, const SearchParams& params, bool filtered,
                            std::vector<Candidate>* out) {
      SearchStats stats;
      VFDW_RETURN_IF_ERROR(ExactScan(*store_, VFDW_METRIC_L2, query, params, out, &stats));
      if (filtered && params.effort > last_filtered) {
        out->clear();
        return Status();
      }
      std::mt19937 chance(out->front().row);
      for (Candidate& found : *out)
        if (chance() % 10000 > 10000 * PartFound(params.effort)) found.distance = INFINITY;
      return Status();
    };
    const CalibrationTask task{*store_,
                               VFDW_METRIC_L2,
                               held_out_,
                               kScanEffort,
                               /*rows_per_effort=*/1,
                               {{0.5f, kScanEffort}},
                               search};
    BuildControl control;
    control.threads = 2;
    auto curves = MeasureRecall(task, control);
    EXPECT_TRUE(curves.ok()) << curves.status().ToString();
    return std::move(curves).value();
  }

  static const RecallCurve* Find(const RecallCurves& curves, uint32_t k, bool filtered) {
    for (const RecallCurves::Measured& measured : curves.measured())
      if (measured.k == k && (measured.share < 1) == filtered) return &measured.curve;
    return nullptr;
  }

  const std::shared_ptr<const VectorStore> store_ = StoreOf(RandomVectors(12000, 8, 1));
  const std::vector<uint32_t> held_out_ = ChooseHeldOut(12000, 8);
};

TEST_F(Calibration, EveryLimitUpToTheEffortOfAScanIsMeasured) {
  const RecallCurves curves = Measure(kScanEffort);
  for (const uint32_t k : {1, 10, 30}) {
    ASSERT_NE(Find(curves, k, false), nullptr) << k;
    EXPECT_EQ(Find(curves, k, false)->points().back().effort, kScanEffort / 2) << k;
  }
  // More than half a scan, so once
  ASSERT_NE(Find(curves, 100, false), nullptr);
  ASSERT_EQ(Find(curves, 100, false)->points().size(), 1u);
  EXPECT_NEAR(Find(curves, 100, false)->points()[0].recall, PartFound(100), 0.01);
  EXPECT_EQ(Find(curves, 300, false), nullptr);
}

TEST_F(Calibration, CurvesOfFiltersEndWhereWalksGiveUp) {
  const RecallCurves curves = Measure(kLastFiltered);
  const RecallCurve* const ten = Find(curves, 10, true);
  ASSERT_NE(ten, nullptr);
  EXPECT_LE(ten->points().back().effort, kLastFiltered);
  EXPECT_NEAR(ten->points().back().recall, PartFound(ten->points().back().effort), 0.02);
  // Given that no walk for 100 rows ends: a scan, whatever the target
  EXPECT_FALSE(curves.FactorFor(0.5, 0.5, 100).has_value());
}

}  // namespace
}  // namespace vectord

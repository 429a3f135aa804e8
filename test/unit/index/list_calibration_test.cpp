// list_calibration_test.cpp - the curves of ivf say what searches find, although none was run.
//
// Searches of the held-out rows must find exactly what the curve says, as it was made of the same
// rows; by codes a little more is allowed, which survived only as long as lists were few.
#include "daemon/index/list_calibration.h"

#include <gtest/gtest.h>

#include "daemon/index/calibration.h"
#include "daemon/index/calibration_plan.h"
#include "test/unit/index/vectors_for_tests.h"

namespace vectord {
namespace {

struct MeasuredLists {
  std::unique_ptr<Index> index;
  std::vector<uint32_t> held_out;  // rising

  const Index& operator*() const { return *index; }
  const Index* operator->() const { return index.get(); }
};

MeasuredLists BuildLists(const Vectors& vectors, vfdw_metric metric, Quantizer quantizer,
                         uint32_t nlist = 0) {
  IndexSpec spec;
  spec.kind = IndexKind::kIvf;
  spec.metric = metric;
  spec.quantizer = quantizer;
  spec.nlist = nlist;
  BuildControl control;
  control.threads = 2;
  std::vector<uint32_t> permutation;
  MeasuredLists built{std::move(BuildIndex(spec, StoreOf(vectors), control, &permutation)).value(),
                      {}};
  const std::vector<uint32_t> chosen = ChooseHeldOut(vectors.size(), vectors.dimensions);
  for (uint32_t row = 0; row < permutation.size(); row++)
    if (std::binary_search(chosen.begin(), chosen.end(), permutation[row]))
      built.held_out.push_back(row);
  return built;
}

// The share of the k nearest other rows of all held-out rows that searches with an effort find.
class HeldOutSearches {
 public:
  HeldOutSearches(const MeasuredLists& lists, size_t k)
      : index_(*lists), held_out_(lists.held_out), others_((index_.store().size() + 63) / 64, 0) {
    for (size_t row = 0; row < index_.store().size(); row++)
      if (!std::binary_search(held_out_.begin(), held_out_.end(), row))
        others_[row / 64] |= uint64_t{1} << (row % 64);
    params_.k = k;
    params_.allowed_rows = others_.data();
    params_.exact = true;
    for (const uint32_t row : held_out_) farthest_.push_back(Search(row).back().distance);
    params_.exact = false;
  }

  double RecallWith(uint32_t effort) {
    params_.effort = effort;
    size_t hits = 0;
    for (size_t q = 0; q < held_out_.size(); q++)
      for (const Candidate& found : Search(held_out_[q]))
        hits += vfdw_compare_distances(found.distance, farthest_[q]) <= 0;
    return static_cast<double>(hits) / static_cast<double>(held_out_.size() * params_.k);
  }

 private:
  std::vector<Candidate> Search(uint32_t row) const {
    SearchStats stats;
    return MustSearch(index_, index_.store().row(row), params_, &stats);
  }

  const Index& index_;
  const std::vector<uint32_t> held_out_;
  std::vector<uint64_t> others_;
  SearchParams params_;
  std::vector<double> farthest_;
};

// below, above: what a curve may say less and more than searches find.
void ExpectCurvesAsSearched(const MeasuredLists& index, double below, double above) {
  ASSERT_FALSE(index->recall_curves().empty());
  for (const RecallCurves::Measured& measured : index->recall_curves().measured()) {
    SCOPED_TRACE("k " + std::to_string(measured.k));
    HeldOutSearches searches(index, measured.k);
    // A large k was measured with some of the rows only.
    const bool sampled = measured.k > RecallCurves::kMainK;
    const std::vector<RecallPoint>& points = measured.curve.points();
    for (size_t i = 0; i < points.size(); i++) {
      if (i % 4 != 0 && i + 2 < points.size()) continue;  // each takes all the searches
      const RecallPoint& point = points[i];
      const double chance = sampled ? 4 * double{point.error} + 0.002 : 1e-6;
      const double recall = searches.RecallWith(point.effort);
      EXPECT_GE(point.recall, recall - below - chance) << "effort " << point.effort;
      EXPECT_LE(point.recall, recall + above + chance) << "effort " << point.effort;
    }
  }
}

TEST(ListCalibration, CurvesAreWhatSearchesByFloat32Find) {
  const Vectors vectors = ClusteredVectors(6000, 24, 1);
  for (const vfdw_metric metric : kMetrics) {
    SCOPED_TRACE(Named(IndexKind::kIvf, metric));
    const auto index = BuildLists(vectors, metric, Quantizer::kNone);
    const std::vector<RecallPoint>& points = index->recall_curves().Main()->points();
    EXPECT_LT(points.front().recall, 0.9);
    EXPECT_GE(points.back().recall, kEnoughRecall);
    ExpectCurvesAsSearched(index, 0, 0);
  }
}

TEST(ListCalibration, CurvesAreWhatSearchesByCodesFind) {
  const Vectors vectors = ClusteredVectors(6000, 96, 1);
  for (const Quantizer quantizer : {Quantizer::kSq8, Quantizer::kFp16, Quantizer::kPq}) {
    SCOPED_TRACE(static_cast<uint32_t>(quantizer));
    const auto index = BuildLists(vectors, VFDW_METRIC_L2, quantizer);
    ASSERT_TRUE(static_cast<const IvfIndex&>(*index).lists().codes);
    ExpectCurvesAsSearched(index, 0.002, 0);
  }
}

// Near copies of a few vectors, which differ by less than codes tell apart.
Vectors NearCopies(size_t count, size_t dimensions) {
  constexpr size_t kCopies = 400;
  const Vectors originals = ClusteredVectors(count / kCopies, dimensions, 1);
  Vectors copies = RandomVectors(count, dimensions, 2);
  for (size_t i = 0; i < copies.elements.size(); i++)
    copies.elements[i] =
        1e-5f * copies.elements[i] + originals.elements[i % originals.elements.size()];
  return copies;
}

TEST(ListCalibration, CodesThatLoseNeighboursLowerTheCurve) {
  const auto index = BuildLists(NearCopies(6000, 32), VFDW_METRIC_L2, Quantizer::kSq8);
  ASSERT_TRUE(static_cast<const IvfIndex&>(*index).lists().codes);
  const std::vector<RecallPoint>& points = index->recall_curves().Main()->points();
  EXPECT_LT(points.back().recall, 0.5);
  // More lists have more rows to be mistaken for neighbours, so few find more than the curve says.
  ExpectCurvesAsSearched(index, 1, 0);
  EXPECT_TRUE(index->Scans(index->EffortFor(0.9)));
}

TEST(ListCalibration, TiesAtTheEndOfAnAnswerAreFoundInAnyList) {
  const auto index = BuildLists(CoarseVectors(6000, 12, 1), VFDW_METRIC_L1, Quantizer::kNone);
  ExpectCurvesAsSearched(index, 0.005, 0);
}

TEST(ListCalibration, SoManyListsAreScannedAsHoldEnoughRows) {
  // 12 rows a list: the 300 nearest take 25 lists even where one was asked for.
  const auto index =
      BuildLists(ClusteredVectors(6000, 16, 1), VFDW_METRIC_L2, Quantizer::kNone, 500);
  ExpectCurvesAsSearched(index, 0, 0);
}

TEST(ListCalibration, TheLastStepIsFromListsToAScanOfAllRows) {
  // The eighth list would have some of the neighbours, but a scan of all rows costs no more.
  const auto index = BuildLists(RandomVectors(6000, 64, 1), VFDW_METRIC_IP, Quantizer::kNone, 8);
  const std::vector<RecallPoint>& points = index->recall_curves().Main()->points();
  ASSERT_GE(points.size(), 2u);
  const RecallPoint &by_lists = points[points.size() - 2], &by_scan = points.back();
  EXPECT_LT(by_lists.recall, kEnoughRecall);
  EXPECT_EQ(by_scan.recall, 1);
  EXPECT_EQ(by_lists.effort + 1, by_scan.effort);
  EXPECT_FALSE(index->Scans(by_lists.effort));
  EXPECT_TRUE(index->Scans(by_scan.effort));
}

TEST(ListCalibration, SmallTablesAreMeasuredByLists) {
  // Searches that leave out the held-out rows would scan the fewer than 5,000 that are left.
  const auto index = BuildLists(RandomVectors(5100, 24, 1), VFDW_METRIC_L2, Quantizer::kNone);
  EXPECT_LT(index->recall_curves().Main()->points().front().recall, 0.5);
}

TEST(ListCalibration, WhereListsHoldTooFewRowsSearchesScan) {
  // Rows without a direction are in no list, and the others fewer than 1,000.
  Vectors vectors = ClusteredVectors(6000, 24, 1);
  for (size_t row = 0; row < vectors.size(); row++)
    if (row % 10 != 0)
      std::fill_n(vectors.elements.begin() + static_cast<ptrdiff_t>(row * 24), 24, 0.0f);
  const auto index = BuildLists(vectors, VFDW_METRIC_COSINE, Quantizer::kNone);
  ExpectCurvesAsSearched(index, 0, 0);
}

TEST(ListCalibration, ARaisedFlagEndsIt) {
  const auto index = BuildLists(ClusteredVectors(6000, 16, 1), VFDW_METRIC_L2, Quantizer::kSq8);
  const std::atomic<bool> cancelled{true};
  BuildControl control;
  control.cancelled = &cancelled;
  const auto curves =
      MeasureListRecall(static_cast<const IvfIndex&>(*index), index.held_out, control);
  EXPECT_EQ(curves.status().code(), ErrorCode::CANCELED);
}

}  // namespace
}  // namespace vectord

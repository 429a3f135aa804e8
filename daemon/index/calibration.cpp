// calibration.cpp - see calibration.h.
//
// A walk of more effort goes through nearly all that one of less effort goes through, so what a
// query finds hardly ever falls. Hence fewer queries do for large efforts: only what those find in
// addition is added to the recall of all queries so far.
#include "daemon/index/calibration.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "daemon/base/thread_pool.h"
#include "daemon/index/calibration_plan.h"
#include "daemon/index/held_out_truth.h"
#include "daemon/index/vector_codes.h"

namespace vectord {
namespace {

constexpr size_t kSmallestTable = 5000;

// At which k filters are measured, too.
constexpr KnownK kFilteredK[] = {{RecallCurves::kMainK, 240}, {100, 60}};

using AllAnswers = std::vector<std::vector<TrueNeighbours>>;

// Of ties at the end of the true answer any is right, so distances are compared, not rows.
double ShareFound(const std::vector<Candidate>& found, const TrueNeighbours& truth, size_t k) {
  const size_t wanted = std::min(k, truth.size());
  if (wanted == 0) return 1;
  size_t hits = 0;
  for (const Candidate& candidate : found)
    if (vfdw_compare_distances(candidate.distance, truth[wanted - 1].distance) <= 0) hits++;
  return static_cast<double>(std::min(hits, wanted)) / static_cast<double>(wanted);
}

// A third more each time, then half, then twice.
uint32_t NextEffort(uint32_t effort) {
  if (effort < 128) return effort + std::max(1u, effort / 3);
  return effort < 512 ? effort + effort / 2 : 2 * effort;
}

// How many of n queries go on with an effort, so that no effort takes longer than some tenths of a
// second.
size_t QueriesAt(const CalibrationTask& task, uint32_t effort, size_t n) {
  constexpr double kElements = 4e8;
  constexpr size_t kLeast = 150;
  const double elements = effort * task.rows_per_effort * task.store.dimensions();
  const double affordable = std::min(1e6, kElements / elements);
  return std::clamp(static_cast<size_t>(affordable), std::min(n, kLeast), n);
}

class CurveMeter {
 public:
  CurveMeter(const CalibrationTask& task, const BuildControl& control, const SearchParams& params,
             const FilterShare& filter, const std::vector<TrueNeighbours>& truth, size_t queries)
      : task_(task),
        control_(control),
        params_(params),
        filtered_(filter.share < 1),
        last_effort_(std::max(filter.last_effort, first_effort())),
        truth_(truth),
        shares_(std::min(queries, truth.size()), 0.0) {}

  Result<RecallCurve> Measure() {
    std::vector<RecallPoint> points;
    if (shares_.empty()) return RecallCurve();
    for (uint32_t effort = first_effort();; effort = NextEffort(effort)) {
      effort = std::min(effort, last_effort_);
      const size_t queries = QueriesAt(task_, effort, shares_.size());
      const std::vector<double> before = shares_;
      VFDW_ASSIGN_OR_RETURN(const bool found, SearchWith(effort, queries));
      // That scans find all says nothing of what walks through more or fewer allowed rows do.
      if (!found && !points.empty()) break;
      points.push_back(PointAfter(points.empty() ? RecallPoint() : points.back(), before, queries));
      points.back().effort = effort;
      if (!found || points.back().recall >= kEnoughRecall || effort == last_effort_) break;
    }
    return RecallCurve(std::move(points));
  }

 private:
  uint32_t first_effort() const { return static_cast<uint32_t>(params_.k); }  // walks keep so many

  // False: most gave up.
  Result<bool> SearchWith(uint32_t effort, size_t queries) {
    std::vector<Status> failures(queries);
    std::vector<char> gave_up(queries, 0);
    const auto run = [&](size_t begin, size_t end, int) {
      SearchParams params = params_;
      params.effort = effort;
      std::vector<Candidate> found;
      for (size_t q = begin; q < end; q++) {
        failures[q] = task_.search(task_.store.row(task_.held_out[q]), params, filtered_, &found);
        if (found.empty())
          gave_up[q] = 1;
        else
          shares_[q] = ShareFound(found, truth_[q], params.k);
      }
    };
    VFDW_RETURN_IF_ERROR(
        ParallelFor(control_.threads, queries, /*grain=*/4, run, control_.cancelled));
    for (const Status& failure : failures) VFDW_RETURN_IF_ERROR(failure);
    if (2 * std::count(gave_up.begin(), gave_up.end(), 1) > static_cast<std::ptrdiff_t>(queries))
      return false;
    // The others' scans find all.
    for (size_t q = 0; q < queries; q++)
      if (gave_up[q] != 0 && effort == first_effort()) shares_[q] = 1;
    return true;
  }

  // The recall of all queries before, and what the first so many gained.
  RecallPoint PointAfter(const RecallPoint& last, const std::vector<double>& before,
                         size_t queries) const {
    std::vector<double> gains(queries), shares(queries);
    for (size_t q = 0; q < queries; q++) {
      shares[q] = shares_[q];
      gains[q] = shares_[q] - before[q];
    }
    const Sample gain(gains), share(shares);
    const double recall = std::min(1.0, double{last.recall} + std::max(0.0, gain.mean));
    // Either way of estimating is sound.
    const double of_sum = std::hypot(double{last.error}, gain.error);
    const double error = std::max(LeastError(queries, params_.k),
                                  last.effort == 0 ? share.error : std::min(of_sum, share.error));
    return {0, static_cast<float>(recall), static_cast<float>(error)};
  }

  const CalibrationTask& task_;
  const BuildControl& control_;
  const SearchParams params_;
  const bool filtered_;
  const uint32_t last_effort_;
  const std::vector<TrueNeighbours>& truth_;
  std::vector<double> shares_;  // of the truth, that each query found at the last effort
};

// A bitmap of the rows that are not held out, and of the given share of them.
std::vector<uint64_t> OthersByChance(const CalibrationTask& task, double share) {
  std::vector<uint64_t> rows((task.store.size() + 63) / 64, 0);
  const auto bound = static_cast<uint64_t>(share * 4294967296.0);
  for (size_t row = 0; row < task.store.size(); row++) {
    // Fibonacci hashing, twice: neighbouring rows have nothing in common.
    uint64_t hash = (row + 1) * 0x9e3779b97f4a7c15u;
    hash = (hash ^ (hash >> 32)) * 0x9e3779b97f4a7c15u;
    if (hash >> 32 < bound) rows[row / 64] |= uint64_t{1} << (row % 64);
  }
  for (const uint32_t row : task.held_out) rows[row / 64] &= ~(uint64_t{1} << (row % 64));
  return rows;
}

bool IsWorthMeasuring(const CalibrationTask& task, double share) {
  return share * static_cast<double>(task.store.size()) >= kFewestAllowedRows;
}

// Each query's answers are as many as the largest k that it will be used for wants.
template <size_t kSize>
std::vector<size_t> WantedAnswers(const CalibrationTask& task, const KnownK (&all)[kSize]) {
  std::vector<size_t> wanted(task.held_out.size(), 0);
  for (const KnownK& known : all) {
    if (!AreNeighbours(known.k, task.store.size()) || known.k > task.scan_effort) continue;
    for (size_t q = 0; q < std::min(known.queries, wanted.size()); q++) wanted[q] = known.k;
  }
  return wanted;
}

// None of these k is measured with filters: 0.
size_t QueriesOfFiltered(uint32_t k) {
  for (const KnownK& known : kFilteredK)
    if (known.k == k) return known.queries;
  return 0;
}

}  // namespace

std::vector<uint32_t> ChooseHeldOut(size_t rows, size_t dimensions) {
  if (rows < kSmallestTable) return {};
  // Each query costs an exact scan; on large tables fewer must do. With 400 queries the standard
  // error of a recall near 0.95 is about 0.005.
  constexpr size_t kElementsCompared = size_t{30} << 30;
  const size_t affordable = std::clamp<size_t>(kElementsCompared / rows / dimensions, 400, 800);
  return SpreadSample(rows, std::min(affordable, rows / 20));
}

Result<RecallCurves> MeasureRecall(const CalibrationTask& task, const BuildControl& control) {
  RecallCurves curves;
  if (task.held_out.empty()) return curves;
  std::vector<std::vector<uint64_t>> bitmaps = {OthersByChance(task, 1)};
  const std::vector<size_t> wanted = WantedAnswers(task, kMeasuredK);
  std::vector<TruthQuestion> questions = {{bitmaps[0].data(), wanted}};
  std::vector<FilterShare> filters = {{1, std::max(1u, task.scan_effort / 2)}};
  for (const FilterShare& filter : task.filters) {
    if (!IsWorthMeasuring(task, filter.share)) continue;
    bitmaps.push_back(OthersByChance(task, filter.share));
    filters.push_back(filter);
    questions.push_back({bitmaps.back().data(), WantedAnswers(task, kFilteredK)});
  }
  VFDW_ASSIGN_OR_RETURN(
      const AllAnswers truth,
      FindTrueNeighbours(task.store, task.metric, task.held_out, questions, control));

  SearchParams params;
  params.cancelled = control.cancelled;
  for (const KnownK& known : kMeasuredK) {
    if (wanted.front() < known.k) break;
    params.k = known.k;
    for (size_t i = 0; i < filters.size(); i++) {
      params.allowed_rows = bitmaps[i].data();
      const size_t queries = i == 0 ? known.queries : QueriesOfFiltered(known.k);
      CurveMeter meter(task, control, params, filters[i], truth[i], queries);
      VFDW_ASSIGN_OR_RETURN(RecallCurve curve, meter.Measure());
      if (!curve.points().empty()) curves.Add({known.k, filters[i].share, std::move(curve)});
    }
  }
  return curves;
}

}  // namespace vectord

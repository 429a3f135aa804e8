// calibration.cpp - see calibration.h.
#include "daemon/index/calibration.h"

#include <algorithm>
#include <atomic>

#include "daemon/base/thread_pool.h"
#include "daemon/index/exact_scan.h"

namespace vectord {
namespace {

constexpr size_t kNeighbours = 10;
constexpr size_t kSmallestTable = 5000;

// Each query costs an exact scan; on large tables fewer must do. With 200 queries the standard
// error of a recall near 0.98 is about 0.005.
size_t QueriesFor(size_t rows) {
  constexpr size_t kRowsScanned = 60000000;
  return std::clamp<size_t>(kRowsScanned / rows, 200, 500);
}

using Answers = std::vector<std::vector<Candidate>>;

// Runs one search for each held-out row, on all threads.
template <class Search>
Status ForEachQuery(const CalibrationTask& task, const BuildControl& control, Search search) {
  std::vector<Status> failures(task.held_out.size());
  const auto run = [&](size_t begin, size_t end, int) {
    for (size_t i = begin; i < end; i++) failures[i] = search(i, task.store.row(task.held_out[i]));
  };
  VFDW_RETURN_IF_ERROR(
      ParallelFor(control.threads, task.held_out.size(), /*grain=*/1, run, control.cancelled));
  for (const Status& failure : failures) VFDW_RETURN_IF_ERROR(failure);
  return {};
}

// Of ties at the end of the true answer any is right, so distances are compared, not rows.
size_t CountHits(const std::vector<Candidate>& found, const std::vector<Candidate>& truth) {
  if (truth.empty()) return 0;
  const double farthest = truth.back().distance;
  size_t hits = 0;
  for (const Candidate& candidate : found)
    if (vfdw_compare_distances(candidate.distance, farthest) <= 0) hits++;
  return std::min(hits, truth.size());
}

}  // namespace

std::vector<uint32_t> ChooseHeldOut(size_t rows) {
  std::vector<uint32_t> held_out;
  if (rows < kSmallestTable) return held_out;
  const size_t queries = QueriesFor(rows);
  for (size_t i = 0; i < queries; i++)
    held_out.push_back(static_cast<uint32_t>((i * rows + rows / 2) / queries));
  return held_out;
}

uint32_t ChooseEffort(const CalibrationTask& task, const std::vector<EffortRecall>& curve) {
  return curve.back().recall >= task.target_recall ? curve.back().effort : task.last_effort + 1;
}

Result<std::vector<EffortRecall>> MeasureRecall(const CalibrationTask& task,
                                                const BuildControl& control) {
  SearchParams params;
  params.k = kNeighbours;
  params.cancelled = control.cancelled;
  std::vector<uint64_t> others((task.store.size() + 63) / 64, ~uint64_t{0});
  for (const uint32_t row : task.held_out) others[row / 64] &= ~(uint64_t{1} << (row % 64));
  params.allowed_rows = others.data();

  Answers truth(task.held_out.size());
  VFDW_RETURN_IF_ERROR(ForEachQuery(task, control, [&](size_t i, const float* query) {
    SearchStats stats;
    return ExactScan(task.store, task.metric, query, params, &truth[i], &stats);
  }));
  size_t wanted = 0;
  for (const auto& answer : truth) wanted += answer.size();

  std::vector<EffortRecall> curve;
  for (uint32_t effort = task.first_effort;; effort += std::max(1u, effort / 4)) {
    effort = std::min(effort, task.last_effort);
    params.effort = effort;
    std::atomic<size_t> hits{0};
    VFDW_RETURN_IF_ERROR(ForEachQuery(task, control, [&](size_t i, const float* query) {
      std::vector<Candidate> found;
      const Status status = task.search(query, params, &found);
      hits += CountHits(found, truth[i]);
      return status;
    }));
    curve.push_back({effort, wanted == 0 ? 1.0 : static_cast<double>(hits) / wanted});
    if (curve.back().recall >= task.target_recall || effort == task.last_effort) return curve;
  }
}

}  // namespace vectord

// calibration.h - how much effort searches of one index need, measured on its own rows.
//
// One fixed default is either too slow or too inaccurate: measured here at recall@10 0.98,
// clustered vectors need an ef_search of 40 and hashed texts one of 300. So the builder holds
// some rows back, asks for their neighbours at rising efforts and compares with the exact answers.
#ifndef VECTOR_FDW_DAEMON_INDEX_CALIBRATION_H
#define VECTOR_FDW_DAEMON_INDEX_CALIBRATION_H

#include <cstdint>
#include <functional>
#include <vector>

#include "daemon/index/build_control.h"
#include "daemon/index/index.h"

namespace vectord {

// Recall@10 of searches with this effort.
struct EffortRecall {
  uint32_t effort;
  double recall;
};

struct CalibrationTask {
  const VectorStore& store;
  vfdw_metric metric;
  const std::vector<uint32_t>& held_out;  // rows used as queries, which no search may find
  uint32_t first_effort, last_effort;
  double target_recall;
  // One search, held-out rows left out. Called by several threads at once.
  std::function<Status(const float* query, const SearchParams& params, std::vector<Candidate>* out)>
      search;
};

// Measures rising efforts until one reaches the target or last_effort is passed. Never empty when
// OK; efforts and, but for noise, recalls rise.
Result<std::vector<EffortRecall>> MeasureRecall(const CalibrationTask& task,
                                                const BuildControl& control);

// Rows for held_out of an index over `rows` rows: evenly spread, none when the table is so small
// that an exact scan will answer anyway.
std::vector<uint32_t> ChooseHeldOut(size_t rows);

// The effort to use by default: the last measured, or one more than last_effort when even that
// missed the target. REQUIRES: a search with more than last_effort is answered by an exact scan.
uint32_t ChooseEffort(const CalibrationTask& task, const std::vector<EffortRecall>& curve);

// What the default effort of an index is calibrated to.
constexpr double kDefaultTargetRecall = 0.98;

}  // namespace vectord

#endif

// calibration.h - how much effort walks of one graph need, measured on its own rows.
//
// One fixed default is either too slow or too inaccurate: measured here at recall@10 0.98,
// clustered vectors need an ef_search of 40 and hashed texts one of 300. So the builder holds
// some rows back, asks for their neighbours at rising efforts and compares with the exact answers.
//
// Not here: lists (list_calibration.h).
#ifndef VECTOR_FDW_DAEMON_INDEX_CALIBRATION_H
#define VECTOR_FDW_DAEMON_INDEX_CALIBRATION_H

#include <cstdint>
#include <functional>
#include <vector>

#include "daemon/index/build_control.h"
#include "daemon/index/index.h"
#include "daemon/index/recall_curve.h"

namespace vectord {

// A filter that lets pass this share of the rows, below 1, by chance.
struct FilterShare {
  float share;
  uint32_t last_effort;  // beyond it a scan is taken, or will do
};

// Efforts are k or more. Those that take longer than half a scan are not worth the time to measure
// them, but the first of each k.
struct CalibrationTask {
  const VectorStore& store;
  vfdw_metric metric;
  // Rows used as queries, which no search may find; in an order by chance, since the first few
  // stand for all.
  const std::vector<uint32_t>& held_out;
  uint32_t scan_effort;    // of searches without a filter: such a one costs as much as a scan
  double rows_per_effort;  // a search costs, for each unit of effort, as much as a scan of so many
                           // rows
  std::vector<FilterShare> filters;  // their shares fall
  // One search: params.allowed_rows never has a held-out row, and all others unless `filtered`. Out
  // stays empty where it gives up for a scan. Called by several threads at once.
  std::function<Status(const float* query, const SearchParams& params, bool filtered,
                       std::vector<Candidate>* out)>
      search;
};

// Measures rising efforts, at several k, until nearly all is found or half a scan's is reached.
// Without held-out rows there are no curves.
Result<RecallCurves> MeasureRecall(const CalibrationTask& task, const BuildControl& control);

// Rows for held_out of an index over `rows` rows of some dimensions: evenly spread, none when the
// table is so small that an exact scan will answer anyway.
std::vector<uint32_t> ChooseHeldOut(size_t rows, size_t dimensions);

}  // namespace vectord

#endif

// held_out_truth.h - the true nearest rows of many queries at once, for calibration.h and
// list_calibration.h.
//
// Scans the vectors block by block, and each block for all queries before the next, so that memory
// is read a few times instead of once for each query.
#ifndef VECTOR_FDW_DAEMON_INDEX_HELD_OUT_TRUTH_H
#define VECTOR_FDW_DAEMON_INDEX_HELD_OUT_TRUTH_H

#include <cstddef>
#include <cstdint>
#include <vector>

#include "daemon/index/build_control.h"
#include "daemon/index/vector_store.h"
#include "daemon/kernel/topk.h"
#include "shared/metric.h"

namespace vectord {

// A query's nearest rows, sorted. Distances are as an exact search gives them; of rows that are
// about as far as the last, any may be in it.
using TrueNeighbours = std::vector<Candidate>;

// One question asked of some of the queries: which of these rows are nearest?
struct TruthQuestion {
  const uint64_t* allowed_rows;  // as in SearchParams, never null
  std::vector<size_t> wanted;    // of the first so many queries: how many rows each
};

// answers[i][q]: of question i and query q; fewer than wanted when there are no more rows.
// queries: rows of the store.
Result<std::vector<std::vector<TrueNeighbours>>> FindTrueNeighbours(
    const VectorStore& store, vfdw_metric metric, const std::vector<uint32_t>& queries,
    const std::vector<TruthQuestion>& questions, const BuildControl& control);

}  // namespace vectord

#endif

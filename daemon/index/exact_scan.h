// exact_scan.h - the true nearest rows, by looking at all of them.
//
// Works on any store with any metric, whatever index there is; DESIGN's "never a wrong answer"
// rests on it. Honours every field of SearchParams but effort and exact.
#ifndef VECTOR_FDW_DAEMON_INDEX_EXACT_SCAN_H
#define VECTOR_FDW_DAEMON_INDEX_EXACT_SCAN_H

#include <cstddef>
#include <vector>

#include "daemon/index/bound_query.h"
#include "daemon/index/index.h"
#include "daemon/kernel/topk.h"

namespace vectord {

// Fills *out with the min(k, rows that qualify) nearest rows, sorted; CANCELED empties it.
[[nodiscard]] Status ExactScan(const VectorStore& store, vfdw_metric metric, const float* query,
                               const SearchParams& params, std::vector<Candidate>* out,
                               SearchStats* stats);

// Pushes the qualifying rows of [begin, end) to *best. False: cancelled.
[[nodiscard]] bool ScanRows(const BoundQuery& query, size_t begin, size_t end,
                            const SearchParams& params, size_t row_bytes, TopK* best,
                            SearchStats* stats);

// How many rows that params allows are at most that far, or, not inclusive, nearer. NaN is farther
// than every number. False: cancelled.
[[nodiscard]] bool CountWithin(const VectorStore& store, vfdw_metric metric, const float* query,
                               const SearchParams& params, double max_distance, bool inclusive,
                               uint64_t* count);

// How many of the first `rows` rows the bitmap allows; all when it is null.
size_t CountAllowed(const uint64_t* allowed_rows, size_t rows);

// The status of every search that saw its flag.
Status CanceledStatus();

}  // namespace vectord

#endif

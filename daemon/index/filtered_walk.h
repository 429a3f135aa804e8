// filtered_walk.h - the search of an HNSW graph when only some of its rows may be found.
//
// As ACORN-1 (Patel et al. 2024): the walk goes from allowed row to allowed row; over a neighbour
// that is not allowed it looks at that one's neighbours at once, so that the graph of the allowed
// rows hangs together where they are some hundredths of all. Where they are many it goes from row
// to row and keeps the allowed ones.
//
// This finds the nearest when allowed rows are as common near the query as anywhere. Where they are
// not (a filter on what the vectors cluster by), no walk can promise that it saw the nearest. So
// the walk first looks around the query, whatever is allowed, and gives up when allowed rows are
// rare there. Those that it met are what it goes on from.
//
// Threads: any number at once, each with a scratch of its own.
#ifndef VECTOR_FDW_DAEMON_INDEX_FILTERED_WALK_H
#define VECTOR_FDW_DAEMON_INDEX_FILTERED_WALK_H

#include <vector>

#include "daemon/index/hnsw_graph.h"
#include "daemon/index/hnsw_walk.h"
#include "daemon/index/index.h"

namespace vectord {

// Where so many are allowed, an ordinary walk meets enough of them; measured, it is as fast.
constexpr double kLeastPlainShare = 0.3;
// Below it too few of the rows two links away are allowed for the walk to get on.
constexpr double kLeastShareOfFilteredWalk = 0.01;

// Leaves *out empty when it gave up: the allowed rows are far from the query or hang together too
// little; then an exact scan answers better.
// REQUIRES: params.allowed_rows has rows_allowed rows, at least `effort`; effort >= params.k.
[[nodiscard]] Status WalkAllowedRows(const HnswGraph& graph, const VectorStore& store,
                                     vfdw_metric metric, const float* query,
                                     const SearchParams& params, size_t rows_allowed,
                                     uint32_t effort, WalkScratch* scratch,
                                     std::vector<Candidate>* out, SearchStats* stats);

}  // namespace vectord

#endif

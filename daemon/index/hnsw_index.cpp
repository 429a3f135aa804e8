// hnsw_index.cpp - see hnsw_index.h.
#include "daemon/index/hnsw_index.h"

#include <algorithm>
#include <limits>

#include "shared/limits.h"

namespace vectord {

HnswIndex::HnswIndex(std::shared_ptr<const VectorStore> store, vfdw_metric metric, HnswGraph graph,
                     uint32_t default_effort)
    : Index(std::move(store), metric), graph_(std::move(graph)), default_effort_(default_effort) {}

size_t HnswIndex::memory_bytes() const {
  return sizeof(*this) + graph_.memory_bytes() + scratch_.memory_bytes();
}

// A walk computes about m distances for each row of its beam (measured with m 16: 3 to 20), and a
// row read at random with its bookkeeping costs about three read in order.
double HnswIndex::CostInRows(const HnswGraph& graph, size_t effort) {
  constexpr double kRandomAgainstSequential = 3;
  return kRandomAgainstSequential * static_cast<double>(effort) * (graph.bottom_degree / 2);
}

Index::Plan HnswIndex::PlanSearch(const SearchParams& params, size_t rows_allowed) const {
  const size_t asked = params.effort != 0 ? params.effort : default_effort_;
  const size_t effort = std::max(asked, params.k);
  if (graph_.linked_rows == 0 || effort > VFDW_MAX_EF_SEARCH || rows_allowed == 0)
    return {0, std::numeric_limits<double>::infinity()};
  // Where only some rows may be returned, a beam of them takes as many more on the way.
  const double share = static_cast<double>(rows_allowed) / store().size();
  return {static_cast<uint32_t>(effort), CostInRows(graph_, effort) / share};
}

Status HnswIndex::SearchApproximately(const float* query, const SearchParams& params,
                                      uint32_t effort, std::vector<Candidate>* out,
                                      SearchStats* stats) const {
  const ScratchPool<WalkScratch>::Lease scratch = scratch_.Borrow();
  return WalkGraph(graph_, store(), metric(), query, params, effort, scratch.get(), out, stats);
}

}  // namespace vectord

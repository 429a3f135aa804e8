// hnsw_index.cpp - see hnsw_index.h.
#include "daemon/index/hnsw_index.h"

#include <algorithm>
#include <limits>

#include "daemon/index/filtered_walk.h"
#include "shared/limits.h"

namespace vectord {
namespace {

// Below it too few of the rows two links away are allowed for the walk to get on.
constexpr double kLeastShareOfFilteredWalk = 0.01;
// Measured with 200,000 x 128 at shares from 0.05 to 0.9: a filtered walk takes 2 to 3 times as
// long, and few rows scanned stay in the processor's cache.
constexpr double kFilteredAgainstUnfiltered = 4;
// Measured: where few are allowed, links that are missing cost recall, which a wider beam gives
// back.
constexpr double kSmallShare = 0.2, kEffortAtSmallShare = 1.5;

}  // namespace

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
  size_t effort = std::max(asked, params.k);
  // Rows that are to be compared must be found first.
  if (graph_.codes && params.oversample > 0)
    effort =
        std::max(effort, CountToCompare(graph_.codes->quantizer(), params.k, params.oversample));
  const Plan scan{0, std::numeric_limits<double>::infinity()};
  if (graph_.linked_rows == 0 || effort > VFDW_MAX_EF_SEARCH || rows_allowed == 0) return scan;
  if (params.allowed_rows == nullptr)
    return {static_cast<uint32_t>(effort), CostInRows(graph_, effort)};
  const double share = static_cast<double>(rows_allowed) / store().size();
  const double factor = share < kSmallShare ? kEffortAtSmallShare : 1;
  const auto wider = static_cast<size_t>(static_cast<double>(effort) * factor);
  if (rows_allowed <= wider || share < kLeastShareOfFilteredWalk) return scan;
  return {static_cast<uint32_t>(wider), kFilteredAgainstUnfiltered * CostInRows(graph_, wider)};
}

Status HnswIndex::SearchApproximately(const float* query, const SearchParams& params,
                                      size_t rows_allowed, uint32_t effort,
                                      std::vector<Candidate>* out, SearchStats* stats) const {
  const ScratchPool<WalkScratch>::Lease scratch = scratch_.Borrow();
  if (params.allowed_rows != nullptr)
    return WalkAllowedRows(graph_, store(), metric(), query, params, rows_allowed, effort,
                           scratch.get(), out, stats);
  return WalkGraph(graph_, store(), metric(), query, params, effort, scratch.get(), out, stats);
}

}  // namespace vectord

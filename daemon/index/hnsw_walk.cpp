// hnsw_walk.cpp - see hnsw_walk.h.
//
// A search is bound by cache misses. Hence: links of a row are fetched when it enters the beam,
// vectors of all unmet neighbours are fetched before the first is used, and distances are
// computed a hop at a time by one call.
#include "daemon/index/hnsw_walk.h"

#include <algorithm>
#include <cassert>

#include "daemon/index/exact_scan.h"
#include "daemon/index/hnsw_steps.h"

namespace vectord {
namespace {

template <vfdw_metric kMetric, class Beam>
bool Search(const Walk& walk, const float* query, uint32_t effort, std::vector<Candidate>* out) {
  const KeyQuery<kMetric> keys(walk.store, query);
  Beam beam(effort, walk.scratch);
  const auto met = [](const uint32_t*, uint32_t) { return true; };
  return Spread(walk, keys, Descend(walk, keys), walk.params.allowed_rows, &beam, met) &&
         Finish(walk, kMetric, query, beam, out);
}

template <class Beam>
bool SearchWith(const Walk& walk, vfdw_metric metric, const float* query, uint32_t effort,
                std::vector<Candidate>* out) {
  switch (metric) {
    case VFDW_METRIC_L2:
      return Search<VFDW_METRIC_L2, Beam>(walk, query, effort, out);
    case VFDW_METRIC_IP:
      return Search<VFDW_METRIC_IP, Beam>(walk, query, effort, out);
    case VFDW_METRIC_COSINE:
      return Search<VFDW_METRIC_COSINE, Beam>(walk, query, effort, out);
    case VFDW_METRIC_L1:
      return Search<VFDW_METRIC_L1, Beam>(walk, query, effort, out);
  }
  assert(false);
  return false;
}

}  // namespace

Status WalkGraph(const HnswGraph& graph, const VectorStore& store, vfdw_metric metric,
                 const float* query, const SearchParams& params, uint32_t effort,
                 WalkScratch* scratch, std::vector<Candidate>* out, SearchStats* stats) {
  stats->strategy = "graph";
  stats->effort = effort;
  const size_t degree = std::max(graph.bottom_degree, graph.upper_degree);
  scratch->met.resize(degree);
  scratch->keys.resize(degree);
  const Walk walk{graph, store, params, scratch, stats};
  const bool sorted = params.allowed_rows == nullptr && effort <= SortedBeam::kLargestSize;
  const bool finished = sorted ? SearchWith<SortedBeam>(walk, metric, query, effort, out)
                               : SearchWith<HeapBeam>(walk, metric, query, effort, out);
  if (finished) return {};
  out->clear();
  return CanceledStatus();
}

}  // namespace vectord

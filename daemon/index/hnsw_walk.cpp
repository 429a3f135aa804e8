// hnsw_walk.cpp - see hnsw_walk.h.
//
// A search is bound by cache misses. Hence: links of a row are fetched when it enters the beam,
// vectors of all unmet neighbours are fetched before the first is used, of several rows at once,
// into the second level of the cache (PrefetchManyLines), and distances are computed a step at a
// time by one call.
#include "daemon/index/hnsw_walk.h"

#include <algorithm>

#include "daemon/index/exact_scan.h"
#include "daemon/index/hnsw_steps.h"

namespace vectord {
namespace {

template <class Beam>
bool Search(const Walk& walk, vfdw_metric metric, const float* query, uint32_t effort,
            std::vector<Candidate>* out) {
  Beam beam(effort, walk.scratch);
  const auto met = [](const uint32_t*, const float*, uint32_t) { return true; };
  const auto spread = [&](const auto& keys) {
    return Spread(walk, keys, Descend(walk, keys), walk.params.allowed_rows, &beam, met);
  };
  return WithKeyQuery(walk.store, walk.graph.codes.get(), metric, query, spread) &&
         Finish(walk, metric, query, &beam, out);
}

}  // namespace

Status WalkGraph(const HnswGraph& graph, const VectorStore& store, vfdw_metric metric,
                 const float* query, const SearchParams& params, uint32_t effort,
                 WalkScratch* scratch, std::vector<Candidate>* out, SearchStats* stats) {
  stats->strategy = "graph";
  stats->effort = effort;
  scratch->met.resize(MostMet(graph, store));
  scratch->keys.resize(MostMet(graph, store));
  const Walk walk{graph, store, params, scratch, stats};
  const bool sorted = params.allowed_rows == nullptr && effort <= SortedBeam::kLargestSize;
  const bool finished = sorted ? Search<SortedBeam>(walk, metric, query, effort, out)
                               : Search<HeapBeam>(walk, metric, query, effort, out);
  if (finished) return {};
  out->clear();
  return CanceledStatus();
}

}  // namespace vectord

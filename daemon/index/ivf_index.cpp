// ivf_index.cpp - see ivf_index.h.
#include "daemon/index/ivf_index.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "daemon/index/bound_query.h"
#include "daemon/index/exact_scan.h"

namespace vectord {
namespace {

struct RankedList {
  double key;
  uint32_t list;
  bool operator<(const RankedList& other) const {
    const int order = vfdw_compare_distances(key, other.key);
    return order != 0 ? order < 0 : list < other.list;
  }
};

// Centroids ranked as rows are: by the metric's own distance from the query.
std::vector<RankedList> RankLists(const VectorStore& centroids, vfdw_metric metric,
                                  const float* query) {
  const BoundQuery bound(centroids, metric, query);
  std::vector<RankedList> ranked(centroids.size());
  double keys[BoundQuery::kMaxBatch];
  for (size_t first = 0; first < ranked.size(); first += BoundQuery::kMaxBatch) {
    const size_t count = std::min(BoundQuery::kMaxBatch, ranked.size() - first);
    bound.Batch(first, count, keys);
    for (size_t i = 0; i < count; i++)
      ranked[first + i] = {keys[i], static_cast<uint32_t>(first + i)};
  }
  return ranked;
}

}  // namespace

IvfIndex::IvfIndex(std::shared_ptr<const VectorStore> store, vfdw_metric metric, IvfLists lists,
                   uint32_t default_effort)
    : Index(std::move(store), metric), lists_(std::move(lists)), default_effort_(default_effort) {}

Index::Plan IvfIndex::PlanSearch(const SearchParams& params, size_t rows_allowed) const {
  const size_t lists = lists_.count();
  if (lists == 0) return {0, std::numeric_limits<double>::infinity()};
  const size_t asked = params.effort != 0 ? params.effort : default_effort_;
  const double share = std::min(1.0, static_cast<double>(asked) / lists);
  const double rows_scanned = std::max(share * rows_allowed, static_cast<double>(params.k));
  return {static_cast<uint32_t>(std::min(asked, lists)), rows_scanned + lists};
}

Status IvfIndex::SearchApproximately(const float* query, const SearchParams& params, size_t,
                                     uint32_t effort, std::vector<Candidate>* out,
                                     SearchStats* stats) const {
  out->clear();
  stats->strategy = "lists";
  std::vector<RankedList> ranked = RankLists(*lists_.centroids, metric(), query);
  std::partial_sort(ranked.begin(), ranked.begin() + effort, ranked.end());

  const BoundQuery bound(store(), metric(), query);
  const size_t row_bytes = store().stride() * sizeof(float);
  TopK best(std::min(params.k, store().size()), params.cancelled);
  for (size_t i = 0; i < ranked.size(); i++) {
    if (i == effort) std::sort(ranked.begin() + effort, ranked.end());
    // The distances counted so far are the rows pushed so far.
    if (i >= effort && stats->distances_computed >= params.k) break;
    const uint32_t list = ranked[i].list;
    if (!ScanRows(bound, lists_.list_begin[list], lists_.list_begin[list + 1], params, row_bytes,
                  &best, stats))
      return CanceledStatus();
    stats->hops++;
  }
  stats->effort = static_cast<uint32_t>(stats->hops);
  stats->distances_computed += ranked.size();
  return best.Take(out) ? Status() : CanceledStatus();
}

}  // namespace vectord

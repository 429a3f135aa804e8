// ivf_index.cpp - see ivf_index.h.
#include "daemon/index/ivf_index.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "daemon/index/bound_query.h"
#include "daemon/index/exact_scan.h"
#include "daemon/index/key_query.h"

namespace vectord {
namespace {

using RankedList = IvfIndex::RankedList;

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

// Pushes the keys of the rows allowed. False: cancelled.
template <class Keys>
bool ScanCodes(const Keys& keys, uint32_t begin, uint32_t end, const SearchParams& params,
               TopK* best, SearchStats* stats) {
  constexpr uint32_t kAtOnce = 64, kRowsBetweenLooks = 8192;
  uint32_t rows[kAtOnce];
  float found[kAtOnce];
  for (uint32_t first = begin; first < end;) {
    if ((first - begin) % kRowsBetweenLooks < kAtOnce && params.cancelled != nullptr &&
        params.cancelled->load(std::memory_order_relaxed))
      return false;
    const uint32_t last = first + std::min(kAtOnce, end - first);
    size_t count = 0;
    for (; first < last; first++)
      if (IsAllowed(params.allowed_rows, first)) rows[count++] = first;
    keys.Keys(rows, count, found);
    for (size_t i = 0; i < count; i++) best->Push(found[i], rows[i]);
    stats->distances_computed += count;
  }
  return true;
}

// Exact distances of the rows in *out, of which the best k stay.
Status CompareAgain(const BoundQuery& bound, const SearchParams& params,
                    std::vector<Candidate>* out, SearchStats* stats) {
  TopK best(params.k, params.cancelled);
  uint32_t rows[BoundQuery::kMaxBatch];
  double distances[BoundQuery::kMaxBatch];
  for (size_t first = 0; first < out->size(); first += BoundQuery::kMaxBatch) {
    const size_t count = std::min(BoundQuery::kMaxBatch, out->size() - first);
    for (size_t i = 0; i < count; i++) rows[i] = (*out)[first + i].row;
    bound.Gather(rows, count, distances);
    for (size_t i = 0; i < count; i++) best.Push(distances[i], rows[i]);
  }
  stats->distances_computed += out->size();
  return best.Take(out) ? Status() : CanceledStatus();
}

}  // namespace

bool IvfIndex::RankedList::operator<(const RankedList& other) const {
  const int order = vfdw_compare_distances(key, other.key);
  return order != 0 ? order < 0 : list < other.list;
}

IvfIndex::IvfIndex(std::shared_ptr<const VectorStore> store, vfdw_metric metric, IvfLists lists,
                   uint32_t given_effort, RecallCurves curves)
    : Index(std::move(store), metric, given_effort, std::move(curves),
            static_cast<double>(lists.count())),
      lists_(std::move(lists)) {}

// The k nearest rows of a filter are spread like the k / share nearest of all.
size_t IvfIndex::ChooseEffort(double target_recall, size_t k, double share) const {
  const size_t scan = lists_.count() + 1;
  const bool named = target_recall > 0;
  const RecallCurves& curves = recall_curves();
  if (curves.empty()) return named ? scan : size_t{given_effort()};
  const double target = named ? target_recall : default_target();
  if (target >= 1 || share <= 0) return scan;
  const std::optional<double> effort = curves.EffortFor(target, static_cast<double>(k) / share);
  return effort ? static_cast<size_t>(std::ceil(std::min(*effort, static_cast<double>(scan))))
                : scan;
}

uint32_t IvfIndex::EffortFor(double target_recall) const {
  return static_cast<uint32_t>(ChooseEffort(target_recall, RecallCurves::kMainK, /*share=*/1));
}

Index::Plan IvfIndex::PlanSearch(const SearchParams& params, size_t rows_allowed) const {
  const size_t lists = lists_.count();
  if (lists == 0) return {0, std::numeric_limits<double>::infinity()};
  const double allowed_share =
      static_cast<double>(rows_allowed) / static_cast<double>(store().size());
  const size_t asked = params.effort != 0
                           ? params.effort
                           : ChooseEffort(params.target_recall, params.k, allowed_share);
  const double share = std::min(1.0, static_cast<double>(asked) / lists);
  const double rows_scanned = std::max(share * rows_allowed, static_cast<double>(params.k));
  return {static_cast<uint32_t>(std::min(asked, lists)), rows_scanned + lists};
}

Status IvfIndex::SearchApproximately(const float* query, const SearchParams& params, size_t,
                                     uint32_t effort, std::vector<Candidate>* out,
                                     SearchStats* stats) const {
  out->clear();
  stats->strategy = "lists";
  const BoundQuery bound(store(), metric(), query);
  if (lists_.codes) {
    const size_t compared = CountToCompare(lists_.codes->quantizer(), params.k, params.oversample);
    VFDW_RETURN_IF_ERROR(FindByCodes(query, params, effort, compared, out, stats));
    return CompareAgain(bound, params, out, stats);
  }
  const size_t row_bytes = store().stride() * sizeof(float);
  const auto scan = [&](uint32_t begin, uint32_t end, TopK* best) {
    return ScanRows(bound, begin, end, params, row_bytes, best, stats);
  };
  return ScanLists(query, params, params.k, scan, out, effort, stats);
}

Status IvfIndex::FindByCodes(const float* query, const SearchParams& params, uint32_t effort,
                             size_t compared, std::vector<Candidate>* out,
                             SearchStats* stats) const {
  const auto scan = [&](const auto& keys) {
    const auto scan_codes = [&](uint32_t begin, uint32_t end, TopK* best) {
      return ScanCodes(keys, begin, end, params, best, stats);
    };
    return ScanLists(query, params, compared, scan_codes, out, effort, stats);
  };
  return WithKeyQuery(store(), lists_.codes.get(), metric(), query, scan);
}

std::vector<RankedList> IvfIndex::OrderLists(const float* query) const {
  std::vector<RankedList> ranked = RankLists(*lists_.centroids, metric(), query);
  std::sort(ranked.begin(), ranked.end());
  return ranked;
}

// Scans `effort` lists, and more until k rows were met; leaves the best `kept` in *out.
template <class Scan>
Status IvfIndex::ScanLists(const float* query, const SearchParams& params, size_t kept, Scan scan,
                           std::vector<Candidate>* out, uint32_t effort, SearchStats* stats) const {
  std::vector<RankedList> ranked = RankLists(*lists_.centroids, metric(), query);
  std::partial_sort(ranked.begin(), ranked.begin() + effort, ranked.end());
  TopK best(std::min(kept, store().size()), params.cancelled);
  for (size_t i = 0; i < ranked.size(); i++) {
    if (i == effort) std::sort(ranked.begin() + effort, ranked.end());
    // The distances counted so far are the rows pushed so far.
    if (i >= effort && stats->distances_computed >= params.k) break;
    const uint32_t list = ranked[i].list;
    if (!scan(lists_.list_begin[list], lists_.list_begin[list + 1], &best)) return CanceledStatus();
    stats->hops++;
  }
  stats->effort = static_cast<uint32_t>(stats->hops);
  stats->distances_computed += ranked.size();
  return best.Take(out) ? Status() : CanceledStatus();
}

}  // namespace vectord

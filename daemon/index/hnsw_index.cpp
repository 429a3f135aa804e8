// hnsw_index.cpp - see hnsw_index.h.
#include "daemon/index/hnsw_index.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "daemon/index/filtered_walk.h"
#include "shared/limits.h"

namespace vectord {
namespace {

// Measured with 200,000 x 128 at shares from 0.05 to 0.9: a filtered walk takes 2 to 3 times as
// long, and few rows scanned stay in the processor's cache.
constexpr double kFilteredAgainstUnfiltered = 4;
// Below this little is gained: a search then costs little more than its fixed part. A filtered walk
// costs more for each row of its beam, and finds more. Not for targets that somebody named.
constexpr size_t kLeastDefaultEffort = 40, kLeastFilteredDefaultEffort = 20;
// Calls for a scan.
constexpr size_t kNoEffort = size_t{VFDW_MAX_EF_SEARCH} + 1;

}  // namespace

HnswIndex::HnswIndex(std::shared_ptr<const VectorStore> store, vfdw_metric metric, HnswGraph graph,
                     uint32_t given_effort, RecallCurves curves)
    : Index(store, metric, given_effort, std::move(curves), LastEffort(graph, *store, /*share=*/1)),
      graph_(std::move(graph)) {}

size_t HnswIndex::memory_bytes() const {
  return sizeof(*this) + graph_.memory_bytes() + recall_curves().memory_bytes() +
         scratch_.memory_bytes();
}

// A walk computes about m distances for each row of its beam (measured with m 16: 3 to 50, more
// where vectors are not clustered). Each takes as long as to read so many bytes in order, that of a
// row's codes besides. Measured with 32 to 960 dimensions, m from 8 to 48, every quantizer and
// efforts of 40 to 5,120, walks took from 0.25 (m 48, nearly all rows met) to 2.4 times (pq) as
// long.
double HnswIndex::CostInRows(const HnswGraph& graph, const VectorStore& store, size_t effort) {
  constexpr double kBytesPerDistance = 450;
  const auto read_bytes = static_cast<double>(BytesToCompare(graph, store));
  const auto row_bytes = static_cast<double>(store.stride() * sizeof(float));
  const double distances = static_cast<double>(effort) * (graph.bottom_degree / 2);
  return distances * (kBytesPerDistance + read_bytes) / row_bytes;
}

uint32_t HnswIndex::LastEffort(const HnswGraph& graph, const VectorStore& store, double share) {
  const double cost = CostInRows(graph, store, 1) * (share < 1 ? kFilteredAgainstUnfiltered : 1);
  const double largest = share * static_cast<double>(store.size()) / cost;
  return static_cast<uint32_t>(std::clamp(largest, 1.0, double{VFDW_MAX_EF_SEARCH}));
}

// A walk that keeps the rows of a filter by chance and goes on until it has e of them goes as far
// as an unfiltered one of effort e / share: among the k / share nearest are the k wanted.
size_t HnswIndex::ChooseEffort(double target_recall, size_t k, double share) const {
  const bool named = target_recall > 0;
  const RecallCurves& curves = recall_curves();
  if (curves.empty()) return named ? kNoEffort : std::max(size_t{given_effort()}, k);
  const double target = named ? target_recall : default_target();
  if (target >= 1) return kNoEffort;
  const bool plain = share >= kLeastPlainShare;
  const double k_of_all = plain ? static_cast<double>(k) / share : static_cast<double>(k);
  const auto effort_for = [&](double wanted) -> std::optional<double> {
    const std::optional<double> unfiltered = curves.EffortFor(wanted, k_of_all);
    if (!unfiltered || plain) return unfiltered ? *unfiltered * share : unfiltered;
    const std::optional<double> factor = curves.FactorFor(wanted, share, k_of_all);
    return factor ? *unfiltered * *factor : factor;
  };
  std::optional<double> effort = effort_for(target);
  // More than the default is aimed at because it is cheap, which a scan is not.
  if (!effort && !named) effort = effort_for(kDefaultTarget);
  if (!effort) return kNoEffort;
  const size_t least = share < 1 ? kLeastFilteredDefaultEffort : kLeastDefaultEffort;
  return std::max(
      {static_cast<size_t>(std::min(std::ceil(*effort), double{kNoEffort})), k, named ? 1 : least});
}

uint32_t HnswIndex::EffortFor(double target_recall) const {
  return static_cast<uint32_t>(ChooseEffort(target_recall, RecallCurves::kMainK, /*share=*/1));
}

Index::Plan HnswIndex::PlanSearch(const SearchParams& params, size_t rows_allowed) const {
  const double share = static_cast<double>(rows_allowed) / static_cast<double>(store().size());
  size_t effort = params.effort != 0 ? std::max(size_t{params.effort}, params.k)
                                     : ChooseEffort(params.target_recall, params.k, share);
  // Rows that are to be compared must be found first.
  if (graph_.codes && params.oversample > 0)
    effort =
        std::max(effort, CountToCompare(graph_.codes->quantizer(), params.k, params.oversample));
  const Plan scan{0, std::numeric_limits<double>::infinity()};
  if (graph_.linked_rows == 0 || effort > VFDW_MAX_EF_SEARCH || rows_allowed == 0) return scan;
  const Plan plan{static_cast<uint32_t>(effort), CostInRows(graph_, store(), effort)};
  if (params.allowed_rows == nullptr) return plan;
  if (rows_allowed <= effort || share < kLeastShareOfFilteredWalk) return scan;
  return {plan.effort, kFilteredAgainstUnfiltered * plan.cost_in_rows};
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

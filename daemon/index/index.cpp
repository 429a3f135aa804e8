// index.cpp - the promises that every kind of index keeps alike, see index.h.
#include "daemon/index/index.h"

#include <algorithm>
#include <new>
#include <string>
#include <utility>

#include "daemon/index/code_scan.h"
#include "daemon/index/exact_scan.h"

namespace vectord {

const char* IndexKindName(IndexKind kind) {
  switch (kind) {
    case IndexKind::kFlat:
      return "flat";
    case IndexKind::kHnsw:
      return "hnsw";
    case IndexKind::kIvf:
      return "ivf";
  }
  return "unknown";
}

Index::Index(std::shared_ptr<const VectorStore> store, vfdw_metric metric, uint32_t given_effort,
             RecallCurves curves, double scan_effort)
    : store_(std::move(store)),
      metric_(metric),
      given_effort_(given_effort),
      curves_(std::move(curves)),
      default_target_(curves_.empty() ? 0 : DefaultTarget(curves_, scan_effort)) {}

Status Index::Search(const float* query, const SearchParams& params, std::vector<Candidate>* out,
                     SearchStats* stats) const {
  try {
    return SearchOrThrow(query, params, out, stats);
  } catch (const std::bad_alloc&) {
    out->clear();
    return Status(ErrorCode::OUT_OF_MEMORY, "not enough memory for a search",
                  "The system refused memory for " + std::to_string(params.k) + " results.");
  }
}

bool Index::Scans(uint32_t effort) const {
  SearchParams params;
  params.k = RecallCurves::kMainK;
  params.effort = effort;
  return PlanSearch(params, store_->size()).cost_in_rows >= static_cast<double>(store_->size());
}

std::optional<double> Index::ExpectedRecall(uint32_t effort) const {
  if (Scans(effort)) return 1;
  const RecallCurve* const curve = curves_.Main();
  if (curve == nullptr) return std::nullopt;
  return curve->RecallAt(effort);
}

Status Index::SearchOrThrow(const float* query, const SearchParams& params,
                            std::vector<Candidate>* out, SearchStats* stats) const {
  *stats = SearchStats();
  const size_t allowed = params.rows_allowed > 0
                             ? params.rows_allowed
                             : CountAllowed(params.allowed_rows, store_->size());
  const auto scan = [&] {
    return CanScanByCodes(codes(), params, allowed)
               ? ScanByCodes(*store_, *codes(), query, params, out, stats)
               : ExactScan(*store_, metric_, query, params, out, stats);
  };
  if (params.exact || params.after || params.k == 0) return scan();
  // All distances alike: the order is that of the rows, which no structure knows.
  if (BoundQuery(*store_, metric_, query).AllDistancesAreNan()) return scan();
  if (params.allowed_rows != nullptr && allowed < kFewestAllowedRows) return scan();
  const Plan plan = PlanSearch(params, allowed);
  if (plan.cost_in_rows >= static_cast<double>(allowed)) return scan();

  VFDW_RETURN_IF_ERROR(SearchApproximately(query, params, allowed, plan.effort, out, stats));
  if (out->size() >= std::min(params.k, allowed)) return {};
  return scan();
}

}  // namespace vectord

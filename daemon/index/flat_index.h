// flat_index.h - no structure at all: every search is the exact scan.
#ifndef VECTOR_FDW_DAEMON_INDEX_FLAT_INDEX_H
#define VECTOR_FDW_DAEMON_INDEX_FLAT_INDEX_H

#include <limits>
#include <memory>

#include "daemon/index/exact_scan.h"
#include "daemon/index/index.h"

namespace vectord {

class FlatIndex final : public Index {
 public:
  FlatIndex(std::shared_ptr<const VectorStore> store, vfdw_metric metric)
      : Index(std::move(store), metric, /*given_effort=*/0, RecallCurves(), /*scan_effort=*/0) {}

  IndexKind kind() const override { return IndexKind::kFlat; }
  size_t memory_bytes() const override { return sizeof(*this); }
  uint32_t EffortFor(double) const override { return 0; }

 private:
  Plan PlanSearch(const SearchParams&, size_t) const override {
    return {0, std::numeric_limits<double>::infinity()};
  }
  Status SearchApproximately(const float* query, const SearchParams& params, size_t, uint32_t,
                             std::vector<Candidate>* out, SearchStats* stats) const override {
    return ExactScan(store(), metric(), query, params, out, stats);
  }
};

}  // namespace vectord

#endif

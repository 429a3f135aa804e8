// hnsw_index.h - an HNSW graph over a VectorStore, see hnsw_graph.h and hnsw_walk.h.
#ifndef VECTOR_FDW_DAEMON_INDEX_HNSW_INDEX_H
#define VECTOR_FDW_DAEMON_INDEX_HNSW_INDEX_H

#include <memory>
#include <utility>

#include "daemon/index/hnsw_graph.h"
#include "daemon/index/hnsw_walk.h"
#include "daemon/index/index.h"
#include "daemon/index/scratch_pool.h"

namespace vectord {

class HnswIndex final : public Index {
 public:
  // given_effort: at least 1.
  HnswIndex(std::shared_ptr<const VectorStore> store, vfdw_metric metric, HnswGraph graph,
            uint32_t given_effort, RecallCurves curves);

  IndexKind kind() const override { return IndexKind::kHnsw; }
  size_t memory_bytes() const override;
  const VectorCodes* codes() const override { return graph_.codes.get(); }
  uint32_t EffortFor(double target_recall) const override;
  const HnswGraph& graph() const { return graph_; }

  // A search with this effort costs as much as an exact scan of so many rows.
  static double CostInRows(const HnswGraph& graph, const VectorStore& store, size_t effort);
  // The largest effort whose cost is below that of an exact scan of that share of the rows; below 1
  // it is of searches under a filter.
  static uint32_t LastEffort(const HnswGraph& graph, const VectorStore& store, double share);

 private:
  // More than VFDW_MAX_EF_SEARCH when a scan is called for.
  size_t ChooseEffort(double target_recall, size_t k, double share) const;
  Plan PlanSearch(const SearchParams& params, size_t rows_allowed) const override;
  Status SearchApproximately(const float* query, const SearchParams& params, size_t rows_allowed,
                             uint32_t effort, std::vector<Candidate>* out,
                             SearchStats* stats) const override;

  const HnswGraph graph_;
  mutable ScratchPool<WalkScratch> scratch_;
};

}  // namespace vectord

#endif

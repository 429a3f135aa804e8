// index.h - a searchable index over the vectors of one segment.
//
// An index is immutable once built, and shares the VectorStore that it was built over. Which
// rows a search finds may be approximate; everything else is exact: distances are those of
// shared/metric.h to the last bit, the order is (distance, row), and there are always as many
// rows as were asked for, or as there are. Where the structure cannot promise that, or would be
// slower, Search() scans all rows, by codes if there are any that suit (code_scan.h), and says so
// in SearchStats::strategy.
//
// Threads: Search() from any number at once.
#ifndef VECTOR_FDW_DAEMON_INDEX_INDEX_H
#define VECTOR_FDW_DAEMON_INDEX_INDEX_H

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "daemon/base/status.h"
#include "daemon/index/recall_curve.h"
#include "daemon/index/vector_codes.h"
#include "daemon/index/vector_store.h"
#include "daemon/kernel/topk.h"
#include "shared/metric.h"

namespace vectord {

// On disk: never renumber.
enum class IndexKind : uint32_t { kFlat = 1, kHnsw = 2, kIvf = 3 };

struct SearchParams {
  size_t k = 10;
  uint32_t effort = 0;  // ef_search of hnsw, nprobe of ivf; 0: what target_recall needs
  // Share of the true k nearest that is to be found, as far as the index was measured; 0: the
  // index's default. Not heeded when there is an effort.
  double target_recall = 0;
  bool exact = false;  // scan all rows
  // Searches by codes compare so many times k rows by float32; 0: as many as suit the codes.
  double oversample = 0;
  const std::atomic<bool>* cancelled = nullptr;  // may be null
  // Bit i of word i / 64: row i may be returned. Null: all may. Covers every row of the store.
  const uint64_t* allowed_rows = nullptr;
  size_t rows_allowed = 0;  // by that bitmap; 0: to be counted
  // Only rows that come after this one in the order, even if it is no row of this store. The
  // continuation of a stream of results; always answered by an exact scan.
  std::optional<Candidate> after;
};

// Fewer that a filter lets pass are scanned: that takes a fraction of a millisecond, and is exact.
constexpr size_t kFewestAllowedRows = 5000;

// Whether a bitmap like SearchParams::allowed_rows has the row.
inline bool IsAllowed(const uint64_t* allowed_rows, uint32_t row) {
  return allowed_rows == nullptr || (allowed_rows[row / 64] >> (row % 64) & 1) != 0;
}

struct SearchStats {
  uint64_t distances_computed = 0;
  uint64_t hops = 0;          // graph nodes expanded, or lists scanned
  const char* strategy = "";  // "graph", "filtered graph", "lists", "exact"
  uint32_t effort = 0;        // the effort in fact used; 0 for "exact"
};

class Index {
 public:
  virtual ~Index() = default;
  Index(const Index&) = delete;
  Index& operator=(const Index&) = delete;

  // Fills *out with the min(k, rows allowed) nearest rows, sorted. CANCELED, with *out empty,
  // when the flag was seen. REQUIRES: query has store().dimensions() finite elements.
  [[nodiscard]] Status Search(const float* query, const SearchParams& params,
                              std::vector<Candidate>* out, SearchStats* stats) const;

  virtual IndexKind kind() const = 0;
  // What is held beside the VectorStore, scratch memory of past searches included.
  virtual size_t memory_bytes() const = 0;
  // Of all rows; null when there are none.
  virtual const VectorCodes* codes() const { return nullptr; }
  // What an effort of 0 stands for at this target, k = 10 and without a filter; 0 when the kind has
  // none. Where no effort finds enough for less than the cost of an exact scan it is so large that
  // Search() scans.
  virtual uint32_t EffortFor(double target_recall) const = 0;
  uint32_t default_effort() const { return EffortFor(0); }
  // The share of the 10 nearest of all rows that searches with this effort find: 1 where they scan;
  // none when it was not measured.
  std::optional<double> ExpectedRecall(uint32_t effort) const;
  // Whether such a search scans all rows.
  bool Scans(uint32_t effort) const;
  // What was measured of searches when the index was built; empty when nothing was.
  const RecallCurves& recall_curves() const { return curves_; }
  // For searches that name no effort if there are no curves; 0 when the kind has none.
  uint32_t given_effort() const { return given_effort_; }

  vfdw_metric metric() const { return metric_; }
  const VectorStore& store() const { return *store_; }
  const std::shared_ptr<const VectorStore>& shared_store() const { return store_; }

 protected:
  // The effort for a search, and what it will cost beside an exact scan of all rows.
  struct Plan {
    uint32_t effort;
    double cost_in_rows;  // as many rows could be scanned by float32 in the same time
  };

  // scan_effort: costs as much as an exact scan; used only if there are curves.
  Index(std::shared_ptr<const VectorStore> store, vfdw_metric metric, uint32_t given_effort,
        RecallCurves curves, double scan_effort);

  // The target in force when a search names none. REQUIRES: there are curves.
  double default_target() const { return default_target_; }

 private:
  virtual Plan PlanSearch(const SearchParams& params, size_t rows_allowed) const = 0;
  // May find fewer than k; then all is scanned. Distances and order as above. rows_allowed: by
  // params.allowed_rows.
  virtual Status SearchApproximately(const float* query, const SearchParams& params,
                                     size_t rows_allowed, uint32_t effort,
                                     std::vector<Candidate>* out, SearchStats* stats) const = 0;
  Status SearchOrThrow(const float* query, const SearchParams& params, std::vector<Candidate>* out,
                       SearchStats* stats) const;

  const std::shared_ptr<const VectorStore> store_;
  const vfdw_metric metric_;
  const uint32_t given_effort_;
  const RecallCurves curves_;
  const double default_target_;
};

const char* IndexKindName(IndexKind kind);

}  // namespace vectord

#endif

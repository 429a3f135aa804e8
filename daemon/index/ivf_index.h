// ivf_index.h - inverted lists: the rows of a list are a contiguous range of the VectorStore.
//
// The builder permutes the store so that list i is rows list_begin[i] .. list_begin[i + 1] - 1;
// a search ranks the centroids, then scans the nearest lists as an exact scan would. Rows that no
// centroid can be near to (zero vectors under cosine) lie behind the last list; only a search that
// runs out of lists would need them, and it becomes an exact scan.
//
// Lists are scanned by codes if there are any; then some more rows than wanted are found and
// compared by float32.
//
// When the lists that were asked for hold fewer than k rows, the next nearest are scanned too.
#ifndef VECTOR_FDW_DAEMON_INDEX_IVF_INDEX_H
#define VECTOR_FDW_DAEMON_INDEX_IVF_INDEX_H

#include <memory>
#include <vector>

#include "daemon/index/index.h"
#include "daemon/index/index_spec.h"
#include "daemon/index/vector_codes.h"

namespace vectord {

struct IvfLists {
  std::shared_ptr<const VectorStore> centroids;  // unit length under cosine
  std::vector<uint32_t> list_begin;              // one more than there are centroids
  SharedCodes codes;                             // of the rows; null: lists are scanned by float32

  size_t count() const { return list_begin.empty() ? 0 : list_begin.size() - 1; }
  size_t memory_bytes() const {
    return (centroids ? centroids->memory_bytes() : 0) + (codes ? codes->memory_bytes() : 0) +
           list_begin.capacity() * sizeof(uint32_t);
  }
};

class IvfIndex final : public Index {
 public:
  // given_effort: at least 1.
  IvfIndex(std::shared_ptr<const VectorStore> store, vfdw_metric metric, IvfLists lists,
           uint32_t given_effort, RecallCurves curves);

  IndexKind kind() const override { return IndexKind::kIvf; }
  size_t memory_bytes() const override {
    return sizeof(*this) + lists_.memory_bytes() + recall_curves().memory_bytes();
  }
  const VectorCodes* codes() const override { return lists_.codes.get(); }
  uint32_t EffortFor(double target_recall) const override;
  const IvfLists& lists() const { return lists_; }

  struct RankedList {
    double key;  // of the centroid
    uint32_t list;
    bool operator<(const RankedList& other) const;
  };
  // All lists in the order in which searches scan them.
  std::vector<RankedList> OrderLists(const float* query) const;
  // The rows that a search of so many lists compares by float32, the nearest by their keys first;
  // `compared` of them or all. REQUIRES: there are codes, and at least so many lists.
  Status FindByCodes(const float* query, const SearchParams& params, uint32_t effort,
                     size_t compared, std::vector<Candidate>* out, SearchStats* stats) const;

 private:
  // More than there are lists when a scan is called for.
  size_t ChooseEffort(double target_recall, size_t k, double share) const;
  Plan PlanSearch(const SearchParams& params, size_t rows_allowed) const override;
  Status SearchApproximately(const float* query, const SearchParams& params, size_t rows_allowed,
                             uint32_t effort, std::vector<Candidate>* out,
                             SearchStats* stats) const override;
  template <class Scan>
  Status ScanLists(const float* query, const SearchParams& params, size_t kept, Scan scan,
                   std::vector<Candidate>* out, uint32_t effort, SearchStats* stats) const;

  const IvfLists lists_;
};

}  // namespace vectord

#endif

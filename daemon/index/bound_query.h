// bound_query.h - distances from one query to rows of one store, as the SQL operators return.
//
// Holds pointers to both, and the facts of the query that every distance needs.
#ifndef VECTOR_FDW_DAEMON_INDEX_BOUND_QUERY_H
#define VECTOR_FDW_DAEMON_INDEX_BOUND_QUERY_H

#include <cstddef>
#include <cstdint>

#include "daemon/index/vector_store.h"
#include "daemon/kernel/distance.h"
#include "shared/metric.h"

namespace vectord {

class BoundQuery {
 public:
  // Rows per call of Batch() and Gather().
  static constexpr size_t kMaxBatch = 64;

  BoundQuery(const VectorStore& store, vfdw_metric metric, const float* query)
      : store_(store),
        metric_(metric),
        query_(query),
        sums_(ActiveKernels().ForMetric(metric)),
        squared_norm_(metric == VFDW_METRIC_COSINE
                          ? ActiveKernels().ip.one(query, query, store.dimensions())
                          : 0) {}

  // Under cosine a zero vector has no direction: every distance from it is NaN.
  bool AllDistancesAreNan() const { return metric_ == VFDW_METRIC_COSINE && squared_norm_ == 0; }

  // Distances of rows first .. first + count - 1. REQUIRES: count <= kMaxBatch.
  void Batch(size_t first, size_t count, double* out) const {
    float sums[kMaxBatch];
    sums_.batch(query_, store_.row(first), store_.stride(), count, store_.dimensions(), sums);
    const float* const norms = store_.squared_norms() + first;
    Finish(sums, count, out, [norms](size_t i) { return norms[i]; });
  }

  // Distances of the rows in ids. REQUIRES: count <= kMaxBatch.
  void Gather(const uint32_t* ids, size_t count, double* out) const {
    float sums[kMaxBatch];
    sums_.gather(query_, store_.data(), store_.stride(), ids, count, store_.dimensions(), sums);
    const float* const norms = store_.squared_norms();
    Finish(sums, count, out, [norms, ids](size_t i) { return norms[ids[i]]; });
  }

 private:
  template <class NormOf>
  void Finish(const float* sums, size_t count, double* out, NormOf norm_of) const {
    switch (metric_) {
      case VFDW_METRIC_L2:
        for (size_t i = 0; i < count; i++) out[i] = vfdw_finish_l2(sums[i]);
        break;
      case VFDW_METRIC_IP:
        for (size_t i = 0; i < count; i++) out[i] = vfdw_finish_ip(sums[i]);
        break;
      case VFDW_METRIC_L1:
        for (size_t i = 0; i < count; i++) out[i] = vfdw_finish_l1(sums[i]);
        break;
      case VFDW_METRIC_COSINE:
        for (size_t i = 0; i < count; i++)
          out[i] = vfdw_finish_cosine(sums[i], squared_norm_, norm_of(i));
        break;
    }
  }

  const VectorStore& store_;
  const vfdw_metric metric_;
  const float* const query_;
  const SumKernels& sums_;
  const float squared_norm_;
};

}  // namespace vectord

#endif

// row_keys.h - keys between rows of a store, by which an HNSW graph is linked: from float32.
//
// A key orders like the distance (see hnsw_walk.h) and is the same number from either end, but
// for rounding. code_keys.h computes the like from codes; hnsw_linker.cpp takes either.
#ifndef VECTOR_FDW_DAEMON_INDEX_ROW_KEYS_H
#define VECTOR_FDW_DAEMON_INDEX_ROW_KEYS_H

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "daemon/index/vector_store.h"
#include "daemon/kernel/distance.h"

namespace vectord {

template <vfdw_metric kMetric>
class RowKeys {
 public:
  explicit RowKeys(const VectorStore& store)
      : rows_(store.data()),
        stride_(store.stride()),
        dimensions_(store.dimensions()),
        norms_(store.squared_norms()),
        gather_(ActiveKernels().ForMetric(kMetric).gather) {}

  void Prefetch(uint32_t row) const {
    PrefetchLines(rows_ + row * stride_, dimensions_ * sizeof(float));
    if (kMetric == VFDW_METRIC_COSINE) __builtin_prefetch(norms_ + row);
  }

  // keys[i] = key between row and others[i].
  void Compute(uint32_t row, const uint32_t* others, size_t count, float* keys) const {
    gather_(rows_ + row * stride_, rows_, stride_, others, count, dimensions_, keys);
    const float length = kMetric == VFDW_METRIC_COSINE ? std::sqrt(norms_[row]) : 1.0f;
    for (size_t i = 0; i < count; i++) {
      // By product: no distance, but measured: with links chosen by a true one (an extra
      // coordinate that makes all lengths equal) searches by product found far less.
      if (kMetric == VFDW_METRIC_IP) keys[i] = -keys[i];
      if (kMetric == VFDW_METRIC_COSINE)
        keys[i] = -keys[i] / (length * std::sqrt(norms_[others[i]]));
      // Sums of huge elements can overflow to NaN, which no order could hold.
      if (keys[i] != keys[i]) keys[i] = std::numeric_limits<float>::max();
    }
  }

 private:
  const float* const rows_;
  const size_t stride_, dimensions_;
  const float* const norms_;
  void (*const gather_)(const float*, const float*, size_t, const uint32_t*, size_t, size_t,
                        float*);
};

}  // namespace vectord

#endif

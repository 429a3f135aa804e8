// float_keys.h - keys between one vector and rows of a store, from float32.
//
// Keys are float32 numbers that order rows as distances do. No key is NaN.
//
// The vector is a query (key_query.h) or a row of the store (row_keys.h).
#ifndef VECTOR_FDW_DAEMON_INDEX_FLOAT_KEYS_H
#define VECTOR_FDW_DAEMON_INDEX_FLOAT_KEYS_H

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "daemon/index/vector_store.h"
#include "daemon/kernel/distance.h"

namespace vectord {

template <vfdw_metric kMetric>
class FloatKeys {
 public:
  explicit FloatKeys(const VectorStore& store)
      : rows_(store.data()),
        stride_(store.stride()),
        dimensions_(store.dimensions()),
        norms_(store.squared_norms()),
        gather_(ActiveKernels().ForMetric(kMetric).gather) {}

  const float* Row(uint32_t row) const { return rows_ + row * stride_; }
  // 1 unless by cosine.
  float Length(uint32_t row) const {
    return kMetric == VFDW_METRIC_COSINE ? std::sqrt(norms_[row]) : 1.0f;
  }

  void Prefetch(uint32_t row) const {
    PrefetchManyLines(Row(row), dimensions_ * sizeof(float));
    if (kMetric == VFDW_METRIC_COSINE) __builtin_prefetch(norms_ + row);
  }

  // keys[i] = key between vector and rows[i]; by cosine divided by length, which changes no order.
  void Compute(const float* vector, float length, const uint32_t* rows, size_t count,
               float* keys) const {
    gather_(vector, rows_, stride_, rows, count, dimensions_, keys);
    for (size_t i = 0; i < count; i++) {
      if (kMetric == VFDW_METRIC_IP) keys[i] = -keys[i];
      if (kMetric == VFDW_METRIC_COSINE) keys[i] = -keys[i] / (length * Length(rows[i]));
      // Sums of huge elements can overflow to NaN, which no order could hold.
      if (keys[i] != keys[i]) keys[i] = std::numeric_limits<float>::infinity();
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

// row_keys.h - keys between rows of a store, by which an HNSW graph is linked: from float32.
//
// A key orders like the distance (see hnsw_walk.h) and is the same number from either end, but
// for rounding. code_keys.h computes the like from codes; hnsw_linker.cpp takes either.
//
// By product: no distance, but measured: with links chosen by a true one (an extra coordinate that
// makes all lengths equal) searches by product found far less.
#ifndef VECTOR_FDW_DAEMON_INDEX_ROW_KEYS_H
#define VECTOR_FDW_DAEMON_INDEX_ROW_KEYS_H

#include <cstddef>
#include <cstdint>

#include "daemon/index/float_keys.h"

namespace vectord {

template <vfdw_metric kMetric>
class RowKeys {
 public:
  explicit RowKeys(const VectorStore& store) : keys_(store) {}

  void Prefetch(uint32_t row) const { keys_.Prefetch(row); }

  // keys[i] = key between row and others[i].
  void Compute(uint32_t row, const uint32_t* others, size_t count, float* keys) const {
    keys_.Compute(keys_.Row(row), keys_.Length(row), others, count, keys);
  }

 private:
  const FloatKeys<kMetric> keys_;
};

}  // namespace vectord

#endif

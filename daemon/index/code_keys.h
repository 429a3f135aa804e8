// code_keys.h - keys between rows of a store, by which an HNSW graph is linked: from 8-bit codes.
//
// A code is a quarter of the memory to fetch and a fraction of the work; the graph that comes of
// it finds as much, since which of two rows is nearer seldom hangs on the last bits. Make()
// measures whether it does; then the graph is linked by row_keys.h.
//
// Codes are of what is left of a row when the mean row is subtracted, which changes no distance,
// on one scale for all dimensions; under cosine of the row at length 1. Keys are squared distances
// or negated products in units of the scale, so they compare only with each other.
#ifndef VECTOR_FDW_DAEMON_INDEX_CODE_KEYS_H
#define VECTOR_FDW_DAEMON_INDEX_CODE_KEYS_H

#include <cstddef>
#include <cstdint>
#include <optional>

#include "daemon/index/build_control.h"
#include "daemon/index/page_buffer.h"
#include "daemon/index/vector_store.h"
#include "daemon/kernel/code_product.h"
#include "daemon/kernel/distance.h"

namespace vectord {

class CodeKeys {
 public:
  // Whether codes are tried at all. Small tables are linked at once, short rows gain nothing, and
  // l1 is no product.
  static bool ArePossible(vfdw_metric metric, size_t rows, size_t dimensions);
  // Of the codes, and what Make() needs for a while.
  static size_t BytesFor(size_t rows, size_t dimensions, int threads);

  // Codes of all rows; none when codes of these rows would mislead.
  // REQUIRES: ArePossible().
  static Result<std::optional<CodeKeys>> Make(vfdw_metric metric, const VectorStore& store,
                                              const BuildControl& control);

  void Prefetch(uint32_t row) const {
    PrefetchLines(code(row), code_bytes_);
    __builtin_prefetch(terms_.as<float>() + row);
  }

  // keys[i] = key between row and others[i].
  void Compute(uint32_t row, const uint32_t* others, size_t count, float* keys) const {
    const float* const terms = terms_.as<float>();
    const float own = terms[row];
    const int32_t bias = sums_.as<int32_t>()[row] * kZeroCode;
    constexpr size_t kAtOnce = 64;
    int32_t products[kAtOnce];
    for (size_t i = 0; i < count; i += kAtOnce) {
      const size_t now = count - i < kAtOnce ? count - i : kAtOnce;
      products_(code(row), codes_.as<uint8_t>(), code_bytes_, others + i, now, products);
      for (size_t j = 0; j < now; j++)
        keys[i + j] = own + terms[others[i + j]] - factor_ * static_cast<float>(products[j] - bias);
    }
  }

 private:
  const uint8_t* code(uint32_t row) const { return codes_.as<uint8_t>() + row * code_bytes_; }

  size_t code_bytes_ = 0;  // of one row, in whole blocks
  PageBuffer codes_;
  // A key is the sum of both rows' terms less factor_ times the product of their codes.
  PageBuffer terms_;  // float
  PageBuffer sums_;   // int32: of the numbers that a row's codes stand for
  float factor_ = 0;
  CodeProducts products_ = nullptr;

  friend class RowEncoder;
};

}  // namespace vectord

#endif

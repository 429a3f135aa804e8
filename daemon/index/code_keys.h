// code_keys.h - keys between rows of a store, by which an HNSW graph is linked: from 8-bit codes.
//
// A code is a quarter of the memory to fetch and a fraction of the work; the graph that comes of
// it finds as much, since which of two rows is nearer seldom hangs on the last bits. AreSuitable()
// measures whether it does; where not, the graph is linked by row_keys.h.
//
// The codes are those of sq8_codes.h, which searches may go by too. Keys are squared distances,
// negated products or sums of differences in units of their scale, so they compare only with each
// other.
#ifndef VECTOR_FDW_DAEMON_INDEX_CODE_KEYS_H
#define VECTOR_FDW_DAEMON_INDEX_CODE_KEYS_H

#include <cstddef>
#include <cstdint>
#include <memory>

#include "daemon/index/build_control.h"
#include "daemon/index/page_buffer.h"
#include "daemon/index/sq8_codes.h"
#include "daemon/index/vector_store.h"
#include "daemon/kernel/code_product.h"
#include "daemon/kernel/distance.h"

namespace vectord {

class CodeKeys {
 public:
  // Whether codes are tried at all. Small tables are linked at once, and short rows gain nothing.
  static bool ArePossible(size_t rows, size_t dimensions);
  // Of what is held beside the codes, and what AreSuitable() needs for a while.
  static size_t BytesFor(size_t rows, int threads);

  // False when codes of these rows would mislead, by a sample. REQUIRES: ArePossible(); the codes
  // are of all rows of the store.
  static Result<bool> AreSuitable(std::shared_ptr<const Sq8Codes> codes, const VectorStore& store,
                                  const BuildControl& control);
  // REQUIRES: the codes are of all rows of the store, and AreSuitable().
  static Result<CodeKeys> Make(std::shared_ptr<const Sq8Codes> codes, const VectorStore& store,
                               const BuildControl& control);

  void Prefetch(uint32_t row) const {
    PrefetchLines(codes_->code(row), codes_->code_bytes());
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
      products_(codes_->code(row), codes_->codes(), codes_->code_bytes(), others + i, now,
                products);
      for (size_t j = 0; j < now; j++)
        keys[i + j] = own + terms[others[i + j]] - factor_ * static_cast<float>(products[j] - bias);
    }
  }

 private:
  explicit CodeKeys(std::shared_ptr<const Sq8Codes> codes);
  Status Allocate();
  // Before it no key of this row may be asked for.
  void AddTerm(const VectorStore& store, size_t row);

  std::shared_ptr<const Sq8Codes> codes_;
  // A key is the sum of both rows' terms less factor_ times the product of their codes; under l1
  // terms and sums are 0.
  PageBuffer terms_;  // float
  PageBuffer sums_;   // int32: of the numbers that a row's codes stand for
  float factor_ = 0;
  CodeProducts products_ = nullptr;
};

}  // namespace vectord

#endif

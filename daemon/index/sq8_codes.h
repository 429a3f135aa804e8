// sq8_codes.h - rows at 8 bits for an element: vector_codes.h for quantizer sq8.
//
// Codes are of what is left of a row when the mean row is subtracted, which changes no order, on
// one scale for all dimensions; under cosine of the row at length 1. One scale makes a key a
// product of bytes (code_product.h), or a sum of their differences under l1.
//
// code_keys.h links graphs by the same codes.
#ifndef VECTOR_FDW_DAEMON_INDEX_SQ8_CODES_H
#define VECTOR_FDW_DAEMON_INDEX_SQ8_CODES_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "daemon/index/page_buffer.h"
#include "daemon/index/vector_codes.h"
#include "daemon/kernel/code_product.h"
#include "daemon/kernel/distance.h"

namespace vectord {

class Sq8Codes final : public VectorCodes {
 public:
  static constexpr size_t kBytesToMake = sizeof(float) << 20;
  static size_t BytesFor(size_t rows, size_t dimensions);
  // Null when all rows are alike, or too far apart for float32.
  static Result<std::shared_ptr<const Sq8Codes>> Make(vfdw_metric metric, const VectorStore& store,
                                                      const BuildControl& control);
  static Result<std::shared_ptr<const Sq8Codes>> Read(vfdw_metric metric, const VectorStore& store,
                                                      ByteSource* source);

  Quantizer quantizer() const override { return Quantizer::kSq8; }
  size_t memory_bytes() const override;
  size_t bytes_per_row() const override { return code_bytes_; }
  Status Write(ByteSink* sink) const override;

  vfdw_metric metric() const { return metric_; }
  size_t rows() const { return rows_; }
  size_t code_bytes() const { return code_bytes_; }  // of one row, in whole blocks
  const uint8_t* codes() const { return codes_.as<uint8_t>(); }
  const uint8_t* code(size_t row) const { return codes() + row * code_bytes_; }
  // Of each row the sum of the squared numbers that its codes stand for.
  const float* squares() const { return squares_.as<float>(); }
  float largest_square() const { return largest_square_; }
  // Whether an element of the row may be farther from the mean's than codes reach. All others are
  // half a number off at most.
  bool IsCutOff(size_t row) const {
    return (cut_off_.as<uint64_t>()[row / 64] >> (row % 64) & 1) != 0;
  }
  const std::vector<float>& mean() const { return mean_; }
  float scale() const { return scale_; }

  class Query;

 private:
  friend class Sq8Encoder;
  Sq8Codes(vfdw_metric metric, size_t rows, size_t dimensions);
  Status Allocate();
  // What follows from the codes, whole words of cut_off_ at a time.
  void LookAtRows(size_t begin, size_t end);
  void FindLargestSquare();

  const vfdw_metric metric_;
  const size_t rows_;
  const size_t code_bytes_;
  std::vector<float> mean_;
  float scale_ = 0;  // an element less the mean's, times this, is the number of its code
  PageBuffer codes_;
  PageBuffer squares_;
  PageBuffer cut_off_;  // a bit for each row
  float largest_square_ = 0;
};

class Sq8Codes::Query {
 public:
  Query(const Sq8Codes& codes, const float* query);

  void Prefetch(uint32_t row) const {
    PrefetchManyLines(codes_ + row * code_bytes_, code_bytes_);
    if (squares_ != nullptr) __builtin_prefetch(squares_ + row);
  }

  // Its own codes; each stands for a number that is the element, under l2 and l1 less the mean's,
  // times this scale.
  const std::vector<uint8_t>& code() const { return code_; }
  float scale() const { return scale_; }
  // Of what code_product.h returns, in a key.
  float factor() const { return factor_; }

  void Keys(const uint32_t* rows, size_t count, float* keys) const {
    constexpr size_t kAtOnce = 64;
    int32_t sums[kAtOnce];
    for (size_t i = 0; i < count; i += kAtOnce) {
      const size_t now = count - i < kAtOnce ? count - i : kAtOnce;
      sums_(code_.data(), codes_, code_bytes_, rows + i, now, sums);
      if (squares_ != nullptr) {
        for (size_t j = 0; j < now; j++)
          keys[i + j] = squares_[rows[i + j]] + factor_ * static_cast<float>(sums[j]);
      } else {
        for (size_t j = 0; j < now; j++) keys[i + j] = factor_ * static_cast<float>(sums[j]);
      }
    }
  }

 private:
  const uint8_t* const codes_;
  const size_t code_bytes_;
  const float* const squares_;  // null: a key is the sum alone
  std::vector<uint8_t> code_;   // of the query
  CodeProducts sums_ = nullptr;
  float scale_ = 0;
  float factor_ = 1;
};

}  // namespace vectord

#endif

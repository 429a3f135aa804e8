// half_codes.h - rows at 16 bits for an element: vector_codes.h for quantizer fp16.
//
// One power of two for all rows brings the largest element near the largest half, so that neither
// huge nor tiny elements are lost; the query is multiplied likewise. Under cosine rows have
// length 1.
#ifndef VECTOR_FDW_DAEMON_INDEX_HALF_CODES_H
#define VECTOR_FDW_DAEMON_INDEX_HALF_CODES_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "daemon/index/page_buffer.h"
#include "daemon/index/vector_codes.h"
#include "daemon/kernel/distance.h"

namespace vectord {

class HalfCodes final : public VectorCodes {
 public:
  static size_t BytesFor(size_t rows, size_t dimensions);
  static Result<std::shared_ptr<const HalfCodes>> Make(vfdw_metric metric, const VectorStore& store,
                                                       const BuildControl& control);
  static Result<std::shared_ptr<const HalfCodes>> Read(vfdw_metric metric, const VectorStore& store,
                                                       ByteSource* source);

  Quantizer quantizer() const override { return Quantizer::kFp16; }
  size_t memory_bytes() const override { return sizeof(*this) + halves_.bytes(); }
  size_t bytes_per_row() const override { return stride_ * sizeof(uint16_t); }
  Status Write(ByteSink* sink) const override;

  class Query;

 private:
  HalfCodes(vfdw_metric metric, size_t rows, size_t dimensions);

  const vfdw_metric metric_;
  const size_t rows_;
  const size_t dimensions_;
  const size_t stride_;  // elements from one row to the next, in whole blocks of lanes
  int32_t exponent_ = 0;
  PageBuffer halves_;
};

class HalfCodes::Query {
 public:
  Query(const HalfCodes& codes, const float* query);

  void Prefetch(uint32_t row) const {
    PrefetchManyLines(rows_ + row * stride_, stride_ * sizeof(uint16_t));
  }
  void Keys(const uint32_t* rows, size_t count, float* keys) const;

 private:
  const uint16_t* const rows_;
  const size_t stride_;
  const bool by_product_;
  const HalfGather gather_;
  std::vector<float> query_;
};

}  // namespace vectord

#endif

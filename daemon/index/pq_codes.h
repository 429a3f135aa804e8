// pq_codes.h - rows at 8 bits for a few elements: vector_codes.h for quantizer pq (Jegou, Douze and
// Schmid 2011, product quantization with asymmetric distances).
//
// The dimensions are divided into parts of kPartDimensions. k-means finds 256 centroids of each
// part; a row's code names for each part the nearest. A query computes its key to all centroids
// once; the key of a row is the sum of one number per part. Under cosine rows have length 1.
#ifndef VECTOR_FDW_DAEMON_INDEX_PQ_CODES_H
#define VECTOR_FDW_DAEMON_INDEX_PQ_CODES_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "daemon/index/page_buffer.h"
#include "daemon/index/vector_codes.h"
#include "daemon/kernel/distance.h"

namespace vectord {

class PqCodes final : public VectorCodes {
 public:
  static constexpr size_t kPartDimensions = 2;
  static constexpr size_t kCentroids = 256;

  static size_t BytesFor(size_t rows, size_t dimensions);
  static size_t BytesToMake(size_t rows, size_t dimensions, int threads);
  static Result<std::shared_ptr<const PqCodes>> Make(vfdw_metric metric, const VectorStore& store,
                                                     const BuildControl& control);
  static Result<std::shared_ptr<const PqCodes>> Read(vfdw_metric metric, const VectorStore& store,
                                                     ByteSource* source);

  Quantizer quantizer() const override { return Quantizer::kPq; }
  size_t memory_bytes() const override {
    return sizeof(*this) + centroids_.capacity() * sizeof(float) + codes_.bytes();
  }
  size_t bytes_per_row() const override { return parts_; }
  Status Write(ByteSink* sink) const override;

  class Query;

 private:
  PqCodes(vfdw_metric metric, size_t rows, size_t dimensions);
  size_t FirstOf(size_t part) const { return part * kPartDimensions; }
  size_t EndOf(size_t part) const;
  // Of a dimension, all centroids' coordinates.
  const float* Coordinates(size_t dimension) const {
    return centroids_.data() + dimension * kCentroids;
  }
  void TrainPart(size_t part, const std::vector<float>& sample, size_t points);
  uint8_t Nearest(size_t part, const float* elements, float* distances) const;

  const vfdw_metric metric_;
  const size_t rows_;
  const size_t dimensions_;
  const size_t parts_;
  std::vector<float> centroids_;
  PageBuffer codes_;  // parts_ bytes for each row
};

class PqCodes::Query {
 public:
  Query(const PqCodes& codes, const float* query);

  void Prefetch(uint32_t row) const {
    const uint8_t* const code = codes_ + row * parts_;
    PrefetchLines(code, parts_);
    __builtin_prefetch(code + parts_ - 1);  // a row need not begin where a line does
  }
  void Keys(const uint32_t* rows, size_t count, float* keys) const;

 private:
  const uint8_t* const codes_;
  const size_t parts_;
  std::vector<float> keys_;  // of each part's centroids
};

}  // namespace vectord

#endif

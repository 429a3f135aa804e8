// half_codes.cpp - see half_codes.h.
#include "daemon/index/half_codes.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "daemon/base/thread_pool.h"
#include "daemon/kernel/half.h"

namespace vectord {
namespace {

// Elements are brought below 2^15, half of what halves can hold; by no more than float32 can be
// multiplied with.
constexpr int kLargestExponent = 15, kMostScaling = 100;

size_t StrideOf(size_t dimensions) {
  return (dimensions + VFDW_LANES - 1) / VFDW_LANES * VFDW_LANES;
}

int32_t ChooseExponent(vfdw_metric metric, const VectorStore& store) {
  if (metric == VFDW_METRIC_COSINE) return kLargestExponent - 1;
  float largest = 0;
  for (size_t row = 0; row < store.size(); row++)
    for (size_t i = 0; i < store.dimensions(); i++)
      largest = std::max(largest, std::abs(store.row(row)[i]));
  if (!(largest > 0)) return 0;
  int exponent = 0;
  std::frexp(largest, &exponent);  // largest < 2^exponent
  return std::clamp(kLargestExponent - exponent, -kMostScaling - 14, kMostScaling);
}

}  // namespace

HalfCodes::HalfCodes(vfdw_metric metric, size_t rows, size_t dimensions)
    : metric_(metric), rows_(rows), dimensions_(dimensions), stride_(StrideOf(dimensions)) {}

size_t HalfCodes::BytesFor(size_t rows, size_t dimensions) {
  return sizeof(HalfCodes) + PageBuffer::RoundedUp(rows * StrideOf(dimensions) * sizeof(uint16_t));
}

Result<std::shared_ptr<const HalfCodes>> HalfCodes::Make(vfdw_metric metric,
                                                         const VectorStore& store,
                                                         const BuildControl& control) {
  std::shared_ptr<HalfCodes> codes(new HalfCodes(metric, store.size(), store.dimensions()));
  codes->exponent_ = ChooseExponent(metric, store);
  VFDW_ASSIGN_OR_RETURN(codes->halves_,
                        PageBuffer::Create(store.size() * codes->stride_ * sizeof(uint16_t)));
  const float scale = std::ldexp(1.0f, codes->exponent_);
  const auto encode = [&](size_t begin, size_t end, int) {
    for (size_t row = begin; row < end; row++) {
      uint16_t* const halves = codes->halves_.as<uint16_t>() + row * codes->stride_;
      const float factor = UnitFactor(metric, store, row);
      for (size_t i = 0; i < store.dimensions(); i++) {
        // What is out of bounds is so by rounding, or by a length that overflowed.
        float element = store.row(row)[i] * factor * scale;
        element = element > -kLargestHalf ? element : -kLargestHalf;
        halves[i] = FloatToHalf(element < kLargestHalf ? element : kLargestHalf);
      }
    }
  };
  constexpr size_t kRowsAtOnce = 1024;
  VFDW_RETURN_IF_ERROR(
      ParallelFor(control.threads, store.size(), kRowsAtOnce, encode, control.cancelled));
  return std::shared_ptr<const HalfCodes>(std::move(codes));
}

Status HalfCodes::Write(ByteSink* sink) const {
  VFDW_RETURN_IF_ERROR(sink->Append(BytesOf(&exponent_, 1)));
  return sink->Append(BytesOf(halves_.as<uint16_t>(), rows_ * stride_));
}

Result<std::shared_ptr<const HalfCodes>> HalfCodes::Read(vfdw_metric metric,
                                                         const VectorStore& store,
                                                         ByteSource* source) {
  std::shared_ptr<HalfCodes> codes(new HalfCodes(metric, store.size(), store.dimensions()));
  VFDW_RETURN_IF_ERROR(ReadNumber(source, &codes->exponent_));
  const size_t bytes = codes->rows_ * codes->stride_ * sizeof(uint16_t);
  if (codes->exponent_ < -kMostScaling - 14 || codes->exponent_ > kMostScaling ||
      source->remaining() < bytes)
    return Status(ErrorCode::CORRUPT, "the data are no index", "Its codes are damaged.");
  VFDW_ASSIGN_OR_RETURN(codes->halves_, PageBuffer::Create(bytes));
  VFDW_RETURN_IF_ERROR(source->Read(codes->halves_.as<uint16_t>(), bytes));
  return std::shared_ptr<const HalfCodes>(std::move(codes));
}

HalfCodes::Query::Query(const HalfCodes& codes, const float* query)
    : rows_(codes.halves_.as<uint16_t>()),
      stride_(codes.stride_),
      by_product_(codes.metric_ == VFDW_METRIC_IP || codes.metric_ == VFDW_METRIC_COSINE),
      gather_(ActiveKernels().HalvesForMetric(codes.metric_)),
      query_(codes.stride_) {
  float scale = std::ldexp(1.0f, codes.exponent_);
  if (by_product_) {
    // The order by product is the same whatever the query is multiplied by: no sum overflows.
    float largest = 0;
    int exponent = 0;
    for (size_t i = 0; i < codes.dimensions_; i++) largest = std::max(largest, std::abs(query[i]));
    std::frexp(largest, &exponent);
    scale = std::ldexp(1.0f, std::clamp(-exponent, -120, 120));
  }
  for (size_t i = 0; i < codes.dimensions_; i++) query_[i] = query[i] * scale;
}

void HalfCodes::Query::Keys(const uint32_t* rows, size_t count, float* keys) const {
  gather_(query_.data(), rows_, stride_, rows, count, stride_, keys);
  for (size_t i = 0; i < count; i++) {
    if (by_product_) keys[i] = -keys[i];
    // Sums of huge elements can overflow to NaN, which must not upset the order of the beam.
    if (keys[i] != keys[i]) keys[i] = std::numeric_limits<float>::infinity();
  }
}

}  // namespace vectord

// vector_codes.cpp - what depends on the quantizer, in one place. See vector_codes.h.
#include "daemon/index/vector_codes.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "daemon/index/code_keys.h"
#include "daemon/index/half_codes.h"
#include "daemon/index/pq_codes.h"
#include "daemon/index/sq8_codes.h"

namespace vectord {
namespace {

// Tables this small are scanned as fast as searched.
constexpr size_t kFewestRows = 1000;

template <class Codes>
Result<SharedCodes> Shared(Result<std::shared_ptr<const Codes>> codes) {
  if (!codes.ok()) return codes.status();
  return SharedCodes(std::move(codes).value());
}

// What searches go by when nobody named a quantizer.
Result<SharedCodes> MakeSuitableCodes(vfdw_metric metric, const VectorStore& store,
                                      const BuildControl& control) {
  if (!CodeKeys::ArePossible(store.size(), store.dimensions())) return SharedCodes();
  VFDW_ASSIGN_OR_RETURN(auto codes, Sq8Codes::Make(metric, store, control));
  if (!codes) return SharedCodes();
  VFDW_ASSIGN_OR_RETURN(const bool suit, CodeKeys::AreSuitable(codes, store, control));
  return suit ? SharedCodes(std::move(codes)) : SharedCodes();
}

}  // namespace

Result<SharedCodes> MakeCodes(Quantizer quantizer, vfdw_metric metric, const VectorStore& store,
                              const BuildControl& control) {
  if (store.size() < kFewestRows) return SharedCodes();
  switch (quantizer) {
    case Quantizer::kFp16:
      return Shared(HalfCodes::Make(metric, store, control));
    case Quantizer::kSq8:
      return Shared(Sq8Codes::Make(metric, store, control));
    case Quantizer::kPq:
      return Shared(PqCodes::Make(metric, store, control));
    case Quantizer::kAutomatic:
      return MakeSuitableCodes(metric, store, control);
    case Quantizer::kNone:
      break;
  }
  return SharedCodes();
}

Result<SharedCodes> ReadCodes(Quantizer quantizer, vfdw_metric metric, const VectorStore& store,
                              ByteSource* source) {
  switch (quantizer) {
    case Quantizer::kNone:
      return SharedCodes();
    case Quantizer::kFp16:
      return Shared(HalfCodes::Read(metric, store, source));
    case Quantizer::kSq8:
      return Shared(Sq8Codes::Read(metric, store, source));
    case Quantizer::kPq:
      return Shared(PqCodes::Read(metric, store, source));
    case Quantizer::kAutomatic:
      break;
  }
  return Status(ErrorCode::CORRUPT, "the data are no index", "The quantizer is unknown.");
}

size_t EstimateCodesBytes(Quantizer quantizer, size_t rows, size_t dimensions) {
  if (rows < kFewestRows) return 0;
  switch (quantizer) {
    case Quantizer::kFp16:
      return HalfCodes::BytesFor(rows, dimensions);
    case Quantizer::kSq8:
      return Sq8Codes::BytesFor(rows, dimensions);
    case Quantizer::kAutomatic:
      return CodeKeys::ArePossible(rows, dimensions) ? Sq8Codes::BytesFor(rows, dimensions) : 0;
    case Quantizer::kPq:
      return PqCodes::BytesFor(rows, dimensions);
    case Quantizer::kNone:
      break;
  }
  return 0;
}

size_t EstimateMakingCodesBytes(Quantizer quantizer, size_t rows, size_t dimensions, int threads) {
  if (rows < kFewestRows) return 0;
  switch (quantizer) {
    case Quantizer::kSq8:
      return Sq8Codes::kBytesToMake;
    case Quantizer::kAutomatic:
      return CodeKeys::ArePossible(rows, dimensions)
                 ? Sq8Codes::kBytesToMake + CodeKeys::BytesFor(rows, threads)
                 : 0;
    case Quantizer::kPq:
      return PqCodes::BytesToMake(rows, dimensions, threads);
    case Quantizer::kFp16:
    case Quantizer::kNone:
      break;
  }
  return 0;
}

size_t CountToCompare(Quantizer quantizer, size_t k, double oversample) {
  if (oversample > 0)
    return std::max(k, static_cast<size_t>(std::ceil(static_cast<double>(k) * oversample)));
  // Errors of keys confuse rows that are about as far, of which there are some around the last of
  // few and more around the last of many.
  switch (quantizer) {
    case Quantizer::kFp16:
      return k + std::max<size_t>(4, k / 8);
    case Quantizer::kSq8:
      return k + std::max<size_t>(20, k / 2);
    case Quantizer::kPq:
      return 2 * k + std::max<size_t>(60, k);
    case Quantizer::kNone:
    case Quantizer::kAutomatic:
      break;
  }
  return k;
}

std::vector<uint32_t> SpreadSample(size_t rows, size_t count) {
  count = std::min(count, rows);
  std::vector<uint32_t> sample;
  sample.reserve(count);
  for (size_t i = 0; i < count; i++)
    sample.push_back(static_cast<uint32_t>((i * rows + rows / 2) / count));
  return sample;
}

float UnitFactor(vfdw_metric metric, const VectorStore& store, size_t row) {
  if (metric != VFDW_METRIC_COSINE) return 1;
  const float norm = store.squared_norms()[row];
  return norm > 0 ? 1 / std::sqrt(norm) : 1.0f;
}

}  // namespace vectord

// sq8_codes.cpp - choosing mean and scale, encoding rows and queries. See sq8_codes.h.
#include "daemon/index/sq8_codes.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "daemon/base/thread_pool.h"

namespace vectord {
namespace {

constexpr size_t kSampledElements = 1 << 20;
static_assert(kSampledElements * sizeof(float) == Sq8Codes::kBytesToMake);
constexpr float kLargestNumber = kLargestCodeNumber;

size_t CodeBytes(size_t dimensions) {
  return (dimensions + kCodeBlock - 1) / kCodeBlock * kCodeBlock;
}

size_t BitsBytes(size_t rows) { return (rows + 63) / 64 * sizeof(uint64_t); }

// The nearest whole number within the bounds; NaN becomes the lower.
int32_t Rounded(float number) {
  number = number > -kLargestNumber ? number : -kLargestNumber;
  number = number < kLargestNumber ? number : kLargestNumber;
  return static_cast<int32_t>(number + (kZeroCode + 0.5f)) - kZeroCode;
}

}  // namespace

// How rows become codes.
class Sq8Encoder {
 public:
  Sq8Encoder(vfdw_metric metric, const VectorStore& store)
      : metric_(metric), store_(store), mean_(store.dimensions()) {
    const auto sample =
        SpreadSample(store.size(), std::max<size_t>(kSampledElements / store.dimensions(), 64));
    ChooseMean(sample);
    ChooseScale(sample);
  }

  // False: all rows are alike, or too far apart for float32.
  bool HasScale() const { return std::isfinite(scale_) && scale_ > 0; }

  Result<std::shared_ptr<const Sq8Codes>> Encode(const BuildControl& control) {
    std::shared_ptr<Sq8Codes> codes(new Sq8Codes(metric_, store_.size(), store_.dimensions()));
    VFDW_RETURN_IF_ERROR(codes->Allocate());
    codes->mean_ = mean_;
    codes->scale_ = scale_;
    const auto encode = [&](size_t begin, size_t end, int) {
      for (size_t row = begin; row < end; row++)
        EncodeRow(row, codes->codes_.as<uint8_t>() + row * codes->code_bytes_);
      codes->LookAtRows(begin, end);
    };
    constexpr size_t kRowsAtOnce = 1024;
    static_assert(kRowsAtOnce % 64 == 0, "no two threads share a word of the bits");
    VFDW_RETURN_IF_ERROR(
        ParallelFor(control.threads, store_.size(), kRowsAtOnce, encode, control.cancelled));
    codes->FindLargestSquare();
    return std::shared_ptr<const Sq8Codes>(std::move(codes));
  }

 private:
  void ChooseMean(const std::vector<uint32_t>& sample) {
    std::vector<double> sum(mean_.size());
    for (const uint32_t row : sample) {
      const float factor = UnitFactor(metric_, store_, row);
      for (size_t i = 0; i < sum.size(); i++) sum[i] += store_.row(row)[i] * factor;
    }
    for (size_t i = 0; i < sum.size(); i++)
      mean_[i] = static_cast<float>(sum[i] / static_cast<double>(sample.size()));
  }

  // The largest number is for the element that one in ten thousand exceeds: those few are cut off,
  // so that one outlier does not cost all others their precision.
  void ChooseScale(const std::vector<uint32_t>& sample) {
    std::vector<float> sizes;
    sizes.reserve(sample.size() * mean_.size());
    for (const uint32_t row : sample) {
      const float factor = UnitFactor(metric_, store_, row);
      for (size_t i = 0; i < mean_.size(); i++) {
        const float size = std::abs(store_.row(row)[i] * factor - mean_[i]);
        if (size == size) sizes.push_back(size);
      }
    }
    if (sizes.empty()) return;
    const auto bound = sizes.end() - 1 - static_cast<std::ptrdiff_t>(sizes.size() / 10000);
    std::nth_element(sizes.begin(), bound, sizes.end());
    scale_ = kLargestNumber / *bound;
  }

  void EncodeRow(size_t row, uint8_t* code) const {
    const float* const elements = store_.row(row);
    const float factor = UnitFactor(metric_, store_, row);
    for (size_t i = 0; i < mean_.size(); i++)
      code[i] =
          static_cast<uint8_t>(Rounded((elements[i] * factor - mean_[i]) * scale_) + kZeroCode);
    std::fill(code + mean_.size(), code + CodeBytes(mean_.size()), kZeroCode);
  }

  const vfdw_metric metric_;
  const VectorStore& store_;
  std::vector<float> mean_;
  float scale_ = 0;
};

Sq8Codes::Sq8Codes(vfdw_metric metric, size_t rows, size_t dimensions)
    : metric_(metric), rows_(rows), code_bytes_(CodeBytes(dimensions)) {}

Status Sq8Codes::Allocate() {
  VFDW_ASSIGN_OR_RETURN(codes_, PageBuffer::Create(rows_ * code_bytes_));
  VFDW_ASSIGN_OR_RETURN(squares_, PageBuffer::Create(rows_ * sizeof(float)));
  VFDW_ASSIGN_OR_RETURN(cut_off_, PageBuffer::Create(BitsBytes(rows_)));
  return {};
}

void Sq8Codes::LookAtRows(size_t begin, size_t end) {
  for (size_t row = begin; row < end; row++) {
    int32_t sum = 0, largest = 0;
    for (size_t i = 0; i < code_bytes_; i++) {
      const int32_t number = code(row)[i] - kZeroCode;
      sum += number * number;
      largest = std::max(largest, std::abs(number));
    }
    squares_.as<float>()[row] = static_cast<float>(sum);
    const uint64_t bit = uint64_t{largest >= static_cast<int32_t>(kLargestNumber)} << (row % 64);
    uint64_t* const word = cut_off_.as<uint64_t>() + row / 64;
    *word = (row % 64 == 0 ? 0 : *word) | bit;
  }
}

void Sq8Codes::FindLargestSquare() {
  largest_square_ = *std::max_element(squares(), squares() + rows_);
}

size_t Sq8Codes::BytesFor(size_t rows, size_t dimensions) {
  return sizeof(Sq8Codes) + dimensions * sizeof(float) +
         PageBuffer::RoundedUp(rows * CodeBytes(dimensions)) +
         PageBuffer::RoundedUp(rows * sizeof(float)) + PageBuffer::RoundedUp(BitsBytes(rows));
}

size_t Sq8Codes::memory_bytes() const {
  return sizeof(*this) + mean_.capacity() * sizeof(float) + codes_.bytes() + squares_.bytes() +
         cut_off_.bytes();
}

Result<std::shared_ptr<const Sq8Codes>> Sq8Codes::Make(vfdw_metric metric, const VectorStore& store,
                                                       const BuildControl& control) {
  Sq8Encoder encoder(metric, store);
  if (!encoder.HasScale()) return std::shared_ptr<const Sq8Codes>();
  return encoder.Encode(control);
}

Status Sq8Codes::Write(ByteSink* sink) const {
  VFDW_RETURN_IF_ERROR(sink->Append(BytesOf(&scale_, 1)));
  VFDW_RETURN_IF_ERROR(sink->Append(BytesOf(mean_.data(), mean_.size())));
  return sink->Append(BytesOf(codes(), rows_ * code_bytes_));
}

Result<std::shared_ptr<const Sq8Codes>> Sq8Codes::Read(vfdw_metric metric, const VectorStore& store,
                                                       ByteSource* source) {
  std::shared_ptr<Sq8Codes> codes(new Sq8Codes(metric, store.size(), store.dimensions()));
  VFDW_RETURN_IF_ERROR(ReadNumber(source, &codes->scale_));
  VFDW_RETURN_IF_ERROR(ReadItems<float>(source, store.dimensions(), &codes->mean_));
  const bool finite = std::all_of(codes->mean_.begin(), codes->mean_.end(),
                                  [](float x) { return std::isfinite(x); });
  const size_t bytes = codes->rows_ * codes->code_bytes_;
  if (!finite || !std::isfinite(codes->scale_) || !(codes->scale_ > 0) ||
      source->remaining() < bytes)
    return Status(ErrorCode::CORRUPT, "the data are no index", "Its codes are damaged.");
  VFDW_RETURN_IF_ERROR(codes->Allocate());
  VFDW_RETURN_IF_ERROR(source->Read(codes->codes_.as<uint8_t>(), bytes));
  codes->LookAtRows(0, codes->rows_);
  codes->FindLargestSquare();
  return std::shared_ptr<const Sq8Codes>(std::move(codes));
}

// |a - q|^2 is |a|^2 - 2 a q and what is the same for all rows; (mean + a) q is a q and the like.
// So products need no scale in common with the rows': the query is encoded on its own, which keeps
// queries far from all rows from being cut off. Differences need the rows' scale; what is cut off
// then is beyond all rows and again the same for all.
Sq8Codes::Query::Query(const Sq8Codes& codes, const float* query)
    : codes_(codes.codes()),
      code_bytes_(codes.code_bytes()),
      squares_(codes.metric() == VFDW_METRIC_L2 ? codes.squares() : nullptr),
      code_(codes.code_bytes(), kZeroCode) {
  const size_t dimensions = codes.mean().size();
  const bool centered = codes.metric() == VFDW_METRIC_L2 || codes.metric() == VFDW_METRIC_L1;
  std::vector<float> elements(query, query + dimensions);
  float largest = 0;
  for (size_t i = 0; i < dimensions; i++) {
    if (centered) elements[i] -= codes.mean()[i];
    largest = std::max(largest, std::abs(elements[i]));
  }
  float scale = codes.scale();
  if (codes.metric() == VFDW_METRIC_L1) {
    sums_ = ActiveCodeDifferences();
  } else {
    sums_ = ActiveCodeProducts();
    scale = largest > 0 ? kLargestNumber / largest : 1.0f;
    if (!std::isfinite(scale)) scale = std::numeric_limits<float>::max();
    factor_ = -1;
    // As |a|^2 is in units of the rows' scale. A query so far away that this overflows sees all
    // rows in the order of their products, scaled as far as numbers go.
    if (codes.metric() == VFDW_METRIC_L2)
      factor_ = static_cast<float>(
          -2 * std::min(static_cast<double>(codes.scale()) / static_cast<double>(scale), 1e27));
  }
  scale_ = scale;
  for (size_t i = 0; i < dimensions; i++)
    code_[i] = static_cast<uint8_t>(Rounded(elements[i] * scale) + kZeroCode);
}

}  // namespace vectord

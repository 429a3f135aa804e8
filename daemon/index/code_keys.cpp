// code_keys.cpp - choosing the scale, encoding rows, and judging whether codes tell neighbours.
#include "daemon/index/code_keys.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <utility>
#include <vector>

#include "daemon/base/thread_pool.h"
#include "daemon/index/row_keys.h"

namespace vectord {
namespace {

constexpr size_t kFewestRows = 5000;
// Measured: at 64 the build takes as long with codes as without, at 128 a seventh less, at 384 a
// third less.
constexpr size_t kFewestDimensions = 96;
constexpr size_t kSampledElements = 1 << 20;
// Rows that codes are judged on, and the queries.
constexpr size_t kJudgedRows = 32768, kJudgedQueries = 64, kJudgedNeighbours = 10;
constexpr float kLargestNumber = 127;

size_t CodeBytes(size_t dimensions) {
  return (dimensions + kCodeBlock - 1) / kCodeBlock * kCodeBlock;
}

// count rows, evenly spread.
std::vector<uint32_t> SampleOf(size_t rows, size_t count) {
  count = std::min(count, rows);
  std::vector<uint32_t> sample;
  sample.reserve(count);
  for (size_t i = 0; i < count; i++)
    sample.push_back(static_cast<uint32_t>((i * rows + rows / 2) / count));
  return sample;
}

}  // namespace

// How rows become codes.
class RowEncoder {
 public:
  RowEncoder(vfdw_metric metric, const VectorStore& store)
      : metric_(metric), store_(store), mean_(store.dimensions()) {
    const auto sample =
        SampleOf(store.size(), std::max<size_t>(kSampledElements / store.dimensions(), 64));
    ChooseMean(sample);
    ChooseScale(sample);
  }

  // False: all rows are alike, or too far apart for float32.
  bool HasScale() const { return std::isfinite(scale_) && scale_ > 0; }

  Result<CodeKeys> Encode(const BuildControl& control) const {
    CodeKeys keys;
    const size_t rows = store_.size();
    keys.code_bytes_ = CodeBytes(store_.dimensions());
    VFDW_ASSIGN_OR_RETURN(keys.codes_, PageBuffer::Create(rows * keys.code_bytes_));
    VFDW_ASSIGN_OR_RETURN(keys.terms_, PageBuffer::Create(rows * sizeof(float)));
    VFDW_ASSIGN_OR_RETURN(keys.sums_, PageBuffer::Create(rows * sizeof(int32_t)));
    keys.factor_ = metric_ == VFDW_METRIC_IP ? 1 : 2;
    keys.products_ = ActiveCodeProducts();
    const auto encode = [&](size_t begin, size_t end, int) {
      for (size_t row = begin; row < end; row++) EncodeRow(static_cast<uint32_t>(row), &keys);
    };
    constexpr size_t kRowsAtOnce = 1024;
    VFDW_RETURN_IF_ERROR(
        ParallelFor(control.threads, rows, kRowsAtOnce, encode, control.cancelled));
    return keys;
  }

 private:
  float LengthFactor(uint32_t row) const {
    const float norm = store_.squared_norms()[row];
    return metric_ == VFDW_METRIC_COSINE && norm > 0 ? 1 / std::sqrt(norm) : 1.0f;
  }

  void ChooseMean(const std::vector<uint32_t>& sample) {
    std::vector<double> sum(mean_.size());
    for (const uint32_t row : sample) {
      const float factor = LengthFactor(row);
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
      const float factor = LengthFactor(row);
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

  // (mean + a)(mean + b) is a product of codes, a term of each row, and a constant.
  float ProductTerm(float along_mean) const {
    constexpr float kFarthest = 1e37f;  // of huge elements: no two terms overflow
    const float term = -along_mean * scale_ * scale_;
    return term > -kFarthest ? std::min(term, kFarthest) : -kFarthest;
  }

  void EncodeRow(uint32_t row, CodeKeys* keys) const {
    const float* const elements = store_.row(row);
    const float factor = LengthFactor(row);
    uint8_t* const code = keys->codes_.as<uint8_t>() + row * keys->code_bytes_;
    float along_mean = 0;
    int32_t sum = 0, squares = 0;
    for (size_t i = 0; i < mean_.size(); i++) {
      const float centered = elements[i] * factor - mean_[i];
      float number = centered * scale_;
      number = number > -kLargestNumber ? number : -kLargestNumber;
      number = number < kLargestNumber ? number : kLargestNumber;
      const int32_t rounded = static_cast<int32_t>(number + (kZeroCode + 0.5f)) - kZeroCode;
      code[i] = static_cast<uint8_t>(rounded + kZeroCode);
      along_mean += centered * mean_[i];
      sum += rounded;
      squares += rounded * rounded;
    }
    std::fill(code + mean_.size(), code + keys->code_bytes_, kZeroCode);
    keys->sums_.as<int32_t>()[row] = sum;
    // (mean + a)(mean + b) is a product of codes, a term of each row, and a constant.
    keys->terms_.as<float>()[row] =
        metric_ == VFDW_METRIC_IP ? -along_mean * scale_ * scale_ : static_cast<float>(squares);
  }

  const vfdw_metric metric_;
  const VectorStore& store_;
  std::vector<float> mean_;
  float scale_ = 0;
};

namespace {

// How many of the rows with the least keys by codes are among those with the least by float32.
size_t CountAgreed(const std::vector<float>& code_keys, const std::vector<float>& row_keys) {
  std::vector<float> sorted = row_keys;
  const auto last = sorted.begin() + (kJudgedNeighbours - 1);
  std::nth_element(sorted.begin(), last, sorted.end());
  const float farthest = *last;
  std::vector<uint32_t> order(code_keys.size());
  for (uint32_t i = 0; i < order.size(); i++) order[i] = i;
  const auto end = order.begin() + kJudgedNeighbours;
  std::nth_element(order.begin(), end - 1, order.end(),
                   [&](uint32_t a, uint32_t b) { return code_keys[a] < code_keys[b]; });
  return static_cast<size_t>(
      std::count_if(order.begin(), end, [&](uint32_t i) { return row_keys[i] <= farthest; }));
}

// The share of a row's nearest rows, within a sample, that codes find.
template <vfdw_metric kMetric>
Result<double> MeasureAgreement(const CodeKeys& codes, const VectorStore& store,
                                const BuildControl& control) {
  const RowKeys<kMetric> rows(store);
  const auto queries = SampleOf(store.size(), kJudgedQueries);
  std::vector<uint32_t> others;
  for (const uint32_t row : SampleOf(store.size(), kJudgedRows))
    if (!std::binary_search(queries.begin(), queries.end(), row) &&
        (kMetric != VFDW_METRIC_COSINE || store.squared_norms()[row] != 0))
      others.push_back(row);
  if (others.size() < kJudgedNeighbours) return 0.0;
  std::atomic<size_t> agreed{0};
  const auto judge = [&](size_t begin, size_t end, int) {
    std::vector<float> code_keys(others.size()), row_keys(others.size());
    for (size_t i = begin; i < end; i++) {
      codes.Compute(queries[i], others.data(), others.size(), code_keys.data());
      rows.Compute(queries[i], others.data(), others.size(), row_keys.data());
      agreed += CountAgreed(code_keys, row_keys);
    }
  };
  VFDW_RETURN_IF_ERROR(
      ParallelFor(control.threads, queries.size(), /*grain=*/1, judge, control.cancelled));
  return static_cast<double>(agreed) / static_cast<double>(queries.size() * kJudgedNeighbours);
}

Result<double> MeasureAgreement(vfdw_metric metric, const CodeKeys& codes, const VectorStore& store,
                                const BuildControl& control) {
  switch (metric) {
    case VFDW_METRIC_L2:
      return MeasureAgreement<VFDW_METRIC_L2>(codes, store, control);
    case VFDW_METRIC_IP:
      return MeasureAgreement<VFDW_METRIC_IP>(codes, store, control);
    case VFDW_METRIC_COSINE:
      return MeasureAgreement<VFDW_METRIC_COSINE>(codes, store, control);
    case VFDW_METRIC_L1:
      break;
  }
  return 0.0;
}

// Measured on copies of few vectors, blurred more or less: at 0.9 graphs linked by codes find as
// much as those linked by float32, at 0.82 half a percent less, at 0.7 two percent, at 0.47 nine.
constexpr double kLeastAgreement = 0.85;

}  // namespace

bool CodeKeys::ArePossible(vfdw_metric metric, size_t rows, size_t dimensions) {
  return metric != VFDW_METRIC_L1 && rows >= kFewestRows && dimensions >= kFewestDimensions;
}

size_t CodeKeys::BytesFor(size_t rows, size_t dimensions, int threads) {
  // Of each thread: two keys, a copy of one and a number of each row.
  const size_t judged = std::min(rows, kJudgedRows) * 4 * sizeof(float);
  return kSampledElements * sizeof(float) + judged * static_cast<size_t>(threads) +
         PageBuffer::RoundedUp(rows * CodeBytes(dimensions)) +
         PageBuffer::RoundedUp(rows * sizeof(float)) +
         PageBuffer::RoundedUp(rows * sizeof(int32_t));
}

Result<std::optional<CodeKeys>> CodeKeys::Make(vfdw_metric metric, const VectorStore& store,
                                               const BuildControl& control) {
  const RowEncoder encoder(metric, store);
  if (!encoder.HasScale()) return std::optional<CodeKeys>();
  VFDW_ASSIGN_OR_RETURN(CodeKeys keys, encoder.Encode(control));
  VFDW_ASSIGN_OR_RETURN(const double agreement, MeasureAgreement(metric, keys, store, control));
  if (agreement < kLeastAgreement) return std::optional<CodeKeys>();
  return std::optional<CodeKeys>(std::move(keys));
}

}  // namespace vectord

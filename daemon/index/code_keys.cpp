// code_keys.cpp - terms of rows, and judging whether codes tell neighbours.
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
// Rows that codes are judged on, and the queries.
constexpr size_t kJudgedRows = 32768, kJudgedQueries = 64, kJudgedNeighbours = 10;

// Whose terms a thread adds at a time.
constexpr size_t kRowsAtOnce = 1024;

struct JudgedRows {
  std::vector<uint32_t> queries, others;
};

JudgedRows ChooseJudgedRows(vfdw_metric metric, const VectorStore& store) {
  JudgedRows rows;
  rows.queries = SpreadSample(store.size(), kJudgedQueries);
  for (const uint32_t row : SpreadSample(store.size(), kJudgedRows))
    if (!std::binary_search(rows.queries.begin(), rows.queries.end(), row) &&
        (metric != VFDW_METRIC_COSINE || store.squared_norms()[row] != 0))
      rows.others.push_back(row);
  return rows;
}

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
Result<double> MeasureAgreement(const CodeKeys& codes, const JudgedRows& judged,
                                const VectorStore& store, const BuildControl& control) {
  const RowKeys<kMetric> rows(store);
  const std::vector<uint32_t>& queries = judged.queries;
  const std::vector<uint32_t>& others = judged.others;
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

Result<double> MeasureAgreement(vfdw_metric metric, const CodeKeys& codes, const JudgedRows& judged,
                                const VectorStore& store, const BuildControl& control) {
  switch (metric) {
    case VFDW_METRIC_L2:
      return MeasureAgreement<VFDW_METRIC_L2>(codes, judged, store, control);
    case VFDW_METRIC_IP:
      return MeasureAgreement<VFDW_METRIC_IP>(codes, judged, store, control);
    case VFDW_METRIC_COSINE:
      return MeasureAgreement<VFDW_METRIC_COSINE>(codes, judged, store, control);
    case VFDW_METRIC_L1:
      return MeasureAgreement<VFDW_METRIC_L1>(codes, judged, store, control);
  }
  return 0.0;
}

// Measured on copies of few vectors, blurred more or less: at 0.9 graphs linked by codes find as
// much as those linked by float32, at 0.82 half a percent less, at 0.7 two percent, at 0.47 nine.
constexpr double kLeastAgreement = 0.85;

}  // namespace

bool CodeKeys::ArePossible(size_t rows, size_t dimensions) {
  return rows >= kFewestRows && dimensions >= kFewestDimensions;
}

size_t CodeKeys::BytesFor(size_t rows, int threads) {
  // Of each thread: two keys, a copy of one and a number of each row.
  const size_t judged = std::min(rows, kJudgedRows) * 4 * sizeof(float);
  return judged * static_cast<size_t>(threads) + PageBuffer::RoundedUp(rows * sizeof(float)) +
         PageBuffer::RoundedUp(rows * sizeof(int32_t));
}

CodeKeys::CodeKeys(std::shared_ptr<const Sq8Codes> codes) : codes_(std::move(codes)) {
  switch (codes_->metric()) {
    case VFDW_METRIC_L1:
      products_ = ActiveCodeDifferences();
      factor_ = -1;
      break;
    case VFDW_METRIC_IP:
      products_ = ActiveCodeProducts();
      factor_ = 1;
      break;
    case VFDW_METRIC_L2:
    case VFDW_METRIC_COSINE:
      products_ = ActiveCodeProducts();
      factor_ = 2;
      break;
  }
}

Status CodeKeys::Allocate() {
  VFDW_ASSIGN_OR_RETURN(terms_, PageBuffer::Create(codes_->rows() * sizeof(float)));
  VFDW_ASSIGN_OR_RETURN(sums_, PageBuffer::Create(codes_->rows() * sizeof(int32_t)));
  return {};
}

// (mean + a)(mean + b) is a product of codes, a term of each row, and a constant.
void CodeKeys::AddTerm(const VectorStore& store, size_t row) {
  if (codes_->metric() == VFDW_METRIC_L1) return;
  int32_t sum = 0;
  for (size_t i = 0; i < codes_->code_bytes(); i++) sum += codes_->code(row)[i] - kZeroCode;
  sums_.as<int32_t>()[row] = sum;
  float term = codes_->squares()[row];
  if (codes_->metric() == VFDW_METRIC_IP) {
    float along_mean = 0;
    for (size_t i = 0; i < store.dimensions(); i++)
      along_mean += (store.row(row)[i] - codes_->mean()[i]) * codes_->mean()[i];
    term = -along_mean * (codes_->scale() * codes_->scale());
    constexpr float kFarthest = 1e37f;  // of huge elements: no two terms overflow
    term = term > -kFarthest ? std::min(term, kFarthest) : -kFarthest;
  }
  terms_.as<float>()[row] = term;
}

Result<bool> CodeKeys::AreSuitable(std::shared_ptr<const Sq8Codes> codes, const VectorStore& store,
                                   const BuildControl& control) {
  CodeKeys keys(std::move(codes));
  VFDW_RETURN_IF_ERROR(keys.Allocate());
  const vfdw_metric metric = keys.codes_->metric();
  const JudgedRows judged = ChooseJudgedRows(metric, store);
  for (const uint32_t row : judged.queries) keys.AddTerm(store, row);
  const auto add = [&](size_t begin, size_t end, int) {
    for (size_t i = begin; i < end; i++) keys.AddTerm(store, judged.others[i]);
  };
  VFDW_RETURN_IF_ERROR(
      ParallelFor(control.threads, judged.others.size(), kRowsAtOnce, add, control.cancelled));
  VFDW_ASSIGN_OR_RETURN(const double agreement,
                        MeasureAgreement(metric, keys, judged, store, control));
  return agreement >= kLeastAgreement;
}

Result<CodeKeys> CodeKeys::Make(std::shared_ptr<const Sq8Codes> codes, const VectorStore& store,
                                const BuildControl& control) {
  CodeKeys keys(std::move(codes));
  VFDW_RETURN_IF_ERROR(keys.Allocate());
  const auto add = [&](size_t begin, size_t end, int) {
    for (size_t row = begin; row < end; row++) keys.AddTerm(store, row);
  };
  VFDW_RETURN_IF_ERROR(
      ParallelFor(control.threads, store.size(), kRowsAtOnce, add, control.cancelled));
  return keys;
}

}  // namespace vectord

// code_scan.cpp - see code_scan.h.
#include "daemon/index/code_scan.h"

#include <algorithm>
#include <limits>

#include "daemon/index/allowed_rows.h"
#include "daemon/index/bound_query.h"
#include "daemon/index/code_bounds.h"
#include "daemon/index/exact_scan.h"
#include "daemon/index/sq8_codes.h"

namespace vectord {
namespace {

// Whose keys are looked at together.
constexpr size_t kChunk = 1024;

class CodeScan {
 public:
  CodeScan(const VectorStore& store, const Sq8Codes& codes, const float* query,
           const SearchParams& params)
      : codes_(codes),
        k_(params.k),
        sparse_(params.allowed_rows != nullptr),
        keys_of_(codes, query),
        bounds_(codes, keys_of_, query),
        distances_of_(store, codes.metric(), query),
        best_(params.k, params.cancelled) {}

  // Pushes what of these rows may be among the best. REQUIRES: count <= kChunk.
  void Scan(uint32_t* rows, size_t count) {
    ComputeKeys(rows, count);
    size_t begin = 0;
    if (best_.Bound() == std::numeric_limits<double>::infinity()) {
      // Nothing can be ruled out before there are k; the nearest by their keys rule out most.
      begin = PutNearestFirst(rows, count);
      Compare(rows, begin);
      best_.RaiseBar();
    }
    const float largest = bounds_.LargestKey(best_.Bound());
    const bool for_all = bounds_.AreForCutOffRows();
    size_t left = 0;
    for (size_t i = begin; i < count; i++)
      if (keys_[i] <= largest || (!for_all && codes_.IsCutOff(rows[i]))) rows[left++] = rows[i];
    Compare(rows, left);
    best_.RaiseBar();
    scanned_ += count;
  }

  uint64_t compared() const { return compared_; }
  uint64_t scanned() const { return scanned_; }
  // Reading rows out of order takes longer than in order, and the codes were read in vain.
  bool IsInVain() const { return scanned_ >= 4 * kChunk && compared_ > scanned_ / 4; }

  const BoundQuery& distances_of() const { return distances_of_; }
  TopK* best() { return &best_; }

 private:
  void ComputeKeys(const uint32_t* rows, size_t count) {
    constexpr size_t kAtOnce = 64;
    for (size_t i = 0; i < count; i += kAtOnce) {
      const size_t end = std::min(count, i + 2 * kAtOnce);
      if (sparse_)
        for (size_t ahead = i + kAtOnce; ahead < end; ahead++) keys_of_.Prefetch(rows[ahead]);
      keys_of_.Keys(rows + i, std::min(kAtOnce, count - i), keys_ + i);
    }
  }

  // Returns how many of them are enough for a bar.
  size_t PutNearestFirst(uint32_t* rows, size_t count) {
    if (count <= k_) return count;
    for (size_t i = 0; i < count; i++) pairs_[i] = {keys_[i], rows[i]};
    std::nth_element(pairs_, pairs_ + (k_ - 1), pairs_ + count,
                     [](const Keyed& a, const Keyed& b) { return a.key < b.key; });
    for (size_t i = 0; i < count; i++) {
      keys_[i] = pairs_[i].key;
      rows[i] = pairs_[i].row;
    }
    return k_;
  }

  void Compare(const uint32_t* rows, size_t count) {
    double distances[BoundQuery::kMaxBatch];
    for (size_t i = 0; i < count; i += BoundQuery::kMaxBatch) {
      const size_t now = std::min(BoundQuery::kMaxBatch, count - i);
      distances_of_.Gather(rows + i, now, distances);
      for (size_t j = 0; j < now; j++) best_.Push(distances[j], rows[i + j]);
    }
    compared_ += count;
  }

  struct Keyed {
    float key;
    uint32_t row;
  };

  const Sq8Codes& codes_;
  const size_t k_;
  const bool sparse_;  // rows are not read one after the other
  const Sq8Codes::Query keys_of_;
  const CodeBounds bounds_;
  const BoundQuery distances_of_;
  TopK best_;
  float keys_[kChunk];
  Keyed pairs_[kChunk];
  uint64_t compared_ = 0, scanned_ = 0;
};

}  // namespace

bool CanScanByCodes(const VectorCodes* codes, const SearchParams& params, size_t rows_allowed) {
  // Of fewer most would be compared; a continuation begins behind the nearest.
  constexpr size_t kFewestRows = 512, kFewestOfK = 16;
  return codes != nullptr && codes->quantizer() == Quantizer::kSq8 && !params.after &&
         params.k > 0 && rows_allowed >= std::max(kFewestRows, kFewestOfK * params.k) &&
         CodeBounds::ArePossible(static_cast<const Sq8Codes&>(*codes).metric());
}

Status ScanByCodes(const VectorStore& store, const VectorCodes& codes, const float* query,
                   const SearchParams& params, std::vector<Candidate>* out, SearchStats* stats) {
  out->clear();
  stats->strategy = "exact";
  stats->effort = 0;
  CodeScan scan(store, static_cast<const Sq8Codes&>(codes), query, params);
  AllowedRows allowed(params.allowed_rows, /*begin=*/0, store.size());
  uint32_t rows[kChunk];
  while (!scan.IsInVain()) {
    if (params.cancelled != nullptr && params.cancelled->load(std::memory_order_relaxed)) break;
    const size_t count = allowed.Next(rows, kChunk);
    if (count == 0) break;
    scan.Scan(rows, count);
  }
  stats->distances_computed += scan.scanned() + scan.compared();
  // What is left: nothing, unless codes rule out too little or the flag was seen, as it is again.
  const bool ended = ScanRows(scan.distances_of(), allowed.position(), store.size(), params,
                              store.stride() * sizeof(float), scan.best(), stats);
  if (!ended || !scan.best()->Take(out)) {
    out->clear();
    return CanceledStatus();
  }
  return {};
}

}  // namespace vectord

// exact_scan.cpp - see exact_scan.h.
#include "daemon/index/exact_scan.h"

#include <algorithm>

#include "daemon/index/allowed_rows.h"
#include "daemon/kernel/row_bits.h"

namespace vectord {
namespace {

constexpr size_t kBatch = BoundQuery::kMaxBatch;

// Pushes what comes after the bound of a continuation.
void PushAfter(const Candidate& bound, const double* distances, const uint32_t* rows, size_t count,
               TopK* best) {
  for (size_t i = 0; i < count; i++)
    if (ComesBefore(bound, {distances[i], rows[i]})) best->Push(distances[i], rows[i]);
}

void ScanAll(const BoundQuery& query, size_t begin, size_t end, const SearchParams& params,
             TopK* best) {
  double distances[kBatch];
  for (size_t first = begin; first < end; first += kBatch) {
    const size_t count = std::min(kBatch, end - first);
    query.Batch(first, count, distances);
    if (!params.after) {
      for (size_t i = 0; i < count; i++) best->Push(distances[i], static_cast<uint32_t>(first + i));
      continue;
    }
    uint32_t rows[kBatch];
    for (size_t i = 0; i < count; i++) rows[i] = static_cast<uint32_t>(first + i);
    PushAfter(*params.after, distances, rows, count, best);
  }
}

// Returns how many distances it computed.
size_t ScanAllowed(const BoundQuery& query, size_t begin, size_t end, const SearchParams& params,
                   TopK* best) {
  AllowedRows allowed(params.allowed_rows, begin, end);
  uint32_t rows[kBatch];
  double distances[kBatch];
  size_t computed = 0;
  while (const size_t count = allowed.Next(rows, kBatch)) {
    query.Gather(rows, count, distances);
    computed += count;
    if (params.after) {
      PushAfter(*params.after, distances, rows, count, best);
    } else {
      for (size_t i = 0; i < count; i++) best->Push(distances[i], rows[i]);
    }
  }
  return computed;
}

}  // namespace

bool CountWithin(const VectorStore& store, vfdw_metric metric, const float* query,
                 const SearchParams& params, double max_distance, bool inclusive, uint64_t* count) {
  *count = 0;
  const BoundQuery bound(store, metric, query);
  uint32_t rows[kBatch];
  double distances[kBatch];
  for (size_t first = 0; first < store.size(); first += kBatch) {
    constexpr size_t kRowsBetweenLooks = 1024;
    if (first % kRowsBetweenLooks == 0 && params.cancelled != nullptr &&
        params.cancelled->load(std::memory_order_relaxed))
      return false;
    size_t found = 0;
    const size_t end = std::min(store.size(), first + kBatch);
    for (size_t row = first; row < end; row++)
      if (IsAllowed(params.allowed_rows, static_cast<uint32_t>(row)))
        rows[found++] = static_cast<uint32_t>(row);
    if (found == 0) continue;
    bound.Gather(rows, found, distances);
    for (size_t i = 0; i < found; i++) {
      const int order = vfdw_compare_distances(distances[i], max_distance);
      *count += inclusive ? order <= 0 : order < 0;
    }
  }
  return true;
}

size_t CountAllowed(const uint64_t* allowed_rows, size_t rows) {
  if (allowed_rows == nullptr) return rows;
  const auto count_bits = ActiveRowBits().count;
  size_t count = count_bits(allowed_rows, rows / 64);
  if (rows % 64 == 0) return count;
  const uint64_t last = allowed_rows[rows / 64] & ((uint64_t{1} << (rows % 64)) - 1);
  return count + count_bits(&last, 1);
}

Status CanceledStatus() { return Status(ErrorCode::CANCELED, "the search was canceled"); }

bool ScanRows(const BoundQuery& query, size_t begin, size_t end, const SearchParams& params,
              size_t row_bytes, TopK* best, SearchStats* stats) {
  // About 100 microseconds of memory traffic between two looks at the flag.
  constexpr size_t kBytesBetweenLooks = 1 << 20;
  const size_t step = std::max(kBatch, kBytesBetweenLooks / row_bytes / kBatch * kBatch);
  for (size_t first = begin; first < end; first += step) {
    if (params.cancelled != nullptr && params.cancelled->load(std::memory_order_relaxed))
      return false;
    const size_t last = std::min(end, first + step);
    if (params.allowed_rows == nullptr) {
      ScanAll(query, first, last, params, best);
      stats->distances_computed += last - first;
    } else {
      stats->distances_computed += ScanAllowed(query, first, last, params, best);
    }
  }
  return true;
}

Status ExactScan(const VectorStore& store, vfdw_metric metric, const float* query,
                 const SearchParams& params, std::vector<Candidate>* out, SearchStats* stats) {
  out->clear();
  stats->strategy = "exact";
  stats->effort = 0;
  const size_t rows = store.size();
  if (params.k == 0 || rows == 0) return {};
  TopK best(std::min(params.k, rows), params.cancelled);
  const BoundQuery bound(store, metric, query);
  const size_t row_bytes = store.stride() * sizeof(float);
  if (!ScanRows(bound, 0, rows, params, row_bytes, &best, stats) || !best.Take(out)) {
    out->clear();
    return CanceledStatus();
  }
  return {};
}

}  // namespace vectord

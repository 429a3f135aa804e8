// ground_truth.cpp - see ground_truth.h.
//
// Rows are taken in blocks that stay in the cache while every query looks at them: memory is read
// once for each thread, not once for each query.
#include "test/bench/ground_truth.h"

#include <algorithm>
#include <cstdio>

#include "daemon/kernel/distance.h"
#include "daemon/kernel/topk.h"
#include "test/bench/parallel.h"

namespace bench {

using vectord::Candidate;
using vectord::TopK;

GroundTruth GroundTruth::Compute(const RowMatrix& rows, const std::vector<float>& queries,
                                 int threads) {
  constexpr size_t kRowsInBlock = 256;
  const size_t query_count = queries.size() / rows.dimensions;
  GroundTruth truth;
  truth.nearest_.resize(query_count);
  InParallel(threads, query_count, [&](size_t first_query, size_t last_query, int) {
    std::vector<TopK> best(last_query - first_query, TopK(kNeighbours));
    float sums[kRowsInBlock];
    for (size_t row = 0; row < rows.rows; row += kRowsInBlock) {
      const size_t count = std::min(kRowsInBlock, rows.rows - row);
      for (size_t q = first_query; q < last_query; q++) {
        vectord::ActiveKernels().l2.batch(queries.data() + q * rows.dimensions,
                                          rows.data + row * rows.stride, rows.stride, count,
                                          rows.dimensions, sums);
        TopK& top = best[q - first_query];
        const double bound = top.Bound();
        for (size_t i = 0; i < count; i++)
          if (sums[i] <= bound) top.Push(sums[i], static_cast<uint32_t>(row + i));
      }
    }
    for (size_t q = first_query; q < last_query; q++) {
      std::vector<Candidate> nearest;
      if (!best[q - first_query].Take(&nearest)) continue;  // only a cancelled one refuses
      for (const Candidate& candidate : nearest) truth.nearest_[q].push_back(candidate.row);
    }
  });
  return truth;
}

size_t GroundTruth::CountHits(size_t query, const uint32_t* found, size_t count) const {
  const std::vector<uint32_t>& nearest = nearest_[query];
  return static_cast<size_t>(std::count_if(found, found + count, [&](uint32_t row) {
    return std::find(nearest.begin(), nearest.end(), row) != nearest.end();
  }));
}

bool GroundTruth::Write(const std::string& path) const {
  FILE* const file = fopen(path.c_str(), "w");
  if (file == nullptr) return false;
  for (size_t q = 0; q < nearest_.size(); q++) {
    fprintf(file, "%zu\t{", q);
    for (size_t i = 0; i < nearest_[q].size(); i++)
      fprintf(file, "%s%u", i == 0 ? "" : ",", nearest_[q][i]);
    fputs("}\n", file);
  }
  const bool written = ferror(file) == 0;
  return fclose(file) == 0 && written;
}

}  // namespace bench

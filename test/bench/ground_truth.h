// ground_truth.h - the true nearest rows of every query by l2, from looking at all rows.
//
// On disk it is what COPY takes in text format, "query<TAB>{row,row,...}", so that SQL and the
// engine's driver judge by the same file.
#ifndef VECTOR_FDW_TEST_BENCH_GROUND_TRUTH_H
#define VECTOR_FDW_TEST_BENCH_GROUND_TRUTH_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace bench {

constexpr size_t kNeighbours = 10;

struct RowMatrix {
  const float* data;
  size_t rows, stride, dimensions;
};

class GroundTruth {
 public:
  static GroundTruth Compute(const RowMatrix& rows, const std::vector<float>& queries, int threads);

  // Of the rows found for a query, how many are among its nearest.
  size_t CountHits(size_t query, const uint32_t* found, size_t count) const;
  // False: the file could not be written.
  bool Write(const std::string& path) const;

  size_t queries() const { return nearest_.size(); }

 private:
  std::vector<std::vector<uint32_t>> nearest_;  // of each query
};

}  // namespace bench

#endif

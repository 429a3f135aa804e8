// dataset.h - the benchmark's vectors: embeddings as models make them, but any number of them.
//
// Points of few latent dimensions, in clusters, are mapped linearly to many dimensions, blurred a
// little, and brought to length one. A vector is a function of its number alone, so tables, engines
// and ground truth, in whatever process, on any machine, speak of the same rows.
//
// Threads: Fill() from any number at once.
#ifndef VECTOR_FDW_TEST_BENCH_DATASET_H
#define VECTOR_FDW_TEST_BENCH_DATASET_H

#include <cstddef>
#include <cstdint>
#include <vector>

namespace bench {

// Queries are drawn from the same clusters as rows, and none of them is a row.
enum class Series : uint64_t { kRows = 1, kQueries = 2 };

class Dataset {
 public:
  explicit Dataset(size_t dimensions);

  // out receives vectors first .. first + count of the series, one after the other.
  void Fill(Series series, uint64_t first, size_t count, float* out, int threads) const;
  std::vector<float> Make(Series series, uint64_t first, size_t count, int threads) const;

  size_t dimensions() const { return dimensions_; }

 private:
  void FillOne(Series series, uint64_t number, float* out) const;

  const size_t dimensions_;
  std::vector<float> axes_;     // of each latent dimension, where it points to
  std::vector<float> centers_;  // of each cluster, in latent dimensions
};

}  // namespace bench

#endif

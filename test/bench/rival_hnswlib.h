// rival_hnswlib.h - hnswlib in this process: what the engine is measured against.
//
// Apart from the rest because it is compiled for this machine's CPU, as hnswlib wants it, and
// hence must share no inline function with what is not.
#ifndef VECTOR_FDW_TEST_BENCH_RIVAL_HNSWLIB_H
#define VECTOR_FDW_TEST_BENCH_RIVAL_HNSWLIB_H

#include <cstddef>
#include <cstdint>
#include <memory>

namespace bench {

class RivalGraph {
 public:
  virtual ~RivalGraph() = default;
  // Row i is rows[i * dimensions ..].
  virtual void Build(const float* rows, size_t count, int threads) = 0;
  // One row more. REQUIRES: it is within the number of rows that the graph was made for.
  virtual void Add(const float* row, uint32_t number) = 0;
  // Of the searches to come. REQUIRES: none is running.
  virtual void SetEffort(size_t ef) = 0;
  // Fills found[0 .. k) with the rows found, in any order; returns how many. Any number of threads
  // may search at once.
  virtual size_t Search(const float* query, size_t k, uint32_t* found) = 0;
  // Of vectors and links of the rows that it was made for.
  virtual size_t memory_bytes() const = 0;
};

// By inner product if asked, else by l2. With room for so many rows.
std::unique_ptr<RivalGraph> MakeHnswlib(bool inner_product, size_t dimensions, size_t rows,
                                        size_t m, size_t ef_construction);

}  // namespace bench

#endif

// parallel.h - loops of the benchmark over threads.
#ifndef VECTOR_FDW_TEST_BENCH_PARALLEL_H
#define VECTOR_FDW_TEST_BENCH_PARALLEL_H

#include <algorithm>
#include <stdexcept>

#include "daemon/base/thread_pool.h"

namespace bench {

// vectord::ParallelFor() for what nobody cancels, each thread getting one range of about the same
// length. Throws where that gives an error: a benchmark without memory has no figures.
inline void InParallel(int threads, size_t n, const vectord::RangeFunction& fn) {
  const size_t parts = static_cast<size_t>(std::max(1, threads));
  const size_t grain = std::max<size_t>(1, (n + parts - 1) / parts);
  const vectord::Status done = vectord::ParallelFor(static_cast<int>(parts), n, grain, fn);
  if (!done.ok()) throw std::runtime_error(done.ToString());
}

}  // namespace bench

#endif

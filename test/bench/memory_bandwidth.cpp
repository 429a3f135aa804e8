// memory_bandwidth.cpp - see memory_bandwidth.h. Compile with -march=native -O3.
//
// Apart from the rest because it is compiled for this machine's CPU: it includes next to nothing.
#include "test/bench/memory_bandwidth.h"

#include <stdint.h>
#include <time.h>

namespace bench {
namespace {

double Now() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

}  // namespace

double ReadBytesPerSecond(const void* words, size_t bytes) {
  // Eight lines at a time, each in a sum of its own, and the lines of the next page asked for:
  // nothing but memory is waited for.
  typedef uint64_t Line __attribute__((vector_size(64)));
  constexpr size_t kLinesAhead = 32;
  const Line* const lines = static_cast<const Line*>(__builtin_assume_aligned(words, 64));
  const size_t count = bytes / sizeof(Line) / 8 * 8;
  Line sums[8] = {};
  const double start = Now();
  for (size_t i = 0; i < count; i += 8)
    for (size_t j = 0; j < 8; j++) {
      __builtin_prefetch(lines + i + j + kLinesAhead);
      sums[j] ^= lines[i + j];
    }
  const double seconds = Now() - start;
  uint64_t all = 0;
  for (const Line& sum : sums)
    for (size_t j = 0; j < 8; j++) all ^= sum[j];
  static volatile uint64_t sink;  // or the compiler would leave the reading out
  sink = all;
  (void)sink;
  return static_cast<double>(count * sizeof(Line)) / seconds;
}

}  // namespace bench

// memory_bandwidth.h - how fast one thread can read memory, at best: the measure of exact scans.
#ifndef VECTOR_FDW_TEST_BENCH_MEMORY_BANDWIDTH_H
#define VECTOR_FDW_TEST_BENCH_MEMORY_BANDWIDTH_H

#include <cstddef>

namespace bench {

// Reads all of it once, by this thread; gives bytes per second.
// REQUIRES: words is aligned to 64 bytes.
double ReadBytesPerSecond(const void* words, size_t bytes);

}  // namespace bench

#endif

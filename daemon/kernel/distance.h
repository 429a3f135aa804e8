// distance.h - the sums of shared/metric.h over many rows, as fast as the CPU allows.
//
// Every function returns the bits that vfdw_sum_l2, vfdw_sum_ip or vfdw_sum_l1 would, for any
// length, any alignment and every instruction set. (A sum that is NaN is NaN, but its payload
// may differ.) There is therefore no fast and inexact variant of float32 that a search must
// re-rank: by whatever codes rows are found, these sums are what the user is shown.
//
// Files: distance_loops.h holds the loops, distance_<isa>.cpp one instruction set each, compiled
// with that set's flags; distance.cpp chooses.
//
// Threads: the tables are constants.
#ifndef VECTOR_FDW_DAEMON_KERNEL_DISTANCE_H
#define VECTOR_FDW_DAEMON_KERNEL_DISTANCE_H

#include <cstddef>
#include <cstdint>

#include "daemon/kernel/cpu.h"
#include "shared/metric.h"

namespace vectord {

// One of the three sums, in the shapes that searches need.
struct SumKernels {
  // The sum over two vectors.
  float (*one)(const float* a, const float* b, size_t dimensions);
  // out[i] = sum(query, rows + i * stride) for i < count. Rows are read in order.
  void (*batch)(const float* query, const float* rows, size_t stride, size_t count,
                size_t dimensions, float* out);
  // out[i] = sum(query, rows + ids[i] * stride) for i < count. Prefetches the rows ahead.
  void (*gather)(const float* query, const float* rows, size_t stride, const uint32_t* ids,
                 size_t count, size_t dimensions, float* out);
};

// out[i] = sum(query, the halves at rows + ids[i] * stride) for i < count, as if each half had been
// made a float32 first. REQUIRES: dimensions is a multiple of VFDW_LANES.
using HalfGather = void (*)(const float* query, const uint16_t* rows, size_t stride,
                            const uint32_t* ids, size_t count, size_t dimensions, float* out);

struct DistanceKernels {
  Isa isa;
  SumKernels l2, ip, l1;
  HalfGather half_l2, half_ip, half_l1;

  // The sum that a metric is made of; cosine is made of ip.
  const SumKernels& ForMetric(vfdw_metric metric) const {
    if (metric == VFDW_METRIC_L2) return l2;
    return metric == VFDW_METRIC_L1 ? l1 : ip;
  }
  HalfGather HalvesForMetric(vfdw_metric metric) const {
    if (metric == VFDW_METRIC_L2) return half_l2;
    return metric == VFDW_METRIC_L1 ? half_l1 : half_ip;
  }
};

// The kernels of ActiveIsa().
const DistanceKernels& ActiveKernels();
// The kernels of one level, or nullptr when this program was built for another CPU family.
const DistanceKernels* KernelsOf(Isa isa);

// Asks for the first cache lines of [data, data + bytes). A hint: any address is allowed.
// kLocality: as __builtin_prefetch has it.
template <int kLocality = 3>
inline void PrefetchLines(const void* data, size_t bytes) {
  constexpr size_t kCacheLine = 64;
  const char* const begin = static_cast<const char*>(data);
  for (size_t offset = 0; offset < bytes; offset += kCacheLine)
    __builtin_prefetch(begin + offset, /*rw=*/0, kLocality);
}

// The same for much that is wanted in a while: into the second level of the cache, for which
// processors keep more lines on their way than for the first. Measured, walks are 6 to 13 % faster.
inline void PrefetchManyLines(const void* data, size_t bytes) {
  PrefetchLines</*kLocality=*/2>(data, bytes);
}

// Defined by the files of one instruction set each; nullptr on other CPU families.
namespace kernel_tables {
const DistanceKernels* Scalar();
const DistanceKernels* Avx2();
const DistanceKernels* Avx512();
}  // namespace kernel_tables

}  // namespace vectord

#endif

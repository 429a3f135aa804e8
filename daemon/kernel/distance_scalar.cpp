// distance_scalar.cpp - the kernels for any CPU: metric.h's own functions in a loop.
//
// The compiler vectorises the lanes with what the baseline has (SSE2, NEON). Compile with
// -ffp-contract=off: on arm64 the baseline has FMA, and a fused sum would be another number.
#include <cmath>

#include "daemon/kernel/distance.h"
#include "daemon/kernel/half.h"

namespace vectord {
namespace {

using Sum = float (*)(const float*, const float*, size_t);

// Wrappers, because an always-inline function has no address that is worth calling.
float SumL2(const float* a, const float* b, size_t n) { return vfdw_sum_l2(a, b, n); }
float SumIp(const float* a, const float* b, size_t n) { return vfdw_sum_ip(a, b, n); }
float SumL1(const float* a, const float* b, size_t n) { return vfdw_sum_l1(a, b, n); }

template <Sum kSum>
void SumBatch(const float* query, const float* rows, size_t stride, size_t count, size_t dimensions,
              float* out) {
  for (size_t i = 0; i < count; i++) out[i] = kSum(query, rows + i * stride, dimensions);
}

template <Sum kSum>
void SumGather(const float* query, const float* rows, size_t stride, const uint32_t* ids,
               size_t count, size_t dimensions, float* out) {
  for (size_t i = 0; i < count; i++) {
    if (i + 1 < count)
      PrefetchLines(rows + static_cast<size_t>(ids[i + 1]) * stride, dimensions * sizeof(float));
    out[i] = kSum(query, rows + static_cast<size_t>(ids[i]) * stride, dimensions);
  }
}

template <Sum kSum>
constexpr SumKernels KernelsFor() {
  return {kSum, &SumBatch<kSum>, &SumGather<kSum>};
}

using Term = float (*)(float, float);

float TermL2(float x, float y) { return (x - y) * (x - y); }
float TermIp(float x, float y) { return x * y; }
float TermL1(float x, float y) { return std::fabs(x - y); }

template <Term kTerm>
void SumHalfGather(const float* query, const uint16_t* rows, size_t stride, const uint32_t* ids,
                   size_t count, size_t dimensions, float* out) {
  for (size_t i = 0; i < count; i++) {
    const uint16_t* const row = rows + static_cast<size_t>(ids[i]) * stride;
    float lane[VFDW_LANES] = {};
    for (size_t j = 0; j < dimensions; j++)
      lane[j % VFDW_LANES] += kTerm(query[j], HalfToFloat(row[j]));
    out[i] = vfdw_fold_lanes(lane);
  }
}

constexpr DistanceKernels kTable = {
    Isa::kScalar,
    KernelsFor<&SumL2>(),
    KernelsFor<&SumIp>(),
    KernelsFor<&SumL1>(),
    &SumHalfGather<&TermL2>,
    &SumHalfGather<&TermIp>,
    &SumHalfGather<&TermL1>,
};

}  // namespace

const DistanceKernels* kernel_tables::Scalar() { return &kTable; }

}  // namespace vectord

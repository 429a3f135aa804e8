// distance_loops.h - the loops of the distance kernels, for one instruction set at a time.
//
// Included only by distance_avx2.cpp and distance_avx512.cpp. Everything is in an unnamed
// namespace and no header with code of its own is included, because a function that two files
// share would be compiled with the wrong instruction set in one of them.
//
// A class Lanes holds the 32 lanes of shared/metric.h in registers:
//   Lanes::Zero(), Load(p), LoadPartial(p, n) (n < 32, the rest is zero), LoadHalves(p) (32 of 16
//   bits, as float32), Sum() (folds in halves)
// and the operations on two of them in Add, Subtract, Multiply, Absolute. Partial loads only add
// zeros to lanes, which changes none (metric.h says why).
#ifndef VECTOR_FDW_DAEMON_KERNEL_DISTANCE_LOOPS_H
#define VECTOR_FDW_DAEMON_KERNEL_DISTANCE_LOOPS_H

#include "daemon/kernel/distance.h"

namespace vectord {
namespace {

#define VECTORD_INLINE inline __attribute__((always_inline))

struct TermL2 {
  template <class Lanes>
  static VECTORD_INLINE Lanes Of(const Lanes& x, const Lanes& y) {
    const Lanes difference = Subtract(x, y);
    return Multiply(difference, difference);
  }
};
struct TermIp {
  template <class Lanes>
  static VECTORD_INLINE Lanes Of(const Lanes& x, const Lanes& y) {
    return Multiply(x, y);
  }
};
struct TermL1 {
  template <class Lanes>
  static VECTORD_INLINE Lanes Of(const Lanes& x, const Lanes& y) {
    return Absolute(Subtract(x, y));
  }
};

// kRows rows at once: their additions do not wait for each other, and the query is loaded once.
template <class Lanes, class Term, int kRows>
VECTORD_INLINE void SumRows(const float* query, const float* const* rows, size_t dimensions,
                            float* out) {
  Lanes sum[kRows];
  for (int r = 0; r < kRows; r++) sum[r] = Lanes::Zero();
  size_t i = 0;
  for (; i + VFDW_LANES <= dimensions; i += VFDW_LANES) {
    const Lanes x = Lanes::Load(query + i);
    for (int r = 0; r < kRows; r++) sum[r] = Add(sum[r], Term::Of(x, Lanes::Load(rows[r] + i)));
  }
  if (const size_t left = dimensions - i; left > 0) {
    const Lanes x = Lanes::LoadPartial(query + i, left);
    for (int r = 0; r < kRows; r++)
      sum[r] = Add(sum[r], Term::Of(x, Lanes::LoadPartial(rows[r] + i, left)));
  }
  for (int r = 0; r < kRows; r++) out[r] = sum[r].Sum();
}

template <class Lanes, class Term>
float SumOne(const float* a, const float* b, size_t dimensions) {
  float out;
  SumRows<Lanes, Term, 1>(a, &b, dimensions, &out);
  return out;
}

template <class Lanes, class Term>
void SumBatch(const float* query, const float* rows, size_t stride, size_t count, size_t dimensions,
              float* out) {
  constexpr int kRows = Lanes::kRowsAtOnce;
  // The CPU's own prefetching stops at the end of each page of 4 kB.
  constexpr size_t kAheadBytes = 4096;
  const char* const ahead = reinterpret_cast<const char*>(rows) + kAheadBytes;
  size_t i = 0;
  for (; i + kRows <= count; i += kRows) {
    const float* row[kRows];
    for (int r = 0; r < kRows; r++) row[r] = rows + (i + r) * stride;
    PrefetchLines(ahead + i * stride * sizeof(float), kRows * stride * sizeof(float));
    SumRows<Lanes, Term, kRows>(query, row, dimensions, out + i);
  }
  for (; i < count; i++) out[i] = SumOne<Lanes, Term>(query, rows + i * stride, dimensions);
}

template <class Lanes, class Term>
void SumGather(const float* query, const float* rows, size_t stride, const uint32_t* ids,
               size_t count, size_t dimensions, float* out) {
  constexpr int kRows = Lanes::kRowsAtOnce;
  const size_t row_bytes = dimensions * sizeof(float);
  size_t i = 0;
  for (; i + kRows <= count; i += kRows) {
    const float* row[kRows];
    for (int r = 0; r < kRows; r++) row[r] = rows + static_cast<size_t>(ids[i + r]) * stride;
    for (size_t next = i + kRows; next < i + 2 * kRows && next < count; next++)
      PrefetchLines(rows + static_cast<size_t>(ids[next]) * stride, row_bytes);
    SumRows<Lanes, Term, kRows>(query, row, dimensions, out + i);
  }
  for (; i < count; i++)
    out[i] = SumOne<Lanes, Term>(query, rows + static_cast<size_t>(ids[i]) * stride, dimensions);
}

template <class Lanes, class Term, int kRows>
VECTORD_INLINE void SumHalfRows(const float* query, const uint16_t* const* rows, size_t dimensions,
                                float* out) {
  Lanes sum[kRows];
  for (int r = 0; r < kRows; r++) sum[r] = Lanes::Zero();
  for (size_t i = 0; i < dimensions; i += VFDW_LANES) {
    const Lanes x = Lanes::Load(query + i);
    for (int r = 0; r < kRows; r++)
      sum[r] = Add(sum[r], Term::Of(x, Lanes::LoadHalves(rows[r] + i)));
  }
  for (int r = 0; r < kRows; r++) out[r] = sum[r].Sum();
}

template <class Lanes, class Term>
void SumHalfGather(const float* query, const uint16_t* rows, size_t stride, const uint32_t* ids,
                   size_t count, size_t dimensions, float* out) {
  constexpr int kRows = Lanes::kRowsAtOnce;
  size_t i = 0;
  for (; i + kRows <= count; i += kRows) {
    const uint16_t* row[kRows];
    for (int r = 0; r < kRows; r++) row[r] = rows + static_cast<size_t>(ids[i + r]) * stride;
    SumHalfRows<Lanes, Term, kRows>(query, row, dimensions, out + i);
  }
  for (; i < count; i++) {
    const uint16_t* const row = rows + static_cast<size_t>(ids[i]) * stride;
    SumHalfRows<Lanes, Term, 1>(query, &row, dimensions, out + i);
  }
}

template <class Lanes, class Term>
constexpr SumKernels KernelsFor() {
  return {&SumOne<Lanes, Term>, &SumBatch<Lanes, Term>, &SumGather<Lanes, Term>};
}

template <class Lanes>
constexpr DistanceKernels TableFor(Isa isa) {
  return {isa,
          KernelsFor<Lanes, TermL2>(),
          KernelsFor<Lanes, TermIp>(),
          KernelsFor<Lanes, TermL1>(),
          &SumHalfGather<Lanes, TermL2>,
          &SumHalfGather<Lanes, TermIp>,
          &SumHalfGather<Lanes, TermL1>};
}

}  // namespace
}  // namespace vectord

#endif

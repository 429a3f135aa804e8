// distance_avx512.cpp - the kernels with AVX-512: the 32 lanes are two registers.
//
// Compile with -mavx512f -mavx512bw -mavx512vl -mavx512dq and -ffp-contract=off.
#include "daemon/kernel/distance.h"

#if defined(__x86_64__)
#ifndef __AVX512F__
#error "compile this file with -mavx512f -mavx512bw -mavx512vl -mavx512dq"
#endif
#include "daemon/kernel/avx512_intrinsics.h"
#include "daemon/kernel/distance_loops.h"

namespace vectord {
namespace {

struct Lanes512 {
  // Eight accumulators hide the latency of an addition at two additions a cycle.
  static constexpr int kRowsAtOnce = 4;
  __m512 low, high;

  static VECTORD_INLINE Lanes512 Zero() { return {_mm512_setzero_ps(), _mm512_setzero_ps()}; }
  static VECTORD_INLINE Lanes512 Load(const float* p) {
    return {_mm512_loadu_ps(p), _mm512_loadu_ps(p + 16)};
  }
  static VECTORD_INLINE Lanes512 LoadHalves(const uint16_t* p) {
    const auto* const halves = reinterpret_cast<const __m256i*>(p);
    return {_mm512_cvtph_ps(_mm256_loadu_si256(halves)),
            _mm512_cvtph_ps(_mm256_loadu_si256(halves + 1))};
  }
  static VECTORD_INLINE Lanes512 LoadPartial(const float* p, size_t n) {
    const uint32_t mask = (uint32_t{1} << n) - 1;
    const __mmask16 low_mask = static_cast<__mmask16>(mask);
    const __mmask16 high_mask = static_cast<__mmask16>(mask >> 16);
    return {_mm512_maskz_loadu_ps(low_mask, p), _mm512_maskz_loadu_ps(high_mask, p + 16)};
  }
  VECTORD_INLINE float Sum() const {
    const __m512 by16 = _mm512_add_ps(low, high);
    const __m256 by8 = _mm256_add_ps(_mm512_castps512_ps256(by16), _mm512_extractf32x8_ps(by16, 1));
    const __m128 by4 = _mm_add_ps(_mm256_castps256_ps128(by8), _mm256_extractf128_ps(by8, 1));
    const __m128 by2 = _mm_add_ps(by4, _mm_movehl_ps(by4, by4));
    return _mm_cvtss_f32(_mm_add_ss(by2, _mm_shuffle_ps(by2, by2, 1)));
  }
};

VECTORD_INLINE Lanes512 Add(const Lanes512& a, const Lanes512& b) {
  return {_mm512_add_ps(a.low, b.low), _mm512_add_ps(a.high, b.high)};
}
VECTORD_INLINE Lanes512 Subtract(const Lanes512& a, const Lanes512& b) {
  return {_mm512_sub_ps(a.low, b.low), _mm512_sub_ps(a.high, b.high)};
}
VECTORD_INLINE Lanes512 Multiply(const Lanes512& a, const Lanes512& b) {
  return {_mm512_mul_ps(a.low, b.low), _mm512_mul_ps(a.high, b.high)};
}
VECTORD_INLINE Lanes512 Absolute(const Lanes512& a) {
  return {_mm512_abs_ps(a.low), _mm512_abs_ps(a.high)};
}

constexpr DistanceKernels kTable = TableFor<Lanes512>(Isa::kAvx512);

}  // namespace

const DistanceKernels* kernel_tables::Avx512() { return &kTable; }

}  // namespace vectord

#else

const vectord::DistanceKernels* vectord::kernel_tables::Avx512() { return nullptr; }

#endif

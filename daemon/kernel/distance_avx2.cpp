// distance_avx2.cpp - the kernels with AVX2: the 32 lanes are four registers.
//
// Compile with -mavx2 -mf16c and -ffp-contract=off. FMA is not asked for: the sums are defined
// without.
#include "daemon/kernel/distance.h"

#if defined(__x86_64__)
#if !defined(__AVX2__) || !defined(__F16C__)
#error "compile this file with -mavx2 -mf16c"
#endif
#include <immintrin.h>

#include "daemon/kernel/distance_loops.h"

namespace vectord {
namespace {

// Eight ones, eight zeros: the mask of the first n of 8 lanes starts at entry 8 - n.
alignas(64) constexpr int32_t kMask[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};

struct Lanes256 {
  // Two rows fill 8 of the 16 registers; four rows would spill.
  static constexpr int kRowsAtOnce = 2;
  __m256 part[4];

  static VECTORD_INLINE Lanes256 Zero() {
    const __m256 zero = _mm256_setzero_ps();
    return {{zero, zero, zero, zero}};
  }
  static VECTORD_INLINE Lanes256 Load(const float* p) {
    return {{_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8), _mm256_loadu_ps(p + 16),
             _mm256_loadu_ps(p + 24)}};
  }
  static VECTORD_INLINE Lanes256 LoadHalves(const uint16_t* p) {
    Lanes256 lanes;
    for (size_t i = 0; i < 4; i++)
      lanes.part[i] = _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + i * 8)));
    return lanes;
  }
  static VECTORD_INLINE Lanes256 LoadPartial(const float* p, size_t n) {
    Lanes256 lanes;
    for (size_t i = 0; i < 4; i++) {
      const size_t begin = i * 8, held = n <= begin ? 0 : (n - begin < 8 ? n - begin : 8);
      const __m256i mask = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kMask + 8 - held));
      lanes.part[i] = _mm256_maskload_ps(p + begin, mask);
    }
    return lanes;
  }
  VECTORD_INLINE float Sum() const {
    const __m256 by16[2] = {_mm256_add_ps(part[0], part[2]), _mm256_add_ps(part[1], part[3])};
    const __m256 by8 = _mm256_add_ps(by16[0], by16[1]);
    const __m128 by4 = _mm_add_ps(_mm256_castps256_ps128(by8), _mm256_extractf128_ps(by8, 1));
    const __m128 by2 = _mm_add_ps(by4, _mm_movehl_ps(by4, by4));
    return _mm_cvtss_f32(_mm_add_ss(by2, _mm_shuffle_ps(by2, by2, 1)));
  }
};

VECTORD_INLINE Lanes256 Add(const Lanes256& a, const Lanes256& b) {
  Lanes256 out;
  for (int i = 0; i < 4; i++) out.part[i] = _mm256_add_ps(a.part[i], b.part[i]);
  return out;
}
VECTORD_INLINE Lanes256 Subtract(const Lanes256& a, const Lanes256& b) {
  Lanes256 out;
  for (int i = 0; i < 4; i++) out.part[i] = _mm256_sub_ps(a.part[i], b.part[i]);
  return out;
}
VECTORD_INLINE Lanes256 Multiply(const Lanes256& a, const Lanes256& b) {
  Lanes256 out;
  for (int i = 0; i < 4; i++) out.part[i] = _mm256_mul_ps(a.part[i], b.part[i]);
  return out;
}
VECTORD_INLINE Lanes256 Absolute(const Lanes256& a) {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  Lanes256 out;
  for (int i = 0; i < 4; i++) out.part[i] = _mm256_andnot_ps(sign, a.part[i]);
  return out;
}

constexpr DistanceKernels kTable = TableFor<Lanes256>(Isa::kAvx2);

}  // namespace

const DistanceKernels* kernel_tables::Avx2() { return &kTable; }

}  // namespace vectord

#else

const vectord::DistanceKernels* vectord::kernel_tables::Avx2() { return nullptr; }

#endif

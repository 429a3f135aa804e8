// row_bits_avx512.cpp - bits of rows with AVX-512, whose comparisons give bits.
//
// Compile with -mavx512f -mavx512bw -mavx512vl -mavx512dq -mpopcnt.
#include "daemon/kernel/row_bits.h"

#if defined(__x86_64__)
#ifndef __AVX512BW__
#error "compile this file with -mavx512f -mavx512bw -mavx512vl -mavx512dq -mpopcnt"
#endif
#include <limits>

#include "daemon/kernel/avx512_intrinsics.h"
#include "daemon/kernel/row_bits_loops.h"

namespace vectord {
namespace {

// Types for row_bits_loops.h. Less low, as unsigned numbers, those of the range are at most span.

__m512i Load(const char* at) { return _mm512_loadu_si512(at); }

struct Of8 {
  static constexpr size_t kAtOnce = 64, kBytes = 1;
  static __m512i All(uint64_t x) { return _mm512_set1_epi8(static_cast<char>(x)); }
  static uint64_t Within(const char* at, __m512i low, __m512i span) {
    return _mm512_cmple_epu8_mask(_mm512_sub_epi8(Load(at), low), span);
  }
};

struct Of16 {
  static constexpr size_t kAtOnce = 32, kBytes = 2;
  static __m512i All(uint64_t x) { return _mm512_set1_epi16(static_cast<int16_t>(x)); }
  static uint64_t Within(const char* at, __m512i low, __m512i span) {
    return _mm512_cmple_epu16_mask(_mm512_sub_epi16(Load(at), low), span);
  }
};

struct Of32 {
  static constexpr size_t kAtOnce = 16, kBytes = 4;
  static __m512i All(uint64_t x) { return _mm512_set1_epi32(static_cast<int32_t>(x)); }
  static uint64_t Test(__m512i x, __m512i low, __m512i span) {
    return _mm512_cmple_epu32_mask(_mm512_sub_epi32(x, low), span);
  }
  static uint64_t Within(const char* at, __m512i low, __m512i span) {
    return Test(Load(at), low, span);
  }
};

struct Of64 {
  static constexpr size_t kAtOnce = 8, kBytes = 8;
  static __m512i All(uint64_t x) { return _mm512_set1_epi64(static_cast<int64_t>(x)); }
  static uint64_t Test(__m512i x, __m512i low, __m512i span) {
    return _mm512_cmple_epu64_mask(_mm512_sub_epi64(x, low), span);
  }
  static uint64_t Within(const char* at, __m512i low, __m512i span) {
    return Test(Load(at), low, span);
  }
};

// As OrderedKey().
struct OfFloat32 : Of32 {
  static uint64_t Within(const char* at, __m512i low, __m512i span) {
    const __m512 number = _mm512_add_ps(_mm512_loadu_ps(at), _mm512_setzero_ps());
    const __m512i bits = _mm512_castps_si512(number);
    const __m512i greatest = _mm512_set1_epi32(std::numeric_limits<int32_t>::max());
    const __m512i turned = _mm512_mask_xor_epi32(bits, _mm512_movepi32_mask(bits), bits, greatest);
    const __mmask16 nan = _mm512_cmp_ps_mask(number, number, _CMP_UNORD_Q);
    return Of32::Test(_mm512_mask_mov_epi32(turned, nan, greatest), low, span);
  }
};

struct OfFloat64 : Of64 {
  static uint64_t Within(const char* at, __m512i low, __m512i span) {
    const __m512d number = _mm512_add_pd(_mm512_loadu_pd(at), _mm512_setzero_pd());
    const __m512i bits = _mm512_castpd_si512(number);
    const __m512i greatest = _mm512_set1_epi64(std::numeric_limits<int64_t>::max());
    const __m512i turned = _mm512_mask_xor_epi64(bits, _mm512_movepi64_mask(bits), bits, greatest);
    const __mmask8 nan = _mm512_cmp_pd_mask(number, number, _CMP_UNORD_Q);
    return Of64::Test(_mm512_mask_mov_epi64(turned, nan, greatest), low, span);
  }
};

size_t Select(const uint64_t* set, const uint32_t* rows, size_t count, uint32_t* out) {
  constexpr size_t kAtOnce = 16;
  const __m512i none = _mm512_set1_epi32(-1), one = _mm512_set1_epi32(1);
  size_t selected = 0;
  for (size_t i = 0; i < count; i += kAtOnce) {
    const auto asked =
        static_cast<__mmask16>(count - i >= kAtOnce ? 0xffff : (uint32_t{1} << (count - i)) - 1);
    const __m512i some = _mm512_maskz_loadu_epi32(asked, rows + i);
    const __mmask16 ends = _mm512_mask_cmpeq_epi32_mask(asked, some, none);
    // Before the first that is none: x ^ (x - 1) has all bits up to the lowest of x.
    const auto valid = static_cast<__mmask16>(ends == 0 ? asked : (ends ^ (ends - 1)) >> 1);
    const __m512i words = _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), valid,
                                                      _mm512_srli_epi32(some, 5), set, 4);
    const __m512i bits = _mm512_sllv_epi32(one, _mm512_and_epi32(some, _mm512_set1_epi32(31)));
    const __mmask16 in_set = _mm512_mask_test_epi32_mask(valid, words, bits);
    // Not stored by the mask: that instruction takes a hundred cycles on some CPUs.
    _mm512_storeu_si512(out + selected, _mm512_maskz_compress_epi32(in_set, some));
    selected += static_cast<size_t>(__builtin_popcount(in_set));
    if (ends != 0) break;
  }
  return selected;
}

constexpr RowBitsKernels kKernels = {Range<Of8>,       Range<Of16>,      Range<Of32>, Range<Of64>,
                                     Range<OfFloat32>, Range<OfFloat64>, Count,       Select};

}  // namespace

const RowBitsKernels* row_bits::Avx512() { return &kKernels; }

}  // namespace vectord

#else

namespace vectord {
const RowBitsKernels* row_bits::Avx512() { return nullptr; }
}  // namespace vectord

#endif

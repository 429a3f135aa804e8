// row_bits_avx2.cpp - bits of rows with AVX2, whose comparisons give bytes or more, to be gathered.
//
// Compile with -mavx2 -mpopcnt.
#include "daemon/kernel/row_bits.h"

#if defined(__x86_64__)
#ifndef __AVX2__
#error "compile this file with -mavx2 -mpopcnt"
#endif
#include <immintrin.h>

#include <limits>

#include "daemon/kernel/row_bits_loops.h"

namespace vectord {
namespace {

__m256i Load(const char* at) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)); }

// Types for row_bits_loops.h. Less low, as unsigned numbers, those of the range are at most span,
// that is, the smaller of both.

struct Of8 {
  static constexpr size_t kAtOnce = 32, kBytes = 1;
  static __m256i All(uint64_t x) { return _mm256_set1_epi8(static_cast<char>(x)); }
  static uint64_t Within(const char* at, __m256i low, __m256i span) {
    const __m256i beyond = _mm256_sub_epi8(Load(at), low);
    const __m256i within = _mm256_cmpeq_epi8(_mm256_min_epu8(beyond, span), beyond);
    return static_cast<uint32_t>(_mm256_movemask_epi8(within));
  }
};

struct Of16 {
  static constexpr size_t kAtOnce = 32, kBytes = 2;
  static __m256i All(uint64_t x) { return _mm256_set1_epi16(static_cast<int16_t>(x)); }
  static uint64_t Within(const char* at, __m256i low, __m256i span) {
    const auto test = [&](__m256i x) {
      const __m256i beyond = _mm256_sub_epi16(x, low);
      return _mm256_cmpeq_epi16(_mm256_min_epu16(beyond, span), beyond);
    };
    // Packing interleaves the halves of both registers.
    const __m256i bytes = _mm256_permute4x64_epi64(
        _mm256_packs_epi16(test(Load(at)), test(Load(at + sizeof(__m256i)))),
        _MM_SHUFFLE(3, 1, 2, 0));
    return static_cast<uint32_t>(_mm256_movemask_epi8(bytes));
  }
};

struct Of32 {
  static constexpr size_t kAtOnce = 8, kBytes = 4;
  static __m256i All(uint64_t x) { return _mm256_set1_epi32(static_cast<int32_t>(x)); }
  static uint64_t Test(__m256i x, __m256i low, __m256i span) {
    const __m256i beyond = _mm256_sub_epi32(x, low);
    const __m256i within = _mm256_cmpeq_epi32(_mm256_min_epu32(beyond, span), beyond);
    return static_cast<uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(within)));
  }
  static uint64_t Within(const char* at, __m256i low, __m256i span) {
    return Test(Load(at), low, span);
  }
};

struct Of64 {
  static constexpr size_t kAtOnce = 4, kBytes = 8;
  static __m256i All(uint64_t x) { return _mm256_set1_epi64x(static_cast<int64_t>(x)); }
  static uint64_t Test(__m256i x, __m256i low, __m256i span) {
    // Only signed numbers can be compared: with the upper bit flipped these order as unsigned ones.
    const __m256i flip = _mm256_set1_epi64x(std::numeric_limits<int64_t>::min());
    const __m256i beyond = _mm256_xor_si256(_mm256_sub_epi64(x, low), flip);
    const __m256i outside = _mm256_cmpgt_epi64(beyond, _mm256_xor_si256(span, flip));
    return static_cast<uint32_t>(_mm256_movemask_pd(_mm256_castsi256_pd(outside))) ^ 15u;
  }
  static uint64_t Within(const char* at, __m256i low, __m256i span) {
    return Test(Load(at), low, span);
  }
};

// As OrderedKey().
struct OfFloat32 : Of32 {
  static uint64_t Within(const char* at, __m256i low, __m256i span) {
    const __m256 number =
        _mm256_add_ps(_mm256_loadu_ps(reinterpret_cast<const float*>(at)), _mm256_setzero_ps());
    const __m256i bits = _mm256_castps_si256(number);
    const __m256i greatest = _mm256_set1_epi32(std::numeric_limits<int32_t>::max());
    const __m256i turned =
        _mm256_xor_si256(bits, _mm256_srli_epi32(_mm256_srai_epi32(bits, 31), 1));
    const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(number, number, _CMP_UNORD_Q));
    return Of32::Test(_mm256_blendv_epi8(turned, greatest, nan), low, span);
  }
};

struct OfFloat64 : Of64 {
  static uint64_t Within(const char* at, __m256i low, __m256i span) {
    const __m256d number =
        _mm256_add_pd(_mm256_loadu_pd(reinterpret_cast<const double*>(at)), _mm256_setzero_pd());
    const __m256i bits = _mm256_castpd_si256(number);
    const __m256i greatest = _mm256_set1_epi64x(std::numeric_limits<int64_t>::max());
    const __m256i negative = _mm256_cmpgt_epi64(_mm256_setzero_si256(), bits);
    const __m256i turned = _mm256_xor_si256(bits, _mm256_srli_epi64(negative, 1));
    const __m256i nan = _mm256_castpd_si256(_mm256_cmp_pd(number, number, _CMP_UNORD_Q));
    return Of64::Test(_mm256_blendv_epi8(turned, greatest, nan), low, span);
  }
};

size_t Select(const uint64_t* set, const uint32_t* rows, size_t count, uint32_t* out) {
  constexpr size_t kAtOnce = 8;
  const __m256i one = _mm256_set1_epi32(1);
  size_t selected = 0, i = 0;
  for (; i + kAtOnce <= count; i += kAtOnce) {
    const __m256i some = Load(reinterpret_cast<const char*>(rows + i));
    const __m256i is_none = _mm256_cmpeq_epi32(some, _mm256_set1_epi32(-1));
    if (_mm256_testz_si256(is_none, is_none) == 0) break;
    const __m256i words =
        _mm256_i32gather_epi32(reinterpret_cast<const int*>(set), _mm256_srli_epi32(some, 5), 4);
    const __m256i bits = _mm256_sllv_epi32(one, _mm256_and_si256(some, _mm256_set1_epi32(31)));
    const __m256i in_set = _mm256_cmpeq_epi32(_mm256_and_si256(words, bits), bits);
    auto left = static_cast<uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(in_set)));
    for (; left != 0; left &= left - 1)
      out[selected++] = rows[i + static_cast<size_t>(__builtin_ctz(left))];
  }
  for (; i < count && rows[i] != kNoRow; i++)
    if ((set[rows[i] / 64] >> rows[i] % 64 & 1) != 0) out[selected++] = rows[i];
  return selected;
}

constexpr RowBitsKernels kKernels = {Range<Of8>,       Range<Of16>,      Range<Of32>, Range<Of64>,
                                     Range<OfFloat32>, Range<OfFloat64>, Count,       Select};

}  // namespace

const RowBitsKernels* row_bits::Avx2() { return &kKernels; }

}  // namespace vectord

#else

namespace vectord {
const RowBitsKernels* row_bits::Avx2() { return nullptr; }
}  // namespace vectord

#endif

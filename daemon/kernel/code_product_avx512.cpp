// code_product_avx512.cpp - products of codes with AVX-512 VNNI: four bytes by four in one step.
//
// Compile with -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni.
#include "daemon/kernel/code_product.h"

#if defined(__x86_64__)
#ifndef __AVX512VNNI__
#error "compile this file with -mavx512vnni"
#endif
#include "daemon/kernel/avx512_intrinsics.h"

namespace vectord {
namespace {

inline __m256i Fold(__m512i sum) {
  return _mm256_add_epi32(_mm512_castsi512_si256(sum), _mm512_extracti64x4_epi64(sum, 1));
}

// Rows whose additions do not wait for each other.
template <size_t kRows>
inline void AddBlocks(const uint8_t* a, const uint8_t* const* rows, size_t bytes, __m512i* sum) {
  const __m512i zero_code = _mm512_set1_epi8(static_cast<char>(kZeroCode));
  for (size_t r = 0; r < kRows; r++) sum[r] = _mm512_setzero_si512();
  for (size_t j = 0; j < bytes; j += kCodeBlock) {
    // Flipping the upper bit of a code gives its number as a signed byte.
    const __m512i numbers = _mm512_xor_si512(_mm512_loadu_si512(a + j), zero_code);
    for (size_t r = 0; r < kRows; r++)
      sum[r] = _mm512_dpbusd_epi32(sum[r], _mm512_loadu_si512(rows[r] + j), numbers);
  }
}

void Products(const uint8_t* a, const uint8_t* codes, size_t bytes, const uint32_t* ids,
              size_t count, int32_t* out) {
  constexpr size_t kRows = 4;
  __m512i sum[kRows];
  size_t i = 0;
  for (; i + kRows <= count; i += kRows) {
    const uint8_t* rows[kRows];
    for (size_t r = 0; r < kRows; r++) rows[r] = codes + ids[i + r] * bytes;
    AddBlocks<kRows>(a, rows, bytes, sum);
    // Four sums of 16 lanes become one register of four.
    const __m256i pairs = _mm256_hadd_epi32(_mm256_hadd_epi32(Fold(sum[0]), Fold(sum[1])),
                                            _mm256_hadd_epi32(Fold(sum[2]), Fold(sum[3])));
    _mm_storeu_si128(
        reinterpret_cast<__m128i*>(out + i),
        _mm_add_epi32(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256(pairs, 1)));
  }
  for (; i < count; i++) {
    const uint8_t* const row = codes + ids[i] * bytes;
    AddBlocks<1>(a, &row, bytes, sum);
    out[i] = _mm512_reduce_add_epi32(sum[0]);
  }
}

void Differences(const uint8_t* a, const uint8_t* codes, size_t bytes, const uint32_t* ids,
                 size_t count, int32_t* out) {
  for (size_t i = 0; i < count; i++) {
    const uint8_t* const row = codes + ids[i] * bytes;
    __m512i sum = _mm512_setzero_si512();  // of 64 bits each, far below 32
    for (size_t j = 0; j < bytes; j += kCodeBlock)
      sum = _mm512_add_epi64(
          sum, _mm512_sad_epu8(_mm512_loadu_si512(a + j), _mm512_loadu_si512(row + j)));
    out[i] = static_cast<int32_t>(_mm512_reduce_add_epi64(sum));
  }
}

}  // namespace

CodeProducts code_products::Avx512Vnni() { return &Products; }
CodeDifferences code_products::Avx512Differences() { return &Differences; }

}  // namespace vectord

#else

vectord::CodeProducts vectord::code_products::Avx512Vnni() { return nullptr; }
vectord::CodeDifferences vectord::code_products::Avx512Differences() { return nullptr; }

#endif

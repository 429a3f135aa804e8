// code_product_avx2.cpp - products of codes with AVX2, by way of 16 bits.
//
// Not by the instruction that multiplies bytes (vpmaddubsw): it saturates its sums of two.
//
// Compile with -mavx2.
#include "daemon/kernel/code_product.h"

#if defined(__x86_64__)
#ifndef __AVX2__
#error "compile this file with -mavx2"
#endif
#include <immintrin.h>

namespace vectord {
namespace {

inline __m128i LoadHalf(const uint8_t* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}

inline int32_t Product(const uint8_t* a, const uint8_t* row, size_t bytes) {
  const __m128i zero_code = _mm_set1_epi8(static_cast<char>(kZeroCode));
  __m256i sum[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
  for (size_t j = 0; j < bytes; j += 32) {
    for (size_t half = 0; half < 2; half++) {
      // Flipping the upper bit of a code gives its number as a signed byte.
      const __m128i numbers = _mm_xor_si128(LoadHalf(a + j + half * 16), zero_code);
      const __m256i products = _mm256_madd_epi16(
          _mm256_cvtepi8_epi16(numbers), _mm256_cvtepu8_epi16(LoadHalf(row + j + half * 16)));
      sum[half] = _mm256_add_epi32(sum[half], products);
    }
  }
  const __m256i by8 = _mm256_add_epi32(sum[0], sum[1]);
  const __m128i by4 = _mm_add_epi32(_mm256_castsi256_si128(by8), _mm256_extracti128_si256(by8, 1));
  const __m128i by2 = _mm_add_epi32(by4, _mm_shuffle_epi32(by4, _MM_SHUFFLE(1, 0, 3, 2)));
  return _mm_cvtsi128_si32(_mm_add_epi32(by2, _mm_shuffle_epi32(by2, _MM_SHUFFLE(2, 3, 0, 1))));
}

void Products(const uint8_t* a, const uint8_t* codes, size_t bytes, const uint32_t* ids,
              size_t count, int32_t* out) {
  for (size_t i = 0; i < count; i++) out[i] = Product(a, codes + ids[i] * bytes, bytes);
}

int32_t Difference(const uint8_t* a, const uint8_t* row, size_t bytes) {
  __m256i sum = _mm256_setzero_si256();  // of 64 bits each, far below 32
  for (size_t j = 0; j < bytes; j += 32)
    sum = _mm256_add_epi64(
        sum, _mm256_sad_epu8(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(a + j)),
                             _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row + j))));
  const __m128i by2 = _mm_add_epi64(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
  return _mm_cvtsi128_si32(_mm_add_epi64(by2, _mm_unpackhi_epi64(by2, by2)));
}

void Differences(const uint8_t* a, const uint8_t* codes, size_t bytes, const uint32_t* ids,
                 size_t count, int32_t* out) {
  for (size_t i = 0; i < count; i++) out[i] = Difference(a, codes + ids[i] * bytes, bytes);
}

}  // namespace

CodeProducts code_products::Avx2() { return &Products; }
CodeDifferences code_products::Avx2Differences() { return &Differences; }

}  // namespace vectord

#else

vectord::CodeProducts vectord::code_products::Avx2() { return nullptr; }
vectord::CodeDifferences vectord::code_products::Avx2Differences() { return nullptr; }

#endif

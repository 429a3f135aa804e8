// half.h - numbers of 16 bits as IEEE 754 has them (binary16), and float32.
//
// What the CPUs' own conversions give (F16C), on any CPU.
#ifndef VECTOR_FDW_DAEMON_KERNEL_HALF_H
#define VECTOR_FDW_DAEMON_KERNEL_HALF_H

#include <cstdint>
#include <cstring>

namespace vectord {

constexpr float kLargestHalf = 65504;

// Exact.
inline float HalfToFloat(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  const uint32_t exponent = half >> 10 & 0x1f, fraction = half & 0x3ff;
  if (exponent == 0) {
    const float size = static_cast<float>(fraction) * 0x1p-24f;
    return sign != 0 ? -size : size;
  }
  const uint32_t bits = sign | (exponent == 0x1f ? 0xffu : exponent + 112) << 23 | fraction << 13;
  float number;
  memcpy(&number, &bits, sizeof number);
  return number;
}

// The nearest, ties to even. REQUIRES: |number| <= kLargestHalf.
inline uint16_t FloatToHalf(float number) {
  uint32_t bits;
  memcpy(&bits, &number, sizeof bits);
  const auto sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
  bits &= 0x7fffffff;
  constexpr uint32_t kLeastNormal = 113u << 23;
  if (bits < kLeastNormal) {
    // Adding 0.5 leaves in the lower bits what is left of the number at 2^-24 each, rounded.
    float size;
    memcpy(&size, &bits, sizeof size);
    size += 0.5f;
    memcpy(&bits, &size, sizeof bits);
    return static_cast<uint16_t>(sign | (bits - 0x3f000000));
  }
  bits += 0xfff + (bits >> 13 & 1);
  return static_cast<uint16_t>(sign | ((bits >> 13) - (112u << 10)));
}

}  // namespace vectord

#endif

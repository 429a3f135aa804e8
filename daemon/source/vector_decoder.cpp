// vector_decoder.cpp - see vector_decoder.h.
#include "daemon/source/vector_decoder.h"

#include <cmath>
#include <limits>

#include "daemon/base/quantity.h"
#include "daemon/source/big_endian.h"

namespace vectord {
namespace {

// array_send: int32 number of dimensions, int32 has-nulls flag, uint32 element type, then for each
// dimension int32 length and int32 lower bound, then for each element int32 bytes (-1: NULL) and
// the bytes.
constexpr size_t kArrayHeadBytes = 12, kArrayDimensionBytes = 8, kElementHeadBytes = 4;
constexpr uint32_t kMaxArrayDimensions = 6;  // MAXDIM
constexpr uint32_t kFloat4Oid = 700, kFloat8Oid = 701;
// vector_send, halfvec_send: int16 elements, int16 unused, then the elements.
constexpr size_t kPgvectorHeadBytes = 4;

constexpr uint32_t kExponentMask = 0x7f800000;  // all set: infinity or NaN

float FloatFromBits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof(value));
  return value;
}

double DoubleFromBits(uint64_t bits) {
  double value;
  memcpy(&value, &bits, sizeof(value));
  return value;
}

VectorFault Malformed(std::string* reason, const char* what) {
  *reason = what;
  return VectorFault::kMalformed;
}

VectorFault RejectElement(std::string* reason, size_t index, const char* what) {
  *reason = "element " + std::to_string(index + 1) + " " + what;
  return VectorFault::kRejected;
}

VectorFault RejectDimensions(std::string* reason, size_t found, uint32_t wanted) {
  *reason =
      "the vector has " + Counted(found, "dimension") + " instead of " + std::to_string(wanted);
  return VectorFault::kRejected;
}

VectorFault RejectUnfinished(std::string* reason, size_t index, double value) {
  return RejectElement(reason, index, std::isnan(value) ? "is NaN" : "is infinite");
}

// Says which element stopped the fast loops, or that the lengths of the elements make no sense.
VectorFault ExplainElements(std::string_view elements, uint32_t count, size_t element_bytes,
                            std::string* reason) {
  size_t at = 0;
  for (uint32_t i = 0; i < count; i++) {
    if (elements.size() - at < kElementHeadBytes) return Malformed(reason, "the array ends early");
    const uint32_t bytes = LoadBig32(elements.data() + at);
    at += kElementHeadBytes;
    if (bytes == UINT32_MAX) return RejectElement(reason, i, "is NULL");
    if (bytes != element_bytes || elements.size() - at < element_bytes)
      return Malformed(reason, "an element of the array has the wrong size");
    const double value = element_bytes == sizeof(float)
                             ? FloatFromBits(LoadBig32(elements.data() + at))
                             : DoubleFromBits(LoadBig64(elements.data() + at));
    at += element_bytes;
    if (!std::isfinite(value)) return RejectUnfinished(reason, i, value);
    if (!std::isfinite(static_cast<float>(value)))
      return RejectElement(reason, i, "is too large for float32");
  }
  return Malformed(reason, "the array is longer than its elements");
}

// The loops below look at all elements and judge once at the end, so that they can be vectorised.

bool DecodeFloat4Elements(const char* from, uint32_t count, float* out) {
  uint32_t odd_length = 0, unfinished = 0;
  for (uint32_t i = 0; i < count; i++) {
    const uint32_t bytes = LoadBig32(from + i * 8), bits = LoadBig32(from + i * 8 + 4);
    odd_length |= bytes ^ sizeof(float);
    unfinished |= (bits & kExponentMask) == kExponentMask;
    memcpy(out + i, &bits, sizeof(bits));
  }
  return (odd_length | unfinished) == 0;
}

bool DecodeFloat8Elements(const char* from, uint32_t count, float* out) {
  uint32_t odd_length = 0, unfinished = 0;
  for (uint32_t i = 0; i < count; i++) {
    odd_length |= LoadBig32(from + i * 12) ^ sizeof(double);
    const float value = static_cast<float>(DoubleFromBits(LoadBig64(from + i * 12 + 4)));
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    unfinished |= (bits & kExponentMask) == kExponentMask;
    out[i] = value;
  }
  return (odd_length | unfinished) == 0;
}

bool DecodeFloats(const char* from, uint32_t count, float* out) {
  uint32_t unfinished = 0;
  for (uint32_t i = 0; i < count; i++) {
    const uint32_t bits = LoadBig32(from + i * 4);
    unfinished |= (bits & kExponentMask) == kExponentMask;
    memcpy(out + i, &bits, sizeof(bits));
  }
  return unfinished == 0;
}

VectorFault DecodeArray(std::string_view value, size_t element_bytes, uint32_t dimensions,
                        float* out, std::string* reason) {
  if (value.size() < kArrayHeadBytes) return Malformed(reason, "the array's head ends early");
  const uint32_t array_dimensions = LoadBig32(value.data());
  const uint32_t element_type = LoadBig32(value.data() + 8);
  if (element_type != (element_bytes == sizeof(float) ? kFloat4Oid : kFloat8Oid))
    return Malformed(reason, "the array has elements of an unexpected type");
  if (array_dimensions > kMaxArrayDimensions ||
      value.size() - kArrayHeadBytes < array_dimensions * kArrayDimensionBytes)
    return Malformed(reason, "the array's head ends early");
  if (array_dimensions == 0) {
    *reason = "the array is empty";
    return VectorFault::kRejected;
  }
  if (array_dimensions > 1) {
    *reason = "the array has " + std::to_string(array_dimensions) + " array dimensions";
    return VectorFault::kRejected;
  }
  const uint32_t count = LoadBig32(value.data() + kArrayHeadBytes);
  const std::string_view elements = value.substr(kArrayHeadBytes + kArrayDimensionBytes);
  // A NULL element takes the fewest bytes.
  if (count > elements.size() / kElementHeadBytes)
    return Malformed(reason, "the array has fewer elements than it says");
  if (count != dimensions) return RejectDimensions(reason, count, dimensions);
  if (elements.size() == count * (kElementHeadBytes + element_bytes) &&
      (element_bytes == sizeof(float) ? DecodeFloat4Elements(elements.data(), count, out)
                                      : DecodeFloat8Elements(elements.data(), count, out)))
    return VectorFault::kNone;
  return ExplainElements(elements, count, element_bytes, reason);
}

VectorFault DecodePgvector(std::string_view value, size_t element_bytes, uint32_t dimensions,
                           float* out, std::string* reason) {
  if (value.size() < kPgvectorHeadBytes) return Malformed(reason, "the vector's head ends early");
  const uint32_t count = LoadBig16(value.data());
  if (value.size() - kPgvectorHeadBytes != count * element_bytes)
    return Malformed(reason, "the vector has not as many elements as it says");
  if (count != dimensions) return RejectDimensions(reason, count, dimensions);
  const char* const elements = value.data() + kPgvectorHeadBytes;
  if (element_bytes == sizeof(float) && DecodeFloats(elements, count, out))
    return VectorFault::kNone;
  for (uint32_t i = 0; i < count; i++) {
    out[i] = element_bytes == sizeof(float) ? FloatFromBits(LoadBig32(elements + i * 4))
                                            : HalfToFloat(LoadBig16(elements + i * 2));
    if (!std::isfinite(out[i])) return RejectUnfinished(reason, i, out[i]);
  }
  return VectorFault::kNone;
}

// array_send() begins with 16 zero bits, for an array has few dimensions; vector_send(), as which
// packed_vector() writes, with the number of elements, and of those there are some.
bool IsPacked(std::string_view value) { return value.size() >= 2 && LoadBig16(value.data()) != 0; }

}  // namespace

float HalfToFloat(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  const uint32_t exponent = (half >> 10) & 0x1f, fraction = half & 0x3ff;
  if (exponent == 0x1f) return FloatFromBits(sign | kExponentMask | (fraction << 13));
  if (exponent == 0) {
    // Zero or subnormal: fraction x 2^-24, which single precision holds exactly.
    const float magnitude = std::ldexp(static_cast<float>(fraction), -24);
    return sign ? -magnitude : magnitude;
  }
  return FloatFromBits(sign | ((exponent + 112) << 23) | (fraction << 13));
}

uint32_t CountDimensions(VectorSource source, std::string_view value) {
  if (source == VectorSource::kPgvector || source == VectorSource::kPgvectorHalf)
    return value.size() < kPgvectorHeadBytes ? 0 : LoadBig16(value.data());
  if (value.size() < kArrayHeadBytes + kArrayDimensionBytes) return 0;
  return LoadBig32(value.data()) == 1 ? LoadBig32(value.data() + kArrayHeadBytes) : 0;
}

VectorFault DecodeVector(VectorSource source, std::string_view value, uint32_t dimensions,
                         float* out, std::string* reason) {
  switch (source) {
    case VectorSource::kReal:
    case VectorSource::kDouble:
      if (IsPacked(value)) return DecodePgvector(value, sizeof(float), dimensions, out, reason);
      return DecodeArray(value, source == VectorSource::kReal ? sizeof(float) : sizeof(double),
                         dimensions, out, reason);
    case VectorSource::kPgvector:
      return DecodePgvector(value, sizeof(float), dimensions, out, reason);
    case VectorSource::kPgvectorHalf:
      return DecodePgvector(value, sizeof(uint16_t), dimensions, out, reason);
  }
  return Malformed(reason, "the vector's type is unknown");
}

}  // namespace vectord

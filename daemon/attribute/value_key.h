// value_key.h - values of one kind as keys: numbers or bytes whose plain order is PostgreSQL's.
//
// Each struct below reads the values of one or more kinds: Read() gives the key of a value as a
// column holds it, or false when the bytes are no such value, which input from outside may be.
// Two values are equal exactly when their keys are.
#ifndef VECTORD_ATTRIBUTE_VALUE_KEY_H
#define VECTORD_ATTRIBUTE_VALUE_KEY_H

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "daemon/attribute/value_kind.h"
#include "daemon/kernel/ordered_key.h"

namespace vectord {

// Bytes that a key needs beside the value's own; reused from value to value.
using KeyScratch = std::string;

template <typename Number>
struct NumberKey {
  using Key = Number;
  static constexpr size_t kWidth = sizeof(Number);
  static Key Load(const char* value) {
    Number number;
    memcpy(&number, value, sizeof number);
    return number;
  }
};

template <typename Float, typename Bits>
struct FloatKey {
  using Key = Bits;
  static constexpr size_t kWidth = sizeof(Float);
  static Key Load(const char* value) {
    Float number;
    memcpy(&number, value, sizeof number);
    return OrderedKey<Float, Bits>(number);
  }
};

using BoolKey = NumberKey<uint8_t>;
using Int16Key = NumberKey<int16_t>;
using Int32Key = NumberKey<int32_t>;
using Uint32Key = NumberKey<uint32_t>;
using Int64Key = NumberKey<int64_t>;
using Float32Key = FloatKey<float, int32_t>;
using Float64Key = FloatKey<double, int64_t>;

struct BytesKey {
  static bool Read(std::string_view value, KeyScratch*, std::string_view* key) {
    *key = value;
    return true;
  }
};

struct BlankPaddedKey {
  static bool Read(std::string_view value, KeyScratch*, std::string_view* key) {
    const size_t last = value.find_last_not_of(' ');
    *key = value.substr(0, last == std::string_view::npos ? 0 : last + 1);
    return true;
  }
};

// By numeric_send: digits of base 10000, most significant first.
struct NumericKey {
  static bool Read(std::string_view value, KeyScratch* scratch, std::string_view* key);
  // Of decimal digits, as JSON writes a number: [-]digits[.digits][e[+-]digits].
  static bool ReadText(std::string_view text, KeyScratch* scratch, std::string_view* key);
};

// By interval_send; a month counts as 30 days, a day as 24 hours, as PostgreSQL compares.
struct IntervalKey {
  static bool Read(std::string_view value, KeyScratch* scratch, std::string_view* key);
};

struct BigEndian64Key {
  static bool Read(std::string_view value, KeyScratch* scratch, std::string_view* key);
};

// Calls use(KeyReader()) with the reader of a kind of numbers, or of a kind of bytes.
template <typename Numbers, typename Bytes>
auto WithKeyReader(ValueKind kind, Numbers numbers, Bytes bytes) {
  switch (kind) {
    case ValueKind::kBool:
      return numbers(BoolKey());
    case ValueKind::kInt16:
      return numbers(Int16Key());
    case ValueKind::kInt32:
      return numbers(Int32Key());
    case ValueKind::kUint32:
      return numbers(Uint32Key());
    case ValueKind::kInt64:
      return numbers(Int64Key());
    case ValueKind::kFloat32:
      return numbers(Float32Key());
    case ValueKind::kFloat64:
      return numbers(Float64Key());
    case ValueKind::kBlankPadded:
      return bytes(BlankPaddedKey());
    case ValueKind::kNumeric:
      return bytes(NumericKey());
    case ValueKind::kInterval:
      return bytes(IntervalKey());
    case ValueKind::kBigEndian64:
      return bytes(BigEndian64Key());
    case ValueKind::kNone:
    case ValueKind::kBytes:
    case ValueKind::kOpaque:
      break;
  }
  return bytes(BytesKey());
}

}  // namespace vectord

#endif

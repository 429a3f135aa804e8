// value_key.cpp - keys of numeric, interval and money, see value_key.h.
//
// A numeric's key, each class in its own form so that keys of different classes never look alike:
//
//   0 -Infinity | 1 negative | 2 zero | 3 positive | 4 Infinity | 5 NaN
//
// then, of numbers but zero, the weight of the first digit and the digits of base 10000 without
// zeros at either end, all as big-endian numbers. Of negative ones every number is complemented,
// and what ends them is larger than any complemented digit, because there a longer number with the
// same beginning comes first.
#include "daemon/attribute/value_key.h"

#include <algorithm>
#include <cstdlib>
#include <vector>

namespace vectord {
namespace {

constexpr uint32_t kWeightBias = 0x80000000;
constexpr uint16_t kLargestDigit = 9999;

uint64_t LoadBig(const char* bytes, size_t size) {
  uint64_t number = 0;
  for (size_t i = 0; i < size; i++) number = number << 8 | static_cast<uint8_t>(bytes[i]);
  return number;
}

void AppendBig(uint64_t number, size_t size, std::string* out) {
  for (size_t i = size; i-- > 0;) out->push_back(static_cast<char>(number >> (8 * i)));
}

// numeric_send writes these in place of a sign.
enum Sign : uint16_t {
  kPositive = 0x0000,
  kNegative = 0x4000,
  kNaN = 0xC000,
  kInfinity = 0xD000,
  kMinusInfinity = 0xF000
};

// digits[0] is worth digit * 10000^weight.
void WriteNumber(bool negative, int64_t weight, const uint16_t* digits, size_t count,
                 std::string* key) {
  key->clear();
  while (count > 0 && digits[count - 1] == 0) count--;
  while (count > 0 && digits[0] == 0) {
    digits++;
    count--;
    weight--;
  }
  if (count == 0) return key->push_back(2);
  key->push_back(negative ? 1 : 3);
  const auto biased = static_cast<uint32_t>(weight + kWeightBias);
  AppendBig(negative ? ~biased : biased, 4, key);
  for (size_t i = 0; i < count; i++)
    AppendBig(negative ? kLargestDigit - digits[i] : digits[i], 2, key);
  if (negative) AppendBig(0xFFFF, 2, key);
}

bool WriteSpecial(uint16_t sign, std::string* key) {
  if (sign != kNaN && sign != kInfinity && sign != kMinusInfinity) return false;
  key->assign(1, sign == kNaN ? 5 : sign == kInfinity ? 4 : 0);
  return true;
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// A number's text, taken apart: the decimal point stands behind `whole` of the digits.
struct DecimalText {
  bool negative = false;
  std::string digits;
  int64_t whole = 0;
};

bool ParseExponent(std::string_view text, int64_t* exponent) {
  bool negative = false;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    negative = text[0] == '-';
    text.remove_prefix(1);
  }
  constexpr size_t kMostDigits = 6;  // numeric itself ends at 131072 digits before the point
  if (text.empty() || text.size() > kMostDigits) return false;
  int64_t number = 0;
  for (const char c : text) {
    if (!IsDigit(c)) return false;
    number = number * 10 + (c - '0');
  }
  *exponent = negative ? -number : number;
  return true;
}

bool ParseDecimal(std::string_view text, DecimalText* out) {
  if (!text.empty() && text[0] == '-') {
    out->negative = true;
    text.remove_prefix(1);
  }
  bool point_seen = false;
  size_t i = 0;
  for (; i < text.size() && (IsDigit(text[i]) || text[i] == '.'); i++) {
    if (text[i] == '.') {
      if (point_seen) return false;
      point_seen = true;
      continue;
    }
    out->digits.push_back(text[i]);
    out->whole += !point_seen;
  }
  if (out->digits.empty()) return false;
  if (i == text.size()) return true;
  int64_t exponent;
  if ((text[i] != 'e' && text[i] != 'E') || !ParseExponent(text.substr(i + 1), &exponent))
    return false;
  out->whole += exponent;
  return true;
}

}  // namespace

bool NumericKey::Read(std::string_view value, KeyScratch* scratch, std::string_view* key) {
  constexpr size_t kHeader = 8;  // number of digits, weight, sign, scale
  if (value.size() < kHeader) return false;
  const size_t count = LoadBig(value.data(), 2);
  const auto weight = static_cast<int16_t>(LoadBig(value.data() + 2, 2));
  const auto sign = static_cast<uint16_t>(LoadBig(value.data() + 4, 2));
  if (value.size() != kHeader + 2 * count) return false;
  if (sign != kPositive && sign != kNegative) {
    if (!WriteSpecial(sign, scratch)) return false;
    *key = *scratch;
    return true;
  }
  constexpr size_t kUsualDigits = 16;
  uint16_t few[kUsualDigits];
  std::vector<uint16_t> many(count > kUsualDigits ? count : 0);
  uint16_t* const digits = count > kUsualDigits ? many.data() : few;
  for (size_t i = 0; i < count; i++) {
    digits[i] = static_cast<uint16_t>(LoadBig(value.data() + kHeader + 2 * i, 2));
    if (digits[i] > kLargestDigit) return false;
  }
  WriteNumber(sign == kNegative, weight, digits, count, scratch);
  *key = *scratch;
  return true;
}

bool NumericKey::ReadText(std::string_view text, KeyScratch* scratch, std::string_view* key) {
  DecimalText decimal;
  if (!ParseDecimal(text, &decimal)) return false;
  // Groups of four decimal digits, counted from the point.
  const int64_t lead = ((decimal.whole % 4) + 4) % 4;  // digits of the first group
  const int64_t first_groups = lead == 0 ? 0 : 1;
  const int64_t weight = (decimal.whole - lead) / 4 + first_groups - 1;
  std::string padded(lead == 0 ? 0 : static_cast<size_t>(4 - lead), '0');
  padded += decimal.digits;
  padded.append((4 - padded.size() % 4) % 4, '0');
  std::vector<uint16_t> digits(padded.size() / 4);
  for (size_t i = 0; i < digits.size(); i++) {
    for (size_t j = 0; j < 4; j++)
      digits[i] = static_cast<uint16_t>(digits[i] * 10 + (padded[4 * i + j] - '0'));
  }
  WriteNumber(decimal.negative, weight, digits.data(), digits.size(), scratch);
  *key = *scratch;
  return true;
}

bool IntervalKey::Read(std::string_view value, KeyScratch* scratch, std::string_view* key) {
  constexpr size_t kBytes = 16;  // microseconds, days, months
  if (value.size() != kBytes) return false;
  const auto time = static_cast<int64_t>(LoadBig(value.data(), 8));
  const auto days = static_cast<int32_t>(LoadBig(value.data() + 8, 4));
  const auto months = static_cast<int32_t>(LoadBig(value.data() + 12, 4));
  constexpr int64_t kDaysPerMonth = 30;
  constexpr int64_t kMicrosecondsPerDay = int64_t{24} * 3600 * 1000 * 1000;
  const __int128 span =
      static_cast<__int128>(months * kDaysPerMonth + days) * kMicrosecondsPerDay + time;
  scratch->clear();
  constexpr uint64_t kSignBit = uint64_t{1} << 63;
  AppendBig(static_cast<uint64_t>(span >> 64) ^ kSignBit, 8, scratch);
  AppendBig(static_cast<uint64_t>(span), 8, scratch);
  *key = *scratch;
  return true;
}

bool BigEndian64Key::Read(std::string_view value, KeyScratch* scratch, std::string_view* key) {
  if (value.size() != 8) return false;
  scratch->assign(value);
  (*scratch)[0] = static_cast<char>((*scratch)[0] ^ 0x80);
  *key = *scratch;
  return true;
}

}  // namespace vectord

// value_key_test.cpp - keys of numeric, interval and money order as the values do.
#include "daemon/attribute/value_key.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "test/unit/attribute/filter_nodes.h"

namespace vectord {
namespace {

template <typename T>
std::string Big(T number) {
  std::string bytes = Bytes(number);
  std::reverse(bytes.begin(), bytes.end());
  return bytes;
}

// As numeric_send() writes it.
std::string Numeric(uint16_t sign, int16_t weight, const std::vector<uint16_t>& digits,
                    uint16_t scale = 0) {
  std::string bytes =
      Big(static_cast<uint16_t>(digits.size())) + Big(weight) + Big(sign) + Big(scale);
  for (const uint16_t digit : digits) bytes += Big(digit);
  return bytes;
}

template <typename Reader>
std::string KeyOf(const std::string& value) {
  KeyScratch scratch;
  std::string_view key;
  EXPECT_TRUE(Reader::Read(value, &scratch, &key));
  return std::string(key);
}

std::string TextKey(const std::string& text) {
  KeyScratch scratch;
  std::string_view key;
  EXPECT_TRUE(NumericKey::ReadText(text, &scratch, &key)) << text;
  return std::string(key);
}

constexpr uint16_t kMinus = 0x4000;

TEST(NumericKey, OrdersAsNumericDoes) {
  const std::vector<std::string> ascending = {
      Numeric(0xF000, 0, {}),         // -Infinity
      Numeric(kMinus, 1, {1, 0, 1}),  // -10000.0001
      Numeric(kMinus, 1, {1}),        // -10000
      Numeric(kMinus, 0, {2}),        // -2
      Numeric(kMinus, 0, {1, 5000}),  // -1.5
      Numeric(kMinus, 0, {1, 0, 5}),  // -1.00000005
      Numeric(kMinus, 0, {1}),        // -1
      Numeric(kMinus, -1, {1}),       // -0.0001
      Numeric(0, 0, {}),              // 0
      Numeric(0, -2, {1}),            // 0.00000001
      Numeric(0, -1, {9999}),         // 0.9999
      Numeric(0, 0, {1}),             // 1
      Numeric(0, 0, {1, 0, 5}),       // 1.00000005
      Numeric(0, 0, {1, 5000}),       // 1.5
      Numeric(0, 0, {9999}),          // 9999
      Numeric(0, 1, {1}),             // 10000
      Numeric(0, 30000, {1}),         //
      Numeric(0xD000, 0, {}),         // Infinity
      Numeric(0xC000, 0, {}),         // NaN
  };
  for (size_t i = 0; i + 1 < ascending.size(); i++)
    EXPECT_LT(KeyOf<NumericKey>(ascending[i]), KeyOf<NumericKey>(ascending[i + 1])) << i;
}

TEST(NumericKey, IsTheSameForTheSameValue) {
  EXPECT_EQ(KeyOf<NumericKey>(Numeric(0, 0, {1, 5000}, 1)),
            KeyOf<NumericKey>(Numeric(0, 0, {1, 5000, 0}, 8)));
  EXPECT_EQ(KeyOf<NumericKey>(Numeric(0, 1, {0, 7})), KeyOf<NumericKey>(Numeric(0, 0, {7})));
  EXPECT_EQ(KeyOf<NumericKey>(Numeric(kMinus, 3, {})), KeyOf<NumericKey>(Numeric(0, 0, {0})));
}

TEST(NumericKey, OfTextIsThatOfTheValue) {
  EXPECT_EQ(TextKey("1.5"), KeyOf<NumericKey>(Numeric(0, 0, {1, 5000})));
  EXPECT_EQ(TextKey("-12345.00010"), KeyOf<NumericKey>(Numeric(kMinus, 1, {1, 2345, 1})));
  EXPECT_EQ(TextKey("1234"), KeyOf<NumericKey>(Numeric(0, 0, {1234})));
  EXPECT_EQ(TextKey("0.0005"), KeyOf<NumericKey>(Numeric(0, -1, {5})));
  EXPECT_EQ(TextKey("5e-7"), TextKey("0.0000005"));
  EXPECT_EQ(TextKey("1.25E+6"), TextKey("1250000"));
  EXPECT_EQ(TextKey("-0.0"), TextKey("0"));
}

TEST(NumericKey, RefusesWhatIsNoNumber) {
  KeyScratch scratch;
  std::string_view key;
  for (const char* text : {"", "-", ".", "1e", "1e+", "1.2.3", "1x", "1e99999999999"})
    EXPECT_FALSE(NumericKey::ReadText(text, &scratch, &key)) << text;
  for (const std::string& bytes : {std::string("short"), Numeric(0, 0, {1}) + "x",
                                   Numeric(0x1234, 0, {1}), Numeric(0, 0, {10000})})
    EXPECT_FALSE(NumericKey::Read(bytes, &scratch, &key));
}

std::string Interval(int64_t microseconds, int32_t days, int32_t months) {
  return Big(microseconds) + Big(days) + Big(months);
}

TEST(IntervalKey, CountsAMonthAsThirtyDays) {
  constexpr int64_t kDay = int64_t{24} * 3600 * 1000000;
  EXPECT_EQ(KeyOf<IntervalKey>(Interval(0, 0, 1)), KeyOf<IntervalKey>(Interval(0, 30, 0)));
  EXPECT_EQ(KeyOf<IntervalKey>(Interval(kDay, -1, 0)), KeyOf<IntervalKey>(Interval(0, 0, 0)));
  EXPECT_LT(KeyOf<IntervalKey>(Interval(-1, 0, 0)), KeyOf<IntervalKey>(Interval(0, 0, 0)));
  EXPECT_LT(KeyOf<IntervalKey>(Interval(0, 0, INT32_MIN)),
            KeyOf<IntervalKey>(Interval(INT64_MIN, 0, 0)));
  EXPECT_LT(KeyOf<IntervalKey>(Interval(INT64_MAX, 0, 0)),
            KeyOf<IntervalKey>(Interval(INT64_MAX, 0, INT32_MAX)));
}

TEST(BigEndian64Key, HasASign) {
  EXPECT_LT(KeyOf<BigEndian64Key>(Big(int64_t{-1})), KeyOf<BigEndian64Key>(Big(int64_t{0})));
  EXPECT_LT(KeyOf<BigEndian64Key>(Big(int64_t{255})), KeyOf<BigEndian64Key>(Big(int64_t{256})));
}

}  // namespace
}  // namespace vectord

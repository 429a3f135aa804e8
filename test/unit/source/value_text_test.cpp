// value_text_test.cpp - values of keys in messages.
#include "daemon/source/value_text.h"

#include <gtest/gtest.h>

#include "test/unit/source/copy_bytes.h"

namespace vectord {
namespace {

using vfdw::ValueEncoding;

TEST(ValueText, ShowsEachEncoding) {
  EXPECT_EQ(ValueText(ValueEncoding::kBool, std::string(1, '\1')), "true");
  EXPECT_EQ(ValueText(ValueEncoding::kInt16, Big<int16_t>(-3)), "-3");
  EXPECT_EQ(ValueText(ValueEncoding::kInt32, Big<int32_t>(70000)), "70000");
  EXPECT_EQ(ValueText(ValueEncoding::kInt64, Big<int64_t>(1LL << 40)), "1099511627776");
  EXPECT_EQ(ValueText(ValueEncoding::kFloat64, Big(0.5)), "0.5");
  EXPECT_EQ(ValueText(ValueEncoding::kText, "abc"), "abc");
  EXPECT_EQ(ValueText(ValueEncoding::kBinary, "\x01\xab"), "\\x01ab");
  EXPECT_EQ(ValueText(ValueEncoding::kUuid, std::string(15, '\0') + "\x7f"),
            "00000000-0000-0000-0000-00000000007f");
}

TEST(ValueText, CutsLongTextsBetweenCharacters) {
  std::string text(99, 'a');
  text += "\xc3\xa9zzz";
  EXPECT_EQ(ValueText(ValueEncoding::kText, text), std::string(99, 'a') + "...");
}

TEST(ValueText, ShowsAValueOfTheWrongSizeAsBytes) {
  EXPECT_EQ(ValueText(ValueEncoding::kInt32, "\x01"), "\\x01");
  EXPECT_EQ(ValueText(ValueEncoding::kBool, ""), "\\x");
}

}  // namespace
}  // namespace vectord

// error_text_test.cpp - texts of other processes are safe to print.
#include "fdw/error_text.h"

#include <gtest/gtest.h>

#include <string>

namespace vfdw {
namespace {

std::string Copied(std::string_view text, size_t capacity) {
  std::string out(capacity, '#');
  CopyText(text, out.data(), capacity);
  return out.c_str();
}

TEST(ErrorText, LongTextIsCutBetweenCharacters) {
  EXPECT_EQ("ab", Copied("ab\xC3\xA9", 4));
  EXPECT_EQ("ab\xC3\xA9", Copied("ab\xC3\xA9", 5));
  EXPECT_EQ("", Copied("\xF0\x9F\x98\x80", 4));
  EXPECT_EQ("", Copied("anything", 1));
}

TEST(ErrorText, ControlCharactersAndForeignBytesAreReplaced) {
  EXPECT_EQ("a b c ", Copied("a\nb\x1B"
                             "c\x7F",
                             20));
  EXPECT_EQ("?a?", Copied("\xFF"
                          "a\xC3",
                          20));
  EXPECT_EQ(" x", Copied(std::string_view("\0x", 2), 20));
}

TEST(ErrorText, OverlongSurrogateAndTooHighAreNotUtf8) {
  for (const char* bad :
       {"\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xED\xA0\x80", "\xF0\x80\x80\x80",
        "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\x80", "\xE2\x82", "\xFF"})
    EXPECT_FALSE(IsCleanText(bad));
  for (const char* good :
       {"", "abc", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xEE\x80\x80"})
    EXPECT_TRUE(IsCleanText(good));
  EXPECT_FALSE(IsCleanText(std::string_view("a\0b", 3)));
}

TEST(ErrorText, StatusKeepsItsHintOrGetsTheTables) {
  vfdw_error error;
  CopyError(Status(ErrorCode::DISK_FULL, "m", "d", "own hint"), &error);
  EXPECT_STREQ("own hint", error.hint);
  EXPECT_STREQ("53100", error.sqlstate);
  CopyError(Status(ErrorCode::DISK_FULL, "m"), &error);
  EXPECT_STREQ(ErrorDefaultHint(ErrorCode::DISK_FULL), error.hint);
  EXPECT_STREQ("", error.detail);
}

}  // namespace
}  // namespace vfdw

// quantity_test.cpp - sizes and durations.
#include "daemon/base/quantity.h"

#include <gtest/gtest.h>

namespace vectord {
namespace {

using std::chrono::milliseconds;

TEST(Quantity, SizesHaveBinaryUnitsInAnyCase) {
  EXPECT_EQ(ParseBytes("8GB", 0), int64_t{8} << 30);
  EXPECT_EQ(ParseBytes(" 16 mb ", 0), int64_t{16} << 20);
  EXPECT_EQ(ParseBytes("3kB", 0), 3072);
  EXPECT_EQ(ParseBytes("2TB", 0), int64_t{2} << 40);
  EXPECT_EQ(ParseBytes("7 bytes", 0), 7);
  EXPECT_EQ(ParseBytes("7", 0), 7);
  EXPECT_EQ(ParseBytes("25%", 1000), 250);
}

TEST(Quantity, WhatIsNoSizeIsRefused) {
  for (const char* text : {"", "GB", "-1GB", "1.5GB", "1XB", "1G", "101%", "9223372036854775807kB",
                           "99999999999999999999", "1GB2"})
    EXPECT_EQ(ParseBytes(text, 1000), std::nullopt) << text;
}

TEST(Quantity, DurationsNeedAUnit) {
  EXPECT_EQ(ParseDuration("250ms"), milliseconds(250));
  EXPECT_EQ(ParseDuration("60s"), milliseconds(60000));
  EXPECT_EQ(ParseDuration("5 min"), milliseconds(300000));
  EXPECT_EQ(ParseDuration("2h"), milliseconds(7200000));
  EXPECT_EQ(ParseDuration("1d"), milliseconds(86400000));
  for (const char* text : {"", "60", "s", "-1s", "1 minute", "9223372036854775807d"})
    EXPECT_EQ(ParseDuration(text), std::nullopt) << text;
}

TEST(Quantity, SizesAreReadable) {
  EXPECT_EQ(ReadableBytes(0), "0 bytes");
  EXPECT_EQ(ReadableBytes(1023), "1023 bytes");
  EXPECT_EQ(ReadableBytes(1024), "1 kB");
  EXPECT_EQ(ReadableBytes(size_t{3} << 29), "1.50 GB");
  EXPECT_EQ(ReadableBytes(size_t{5} << 40), "5 TB");
}

TEST(Quantity, DurationsAreReadable) {
  EXPECT_EQ(ReadableDuration(milliseconds(0)), "0ms");
  EXPECT_EQ(ReadableDuration(milliseconds(250)), "250ms");
  EXPECT_EQ(ReadableDuration(milliseconds(90000)), "90s");
  EXPECT_EQ(ReadableDuration(milliseconds(3600000)), "1h");
}

TEST(Quantity, CountsHaveAPlural) {
  EXPECT_EQ(Counted(0, "row"), "0 rows");
  EXPECT_EQ(Counted(1, "row"), "1 row");
  EXPECT_EQ(Counted(2, "row"), "2 rows");
}

}  // namespace
}  // namespace vectord

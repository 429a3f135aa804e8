// byte_stream_test.cpp - numbers as bytes, and sources that end early.
#include "daemon/base/byte_stream.h"

#include <gtest/gtest.h>

#include <vector>

namespace vectord {
namespace {

TEST(ByteStream, NumbersAreLittleEndian) {
  std::string bytes;
  AppendNumber(uint32_t{0x01020304}, &bytes);
  EXPECT_EQ(bytes, "\x04\x03\x02\x01");
  SpanSource source(bytes);
  uint32_t number = 0;
  ASSERT_TRUE(ReadNumber(&source, &number).ok());
  EXPECT_EQ(number, 0x01020304u);
  EXPECT_EQ(ReadNumber(&source, &number).code(), ErrorCode::CORRUPT);
}

TEST(ByteStream, ACountThatCannotBeTrueAllocatesNothing) {
  SpanSource source("12345678");
  std::vector<uint64_t> items;
  EXPECT_EQ(ReadItems<uint64_t>(&source, UINT64_MAX, &items).code(), ErrorCode::CORRUPT);
  EXPECT_EQ(ReadItems<uint64_t>(&source, 2, &items).code(), ErrorCode::CORRUPT);
  EXPECT_EQ(items.capacity(), 0u);
  EXPECT_TRUE(ReadItems<uint64_t>(&source, 1, &items).ok());
  EXPECT_TRUE(ReadItems<uint64_t>(&source, 0, &items).ok());
}

}  // namespace
}  // namespace vectord

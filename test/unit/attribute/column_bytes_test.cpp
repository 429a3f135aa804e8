// column_bytes_test.cpp - columns of every encoding as bytes, sound and damaged.
#include "daemon/attribute/column_bytes.h"

#include <gtest/gtest.h>

namespace vectord {
namespace {

constexpr ValueEncoding kEncodings[] = {
    ValueEncoding::kBool,  ValueEncoding::kInt16,   ValueEncoding::kInt32,
    ValueEncoding::kInt64, ValueEncoding::kFloat32, ValueEncoding::kFloat64,
    ValueEncoding::kUuid,  ValueEncoding::kText,    ValueEncoding::kBinary};

Column SomeColumn(ValueEncoding encoding, size_t rows, bool with_nulls) {
  Column column(encoding, 25);
  const size_t width = vfdw::FixedBytes(encoding);
  for (size_t i = 0; i < rows; i++) {
    if (with_nulls && i % 3 == 1)
      column.AppendNull();
    else
      column.Append(std::string(width > 0 ? width : i * 7 % 40, static_cast<char>('a' + i % 26)));
  }
  return column;
}

// Of 20 values, each many times.
Column CodedColumn(bool with_nulls) {
  Column column(ValueEncoding::kText, 25);
  for (size_t i = 0; i < 400; i++) {
    if (with_nulls && i % 3 == 1)
      column.AppendNull();
    else
      column.Append("value " + std::to_string(i * 7 % 20));
  }
  column.Compact(/*fewest_rows=*/1);
  EXPECT_NE(column.codes(), nullptr);
  return column;
}

std::string Written(const Column& column) {
  StringSink sink;
  EXPECT_TRUE(ColumnBytes::Write(column, &sink).ok());
  return sink.Take();
}

Result<Column> Read(std::string_view bytes, uint64_t rows) {
  SpanSource source(bytes);
  return ColumnBytes::Read(&source, rows);
}

void ExpectEqual(const Column& read, const Column& written) {
  ASSERT_EQ(read.rows(), written.rows());
  EXPECT_EQ(read.encoding(), written.encoding());
  EXPECT_EQ(read.type_oid(), written.type_oid());
  EXPECT_EQ(read.has_nulls(), written.has_nulls());
  for (size_t i = 0; i < read.rows(); i++) {
    EXPECT_EQ(read.IsNull(i), written.IsNull(i));
    EXPECT_EQ(read.Value(i), written.Value(i));
  }
}

TEST(ColumnAsBytes, EveryEncodingIsReadAsItWasWritten) {
  for (const ValueEncoding encoding : kEncodings)
    for (const size_t rows : {0, 1, 100})
      for (const bool with_nulls : {false, true}) {
        SCOPED_TRACE(static_cast<int>(encoding));
        const Column written = SomeColumn(encoding, rows, with_nulls);
        Result<Column> read = Read(Written(written), rows);
        ASSERT_TRUE(read.ok()) << read.status().ToString();
        ExpectEqual(*read, written);
        // It can go on as any column can.
        Column more = written;
        read->AppendAll(written);
        more.AppendAll(written);
        read->AppendNull();
        more.AppendNull();
        ExpectEqual(*read, more);
      }
}

TEST(ColumnAsBytes, ADictionaryIsReadAsItWasWritten) {
  for (const bool with_nulls : {false, true}) {
    const Column written = CodedColumn(with_nulls);
    Result<Column> read = Read(Written(written), written.rows());
    ASSERT_TRUE(read.ok()) << read.status().ToString();
    ExpectEqual(*read, written);
    EXPECT_EQ(read->distinct_values(), written.distinct_values());
    EXPECT_NE(read->codes(), nullptr);
    read->AppendNull();
    EXPECT_EQ(read->codes(), nullptr);
    EXPECT_EQ(read->Value(399), written.Value(399));
  }
}

TEST(ColumnAsBytes, DamageToADictionaryIsNoticedOrGivesASoundColumn) {
  const std::string bytes = Written(CodedColumn(true));
  for (size_t size = 0; size < bytes.size(); size++)
    EXPECT_EQ(Read(bytes.substr(0, size), 400).status().code(), ErrorCode::CORRUPT);
  for (size_t i = 0; i < bytes.size() * 8; i++) {
    std::string damaged = bytes;
    damaged[i / 8] = static_cast<char>(damaged[i / 8] ^ (1 << i % 8));
    const Result<Column> read = Read(damaged, 400);
    if (!read.ok()) continue;
    for (size_t row = 0; row < 400; row++) EXPECT_LE(read->Value(row).size(), bytes.size());
  }
}

TEST(ColumnAsBytes, EveryOtherLengthIsNoticed) {
  for (const ValueEncoding encoding : kEncodings) {
    const std::string bytes = Written(SomeColumn(encoding, 10, true));
    for (size_t size = 0; size < bytes.size(); size++)
      EXPECT_EQ(Read(bytes.substr(0, size), 10).status().code(), ErrorCode::CORRUPT);
    EXPECT_EQ(Read(bytes + '\0', 10).status().code(), ErrorCode::CORRUPT);
    EXPECT_EQ(Read(bytes, 9).status().code(), ErrorCode::CORRUPT);
  }
}

TEST(ColumnAsBytes, AFlippedBitIsNoticedOrGivesASoundColumn) {
  for (const ValueEncoding encoding : kEncodings) {
    const std::string bytes = Written(SomeColumn(encoding, 10, true));
    for (size_t i = 0; i < bytes.size() * 8; i++) {
      std::string damaged = bytes;
      damaged[i / 8] = static_cast<char>(damaged[i / 8] ^ (1 << i % 8));
      const Result<Column> read = Read(damaged, 10);
      if (!read.ok()) continue;
      size_t total = 0;
      for (size_t row = 0; row < 10; row++) total += read->Value(row).size();
      EXPECT_LE(total, bytes.size());
    }
  }
}

}  // namespace
}  // namespace vectord

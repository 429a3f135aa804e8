// copy_rows_test.cpp - COPY's binary stream: every type, every cut, and what is no such stream.
#include "daemon/source/copy_rows.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "test/unit/source/copy_bytes.h"

namespace vectord {
namespace {

ColumnDefinition MakeColumn(const std::string& name, ColumnRole role, ValueEncoding encoding) {
  ColumnDefinition column;
  column.name = name;
  column.role = role;
  column.encoding = encoding;
  return column;
}

// A key, a vector of real[], and included columns.
Definition MakeDefinition(ValueEncoding key, const std::vector<ValueEncoding>& included = {}) {
  Definition definition;
  definition.name = "docs";
  definition.vector_column = "embedding";
  definition.columns = {
      MakeColumn("id", ColumnRole::kKey, key),
      MakeColumn("embedding", ColumnRole::kVector, ValueEncoding::kFloat32Vector)};
  for (const ValueEncoding encoding : included)
    definition.columns.push_back(MakeColumn("extra" + std::to_string(definition.columns.size()),
                                            ColumnRole::kIncluded, encoding));
  return definition;
}

template <typename Number>
Number As(std::string_view bytes) {
  Number number{};
  EXPECT_EQ(bytes.size(), sizeof(number));
  memcpy(&number, bytes.data(), std::min(sizeof(number), bytes.size()));
  return number;
}

TEST(CopyRows, TurnsEveryTypeIntoItsEncoding) {
  const Definition definition = MakeDefinition(
      ValueEncoding::kInt64, {ValueEncoding::kBool, ValueEncoding::kInt16, ValueEncoding::kInt32,
                              ValueEncoding::kFloat32, ValueEncoding::kFloat64,
                              ValueEncoding::kUuid, ValueEncoding::kText, ValueEncoding::kBinary});
  const std::string uuid = "0123456789abcdef";
  const std::string stream =
      CopyHead() +
      CopyRow({Big<int64_t>(-7), RealArray({1, 2}), std::string(1, '\1'), Big<int16_t>(-2),
               Big<int32_t>(123456), Big(2.5f), Big(-0.125), uuid, "h\xc3\xa9llo", "any"}) +
      CopyEnd();
  CopyRows parser(definition, 2);
  RowBatch batch = parser.EmptyBatch();

  ASSERT_TRUE(parser.Feed(stream, &batch).ok());

  EXPECT_TRUE(parser.Finish().ok());
  ASSERT_EQ(batch.with_vector.rows(), 1u);
  EXPECT_EQ(batch.vectors, (std::vector<float>{1, 2}));
  const ColumnSet& columns = batch.with_vector;
  EXPECT_EQ(As<int64_t>(columns.at(0).Value(0)), -7);
  EXPECT_EQ(columns.at(1).Value(0), std::string(1, '\1'));
  EXPECT_EQ(As<int16_t>(columns.at(2).Value(0)), -2);
  EXPECT_EQ(As<int32_t>(columns.at(3).Value(0)), 123456);
  EXPECT_EQ(As<float>(columns.at(4).Value(0)), 2.5f);
  EXPECT_EQ(As<double>(columns.at(5).Value(0)), -0.125);
  EXPECT_EQ(columns.at(6).Value(0), uuid);
  EXPECT_EQ(columns.at(7).Value(0), "h\xc3\xa9llo");
  EXPECT_EQ(columns.at(8).Value(0), "any");
}

TEST(CopyRows, RowsWithoutAVectorStandApart) {
  const Definition definition = MakeDefinition(ValueEncoding::kInt32, {ValueEncoding::kText});
  CopyRows parser(definition, 1);
  RowBatch batch = parser.EmptyBatch();

  ASSERT_TRUE(parser
                  .Feed(CopyHead() + CopyRow({Big<int32_t>(1), std::nullopt, std::nullopt}) +
                            CopyRow({Big<int32_t>(2), RealArray({5}), "two"}) + CopyEnd(),
                        &batch)
                  .ok());

  ASSERT_EQ(batch.without_vector.rows(), 1u);
  EXPECT_EQ(As<int32_t>(batch.without_vector.at(0).Value(0)), 1);
  EXPECT_TRUE(batch.without_vector.at(1).IsNull(0));
  ASSERT_EQ(batch.with_vector.rows(), 1u);
  EXPECT_EQ(batch.with_vector.at(1).Value(0), "two");
  EXPECT_EQ(batch.rows(), 2u);
}

Definition WithLanguageInKey(Definition definition) {
  definition.columns.insert(definition.columns.begin() + 1,
                            MakeColumn("lang", ColumnRole::kKey, ValueEncoding::kText));
  return definition;
}

TEST(CopyRows, RejectedRowsAreCountedAndTheFirstReasonNamesTheKey) {
  const Definition definition = WithLanguageInKey(MakeDefinition(ValueEncoding::kInt32));
  CopyRows parser(definition, 2);
  RowBatch batch = parser.EmptyBatch();

  ASSERT_TRUE(parser
                  .Feed(CopyHead() + CopyRow({Big<int32_t>(17), "en", RealArray({1, NAN})}) +
                            CopyRow({Big<int32_t>(18), "en", RealArray({1})}) +
                            CopyRow({Big<int32_t>(19), "de", RealArray({3, 4})}) + CopyEnd(),
                        &batch)
                  .ok());

  EXPECT_EQ(batch.rejected_rows, 2u);
  EXPECT_EQ(batch.first_rejection, "row with key (17, en): element 2 is NaN");
  EXPECT_EQ(batch.vectors, (std::vector<float>{3, 4}));
  EXPECT_EQ(batch.with_vector.rows(), 1u);
}

TEST(CopyRows, AnEmptyFirstPartOfAKeyIsNamedToo) {
  const Definition definition = WithLanguageInKey(MakeDefinition(ValueEncoding::kText));
  CopyRows parser(definition, 2);
  RowBatch batch = parser.EmptyBatch();
  ASSERT_TRUE(
      parser.Feed(CopyHead() + CopyRow({"", "en", RealArray({1, NAN})}) + CopyEnd(), &batch).ok());
  EXPECT_EQ(batch.first_rejection, "row with key (, en): element 2 is NaN");
}

TEST(CopyRows, WithoutDimensionsEveryVectorIsRejected) {
  const Definition definition = MakeDefinition(ValueEncoding::kInt32);
  CopyRows parser(definition, 0);
  RowBatch batch = parser.EmptyBatch();
  ASSERT_TRUE(parser
                  .Feed(CopyHead() + CopyRow({Big<int32_t>(1), EmptyRealArray()}) +
                            CopyRow({Big<int32_t>(2), RealArray({1})}) + CopyEnd(),
                        &batch)
                  .ok());
  EXPECT_EQ(batch.rejected_rows, 2u);
  EXPECT_EQ(batch.with_vector.rows(), 0u);
}

TEST(CopyRows, TheStreamMayBeCutAnywhere) {
  const Definition definition = MakeDefinition(ValueEncoding::kInt64, {ValueEncoding::kText});
  const std::string stream =
      CopyHead("ext") + CopyRow({Big<int64_t>(1), RealArray({1, 2, 3}), "one"}) +
      CopyRow({Big<int64_t>(2), std::nullopt, ""}) +
      CopyRow({Big<int64_t>(3), RealArray({4, 5, 6}), std::nullopt}) + CopyEnd();
  for (size_t cut = 0; cut <= stream.size(); cut++) {
    CopyRows parser(definition, 3);
    RowBatch batch = parser.EmptyBatch();
    ASSERT_TRUE(parser.Feed(std::string_view(stream).substr(0, cut), &batch).ok()) << cut;
    EXPECT_EQ(parser.Finish().ok(), cut == stream.size()) << cut;
    ASSERT_TRUE(parser.Feed(std::string_view(stream).substr(cut), &batch).ok()) << cut;
    EXPECT_TRUE(parser.Finish().ok()) << cut;
    EXPECT_EQ(batch.vectors, (std::vector<float>{1, 2, 3, 4, 5, 6})) << cut;
    EXPECT_EQ(batch.without_vector.rows(), 1u) << cut;
  }
  CopyRows parser(definition, 3);
  RowBatch batch = parser.EmptyBatch();
  for (const char& byte : stream) ASSERT_TRUE(parser.Feed({&byte, 1}, &batch).ok());
  EXPECT_TRUE(parser.Finish().ok());
  EXPECT_EQ(batch.rows(), 3u);
}

TEST(CopyRows, WhatIsNoSuchStreamIsAnError) {
  const Definition definition = MakeDefinition(ValueEncoding::kInt32);
  std::string critical = CopyHead();
  critical[12] = '\1';
  const std::string row = CopyRow({Big<int32_t>(1), RealArray({1})});
  const std::string cases[] = {
      "COPY",
      critical,
      CopyHead() + CopyRow({Big<int32_t>(1)}),                                // too few fields
      CopyHead() + Big<int16_t>(-2),                                          // no such count
      CopyHead() + Big<int16_t>(2) + Big<int32_t>(-2),                        // no such length
      CopyHead() + Big<int16_t>(2) + Big<int32_t>(0x7fffffff),                // no such length
      CopyHead() + CopyRow({Big<int64_t>(1), RealArray({1})}),                // another width
      CopyHead() + CopyRow({Big<int32_t>(1), RealArray({1}).substr(0, 20)}),  // array cut
      CopyHead() + row + CopyEnd() + "x",                                     // after the end
      std::string("PGCOPY\n\377\r\n\0", 11) + Big<uint32_t>(0) + Big<uint32_t>(0xffffffff),
  };
  for (const std::string& bytes : cases) {
    CopyRows parser(definition, 1);
    RowBatch batch = parser.EmptyBatch();
    const Status status = parser.Feed(bytes, &batch);
    EXPECT_EQ(status.code(), ErrorCode::SOURCE_FAILED) << testing::PrintToString(bytes);
  }
}

TEST(CopyRows, SurvivesFlippedBytes) {
  const Definition definition = MakeDefinition(ValueEncoding::kInt32, {ValueEncoding::kText});
  const std::string good = CopyHead() + CopyRow({Big<int32_t>(1), RealArray({1, 2}), "x"}) +
                           CopyRow({Big<int32_t>(2), RealArray({3, 4}), "y"}) + CopyEnd();
  constexpr uint32_t kSeed = 20250117;
  std::mt19937 random(kSeed);
  for (int round = 0; round < 20000; round++) {
    std::string bytes = good;
    for (int flips = 1 + round % 3; flips > 0; flips--)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    CopyRows parser(definition, 2);
    RowBatch batch = parser.EmptyBatch();
    const Status status = parser.Feed(bytes, &batch);
    EXPECT_EQ(batch.vectors.size(), batch.with_vector.rows() * 2)
        << "seed " << kSeed << ", round " << round << ": " << status.ToString();
  }
}

}  // namespace
}  // namespace vectord

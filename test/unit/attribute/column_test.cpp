// column_test.cpp - columns with and without a dictionary hold the same values.
#include "daemon/attribute/column.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <random>

namespace vectord {
namespace {

using Values = std::vector<std::optional<std::string>>;

Column ColumnOf(const Values& values) {
  Column column(ValueEncoding::kText, 25);
  for (const auto& value : values) {
    if (value)
      column.Append(*value);
    else
      column.AppendNull();
  }
  return column;
}

Values ValuesOf(const Column& column) {
  Values values;
  for (size_t row = 0; row < column.rows(); row++) {
    const bool is_null = column.IsNull(row);
    if (is_null) {
      EXPECT_EQ(column.Value(row), "");
    }
    values.push_back(is_null ? std::nullopt : std::make_optional(std::string(column.Value(row))));
  }
  return values;
}

// With empty values and, one time in eight, NULL.
Values SomeValues(size_t rows, int distinct, bool with_nulls, std::mt19937* random) {
  Values values;
  for (size_t i = 0; i < rows; i++) {
    const int pick = std::uniform_int_distribution<int>(0, distinct - 1)(*random);
    if (with_nulls && (*random)() % 8 == 0)
      values.emplace_back();
    else
      values.emplace_back(pick == 0 ? "" : "label number " + std::to_string(pick));
  }
  return values;
}

TEST(Column, WithADictionaryHoldsTheSameValues) {
  std::mt19937 random(7);
  for (const int distinct : {1, 2, 300, 5000})
    for (const bool with_nulls : {false, true}) {
      const Values values = SomeValues(30000, distinct, with_nulls, &random);
      Column column = ColumnOf(values);
      const size_t plain = column.plain_bytes();
      column.Compact();
      ASSERT_NE(column.codes(), nullptr) << distinct;
      EXPECT_EQ(ValuesOf(column), values);
      EXPECT_EQ(column.plain_bytes(), plain);
      EXPECT_LE(column.memory_bytes(), plain / 2 + column.rows());  // the flags of NULLs stay
      const Column dictionary = column.Dictionary();
      EXPECT_EQ(dictionary.rows(), column.distinct_values());
      for (size_t row = 0; row < column.rows(); row++)
        if (!column.IsNull(row)) {
          ASSERT_EQ(dictionary.Value(column.codes()[row]), column.Value(row));
        }
    }
}

TEST(Column, IsCodedOnlyWhereThatPays) {
  std::mt19937 random(8);
  const auto is_coded = [](Column column) {
    column.Compact();
    return column.codes() != nullptr;
  };
  EXPECT_FALSE(is_coded(ColumnOf(SomeValues(4095, 3, false, &random)))) << "few rows";
  EXPECT_TRUE(is_coded(ColumnOf(SomeValues(4096, 3, false, &random))));
  EXPECT_FALSE(is_coded(ColumnOf(Values(5000)))) << "NULLs only";
  Values keys;
  for (int i = 0; i < 200000; i++) keys.emplace_back(std::to_string(i));
  EXPECT_FALSE(is_coded(ColumnOf(keys))) << "no value twice";
  // More values than codes, each several times.
  Values many;
  for (int i = 0; i < 400000; i++)
    many.emplace_back("a longer value with number " + std::to_string(i % 70000));
  EXPECT_FALSE(is_coded(ColumnOf(many))) << "too many values";
  Column numbers(ValueEncoding::kInt32, 23);
  for (int i = 0; i < 5000; i++) numbers.Append({"same", 4});
  EXPECT_FALSE(is_coded(numbers)) << "of a fixed length";
}

TEST(Column, WithADictionaryIsAppendedToAndReordered) {
  std::mt19937 random(9);
  const Values values = SomeValues(5000, 40, true, &random);
  Column coded = ColumnOf(values);
  coded.Compact();
  ASSERT_NE(coded.codes(), nullptr);
  Column appended = ColumnOf({"first"});
  appended.AppendAll(coded);
  appended.AppendRow(coded, 17);
  coded.AppendAll(ColumnOf({"last", std::nullopt}));
  Values expected = values;
  expected.insert(expected.begin(), "first");
  expected.push_back(values[17]);
  EXPECT_EQ(ValuesOf(appended), expected);
  expected = values;
  expected.emplace_back("last");
  expected.emplace_back();
  EXPECT_EQ(ValuesOf(coded), expected);

  coded.Compact();
  std::vector<uint32_t> order;
  for (uint32_t row = 0; row < coded.rows(); row++)
    order.push_back(static_cast<uint32_t>(coded.rows()) - 1 - row);
  coded.Permute(order);
  std::reverse(expected.begin(), expected.end());
  EXPECT_EQ(ValuesOf(coded), expected);
}

}  // namespace
}  // namespace vectord

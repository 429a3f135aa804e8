// array_predicate_test.cpp - conditions on arrays, beside what PostgreSQL answers for the same.
#include "daemon/attribute/array_predicate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "daemon/attribute/filter.h"
#include "test/unit/attribute/filter_nodes.h"

namespace vectord {
namespace {

using vfdw::FilterKind;
using vfdw::FilterNode;
using Element = std::optional<std::string>;

std::string Big32(int32_t number) {
  std::string bytes = Bytes(number);
  std::reverse(bytes.begin(), bytes.end());
  return bytes;
}

// As array_send() writes it, with elements already in network order.
std::string Array(const std::vector<Element>& elements, int32_t dimensions = 1) {
  if (elements.empty()) dimensions = 0;
  std::string bytes = Big32(dimensions) + Big32(0) + Big32(23);
  for (int32_t d = 0; d < dimensions; d++)
    bytes += Big32(d == 0 ? static_cast<int32_t>(elements.size()) : 1) + Big32(1);
  for (const Element& element : elements)
    bytes += element ? Big32(static_cast<int32_t>(element->size())) + *element : Big32(-1);
  return bytes;
}

std::string Ints(const std::vector<std::optional<int32_t>>& numbers, int32_t dimensions = 1) {
  std::vector<Element> elements;
  for (const auto& number : numbers)
    elements.push_back(number ? Element(Big32(*number)) : std::nullopt);
  return Array(elements, dimensions);
}

constexpr uint32_t kIntArray = 1007, kTextArray = 1009, kBpcharArray = 1014, kFloatArray = 1022;

// For each row: t, f or u (unknown).
std::string Answers(uint32_t type_oid, const std::vector<Element>& values, FilterNode node) {
  Column column(ValueEncoding::kBinary, type_oid);
  for (const Element& value : values) {
    if (value)
      column.Append(*value);
    else
      column.AppendNull();
  }
  const ColumnSet columns({column});
  const std::vector<FilterColumn> named = {{"c", ValueEncoding::kBinary, type_oid, 0}};
  const auto passing = [&](std::vector<FilterNode> nodes) {
    auto filter = Filter::Compile(nodes, named);
    EXPECT_TRUE(filter.ok()) << filter.status().detail();
    auto words = (*filter)->Evaluate({columns}, nullptr);
    EXPECT_TRUE(words.ok());
    return (**words)[0];
  };
  const uint64_t yes = passing({node});
  const uint64_t unknown = passing({node, Unary(FilterKind::kIsUnknown)});
  std::string answers;
  for (size_t row = 0; row < values.size(); row++)
    answers += yes >> row & 1 ? 't' : unknown >> row & 1 ? 'u' : 'f';
  return answers;
}

FilterNode ArrayNode(FilterKind kind, ValueEncoding element, std::vector<std::string> operands,
                     bool has_null = false) {
  FilterNode node = Leaf(kind, "c", std::move(operands));
  node.element = static_cast<uint8_t>(element);
  node.has_null = has_null;
  return node;
}

const std::vector<Element> kInts = {Ints({1, 2, 3}), Ints({}),        Ints({std::nullopt, 2}),
                                    std::nullopt,    Ints({4, 4, 1}), Ints({2, 3}, 2)};

std::string OfInts(FilterKind kind, const std::vector<int32_t>& numbers, bool has_null = false) {
  std::vector<std::string> operands;
  for (const int32_t number : numbers) operands.push_back(Bytes(number));
  return Answers(kIntArray, kInts,
                 ArrayNode(kind, ValueEncoding::kInt32, std::move(operands), has_null));
}

TEST(ArrayPredicate, OverlapsWhenOneElementIsInBoth) {
  EXPECT_EQ(OfInts(FilterKind::kArrayOverlaps, {2, 9}), "tftuft");
  EXPECT_EQ(OfInts(FilterKind::kArrayOverlaps, {}), "fffuff");
  EXPECT_EQ(OfInts(FilterKind::kArrayOverlaps, {9}, true), "fffuff");
}

TEST(ArrayPredicate, ContainsWhenEveryElementIsIn) {
  EXPECT_EQ(OfInts(FilterKind::kArrayContains, {2, 3}), "tffuft");
  EXPECT_EQ(OfInts(FilterKind::kArrayContains, {4, 4, 1, 1}), "fffutf");
  EXPECT_EQ(OfInts(FilterKind::kArrayContains, {}), "tttutt");
  EXPECT_EQ(OfInts(FilterKind::kArrayContains, {2}, true), "fffuff");
}

TEST(ArrayPredicate, HasAnElementOrDoesNotKnow) {
  EXPECT_EQ(OfInts(FilterKind::kArrayHasElement, {2}), "tftuft");
  EXPECT_EQ(OfInts(FilterKind::kArrayHasElement, {7}), "ffuuff");
  EXPECT_EQ(OfInts(FilterKind::kArrayHasElement, {}, true), "ufuuuu");
}

TEST(ArrayPredicate, ComparesTextsByBytesAndBpcharWithoutBlanks) {
  const std::vector<Element> values = {Array({"a", "b "}), Array({"A"}), Array({""})};
  const FilterNode node = ArrayNode(FilterKind::kArrayHasElement, ValueEncoding::kText, {"b"});
  EXPECT_EQ(Answers(kTextArray, values, node), "fff");
  EXPECT_EQ(Answers(kBpcharArray, values, node), "tff");
}

TEST(ArrayPredicate, ComparesRealsAsPostgresDoes) {
  const auto big = [](double number) {
    std::string bytes = Bytes(number);
    std::reverse(bytes.begin(), bytes.end());
    return bytes;
  };
  const std::vector<Element> values = {Array({big(-0.0)}), Array({big(NAN)}), Array({big(1)})};
  const auto has = [&](double number) {
    return Answers(
        kFloatArray, values,
        ArrayNode(FilterKind::kArrayHasElement, ValueEncoding::kFloat64, {Bytes(number)}));
  };
  EXPECT_EQ(has(0.0), "tff");
  EXPECT_EQ(has(-NAN), "ftf");
}

ErrorCode CodeOf(uint32_t type_oid, const FilterNode& node) {
  return Filter::Compile({node}, {{"c", ValueEncoding::kBinary, type_oid, 0}}).status().code();
}

TEST(ArrayPredicate, RefusesOperandsThatAreNoElements) {
  EXPECT_EQ(CodeOf(kIntArray, ArrayNode(FilterKind::kArrayContains, ValueEncoding::kInt64,
                                        {Bytes(int64_t{1})})),
            ErrorCode::MALFORMED_MESSAGE);
  EXPECT_EQ(CodeOf(kIntArray, ArrayNode(FilterKind::kArrayContains, ValueEncoding::kInt32, {"x"})),
            ErrorCode::MALFORMED_MESSAGE);
  EXPECT_EQ(CodeOf(kIntArray, ArrayNode(FilterKind::kArrayHasElement, ValueEncoding::kInt32,
                                        {Bytes(1), Bytes(2)})),
            ErrorCode::MALFORMED_MESSAGE);
  EXPECT_EQ(CodeOf(1700, ArrayNode(FilterKind::kArrayContains, ValueEncoding::kInt32, {Bytes(1)})),
            ErrorCode::WRONG_TYPE);
}

TEST(ArrayPredicate, DoesNotGuessAtAValueThatIsNoArray) {
  for (const std::string& bytes : {std::string("short"), Array({"a"}).substr(0, 22),
                                   Array({"ab"}) + "x", Big32(9) + Array({})}) {
    Column column(ValueEncoding::kBinary, kTextArray);
    column.Append(bytes);
    const ColumnSet columns({column});
    const auto filter =
        Filter::Compile({ArrayNode(FilterKind::kArrayOverlaps, ValueEncoding::kText, {"z"})},
                        {{"c", ValueEncoding::kBinary, kTextArray, 0}});
    EXPECT_EQ((*filter)->Evaluate({columns}, nullptr).status().code(), ErrorCode::CORRUPT);
  }
}

}  // namespace
}  // namespace vectord

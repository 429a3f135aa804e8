// jsonb_predicate_test.cpp - conditions on jsonb; the answers are PostgreSQL's.
#include "daemon/attribute/jsonb_predicate.h"

#include <gtest/gtest.h>

#include "daemon/attribute/filter.h"
#include "daemon/attribute/jsonb_text.h"
#include "test/unit/attribute/filter_nodes.h"

namespace vectord {
namespace {

using vfdw::FilterKind;
using vfdw::FilterNode;

std::string Jsonb(const std::string& text) { return '\1' + text; }

// t, f or u (unknown) for one document.
char Answer(const std::string& document, FilterKind kind, std::vector<std::string> operands) {
  Column column(ValueEncoding::kBinary, kJsonbTypeOid);
  column.Append(Jsonb(document));
  const ColumnSet columns({column});
  const FilterNode node = Leaf(kind, "c", std::move(operands));
  const std::vector<FilterColumn> named = {{"c", ValueEncoding::kBinary, kJsonbTypeOid, 0}};
  const auto passes = [&](std::vector<FilterNode> nodes) {
    auto filter = Filter::Compile(nodes, named);
    EXPECT_TRUE(filter.ok()) << filter.status().detail();
    auto words = (*filter)->Evaluate({columns}, nullptr);
    EXPECT_TRUE(words.ok()) << document;
    return words.ok() && (**words)[0] == 1;
  };
  if (passes({node})) return 't';
  return passes({node, Unary(FilterKind::kIsUnknown)}) ? 'u' : 'f';
}

char Contains(const std::string& document, const std::string& operand) {
  return Answer(document, FilterKind::kJsonContains, {Jsonb(operand)});
}

TEST(JsonbPredicate, ContainmentFollowsPostgres) {
  EXPECT_EQ(Contains(R"({"a": 1, "b": 2})", R"({"a": 1})"), 't');
  EXPECT_EQ(Contains(R"({"a": 1})", R"({"a": 1, "b": 2})"), 'f');
  EXPECT_EQ(Contains(R"({"a": 1})", R"({})"), 't');
  EXPECT_EQ(Contains(R"({"a": 1})", R"([])"), 'f');
  EXPECT_EQ(Contains(R"({"a": {"b": 1, "c": 2}})", R"({"a": {"c": 2}})"), 't');
  EXPECT_EQ(Contains(R"({"a": {"b": 1}})", R"({"b": 1})"), 'f');
  EXPECT_EQ(Contains(R"({"a": [1]})", R"({"a": {}})"), 'f');
  EXPECT_EQ(Contains(R"({"a": null})", R"({"a": null})"), 't');
  EXPECT_EQ(Contains(R"({"b": 1})", R"({"a": null})"), 'f');
  EXPECT_EQ(Contains(R"([1, 2, [3, 4]])", R"([2, 1, 1])"), 't');
  EXPECT_EQ(Contains(R"([1, 2, [3, 4]])", R"([[4]])"), 't');
  EXPECT_EQ(Contains(R"([1, 2, [3, 4]])", R"([4])"), 'f');
  EXPECT_EQ(Contains(R"([1, [1, [2]]])", R"([[[2]]])"), 't');
  EXPECT_EQ(Contains(R"([{"a": 1, "b": 2}, {"a": 3}])", R"([{"a": 3}, {"b": 2}])"), 't');
  EXPECT_EQ(Contains(R"([{"a": 1}, {"b": 2}])", R"([{"a": 1, "b": 2}])"), 'f');
}

TEST(JsonbPredicate, AnArrayContainsAScalarButNoScalarAnArray) {
  EXPECT_EQ(Contains(R"(["foo", "bar"])", R"("bar")"), 't');
  EXPECT_EQ(Contains(R"("bar")", R"(["bar"])"), 'f');
  EXPECT_EQ(Contains(R"("bar")", R"([])"), 'f');
  EXPECT_EQ(Contains(R"("bar")", R"("bar")"), 't');
  EXPECT_EQ(Contains(R"("1")", "1"), 'f');
  EXPECT_EQ(Contains(R"({"a": 1})", R"("a")"), 'f');
  EXPECT_EQ(Contains("null", "null"), 't');
  EXPECT_EQ(Contains("true", "false"), 'f');
}

TEST(JsonbPredicate, NumbersAreEqualByTheirExactValue) {
  EXPECT_EQ(Contains("1.00", "1"), 't');
  EXPECT_EQ(Contains("[0.10]", "[0.1]"), 't');
  EXPECT_EQ(Contains("100000", "1e5"), 't');
  EXPECT_EQ(Contains("0", "0.000"), 't');
  EXPECT_EQ(Contains("9007199254740993", "9007199254740992"), 'f');  // one as float64
  EXPECT_EQ(Contains("0.30000000000000000001", "0.3"), 'f');
  EXPECT_EQ(Contains("-1", "1"), 'f');
}

TEST(JsonbPredicate, StringsAreEqualByWhatTheyMean) {
  EXPECT_EQ(Contains(R"({"a\n": "\u00e4"})", "{\"a\\n\": \"\xc3\xa4\"}"), 't');
  EXPECT_EQ(Contains(R"("\ud83d\ude00")", "\"\xf0\x9f\x98\x80\""), 't');
  EXPECT_EQ(Contains(R"("a\\n")", R"("a\n")"), 'f');
}

TEST(JsonbPredicate, AKeyIsThatOfAMemberOrAStringOfAnArray) {
  const auto has = [](const std::string& document, const std::string& key) {
    return Answer(document, FilterKind::kJsonHasKey, {key});
  };
  EXPECT_EQ(has(R"({"a": {"b": 1}})", "a"), 't');
  EXPECT_EQ(has(R"({"a": {"b": 1}})", "b"), 'f');
  EXPECT_EQ(has(R"({"a": "b"})", "b"), 'f');
  EXPECT_EQ(has(R"(["a", ["b"], 1])", "a"), 't');
  EXPECT_EQ(has(R"(["a", ["b"], 1])", "b"), 'f');
  EXPECT_EQ(has(R"(["a", 1])", "1"), 'f');
  EXPECT_EQ(has(R"("a")", "a"), 't');
  EXPECT_EQ(has("1", "1"), 'f');
  EXPECT_EQ(has(R"({"q\"": 1})", "q\""), 't');
}

TEST(JsonbPredicate, TheTextOfAMemberIsWhatPostgresPrints) {
  const auto equal = [](const std::string& document, const std::string& text) {
    return Answer(document, FilterKind::kJsonTextEqual, {"k", text});
  };
  EXPECT_EQ(equal(R"({"j": 1, "k": "v"})", "v"), 't');
  EXPECT_EQ(equal(R"({"k": "a\tb"})", "a\tb"), 't');
  EXPECT_EQ(equal(R"({"k": 1.50})", "1.50"), 't');
  EXPECT_EQ(equal(R"({"k": 1.50})", "1.5"), 'f');
  EXPECT_EQ(equal(R"({"k": true})", "true"), 't');
  EXPECT_EQ(equal(R"({"k": {"a": [1, 2]}})", R"({"a": [1, 2]})"), 't');
  EXPECT_EQ(equal(R"({"k": null})", "null"), 'u');
  EXPECT_EQ(equal(R"({"j": "v"})", "v"), 'u');
  EXPECT_EQ(equal(R"(["k"])", "v"), 'u');
  EXPECT_EQ(equal(R"({"j": {"k": "v"}})", "v"), 'u');
}

TEST(JsonbPredicate, RefusesOperandsThatAreNoJsonb) {
  const auto code = [](FilterKind kind, std::vector<std::string> operands) {
    return Filter::Compile({Leaf(kind, "c", std::move(operands))},
                           {{"c", ValueEncoding::kBinary, kJsonbTypeOid, 0}})
        .status()
        .code();
  };
  EXPECT_EQ(code(FilterKind::kJsonContains, {"{}"}), ErrorCode::MALFORMED_MESSAGE);
  EXPECT_EQ(code(FilterKind::kJsonContains, {Jsonb("{")}), ErrorCode::MALFORMED_MESSAGE);
  EXPECT_EQ(code(FilterKind::kJsonContains, {}), ErrorCode::MALFORMED_MESSAGE);
  EXPECT_EQ(code(FilterKind::kJsonTextEqual, {"k"}), ErrorCode::MALFORMED_MESSAGE);
  const std::string deep = std::string(600, '[') + std::string(600, ']');
  EXPECT_EQ(code(FilterKind::kJsonContains, {Jsonb(deep)}), ErrorCode::LIMIT_EXCEEDED);
}

TEST(JsonDocument, OfAnyDepthIsReadWithoutRecursion) {
  constexpr size_t kDeep = 1000000;
  JsonDocument document;
  EXPECT_TRUE(document.Parse(std::string(kDeep, '[') + std::string(kDeep, ']')));
  EXPECT_EQ(document.depth(), kDeep);
}

TEST(JsonDocument, ThatIsNoneIsRefused) {
  JsonDocument document;
  for (const char* text : {"", "{", "[1,]", "{\"a\"}", "{\"a\":}", "{1: 2}", "[1] 2", "\"a", "\"\\",
                           "]", "[}", "nul", "{\"a\": 1,}"})
    EXPECT_FALSE(document.Parse(text)) << text;
}

}  // namespace
}  // namespace vectord

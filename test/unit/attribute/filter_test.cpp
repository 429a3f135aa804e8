// filter_test.cpp - filters against a plain evaluation of SQL's three-valued logic.
#include "daemon/attribute/filter.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <optional>
#include <random>

#include "daemon/kernel/cpu.h"
#include "shared/limits.h"
#include "shared/metric.h"
#include "test/unit/attribute/filter_nodes.h"

namespace vectord {
namespace {

using vfdw::FilterKind;
using vfdw::FilterNode;

constexpr size_t kRows = 203;  // no multiple of 64
const double kNaN = std::numeric_limits<double>::quiet_NaN();

// Columns of a table whose values are known beside it.
struct Table {
  std::vector<std::optional<int64_t>> number;
  std::vector<std::optional<double>> real;
  std::vector<std::optional<std::string>> text;
  ColumnSet columns;
};

const std::vector<FilterColumn> kColumns = {{"number", ValueEncoding::kInt64, 20, 0},
                                            {"real", ValueEncoding::kFloat64, 701, 1},
                                            {"text", ValueEncoding::kText, 25, 2}};

template <typename T>
Column ColumnOf(ValueEncoding encoding, uint32_t type_oid, const std::vector<std::optional<T>>& v) {
  Column column(encoding, type_oid);
  for (const auto& value : v) {
    if (!value)
      column.AppendNull();
    else if constexpr (std::is_same_v<T, std::string>)
      column.Append(*value);
    else
      column.Append(Bytes(*value));
  }
  return column;
}

Table MakeTable(std::mt19937* random, size_t rows = kRows) {
  Table table;
  std::uniform_int_distribution<int> pick(0, 9);
  const double reals[] = {-1e300, -1, -0.0, 0.0, 1, 2, 1e300, INFINITY, -INFINITY, kNaN};
  const char* const texts[] = {"", "a", "ab", "abc", "b", "\xc3\xa4", "a ", "B", "z", "zz"};
  for (size_t i = 0; i < rows; i++) {
    const auto unless_null = [&](auto value) {
      return pick(*random) == 0 ? std::nullopt : std::make_optional(value);
    };
    table.number.push_back(unless_null(static_cast<int64_t>(pick(*random) - 5)));
    table.real.push_back(unless_null(reals[pick(*random)]));
    table.text.push_back(unless_null(std::string(texts[pick(*random)])));
  }
  table.columns = ColumnSet({ColumnOf(ValueEncoding::kInt64, 20, table.number),
                             ColumnOf(ValueEncoding::kFloat64, 701, table.real),
                             ColumnOf(ValueEncoding::kText, 25, table.text)});
  return table;
}

using Bool3 = std::optional<bool>;

int Order(int64_t a, int64_t b) { return (a > b) - (a < b); }
int Order(double a, double b) { return vfdw_compare_distances(a, b); }
int Order(const std::string& a, const std::string& b) { return a.compare(b); }

bool Holds(FilterKind kind, int order) {
  switch (kind) {
    case FilterKind::kEqual:
      return order == 0;
    case FilterKind::kNotEqual:
      return order != 0;
    case FilterKind::kLess:
      return order < 0;
    case FilterKind::kLessEqual:
      return order <= 0;
    case FilterKind::kGreater:
      return order > 0;
    default:
      return order >= 0;
  }
}

int64_t OperandOf(const std::string& bytes, const int64_t*) {
  int64_t value;
  memcpy(&value, bytes.data(), sizeof value);
  return value;
}
double OperandOf(const std::string& bytes, const double*) {
  double value;
  memcpy(&value, bytes.data(), sizeof value);
  return value;
}
std::string OperandOf(const std::string& bytes, const std::string*) { return bytes; }

template <typename T>
Bool3 LeafOf(const FilterNode& node, const std::optional<T>& value) {
  const auto kind = static_cast<FilterKind>(node.kind);
  if (kind == FilterKind::kIsNull) return !value.has_value();
  if (kind == FilterKind::kNotDistinct) {
    if (node.values.empty()) return !value.has_value();
    return value && Order(*value, OperandOf(node.values[0], &*value)) == 0;
  }
  if (kind == FilterKind::kIn) {
    if (node.values.empty() && !node.has_null) return false;
    if (!value) return std::nullopt;
    for (const std::string& operand : node.values)
      if (Order(*value, OperandOf(operand, &*value)) == 0) return true;
    return node.has_null ? Bool3() : Bool3(false);
  }
  if (!value || node.has_null) return std::nullopt;
  if constexpr (std::is_same_v<T, std::string>) {
    if (kind == FilterKind::kPrefix)
      return value->compare(0, node.values[0].size(), node.values[0]) == 0;
  }
  return Holds(kind, Order(*value, OperandOf(node.values[0], &*value)));
}

Bool3 Junction(bool is_and, const std::vector<Bool3>& results) {
  bool unknown = false;
  for (const Bool3& result : results) {
    if (!result)
      unknown = true;
    else if (*result != is_and)
      return !is_and;
  }
  return unknown ? Bool3() : Bool3(is_and);
}

Bool3 Expected(const std::vector<FilterNode>& nodes, const Table& table, size_t row) {
  std::vector<Bool3> stack;
  for (const FilterNode& node : nodes) {
    const auto kind = static_cast<FilterKind>(node.kind);
    if (kind == FilterKind::kAnd || kind == FilterKind::kOr) {
      const std::vector<Bool3> taken(stack.end() - node.arity, stack.end());
      stack.resize(stack.size() - node.arity);
      stack.push_back(Junction(kind == FilterKind::kAnd, taken));
    } else if (kind == FilterKind::kNot) {
      if (stack.back()) stack.back() = !*stack.back();
    } else if (kind == FilterKind::kIsTrue || kind == FilterKind::kIsFalse) {
      stack.back() = stack.back() == Bool3(kind == FilterKind::kIsTrue);
    } else if (kind == FilterKind::kIsUnknown) {
      stack.back() = !stack.back().has_value();
    } else if (node.column == "number") {
      stack.push_back(LeafOf(node, table.number[row]));
    } else if (node.column == "real") {
      stack.push_back(LeafOf(node, table.real[row]));
    } else {
      stack.push_back(LeafOf(node, table.text[row]));
    }
  }
  return stack.at(0);
}

// Random trees in postfix order over the table's columns.
class TreeMaker {
 public:
  TreeMaker(const Table& table, std::mt19937* random) : table_(table), random_(*random) {}

  std::vector<FilterNode> Make(int depth) {
    nodes_.clear();
    Add(depth);
    return nodes_;
  }

 private:
  int Pick(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }

  std::string Operand(const std::string& column) {
    for (;;) {
      const size_t row = static_cast<size_t>(Pick(kRows));
      if (column == "number" && table_.number[row]) return Bytes(*table_.number[row]);
      if (column == "real" && table_.real[row]) return Bytes(*table_.real[row]);
      if (column == "text" && table_.text[row]) return *table_.text[row];
    }
  }

  void AddLeaf() {
    const std::string& column = kColumns[static_cast<size_t>(Pick(3))].name;
    constexpr FilterKind kKinds[] = {FilterKind::kEqual,       FilterKind::kNotEqual,
                                     FilterKind::kLess,        FilterKind::kLessEqual,
                                     FilterKind::kGreater,     FilterKind::kGreaterEqual,
                                     FilterKind::kIn,          FilterKind::kIsNull,
                                     FilterKind::kNotDistinct, FilterKind::kPrefix};
    const FilterKind kind = kKinds[Pick(column == "text" ? 10 : 9)];
    FilterNode node = Leaf(kind, column, {});
    int operands = kind == FilterKind::kIsNull ? 0 : 1;
    if (kind == FilterKind::kIn) operands = Pick(5);
    if (kind == FilterKind::kNotDistinct) operands = Pick(2);
    for (int i = 0; i < operands; i++) node.values.push_back(Operand(column));
    if (kind != FilterKind::kIsNull && kind != FilterKind::kNotDistinct && Pick(8) == 0)
      node.has_null = true;
    nodes_.push_back(node);
  }

  void Add(int depth) {
    const int choice = depth == 0 ? 0 : Pick(4);
    if (choice == 0) return AddLeaf();
    if (choice == 1) {
      Add(depth - 1);
      nodes_.push_back(Unary(static_cast<FilterKind>(3 + Pick(4))));
      return;
    }
    const uint32_t arity = static_cast<uint32_t>(1 + Pick(3));
    for (uint32_t i = 0; i < arity; i++) Add(depth - 1);
    nodes_.push_back(Joined(choice == 2 ? FilterKind::kAnd : FilterKind::kOr, arity));
  }

  const Table& table_;
  std::mt19937& random_;
  std::vector<FilterNode> nodes_;
};

std::vector<uint64_t> Evaluate(const std::vector<FilterNode>& nodes, const FilteredRows& rows,
                               const std::vector<FilterColumn>& columns = kColumns) {
  auto filter = Filter::Compile(nodes, columns);
  EXPECT_TRUE(filter.ok()) << filter.status().detail();
  auto passing = (*filter)->Evaluate(rows, nullptr);
  EXPECT_TRUE(passing.ok());
  return **passing;
}

bool Has(const std::vector<uint64_t>& words, size_t row) { return words[row / 64] >> row % 64 & 1; }

void ExpectPassingAsInSql(size_t rows, int rounds, std::mt19937* random) {
  Table table = MakeTable(random, rows);
  ColumnSet coded = table.columns;
  coded.at(2).Compact(1);
  ASSERT_NE(coded.at(2).codes(), nullptr);
  TreeMaker maker(table, random);
  for (int round = 0; round < rounds; round++) {
    const std::vector<FilterNode> nodes = maker.Make(round % 5);
    std::vector<uint64_t> live((rows + 63) / 64, ~uint64_t{0});
    if (round % 2 == 1)  // few rows take another way than all
      for (uint64_t& word : live) word = (*random)() & (*random)() & (*random)();
    if (rows % 64 != 0) live.back() &= (uint64_t{1} << rows % 64) - 1;
    ASSERT_TRUE(ForceIsa(static_cast<Isa>(round % (static_cast<int>(DetectedIsa()) + 1))).ok());
    const auto passing = Evaluate(nodes, {table.columns, true, live.data()});
    ASSERT_EQ(Evaluate(nodes, {coded, true, live.data()}), passing) << "round " << round;
    for (size_t row = 0; row < rows; row++)
      ASSERT_EQ(Has(passing, row), Has(live, row) && Expected(nodes, table, row) == Bool3(true))
          << "round " << round << " row " << row;
  }
}

TEST(Filter, OfAnyTreeLetsPassWhatIsTrueInSql) {
  const auto seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  ExpectPassingAsInSql(kRows, 1500, &random);
  // Several blocks, the last one whole, or not.
  ExpectPassingAsInSql(2 * 2048, 50, &random);
  ExpectPassingAsInSql(2 * 2048 + 70, 50, &random);
  ASSERT_TRUE(ForceIsa(std::nullopt).ok());
}

TEST(Filter, OfRowsThatAllLiveSetsNoBitBehindTheLast) {
  std::mt19937 random(1);
  const Table table = MakeTable(&random);
  const auto passing =
      Evaluate({Leaf(FilterKind::kIsNull, "number"), Unary(FilterKind::kIsFalse)}, {table.columns});
  size_t expected = 0, found = 0;
  for (const auto& value : table.number) expected += value.has_value();
  for (const uint64_t word : passing) found += static_cast<size_t>(__builtin_popcountll(word));
  EXPECT_EQ(found, expected);
}

TEST(Filter, OfTheVectorKnowsOnlyWhetherItIsNull) {
  std::mt19937 random(1);
  const Table table = MakeTable(&random);
  const std::vector<FilterColumn> columns = {{"v", ValueEncoding::kFloat32Vector, 1021, 0}};
  const std::vector<FilterNode> is_null = {Leaf(FilterKind::kIsNull, "v")};
  EXPECT_FALSE(Has(Evaluate(is_null, {table.columns, true}, columns), 0));
  EXPECT_TRUE(Has(Evaluate(is_null, {table.columns, false}, columns), 0));
  const auto refused = Filter::Compile({Leaf(FilterKind::kEqual, "v", {"x"})}, columns);
  EXPECT_EQ(refused.status().code(), ErrorCode::WRONG_TYPE);
}

ErrorCode CodeOf(const std::vector<FilterNode>& nodes) {
  return Filter::Compile(nodes, kColumns).status().code();
}

TEST(Filter, ThatIsNoExpressionIsRefused) {
  const FilterNode leaf = Leaf(FilterKind::kIsNull, "number");
  EXPECT_EQ(CodeOf({leaf, leaf}), ErrorCode::MALFORMED_MESSAGE);
  EXPECT_EQ(CodeOf({Unary(FilterKind::kNot)}), ErrorCode::MALFORMED_MESSAGE);
  EXPECT_EQ(CodeOf({leaf, Joined(FilterKind::kAnd, 2)}), ErrorCode::MALFORMED_MESSAGE);
  EXPECT_EQ(CodeOf({leaf, Joined(FilterKind::kAnd, 0)}), ErrorCode::MALFORMED_MESSAGE);
  EXPECT_EQ(CodeOf({leaf, Joined(FilterKind::kOr, ~uint32_t{0})}), ErrorCode::MALFORMED_MESSAGE);
  EXPECT_EQ(CodeOf({Leaf(static_cast<FilterKind>(200), "number")}), ErrorCode::MALFORMED_MESSAGE);
  EXPECT_EQ(CodeOf({Leaf(FilterKind::kEqual, "number", {"123"})}), ErrorCode::MALFORMED_MESSAGE);
  EXPECT_EQ(CodeOf({Leaf(FilterKind::kEqual, "number", {})}), ErrorCode::MALFORMED_MESSAGE);
  EXPECT_EQ(CodeOf({Leaf(FilterKind::kIsNull, "other")}), ErrorCode::COLUMN_MISSING);
  EXPECT_EQ(CodeOf({Leaf(FilterKind::kPrefix, "number", {"12345678"})}), ErrorCode::WRONG_TYPE);
  EXPECT_EQ(CodeOf({Leaf(FilterKind::kColumnTrue, "number")}), ErrorCode::WRONG_TYPE);
}

TEST(Filter, ThatIsTooDeepIsRefused) {
  std::vector<FilterNode> nodes = {Leaf(FilterKind::kIsNull, "number")};
  for (int i = 1; i < VFDW_MAX_FILTER_DEPTH; i++) nodes.push_back(Unary(FilterKind::kNot));
  EXPECT_EQ(CodeOf(nodes), ErrorCode::OK);
  nodes.push_back(Unary(FilterKind::kNot));
  EXPECT_EQ(CodeOf(nodes), ErrorCode::LIMIT_EXCEEDED);
}

TEST(Filter, StopsWhenItIsCanceled) {
  Column column(ValueEncoding::kInt64, 20);
  for (int64_t i = 0; i < 100000; i++) column.Append(Bytes(i));
  const ColumnSet columns({column});
  const auto filter = Filter::Compile({Leaf(FilterKind::kLess, "number", {Bytes(int64_t{5})})},
                                      {{"number", ValueEncoding::kInt64, 20, 0}});
  const std::atomic<bool> cancelled{true};
  EXPECT_EQ((*filter)->Evaluate({columns}, &cancelled).status().code(), ErrorCode::CANCELED);
}

// A column of one type, and which of its rows pass one comparison.
std::string PassingRows(ValueEncoding encoding, uint32_t type_oid,
                        const std::vector<std::string>& values, FilterKind kind,
                        const std::string& operand) {
  Column column(encoding, type_oid);
  for (const std::string& value : values) column.Append(value);
  const ColumnSet columns({column});
  const auto passing =
      Evaluate({Leaf(kind, "c", {operand})}, {columns}, {{"c", encoding, type_oid, 0}});
  std::string rows;
  for (size_t row = 0; row < values.size(); row++)
    if (Has(passing, row)) rows += std::to_string(row);
  return rows;
}

TEST(Filter, ComparesOidsWithoutASignAndIntegersWithOne) {
  const std::vector<std::string> values = {Bytes(int32_t{1}), Bytes(int32_t{-1})};
  const std::string one = Bytes(int32_t{1});
  EXPECT_EQ(PassingRows(ValueEncoding::kInt32, 26, values, FilterKind::kGreater, one), "1");
  EXPECT_EQ(PassingRows(ValueEncoding::kInt32, 23, values, FilterKind::kLess, one), "1");
}

TEST(Filter, ComparesTheLastNumbersOfATypeWithoutOverflow) {
  const int16_t low = INT16_MIN, high = INT16_MAX;
  const std::vector<std::string> values = {Bytes(low), Bytes(int16_t{0}), Bytes(high)};
  const auto passing = [&](FilterKind kind, int16_t operand) {
    return PassingRows(ValueEncoding::kInt16, 21, values, kind, Bytes(operand));
  };
  EXPECT_EQ(passing(FilterKind::kLess, low), "");
  EXPECT_EQ(passing(FilterKind::kLessEqual, low), "0");
  EXPECT_EQ(passing(FilterKind::kGreater, high), "");
  EXPECT_EQ(passing(FilterKind::kGreaterEqual, high), "2");
  EXPECT_EQ(passing(FilterKind::kNotEqual, high), "01");
}

TEST(Filter, IgnoresBlanksAtTheEndOfBpcharOnly) {
  const std::vector<std::string> values = {"a", "a  ", "a b", ""};
  EXPECT_EQ(PassingRows(ValueEncoding::kText, 1042, values, FilterKind::kEqual, "a "), "01");
  EXPECT_EQ(PassingRows(ValueEncoding::kText, 1042, values, FilterKind::kEqual, "  "), "3");
  EXPECT_EQ(PassingRows(ValueEncoding::kText, 25, values, FilterKind::kEqual, "a  "), "1");
}

TEST(Filter, ComparesRealsAsPostgresDoes) {
  const float values[] = {-0.0f, 0.0f, std::numeric_limits<float>::quiet_NaN(), INFINITY, -1.5f};
  std::vector<std::string> bytes;
  for (const float value : values) bytes.push_back(Bytes(value));
  bytes.push_back(Bytes(uint32_t{0xffc00001}));  // another NaN
  const auto passing = [&](FilterKind kind, float operand) {
    return PassingRows(ValueEncoding::kFloat32, 700, bytes, kind, Bytes(operand));
  };
  EXPECT_EQ(passing(FilterKind::kEqual, 0.0f), "01");
  EXPECT_EQ(passing(FilterKind::kEqual, values[2]), "25");
  EXPECT_EQ(passing(FilterKind::kGreater, 0.0f), "235");
  EXPECT_EQ(passing(FilterKind::kLess, values[2]), "0134");
  EXPECT_EQ(passing(FilterKind::kLess, -0.0f), "4");
}

TEST(Filter, ComparesEnumsByTheirLabelAndHasNoOrderOfThem) {
  constexpr uint32_t kUserType = 16400;
  const std::vector<std::string> values = {"sad", "happy"};
  EXPECT_EQ(PassingRows(ValueEncoding::kBinary, kUserType, values, FilterKind::kEqual, "sad"), "0");
  const auto less = Filter::Compile({Leaf(FilterKind::kLess, "c", {"sad"})},
                                    {{"c", ValueEncoding::kBinary, kUserType, 0}});
  EXPECT_EQ(less.status().code(), ErrorCode::WRONG_TYPE);
}

TEST(Filter, OnTheTypeThatAColumnIsToGetIsNotAskedOfTheOldOne) {
  FilterNode less = Leaf(FilterKind::kLess, "c", {std::string(8, '\0')});
  less.type_oid = 1114;  // timestamp, of as many bytes
  const auto filter = Filter::Compile({less}, {{"c", ValueEncoding::kInt64, 20, 0}});
  EXPECT_EQ(filter.status().code(), ErrorCode::NOT_READY);
  EXPECT_TRUE(Filter::Compile({less}, {{"c", ValueEncoding::kInt64, 1114, 0}}).ok());
}

TEST(Filter, OnADomainNeedsTheTypeItIsOver) {
  constexpr uint32_t kDomain = 16400;
  FilterNode equal = Leaf(FilterKind::kEqual, "c", {"a "});
  const std::vector<FilterColumn> columns = {{"c", ValueEncoding::kText, kDomain, 0}};
  EXPECT_EQ(Filter::Compile({equal}, columns).status().code(), ErrorCode::WRONG_TYPE);
  equal.type_oid = 1042;
  Column column(ValueEncoding::kText, kDomain);
  column.Append("a");
  const ColumnSet set({column});
  EXPECT_TRUE(Has(Evaluate({equal}, {set}, columns), 0));
  equal.type_oid = 23;  // what the column is to become
  EXPECT_EQ(Filter::Compile({equal}, columns).status().code(), ErrorCode::NOT_READY);
}

TEST(Filter, OnADomainThatInitdbMadeIsOneOnItsType) {
  constexpr uint32_t kCardinalNumber = 13221;  // of information_schema
  FilterNode equal = Leaf(FilterKind::kEqual, "c", {std::string("\5\0\0\0", 4)});
  equal.type_oid = 23;
  EXPECT_TRUE(Filter::Compile({equal}, {{"c", ValueEncoding::kInt32, kCardinalNumber, 0}}).ok());
}

TEST(Filter, OnAVectorOfAnotherTypeAsksForNullAlone) {
  FilterNode is_null = Leaf(FilterKind::kIsNull, "v", {});
  is_null.type_oid = 1021;  // real[] over pgvector's type
  EXPECT_TRUE(Filter::Compile({is_null}, {{"v", ValueEncoding::kFloat32Vector, 16400, 0}}).ok());
}

}  // namespace
}  // namespace vectord

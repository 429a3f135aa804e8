// filter_compiler.cpp - Filter::Compile: postfix nodes become a tree whose leaves know their
// operands.
//
// The nodes come from outside. Their number is bounded by the frame; the depth of the tree is
// bounded here, because evaluation recurses.
#include <algorithm>
#include <utility>

#include "daemon/attribute/array_predicate.h"
#include "daemon/attribute/filter.h"
#include "daemon/attribute/jsonb_predicate.h"
#include "daemon/attribute/value_predicates.h"
#include "shared/limits.h"

namespace vectord {
namespace {

using vfdw::FilterKind;
using vfdw::FilterNode;
using Node = Filter::Node;

Status Malformed(const std::string& detail) {
  return Status(ErrorCode::MALFORMED_MESSAGE, "malformed filter", detail);
}

Status WrongType(const FilterColumn& column) {
  return Status(ErrorCode::WRONG_TYPE,
                "the condition on column \"" + column.name + "\" cannot be tested by vectord",
                "Values of its type (OID " + std::to_string(column.type_oid) +
                    ") have no such comparison here.");
}

bool IsJunction(FilterKind kind) { return kind == FilterKind::kAnd || kind == FilterKind::kOr; }

bool TakesOneResult(FilterKind kind) {
  return kind >= FilterKind::kNot && kind <= FilterKind::kIsUnknown;
}

Node Constant(bool unknown) {
  Node node;
  node.constant_unknown = unknown;
  return node;
}

Node IsTrue(Node child) {
  Node node;
  node.kind = Node::Kind::kIsTrue;
  node.cost = child.cost;
  node.depth = child.depth + 1;
  node.children.push_back(std::move(child));
  return node;
}

Node::Kind KindOf(FilterKind kind) {
  switch (kind) {
    case FilterKind::kAnd:
      return Node::Kind::kAnd;
    case FilterKind::kOr:
      return Node::Kind::kOr;
    case FilterKind::kNot:
      return Node::Kind::kNot;
    case FilterKind::kIsTrue:
      return Node::Kind::kIsTrue;
    case FilterKind::kIsFalse:
      return Node::Kind::kIsFalse;
    default:
      return Node::Kind::kIsUnknown;
  }
}

// Joins the last results into one. REQUIRES: IsJunction or TakesOneResult.
Status Join(const FilterNode& wire, std::vector<Node>* stack) {
  const auto kind = static_cast<FilterKind>(wire.kind);
  const size_t taken = IsJunction(kind) ? wire.arity : 1;
  if (taken == 0 || taken > stack->size())
    return Malformed("A node joins " + std::to_string(taken) + " results where there are " +
                     std::to_string(stack->size()) + ".");
  Node node;
  node.kind = KindOf(kind);
  for (size_t i = stack->size() - taken; i < stack->size(); i++) {
    node.depth = std::max(node.depth, (*stack)[i].depth + 1);
    node.cost += (*stack)[i].cost;
    node.children.push_back(std::move((*stack)[i]));
  }
  if (node.depth > VFDW_MAX_FILTER_DEPTH)
    return Status(ErrorCode::LIMIT_EXCEEDED, "the filter is too deep",
                  "It has more than " + std::to_string(VFDW_MAX_FILTER_DEPTH) + " levels.");
  // What is cheap leaves fewer rows to what is not. SQL promises no order.
  std::stable_sort(node.children.begin(), node.children.end(),
                   [](const Node& a, const Node& b) { return a.cost < b.cost; });
  stack->resize(stack->size() - taken);
  stack->push_back(std::move(node));
  return Status::Ok();
}

Node Test(const FilterColumn& column, ValueKind kind, std::unique_ptr<const Predicate> predicate) {
  Node node;
  node.kind = Node::Kind::kTest;
  node.column = column.index;
  node.value_kind = kind;
  node.cost = predicate->cost();
  node.predicate = std::move(predicate);
  return node;
}

Result<Node> CompileIsNull(const FilterColumn& column) {
  Node node;
  node.kind = Node::Kind::kIsNull;
  node.column = column.index;
  node.is_vector = column.encoding == ValueEncoding::kFloat32Vector;
  return node;
}

Status CheckOperands(const FilterNode& wire, const FilterColumn& column) {
  const size_t width = vfdw::FixedBytes(column.encoding);
  for (const std::string& value : wire.values)
    if (width != 0 && value.size() != width)
      return Malformed("An operand of column \"" + column.name + "\" has " +
                       std::to_string(value.size()) + " bytes instead of " + std::to_string(width) +
                       ".");
  return Status::Ok();
}

Result<Node> CompileComparison(const FilterNode& wire, const FilterColumn& column,
                               Comparison comparison) {
  const ValueKind kind = ValueKindOf(column.encoding, column.type_oid);
  const bool by_equality = comparison == Comparison::kEqual || comparison == Comparison::kNotEqual;
  if (by_equality ? !HasEquality(kind) : !HasOrder(kind)) return WrongType(column);
  VFDW_RETURN_IF_ERROR(CheckOperands(wire, column));
  if (wire.has_null) return Constant(/*unknown=*/true);
  if (wire.values.size() != 1) return Malformed("A comparison has not exactly one operand.");
  VFDW_ASSIGN_OR_RETURN(auto predicate, MakeComparison(kind, comparison, wire.values[0]));
  return Test(column, kind, std::move(predicate));
}

// column IN (...): with NULL among the operands no row is false.
Result<Node> CompileIn(const FilterNode& wire, const FilterColumn& column) {
  const ValueKind kind = ValueKindOf(column.encoding, column.type_oid);
  if (!HasEquality(kind)) return WrongType(column);
  VFDW_RETURN_IF_ERROR(CheckOperands(wire, column));
  // Of nothing nothing is true, and nothing unknown either, not even for NULL.
  if (wire.values.empty()) return Constant(wire.has_null);
  VFDW_ASSIGN_OR_RETURN(auto predicate, MakeIsOneOf(kind, wire.values));
  Node equal = Test(column, kind, std::move(predicate));
  if (!wire.has_null) return equal;
  Node either;
  either.kind = Node::Kind::kOr;
  either.cost = equal.cost;
  either.depth = 2;
  either.children.push_back(std::move(equal));
  either.children.push_back(Constant(/*unknown=*/true));
  return either;
}

Result<Node> CompileNotDistinct(const FilterNode& wire, const FilterColumn& column) {
  if (wire.values.empty()) return CompileIsNull(column);
  FilterNode equal = wire;
  equal.has_null = false;
  VFDW_ASSIGN_OR_RETURN(Node node, CompileComparison(equal, column, Comparison::kEqual));
  return IsTrue(std::move(node));
}

Result<Node> CompilePrefix(const FilterNode& wire, const FilterColumn& column) {
  if (column.encoding != ValueEncoding::kText) return WrongType(column);
  if (wire.has_null) return Constant(/*unknown=*/true);
  if (wire.values.size() != 1) return Malformed("A prefix has not exactly one operand.");
  const ValueKind kind = ValueKindOf(column.encoding, column.type_oid);
  return Test(column, kind, MakePrefix(wire.values[0], kind == ValueKind::kBytes));
}

Result<Node> CompileColumnTrue(const FilterColumn& column) {
  if (column.encoding != ValueEncoding::kBool) return WrongType(column);
  VFDW_ASSIGN_OR_RETURN(auto predicate,
                        MakeComparison(ValueKind::kBool, Comparison::kEqual, std::string(1, '\1')));
  return Test(column, ValueKind::kBool, std::move(predicate));
}

Result<Node> CompileArray(const FilterNode& wire, const FilterColumn& column) {
  const auto kind = static_cast<FilterKind>(wire.kind);
  if (column.encoding != ValueEncoding::kBinary) return WrongType(column);
  VFDW_ASSIGN_OR_RETURN(auto predicate, MakeArrayPredicate(kind, column.type_oid,
                                                           static_cast<ValueEncoding>(wire.element),
                                                           wire.values, wire.has_null));
  if (predicate == nullptr) return WrongType(column);
  return Test(column, ValueKind::kNone, std::move(predicate));
}

Result<Node> CompileJsonb(const FilterNode& wire, const FilterColumn& column) {
  if (column.encoding != ValueEncoding::kBinary || column.type_oid != kJsonbTypeOid)
    return WrongType(column);
  if (wire.has_null) return Constant(/*unknown=*/true);
  VFDW_ASSIGN_OR_RETURN(auto predicate,
                        MakeJsonbPredicate(static_cast<FilterKind>(wire.kind), wire.values));
  return Test(column, ValueKind::kNone, std::move(predicate));
}

Result<Node> CompileLeaf(const FilterNode& wire, const FilterColumn& column) {
  switch (static_cast<FilterKind>(wire.kind)) {
    case FilterKind::kColumnTrue:
      return CompileColumnTrue(column);
    case FilterKind::kEqual:
      return CompileComparison(wire, column, Comparison::kEqual);
    case FilterKind::kNotEqual:
      return CompileComparison(wire, column, Comparison::kNotEqual);
    case FilterKind::kLess:
      return CompileComparison(wire, column, Comparison::kLess);
    case FilterKind::kLessEqual:
      return CompileComparison(wire, column, Comparison::kLessEqual);
    case FilterKind::kGreater:
      return CompileComparison(wire, column, Comparison::kGreater);
    case FilterKind::kGreaterEqual:
      return CompileComparison(wire, column, Comparison::kGreaterEqual);
    case FilterKind::kIn:
      return CompileIn(wire, column);
    case FilterKind::kIsNull:
      return CompileIsNull(column);
    case FilterKind::kNotDistinct:
      return CompileNotDistinct(wire, column);
    case FilterKind::kPrefix:
      return CompilePrefix(wire, column);
    case FilterKind::kArrayOverlaps:
    case FilterKind::kArrayContains:
    case FilterKind::kArrayHasElement:
      return CompileArray(wire, column);
    case FilterKind::kJsonContains:
    case FilterKind::kJsonHasKey:
    case FilterKind::kJsonTextEqual:
      return CompileJsonb(wire, column);
    default:
      return Malformed("Kind " + std::to_string(wire.kind) + " of a node is not known.");
  }
}

Status OfOlderType(const FilterNode& wire, const FilterColumn& column) {
  return Status(ErrorCode::NOT_READY,
                "column \"" + column.name + "\" of the collection does not have its new type yet",
                "Its values are of the type with OID " + std::to_string(column.type_oid) +
                    ", but a condition is on the type with OID " + std::to_string(wire.type_oid) +
                    ".");
}

Result<FilterColumn> FindColumn(const FilterNode& wire, const std::vector<FilterColumn>& columns) {
  for (const FilterColumn& column : columns) {
    if (column.name != wire.column) continue;
    FilterColumn found = column;
    if (wire.type_oid == 0 || wire.type_oid == column.type_oid) return found;
    // It may be a domain over the other, or else its rows are those of before an ALTER TABLE.
    if (column.type_oid < kFirstUnpinnedTypeOid ||
        (column.encoding != ValueEncoding::kFloat32Vector &&
         EncodingOfType(wire.type_oid) != column.encoding))
      return OfOlderType(wire, column);
    found.type_oid = wire.type_oid;
    return found;
  }
  return Status(ErrorCode::COLUMN_MISSING,
                "column \"" + wire.column + "\" of a filter is not in the collection");
}

// All that a node says, and of which column; columns may have changed their names.
void AppendIdentity(const FilterNode& wire, size_t column, uint32_t type_oid, std::string* out) {
  for (const uint64_t number :
       {uint64_t{wire.kind}, uint64_t{wire.arity}, uint64_t{column}, uint64_t{type_oid},
        uint64_t{wire.has_null}, uint64_t{wire.element}, uint64_t{wire.values.size()}})
    *out += std::to_string(number) + ",";
  for (const std::string& value : wire.values) *out += std::to_string(value.size()) + ":" + value;
}

}  // namespace

Result<std::shared_ptr<const Filter>> Filter::Compile(const std::vector<FilterNode>& nodes,
                                                      const std::vector<FilterColumn>& columns) {
  constexpr size_t kMostIdentityBytes = 4096;
  std::vector<Node> stack;
  std::string identity;
  for (const FilterNode& wire : nodes) {
    const auto kind = static_cast<FilterKind>(wire.kind);
    if (IsJunction(kind) || TakesOneResult(kind)) {
      VFDW_RETURN_IF_ERROR(Join(wire, &stack));
      AppendIdentity(wire, 0, 0, &identity);
      continue;
    }
    VFDW_ASSIGN_OR_RETURN(const FilterColumn column, FindColumn(wire, columns));
    VFDW_ASSIGN_OR_RETURN(Node leaf, CompileLeaf(wire, column));
    stack.push_back(std::move(leaf));
    const bool is_vector = column.encoding == ValueEncoding::kFloat32Vector;
    if (identity.size() <= kMostIdentityBytes)
      AppendIdentity(wire, is_vector ? ~size_t{0} : column.index, column.type_oid, &identity);
  }
  if (identity.size() > kMostIdentityBytes) identity.clear();
  if (stack.size() != 1)
    return Malformed("Its nodes leave " + std::to_string(stack.size()) + " results.");
  return std::make_shared<const Filter>(std::move(stack[0]), std::move(identity));
}

}  // namespace vectord

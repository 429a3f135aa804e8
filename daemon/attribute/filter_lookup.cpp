// filter_lookup.cpp - see filter_lookup.h.
#include "daemon/attribute/filter_lookup.h"

#include <algorithm>
#include <utility>

namespace vectord {
namespace {

using Node = Filter::Node;

// Rows that may pass, by the order of columns: all for which the filter is true, perhaps others.
struct Found {
  struct Piece {
    const SortedRows* sorted;
    Spans spans;
  };
  std::vector<Piece> pieces;
  size_t rows = 0;
  bool exact = true;  // no others
};

class Lookup {
 public:
  explicit Lookup(const FilteredRows& rows) : rows_(rows) {}

  // False: some of the rows cannot be looked up.
  bool Find(const Node& node, Found* found) const {
    switch (node.kind) {
      case Node::Kind::kTest:
        return FindLeaf(node, found);
      case Node::Kind::kAnd:
        return FindFewest(node, found);
      case Node::Kind::kOr:
        return FindAll(node, found);
      case Node::Kind::kIsTrue:
        return Find(node.children[0], found);
      case Node::Kind::kConstant:
        return true;  // true for no row
      default:
        return false;
    }
  }

 private:
  bool FindLeaf(const Node& node, Found* found) const {
    const SortedRows* const sorted =
        rows_.sorted->Get(rows_.columns, node.column, node.value_kind, rows_.budget);
    if (sorted == nullptr) return false;
    Found::Piece piece{sorted, {}};
    if (!node.predicate->Find(rows_.columns.at(node.column), *sorted, &piece.spans)) return false;
    for (const auto& span : piece.spans) found->rows += span.second - span.first;
    found->pieces.push_back(std::move(piece));
    return true;
  }

  bool FindFewest(const Node& node, Found* found) const {
    bool any = false;
    Found fewest;
    for (const Node& child : node.children) {
      Found of_child;
      if (!Find(child, &of_child) || (any && of_child.rows >= fewest.rows)) continue;
      fewest = std::move(of_child);
      any = true;
    }
    if (!any) return false;
    Add(std::move(fewest), found);
    found->exact &= node.children.size() == 1;
    return true;
  }

  bool FindAll(const Node& node, Found* found) const {
    for (const Node& child : node.children) {
      Found of_child;
      if (!Find(child, &of_child)) return false;
      Add(std::move(of_child), found);
    }
    return true;
  }

  static void Add(Found&& part, Found* found) {
    found->rows += part.rows;
    found->exact &= part.exact;
    for (Found::Piece& piece : part.pieces) found->pieces.push_back(std::move(piece));
  }

  const FilteredRows& rows_;
};

// A node's cost in this segment.
int CostIn(const Node& node, const ColumnSet& columns) {
  constexpr int kCostOfCode = 2;
  if (node.kind == Node::Kind::kTest && columns.at(node.column).codes() != nullptr)
    return std::min(node.cost, kCostOfCode);
  if (node.children.empty()) return node.cost;
  int cost = 0;
  for (const Node& child : node.children) cost += CostIn(child, columns);
  return cost;
}

std::vector<uint64_t> BitsOf(const Found& found, const FilteredRows& rows) {
  const size_t words = (rows.columns.rows() + 63) / 64;
  std::vector<uint64_t> bits(words, 0);
  for (const Found::Piece& piece : found.pieces)
    for (const auto& span : piece.spans)
      for (size_t i = span.first; i < span.second; i++) {
        const uint32_t row = (*piece.sorted)[i];
        bits[row / 64] |= uint64_t{1} << row % 64;
      }
  if (rows.live != nullptr)
    for (size_t word = 0; word < words; word++) bits[word] &= rows.live[word];
  return bits;
}

}  // namespace

std::optional<LookedUp> LookUp(const Node& root, const FilteredRows& rows) {
  Found found;
  if (rows.sorted == nullptr || !Lookup(rows).Find(root, &found)) return std::nullopt;
  const uint64_t cost = static_cast<uint64_t>(std::max(CostIn(root, rows.columns), 1));
  if (found.rows * (kCostOfLookup + cost) > rows.columns.rows() * cost) return std::nullopt;
  return LookedUp{BitsOf(found, rows), found.rows, found.exact};
}

}  // namespace vectord

// filter_nodes.h - nodes of a filter, for tests.
#ifndef VECTOR_FDW_TEST_UNIT_ATTRIBUTE_FILTER_NODES_H
#define VECTOR_FDW_TEST_UNIT_ATTRIBUTE_FILTER_NODES_H

#include <string>
#include <utility>
#include <vector>

#include "shared/messages.h"

namespace vectord {

template <typename T>
std::string Bytes(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

inline vfdw::FilterNode Leaf(vfdw::FilterKind kind, std::string column,
                             std::vector<std::string> values = {}) {
  vfdw::FilterNode node;
  node.kind = static_cast<uint8_t>(kind);
  node.column = std::move(column);
  node.values = std::move(values);
  return node;
}

inline vfdw::FilterNode Unary(vfdw::FilterKind kind) { return Leaf(kind, ""); }

inline vfdw::FilterNode Joined(vfdw::FilterKind kind, uint32_t arity) {
  vfdw::FilterNode node = Leaf(kind, "");
  node.arity = arity;
  return node;
}

}  // namespace vectord

#endif

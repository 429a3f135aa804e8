// hnsw_graph.h - the links of an HNSW graph, laid out for searching and never changed.
//
// The links of the bottom level stand in one matrix with a fixed stride, so that a hop needs no
// table of offsets. hnsw_linker.cpp fills it.
//
// An upper level holds few rows. It numbers them by itself ("seats"): links are seats of the same
// level, below[] leads to the level underneath, row[] to the store.
//
// The codes of its rows by which it is walked, if any, belong to it.
//
// Rows without a direction under cosine are in no level; their links are empty.
#ifndef VECTOR_FDW_DAEMON_INDEX_HNSW_GRAPH_H
#define VECTOR_FDW_DAEMON_INDEX_HNSW_GRAPH_H

#include <cstddef>
#include <cstdint>
#include <vector>

#include "daemon/index/page_buffer.h"
#include "daemon/index/vector_codes.h"

namespace vectord {

// Ends a list of links that is not full.
constexpr uint32_t kNoLink = 0xffffffff;

struct HnswGraph {
  struct UpperLevel {
    std::vector<uint32_t> row;    // seat -> row of the store
    std::vector<uint32_t> below;  // seat -> seat one level down; on level 1 the row itself
    std::vector<uint32_t> links;  // degree entries for each seat
  };

  uint32_t bottom_degree = 0;  // 2m
  uint32_t upper_degree = 0;   // m
  size_t linked_rows = 0;      // rows that are part of the graph
  // Where a search begins: a seat of the top level, or a row when there is only the bottom.
  uint32_t entry = kNoLink;
  PageBuffer bottom;              // bottom_degree uint32 for each row
  std::vector<UpperLevel> upper;  // [0] is level 1
  SharedCodes codes;              // null: it is walked by float32

  const uint32_t* BottomLinks(uint32_t row) const {
    return bottom.as<uint32_t>() + static_cast<size_t>(row) * bottom_degree;
  }
  size_t memory_bytes() const {
    size_t bytes = bottom.bytes() + (codes ? codes->memory_bytes() : 0);
    for (const UpperLevel& level : upper)
      bytes += sizeof(level) + sizeof(uint32_t) * (level.row.capacity() + level.below.capacity() +
                                                   level.links.capacity());
    return bytes;
  }
};

// Bytes that a walk reads of a row to tell how near it is.
inline size_t BytesToCompare(const HnswGraph& graph, const VectorStore& store) {
  return graph.codes ? graph.codes->bytes_per_row() : store.stride() * sizeof(float);
}

}  // namespace vectord

#endif

// hnsw_walk.h - the search of an HNSW graph (Malkov and Yashunin 2016, algorithms 2 and 5).
//
// Keys are float32 and order like distances (key_query.h): by the rows themselves, or by the
// graph's codes if it has any; then some more rows than wanted are found and compared again. What
// a walk returns are exact distances (metric.h).
//
// Threads: WalkGraph from any number at once, each with a scratch of its own.
#ifndef VECTOR_FDW_DAEMON_INDEX_HNSW_WALK_H
#define VECTOR_FDW_DAEMON_INDEX_HNSW_WALK_H

#include <cstddef>
#include <cstdint>
#include <vector>

#include "daemon/index/hnsw_graph.h"
#include "daemon/index/index.h"

namespace vectord {

struct KeyedRow {
  float key;
  uint32_t row;
};

// Which rows a walk has met: a byte each, compared with the number of the walk, so that starting
// another walk clears nothing but once in 255 times.
class VisitedRows {
 public:
  void Start(size_t rows) {
    if (marks_.size() < rows) marks_.resize(rows, 0);
    if (++walk_ == 0) {
      std::fill(marks_.begin(), marks_.end(), 0);
      walk_ = 1;
    }
  }
  // True when the row had not been met in this walk; now it has.
  bool Visit(uint32_t row) {
    if (marks_[row] == walk_) return false;
    marks_[row] = walk_;
    return true;
  }
  size_t memory_bytes() const { return marks_.capacity(); }

 private:
  std::vector<uint8_t> marks_;
  uint8_t walk_ = 0;
};

// What a walk needs beside the graph; kept from one search to the next.
struct WalkScratch {
  VisitedRows visited;
  std::vector<KeyedRow> nearest;
  std::vector<KeyedRow> frontier;
  std::vector<uint32_t> met;
  std::vector<float> keys;
  std::vector<uint32_t> behind;  // allowed rows two links away, of filtered walks

  size_t memory_bytes() const {
    return sizeof(*this) + visited.memory_bytes() +
           sizeof(KeyedRow) * (nearest.capacity() + frontier.capacity()) +
           sizeof(uint32_t) * (met.capacity() + keys.capacity() + behind.capacity());
  }
};

// Fills *out with up to k rows, sorted by (distance, row), found with a beam of `effort` rows.
// REQUIRES: effort >= params.k; the graph has an entry; the query is not all zero under cosine.
[[nodiscard]] Status WalkGraph(const HnswGraph& graph, const VectorStore& store, vfdw_metric metric,
                               const float* query, const SearchParams& params, uint32_t effort,
                               WalkScratch* scratch, std::vector<Candidate>* out,
                               SearchStats* stats);

}  // namespace vectord

#endif

// hnsw_steps.h - what every walk over an HNSW graph does alike: the way down, the steps, the end.
//
// Internal to the walks (hnsw_walk.cpp, filtered_walk.cpp). Keys are those of key_query.h; exact
// distances are computed once, of what was found.
#ifndef VECTOR_FDW_DAEMON_INDEX_HNSW_STEPS_H
#define VECTOR_FDW_DAEMON_INDEX_HNSW_STEPS_H

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "daemon/index/beam.h"
#include "daemon/index/bound_query.h"
#include "daemon/index/hnsw_graph.h"
#include "daemon/index/hnsw_walk.h"
#include "daemon/index/index.h"
#include "daemon/index/key_query.h"
#include "daemon/kernel/distance.h"
#include "daemon/kernel/topk.h"

namespace vectord {

struct Walk {
  const HnswGraph& graph;
  const VectorStore& store;
  const SearchParams& params;
  WalkScratch* scratch;
  SearchStats* stats;
};

// From the entry down to the bottom, always to the nearest neighbour: a good row to begin with.
template <class Query>
KeyedRow Descend(const Walk& walk, const Query& query) {
  const HnswGraph& graph = walk.graph;
  uint32_t seat = graph.entry;
  uint32_t row = graph.upper.empty() ? seat : graph.upper.back().row[seat];
  float key;
  query.Keys(&row, 1, &key);
  walk.stats->distances_computed++;
  uint32_t* const rows = walk.scratch->met.data();
  float* const keys = walk.scratch->keys.data();
  for (size_t level = graph.upper.size(); level-- > 0;) {
    const HnswGraph::UpperLevel& upper = graph.upper[level];
    for (bool moved = true; moved;) {
      moved = false;
      const uint32_t* const links = upper.links.data() + size_t{seat} * graph.upper_degree;
      uint32_t count = 0;
      for (; count < graph.upper_degree && links[count] != kNoLink; count++) {
        rows[count] = upper.row[links[count]];
        query.Prefetch(rows[count]);
      }
      query.Keys(rows, count, keys);
      walk.stats->distances_computed += count;
      walk.stats->hops++;
      for (uint32_t i = 0; i < count; i++) {
        if (!(keys[i] < key)) continue;
        key = keys[i];
        row = rows[i];
        seat = links[i];
        moved = true;
      }
    }
    seat = upper.below[seat];
  }
  return {key, row};
}

// Rows that one step expands. Of several, memory fetches the neighbours at once, and a few more
// rows are met, of which some belong to the answer. Measured with efforts of 20 to 200, that is up
// to 10 % faster with more recall where a row's codes are short; where they are long, what is met
// in addition costs more than it gains.
inline size_t RowsToExpand(const HnswGraph& graph, const VectorStore& store) {
  constexpr size_t kShortBytes = 512;
  return BytesToCompare(graph, store) <= kShortBytes ? 4 : 1;
}

// Rows that a step can meet.
inline size_t MostMet(const HnswGraph& graph, const VectorStore& store) {
  return std::max(RowsToExpand(graph, store) * graph.bottom_degree, size_t{graph.upper_degree});
}

// Puts the neighbours not met before at *count of met.
template <class Query>
void MeetNeighbours(const HnswGraph& graph, const Query& query, uint32_t row, VisitedRows* visited,
                    uint32_t* met, uint32_t* count) {
  const uint32_t* const links = graph.BottomLinks(row);
  for (uint32_t i = 0; i < graph.bottom_degree && links[i] != kNoLink; i++) {
    if (!visited->Visit(links[i])) continue;
    query.Prefetch(links[i]);
    met[(*count)++] = links[i];
  }
}

// Expands the beam on the bottom level until it cannot improve; calls on_met(rows, keys, count)
// with the rows that each step met, which ends the walk by false. False: ended so, or cancelled.
template <class Query, class Beam, class Met>
bool Spread(const Walk& walk, const Query& query, KeyedRow start, const uint64_t* allowed,
            Beam* beam, Met on_met) {
  const HnswGraph& graph = walk.graph;
  VisitedRows& visited = walk.scratch->visited;
  uint32_t* const met = walk.scratch->met.data();
  float* const keys = walk.scratch->keys.data();
  const size_t link_bytes = graph.bottom_degree * sizeof(uint32_t);
  const size_t rows_to_expand = RowsToExpand(graph, walk.store);

  visited.Start(walk.store.size());
  visited.Visit(start.row);
  beam->Insert(start.key, start.row, IsAllowed(allowed, start.row));
  for (uint64_t step = 1;; step++) {
    constexpr uint64_t kStepsBetweenLooks = 8;
    if (step % kStepsBetweenLooks == 0 && walk.params.cancelled != nullptr &&
        walk.params.cancelled->load(std::memory_order_relaxed))
      return false;
    size_t expanded = 0;
    uint32_t count = 0;
    for (uint32_t row; expanded < rows_to_expand && beam->Next(&row); expanded++)
      MeetNeighbours(graph, query, row, &visited, met, &count);
    if (expanded == 0) return true;
    walk.stats->hops += expanded;
    query.Keys(met, count, keys);
    walk.stats->distances_computed += count;
    if (!on_met(met, keys, count)) return false;
    for (uint32_t i = 0; i < count; i++) {
      if (!beam->Accepts(keys[i])) continue;
      PrefetchLines(graph.BottomLinks(met[i]), link_bytes);
      beam->Insert(keys[i], met[i], IsAllowed(allowed, met[i]));
    }
  }
}

// The best k rows of a beam by exact distance.
template <class Beam>
class ExactBest {
 public:
  ExactBest(const Walk& walk, vfdw_metric metric, const float* query, const Beam& beam)
      : beam_(beam),
        bound_(walk.store, metric, query),
        best_(walk.params.k, walk.params.cancelled) {}

  // Compares the rows up to beam.Row(end - 1) that are not yet. Returns how many of them were
  // nearer than the k-th before; all when those were fewer than k.
  size_t CompareUpTo(size_t end) {
    uint32_t rows[BoundQuery::kMaxBatch];
    double distances[BoundQuery::kMaxBatch];
    while (compared_ < end) {
      const size_t count = std::min(BoundQuery::kMaxBatch, end - compared_);
      for (size_t i = 0; i < count; i++) rows[i] = beam_.Row(compared_ + i);
      bound_.Gather(rows, count, distances);
      for (size_t i = 0; i < count; i++) best_.Push(distances[i], rows[i]);
      compared_ += count;
    }
    return best_.RaiseBar();
  }

  size_t compared() const { return compared_; }
  // Sorted. False: cancelled.
  bool Take(std::vector<Candidate>* out) { return best_.Take(out); }

 private:
  const Beam& beam_;
  const BoundQuery bound_;
  TopK best_;
  size_t compared_ = 0;
};

// Exact distances of what the beam holds, the best k of them sorted. The beam is done with.
template <class Beam>
bool Finish(const Walk& walk, vfdw_metric metric, const float* query, Beam* beam,
            std::vector<Candidate>* out) {
  ExactBest<Beam> best(walk, metric, query, *beam);
  if (!walk.graph.codes) {
    best.CompareUpTo(beam->found());
    return best.Take(out);
  }
  const size_t k = walk.params.k;
  const size_t most = std::min(
      beam->found(), CountToCompare(walk.graph.codes->quantizer(), k, walk.params.oversample));
  beam->PutFirst(most);
  if (Beam::kIsSorted && walk.params.oversample == 0 && k < most) {
    // Keys are nearly in the order of distances, so rows enter the answer ever more rarely. Where
    // none of several does, the rest hardly matter: measured with sq8, 18 of 30 rows are compared,
    // and the recall is the same to four digits.
    const size_t several = std::max<size_t>(4, (most - k) * 2 / 5);
    best.CompareUpTo(k);
    while (best.compared() < most &&
           best.CompareUpTo(std::min(best.compared() + several, most)) > 0) {
    }
  } else {
    best.CompareUpTo(most);
  }
  walk.stats->distances_computed += best.compared();
  return best.Take(out);
}

}  // namespace vectord

#endif

// hnsw_linker.h - links the rows of a VectorStore into an HNSW graph (Malkov and Yashunin 2016,
// algorithms 1, 2 and 4).
//
// Rows go in from the highest level down. So the first row linked is the entry of the graph from
// beginning to end, and the rows of a level are the first so many of the order: a row's place in
// the order ("seat") names it on every upper level. On the bottom it is named by its row number.
//
// Threads: Link() starts the threads it is allowed and returns when they are done; the rest is for
// one thread.
#ifndef VECTOR_FDW_DAEMON_INDEX_HNSW_LINKER_H
#define VECTOR_FDW_DAEMON_INDEX_HNSW_LINKER_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "daemon/index/build_control.h"
#include "daemon/index/code_keys.h"
#include "daemon/index/hnsw_graph.h"
#include "daemon/index/index_spec.h"
#include "daemon/index/vector_store.h"

namespace vectord {

// Which rows to link, and in which order.
struct LinkingOrder {
  std::vector<uint32_t> rows;
  // seats[l]: so many of the first rows are on level l + 1. Falls, never to 0.
  std::vector<uint32_t> seats;
};

// All rows but those without a direction under cosine, which have no place in a graph. Levels
// depend on nothing but row numbers and m.
LinkingOrder ChooseLinkingOrder(const IndexSpec& spec, const VectorStore& store);

class HnswLinker {
 public:
  virtual ~HnswLinker() = default;

  // Links the rows at [begin, end) of the order, of those on the bottom only first the ones that it
  // finds best. REQUIRES: those before begin are linked.
  virtual Status Link(size_t begin, size_t end, const BuildControl& control) = 0;

  // The graph of the rows linked so far. Its bottom level is the linker's own: nothing can be
  // linked until Reopen() gives it back.
  virtual HnswGraph Seal(size_t linked_rows) = 0;
  virtual void Reopen(HnswGraph graph) = 0;
};

// Compares rows by keys of codes if there are any, else by float32. The store must outlive the
// linker.
Result<std::unique_ptr<HnswLinker>> MakeHnswLinker(const IndexSpec& spec, const VectorStore& store,
                                                   LinkingOrder order,
                                                   std::optional<CodeKeys> codes);

// What a linker needs beside the graph and the codes.
size_t EstimateLinkerBytes(const IndexSpec& spec, size_t rows, int threads);

}  // namespace vectord

#endif

// hnsw_builder.h - makes an HNSW graph over a VectorStore and measures what its searches need.
//
// Threads: BuildHnswGraph starts the threads it was allowed, and returns when they are done.
#ifndef VECTOR_FDW_DAEMON_INDEX_HNSW_BUILDER_H
#define VECTOR_FDW_DAEMON_INDEX_HNSW_BUILDER_H

#include <cstddef>
#include <cstdint>

#include "daemon/index/build_control.h"
#include "daemon/index/hnsw_graph.h"
#include "daemon/index/index_spec.h"

namespace vectord {

struct HnswBuild {
  HnswGraph graph;
  uint32_t given_effort;  // the spec's, or one for tables too small to be measured
  RecallCurves curves;    // empty where the effort was given
};

// May throw what the allocator throws; BuildIndex() catches it.
Result<HnswBuild> BuildHnswGraph(const IndexSpec& spec, const VectorStore& store,
                                 const BuildControl& control);

// Memory of the graph with its codes, and what building it needs on top for a while.
size_t EstimateHnswGraphBytes(const IndexSpec& spec, size_t rows, size_t dimensions);
size_t EstimateHnswBuildBytes(const IndexSpec& spec, size_t rows, size_t dimensions, int threads);

}  // namespace vectord

#endif

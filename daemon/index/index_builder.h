// index_builder.h - from vectors and a spec to an Index; the one place that builds.
//
// The caller reserves memory by the estimates before it calls. Whatever the allocator, the standard
// library or FAISS (k-means of ivf) throws becomes a Status here.
#ifndef VECTOR_FDW_DAEMON_INDEX_INDEX_BUILDER_H
#define VECTOR_FDW_DAEMON_INDEX_INDEX_BUILDER_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "daemon/index/build_control.h"
#include "daemon/index/index.h"
#include "daemon/index/index_spec.h"

namespace vectord {

// What Index::memory_bytes() will be. The vectors are not in it: VectorStore::BytesFor().
size_t EstimateIndexBytes(const IndexSpec& spec, size_t rows, size_t dimensions);

// What the build needs on top of the index while it runs.
size_t EstimateBuildBytes(const IndexSpec& spec, size_t rows, size_t dimensions, int threads);

// REQUIRES: nobody else uses the store until this returns; ValidateIndexSpec(spec) is OK.
// permutation: left empty when rows kept their numbers; otherwise row i of the store is now what
// was row (*permutation)[i], and the caller reorders what else it keeps of each row.
// On error, CANCELED included, the store may be reordered likewise: heed *permutation.
Result<std::unique_ptr<Index>> BuildIndex(const IndexSpec& spec,
                                          const std::shared_ptr<VectorStore>& store,
                                          const BuildControl& control,
                                          std::vector<uint32_t>* permutation);

}  // namespace vectord

#endif

// ivf_builder.h - k-means by FAISS on a sample, then every row to the list of its centroid.
//
// Reorders the VectorStore, so the caller must reorder what else it keeps of each row.
#ifndef VECTOR_FDW_DAEMON_INDEX_IVF_BUILDER_H
#define VECTOR_FDW_DAEMON_INDEX_IVF_BUILDER_H

#include <cstddef>
#include <cstdint>
#include <vector>

#include "daemon/index/build_control.h"
#include "daemon/index/index_spec.h"
#include "daemon/index/ivf_index.h"

namespace vectord {

// Row i of the store is what was row (*permutation)[i]. On error the store is as it was. held_out:
// rows, rising, that no centroid is trained with unless there are too many lists. May throw what
// FAISS and the allocator throw; BuildIndex() catches it.
Result<IvfLists> BuildIvfLists(const IndexSpec& spec, VectorStore* store,
                               const std::vector<uint32_t>& held_out, const BuildControl& control,
                               std::vector<uint32_t>* permutation);

// Lists when the spec leaves the number open.
size_t DefaultListCount(size_t rows);

size_t EstimateIvfListsBytes(const IndexSpec& spec, size_t rows, size_t dimensions);
size_t EstimateIvfBuildBytes(const IndexSpec& spec, size_t rows, size_t dimensions);

}  // namespace vectord

#endif

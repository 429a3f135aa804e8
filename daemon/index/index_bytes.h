// index_bytes.h - an index as bytes on disk, and back.
//
// Only what an index holds beside the vectors; those are stored once, by whoever stores the
// VectorStore. The layout is described in daemon/storage/FORMAT.md, section "Index", and knows
// nothing of FAISS: a file written with one version of it is read with any other.
//
// Reading is a function of the bytes and the store alone: whatever the bytes are, the result is an
// index that is safe to search, or an error.
#ifndef VECTOR_FDW_DAEMON_INDEX_INDEX_BYTES_H
#define VECTOR_FDW_DAEMON_INDEX_INDEX_BYTES_H

#include <memory>

#include "daemon/base/byte_stream.h"
#include "daemon/index/index.h"

namespace vectord {

Status WriteIndex(const Index& index, ByteSink* sink);

// CORRUPT when the bytes are no index over this store by this metric. What the index will occupy
// is at most source->remaining() and five bytes for each row: the caller has reserved that.
Result<std::unique_ptr<const Index>> ReadIndex(ByteSource* source,
                                               std::shared_ptr<const VectorStore> store,
                                               vfdw_metric metric);

}  // namespace vectord

#endif

// segment.h - rows of a collection that never change, with their index.
//
// A segment either has a vector in each row, or none in any (the rows whose vector is NULL: they
// are answered last). Const after construction, shared by reference count, read by any thread.
#ifndef VECTORD_COLLECTION_SEGMENT_H
#define VECTORD_COLLECTION_SEGMENT_H

#include <cstdint>
#include <memory>

#include "daemon/attribute/column.h"
#include "daemon/base/memory_budget.h"
#include "daemon/index/index.h"
#include "daemon/index/vector_store.h"
#include "shared/ids.h"

namespace vectord {

class Segment {
 public:
  // vectors and index may be null, both or neither. first_version: RowVersionId of row 0; the
  // others follow it. REQUIRES: columns.rows() == vectors->rows() when there are vectors.
  Segment(ColumnSet columns, std::shared_ptr<const VectorStore> vectors,
          std::unique_ptr<const Index> index, vfdw::RowVersionId first_version,
          MemoryReservation column_memory)
      : columns_(std::move(columns)),
        vectors_(std::move(vectors)),
        index_(std::move(index)),
        first_version_(first_version),
        column_memory_(std::move(column_memory)) {}

  size_t rows() const { return columns_.rows(); }
  bool has_vectors() const { return vectors_ != nullptr; }
  const ColumnSet& columns() const { return columns_; }
  const VectorStore& vectors() const { return *vectors_; }
  const Index& index() const { return *index_; }
  vfdw::RowVersionId VersionOf(uint32_t row) const { return first_version_ + row; }
  vfdw::RowVersionId first_version() const { return first_version_; }
  size_t memory_bytes() const {
    return columns_.memory_bytes() +
           (vectors_ ? vectors_->memory_bytes() + index_->memory_bytes() : 0);
  }

 private:
  const ColumnSet columns_;
  const std::shared_ptr<const VectorStore> vectors_;
  const std::unique_ptr<const Index> index_;
  const vfdw::RowVersionId first_version_;
  const MemoryReservation column_memory_;
};

}  // namespace vectord

#endif

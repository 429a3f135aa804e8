// segment.h - rows of a collection that never change, with their index.
//
// A segment either has a vector in each row, or none in any (the rows whose vector is NULL: they
// are answered last). Const after construction, shared by reference count, read by any thread.
#ifndef VECTORD_COLLECTION_SEGMENT_H
#define VECTORD_COLLECTION_SEGMENT_H

#include <cstdint>
#include <memory>
#include <utility>

#include "daemon/attribute/column.h"
#include "daemon/attribute/filter_cache.h"
#include "daemon/attribute/sorted_columns.h"
#include "daemon/base/memory_budget.h"
#include "daemon/collection/row_tag.h"
#include "daemon/index/index.h"
#include "daemon/index/vector_store.h"
#include "shared/ids.h"

namespace vectord {

class Segment {
 public:
  // vectors and index may be null, both or neither. first_version: RowVersionId of row 0; the
  // others follow it. tags: none, or one per row. REQUIRES: columns.rows() == vectors->rows() when
  // there are vectors. column_memory covers the tags too.
  Segment(ColumnSet columns, std::shared_ptr<const VectorStore> vectors,
          std::unique_ptr<const Index> index, vfdw::RowVersionId first_version,
          MemoryReservation column_memory, RowTags tags = {})
      : columns_(std::make_shared<const Columns>(std::move(columns), std::move(tags),
                                                 std::move(column_memory))),
        vectors_(std::move(vectors)),
        index_(std::move(index)),
        first_version_(first_version) {}

  // The rows of another segment, which are shared, with another index over the same vectors.
  Segment(const Segment& other, std::unique_ptr<const Index> index, MemoryReservation index_memory)
      : columns_(other.columns_),
        vectors_(other.vectors_),
        index_(std::move(index)),
        first_version_(other.first_version_),
        index_memory_(std::move(index_memory)) {}

  size_t rows() const { return columns_->values.rows(); }
  bool has_vectors() const { return vectors_ != nullptr; }
  const ColumnSet& columns() const { return columns_->values; }
  const RowTags& tags() const { return columns_->tags; }
  const SortedColumns& sorted_columns() const { return columns_->sorted; }
  const FilterCache& filter_cache() const { return columns_->filters; }
  const VectorStore& vectors() const { return *vectors_; }
  const std::shared_ptr<const VectorStore>& shared_vectors() const { return vectors_; }
  const Index& index() const { return *index_; }
  vfdw::RowVersionId VersionOf(uint32_t row) const { return first_version_ + row; }
  vfdw::RowVersionId first_version() const { return first_version_; }
  size_t memory_bytes() const {
    return columns_->values.memory_bytes() + columns_->tags.capacity() * sizeof(RowTag) +
           columns_->sorted.memory_bytes() + columns_->filters.memory_bytes() +
           (vectors_ ? vectors_->memory_bytes() + index_->memory_bytes() : 0);
  }

 private:
  struct Columns {
    Columns(ColumnSet v, RowTags t, MemoryReservation m)
        : values(std::move(v)), tags(std::move(t)), memory(std::move(m)), sorted(values.count()) {}
    const ColumnSet values;
    const RowTags tags;
    const MemoryReservation memory;
    const SortedColumns sorted;
    const FilterCache filters;
  };

  const std::shared_ptr<const Columns> columns_;
  const std::shared_ptr<const VectorStore> vectors_;
  const std::unique_ptr<const Index> index_;
  const vfdw::RowVersionId first_version_;
  const MemoryReservation index_memory_;
};

}  // namespace vectord

#endif

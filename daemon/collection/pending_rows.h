// pending_rows.h - rows that were applied but are not in a published set yet.
//
// Threads: one at a time; the writer of the collection owns it.
#ifndef VECTORD_COLLECTION_PENDING_ROWS_H
#define VECTORD_COLLECTION_PENDING_ROWS_H

#include <cstdint>
#include <vector>

#include "daemon/attribute/column.h"
#include "daemon/collection/row_tag.h"

namespace vectord {

class PendingRows {
 public:
  // template_columns: an empty set with the collection's columns. dimensions: 0 for rows without
  // vectors.
  PendingRows(ColumnSet template_columns, uint32_t dimensions)
      : columns_(std::move(template_columns)), dimensions_(dimensions) {}

  // The caller appends the row's values to columns() first. vector: dimensions values.
  uint32_t FinishRow(const float* vector, const RowTag& tag) {
    tags_.push_back(tag);
    vectors_.insert(vectors_.end(), vector, vector + dimensions_);
    live_.push_back(true);
    live_count_++;
    return static_cast<uint32_t>(live_.size() - 1);
  }
  void Kill(uint32_t row) {
    if (live_[row]) live_count_--;
    live_[row] = false;
  }

  RowTags& tags() { return tags_; }
  ColumnSet& columns() { return columns_; }
  const ColumnSet& columns() const { return columns_; }
  const float* vector(uint32_t row) const { return vectors_.data() + size_t{row} * dimensions_; }
  size_t rows() const { return live_.size(); }
  size_t live_count() const { return live_count_; }
  bool IsLive(uint32_t row) const { return live_[row]; }
  uint32_t dimensions() const { return dimensions_; }
  size_t memory_bytes() const {
    return columns_.memory_bytes() + vectors_.capacity() * sizeof(float) +
           tags_.capacity() * sizeof(RowTag) + live_.capacity() / 8;
  }

 private:
  ColumnSet columns_;
  uint32_t dimensions_;
  std::vector<float> vectors_;
  RowTags tags_;
  std::vector<bool> live_;
  size_t live_count_ = 0;
};

}  // namespace vectord

#endif

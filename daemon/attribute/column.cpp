// column.cpp - see column.h.
#include "daemon/attribute/column.h"

#include <cassert>
#include <utility>

namespace vectord {

Column::Column(ValueEncoding encoding, uint32_t type_oid)
    : encoding_(encoding), type_oid_(type_oid), width_(vfdw::FixedBytes(encoding)) {
  assert(encoding != ValueEncoding::kNone && encoding != ValueEncoding::kFloat32Vector);
  if (width_ == 0) ends_.push_back(0);
}

void Column::AppendNull() {
  if (null_count_ == 0) nulls_.assign(rows_, 0);
  nulls_.push_back(1);
  null_count_++;
  rows_++;
  if (width_ > 0) {
    fixed_.append(width_, '\0');
  } else {
    ends_.push_back(heap_.size());
  }
}

void Column::Append(std::string_view value) {
  assert(width_ == 0 || value.size() == width_);
  if (null_count_ > 0) nulls_.push_back(0);
  rows_++;
  if (width_ > 0) {
    fixed_.append(value);
  } else {
    heap_.append(value);
    ends_.push_back(heap_.size());
  }
}

void Column::AppendAll(const Column& other) {
  assert(encoding_ == other.encoding_);
  if (null_count_ > 0 || other.null_count_ > 0) {
    if (null_count_ == 0) nulls_.assign(rows_, 0);
    if (other.null_count_ > 0)
      nulls_.insert(nulls_.end(), other.nulls_.begin(), other.nulls_.end());
    else
      nulls_.insert(nulls_.end(), other.rows_, 0);
  }
  null_count_ += other.null_count_;
  rows_ += other.rows_;
  fixed_.append(other.fixed_);
  const uint64_t base = heap_.size();
  heap_.append(other.heap_);
  for (size_t i = 1; i < other.ends_.size(); i++) ends_.push_back(base + other.ends_[i]);
}

void Column::Permute(const std::vector<uint32_t>& order) {
  assert(order.size() == rows_);
  Column permuted(encoding_, type_oid_);
  permuted.fixed_.reserve(fixed_.size());
  permuted.heap_.reserve(heap_.size());
  permuted.ends_.reserve(ends_.size());
  for (const uint32_t row : order) {
    if (IsNull(row))
      permuted.AppendNull();
    else
      permuted.Append(Value(row));
  }
  *this = std::move(permuted);
}

size_t Column::memory_bytes() const {
  return nulls_.capacity() + fixed_.capacity() + ends_.capacity() * sizeof(uint64_t) +
         heap_.capacity();
}

ColumnSet ColumnSet::EmptyCopy() const {
  std::vector<Column> columns;
  columns.reserve(columns_.size());
  for (const Column& column : columns_) columns.emplace_back(column.encoding(), column.type_oid());
  return ColumnSet(std::move(columns));
}

void ColumnSet::AppendAll(const ColumnSet& other) {
  assert(columns_.size() == other.columns_.size());
  for (size_t i = 0; i < columns_.size(); i++) columns_[i].AppendAll(other.columns_[i]);
}

void ColumnSet::Permute(const std::vector<uint32_t>& order) {
  for (Column& column : columns_) column.Permute(order);
}

size_t ColumnSet::memory_bytes() const {
  size_t bytes = 0;
  for (const Column& column : columns_) bytes += column.memory_bytes();
  return bytes;
}

}  // namespace vectord

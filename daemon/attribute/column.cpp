// column.cpp - see column.h.
#include "daemon/attribute/column.h"

#include <cassert>
#include <limits>
#include <unordered_map>
#include <utility>

namespace vectord {

Column::Column(ValueEncoding encoding, uint32_t type_oid)
    : encoding_(encoding), type_oid_(type_oid), width_(vfdw::FixedBytes(encoding)) {
  assert(encoding != ValueEncoding::kNone && encoding != ValueEncoding::kFloat32Vector);
  if (width_ == 0) ends_.push_back(0);
}

void Column::AppendNull() {
  if (!codes_.empty()) Decode();
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
  if (!codes_.empty()) Decode();
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
  if (!other.codes_.empty()) {
    for (size_t row = 0; row < other.rows_; row++) AppendRow(other, row);
    return;
  }
  if (!codes_.empty()) Decode();
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

void Column::Compact(size_t fewest_rows) {
  if (width_ == 0 && codes_.empty() && rows_ >= fewest_rows && rows_ > 0) Code();
  // A copy has no spare capacity.
  Column tight = *this;
  std::swap(*this, tight);
}

void Column::Code() {
  constexpr size_t kMostCodes = size_t{std::numeric_limits<uint16_t>::max()} + 1;
  std::unordered_map<std::string_view, uint16_t> code_of;
  Column distinct(encoding_, type_oid_);
  std::vector<uint16_t> codes(rows_, 0);
  for (size_t row = 0; row < rows_; row++) {
    if (IsNull(row)) continue;
    const auto [entry, is_new] =
        code_of.try_emplace(Value(row), static_cast<uint16_t>(distinct.rows_));
    codes[row] = entry->second;
    if (!is_new) continue;
    // Keys and the like are given up after a few rows.
    if (distinct.rows_ == kMostCodes || distinct.rows_ > kFewestRowsToCode / 4 + row / 2) return;
    distinct.Append(Value(row));
  }
  const size_t coded_bytes = rows_ * sizeof(uint16_t) + distinct.plain_bytes();
  // NULLs only: there is no value that a code could stand for.
  if (distinct.rows_ == 0 || coded_bytes > plain_bytes() / 2) return;
  // Swapped: a short string that is moved leaves the memory where it goes.
  ends_.swap(distinct.ends_);
  heap_.swap(distinct.heap_);
  codes_.swap(codes);
}

void Column::Decode() {
  Column plain(encoding_, type_oid_);
  for (size_t row = 0; row < rows_; row++) plain.AppendRow(*this, row);
  *this = std::move(plain);
}

Column Column::Dictionary() const {
  Column dictionary(encoding_, type_oid_);
  dictionary.rows_ = distinct_values();
  dictionary.ends_ = ends_;
  dictionary.heap_ = heap_;
  return dictionary;
}

size_t Column::memory_bytes() const {
  return nulls_.capacity() + fixed_.capacity() + ends_.capacity() * sizeof(uint64_t) +
         heap_.capacity() + codes_.capacity() * sizeof(uint16_t);
}

size_t Column::plain_bytes() const {
  size_t bytes = nulls_.size() + fixed_.size();
  if (width_ > 0) return bytes;
  bytes += (rows_ + 1) * sizeof(uint64_t);
  if (codes_.empty()) return bytes + heap_.size();
  for (size_t row = 0; row < rows_; row++) bytes += Value(row).size();
  return bytes;
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

void ColumnSet::Compact() {
  for (Column& column : columns_) column.Compact();
}

size_t ColumnSet::memory_bytes() const {
  size_t bytes = 0;
  for (const Column& column : columns_) bytes += column.memory_bytes();
  return bytes;
}

size_t ColumnSet::plain_bytes() const {
  size_t bytes = 0;
  for (const Column& column : columns_) bytes += column.plain_bytes();
  return bytes;
}

}  // namespace vectord

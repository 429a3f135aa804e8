// column.h - the values of one column, for keys and included columns.
//
// Values stand as shared/messages.h's ValueEncoding says, so that a batch of a reply is mostly a
// copy. Append-only while it is built by one thread; const, and then readable by all, afterwards.
//
// Values of any length that repeat (labels, tenants, states) can stand once each, in a dictionary,
// with a code of 16 bits for each row: see Compact(). Readers need not know, but filters test each
// value once.
#ifndef VECTORD_ATTRIBUTE_COLUMN_H
#define VECTORD_ATTRIBUTE_COLUMN_H

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "shared/messages.h"

namespace vectord {

using vfdw::ValueEncoding;

class Column {
 public:
  // Of fewer rows a dictionary gains next to nothing.
  static constexpr size_t kFewestRowsToCode = 4096;

  // REQUIRES: encoding is none of kNone, kFloat32Vector.
  Column(ValueEncoding encoding, uint32_t type_oid);

  void AppendNull();
  // REQUIRES: value.size() == FixedBytes(encoding()) unless the encoding is of any length.
  void Append(std::string_view value);
  // Appends all rows, or one, of another column. REQUIRES: the same encoding.
  void AppendAll(const Column& other);
  void AppendRow(const Column& other, size_t row) {
    if (other.IsNull(row))
      AppendNull();
    else
      Append(other.Value(row));
  }
  // Reorders: new row i is old row order[i]. REQUIRES: order.size() == rows().
  void Permute(const std::vector<uint32_t>& order);
  // Gives back spare capacity, and codes the values by a dictionary where that halves the bytes of
  // at least `fewest_rows` rows. The values stay what they are; appending afterwards is slow.
  void Compact(size_t fewest_rows = kFewestRowsToCode);

  ValueEncoding encoding() const { return encoding_; }
  uint32_t type_oid() const { return type_oid_; }
  size_t rows() const { return rows_; }
  bool has_nulls() const { return null_count_ > 0; }
  bool IsNull(size_t row) const { return null_count_ > 0 && nulls_[row]; }
  // A byte for each row, 1 where NULL; null when no row is.
  const uint8_t* null_flags() const { return null_count_ > 0 ? nulls_.data() : nullptr; }
  // All values, one after the other. REQUIRES: an encoding of fixed length.
  const char* fixed_values() const { return fixed_.data(); }
  // The bytes of a value; zeros or empty where NULL. Valid while the column is not appended to.
  std::string_view Value(size_t row) const {
    if (width_ > 0) return {fixed_.data() + row * width_, width_};
    if (codes_.empty()) return HeapValue(row);
    return IsNull(row) ? std::string_view() : HeapValue(codes_[row]);
  }
  // A number for each row, which means nothing where it is NULL; null without a dictionary.
  const uint16_t* codes() const { return codes_.empty() ? nullptr : codes_.data(); }
  // Row i is the value of code i. REQUIRES: codes() != nullptr.
  size_t distinct_values() const { return ends_.size() - 1; }
  Column Dictionary() const;
  size_t memory_bytes() const;
  // What a copy without a dictionary would take.
  size_t plain_bytes() const;

 private:
  friend class ColumnBytes;  // writes and reads the members below (column_bytes.h)

  std::string_view HeapValue(size_t i) const {
    return {heap_.data() + ends_[i], ends_[i + 1] - ends_[i]};
  }
  void Code();
  void Decode();

  ValueEncoding encoding_;
  uint32_t type_oid_;
  size_t width_;  // bytes per value, 0 for any length
  size_t rows_ = 0;
  size_t null_count_ = 0;
  std::vector<uint8_t> nulls_;  // one per row once a NULL was seen, else empty
  std::string fixed_;           // width_ > 0
  std::vector<uint64_t> ends_;  // width_ == 0: offsets into heap_, of rows or codes, and one more
  std::string heap_;
  std::vector<uint16_t> codes_;  // by row; empty without a dictionary
};

// Columns of equal length.
class ColumnSet {
 public:
  ColumnSet() = default;
  explicit ColumnSet(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // An empty set with the same columns.
  ColumnSet EmptyCopy() const;
  void AppendAll(const ColumnSet& other);
  void AppendRow(const ColumnSet& other, size_t row) {
    for (size_t i = 0; i < columns_.size(); i++) columns_[i].AppendRow(other.columns_[i], row);
  }
  void Permute(const std::vector<uint32_t>& order);
  void Compact();
  size_t rows() const { return columns_.empty() ? 0 : columns_[0].rows(); }
  size_t count() const { return columns_.size(); }
  Column& at(size_t i) { return columns_[i]; }
  const Column& at(size_t i) const { return columns_[i]; }
  size_t memory_bytes() const;
  size_t plain_bytes() const;

 private:
  std::vector<Column> columns_;
};

}  // namespace vectord

#endif

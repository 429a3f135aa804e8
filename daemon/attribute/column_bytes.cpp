// column_bytes.cpp - see column_bytes.h.
#include "daemon/attribute/column_bytes.h"

#include <algorithm>
#include <string>

namespace vectord {
namespace {

// The fixed part. On disk: never renumber, never reorder.
constexpr uint32_t kPlainLayout = 1;
constexpr uint32_t kCodedLayout = 2;
struct Header {
  uint32_t layout = 0;
  uint32_t encoding = 0;
  uint32_t type_oid = 0;
  uint32_t null_flags = 0;  // 1: a byte for each row follows
  uint64_t rows = 0;
  uint64_t heap_bytes = 0;  // values of any length only
};
static_assert(sizeof(Header) == 32);

Status Corrupt(const char* what) {
  return Status(ErrorCode::CORRUPT, "the data are no column", what);
}

bool IsColumnEncoding(uint32_t encoding) {
  return encoding >= static_cast<uint32_t>(ValueEncoding::kBool) &&
         encoding <= static_cast<uint32_t>(ValueEncoding::kBinary);
}

Status CheckHeader(const Header& header, uint64_t rows) {
  if (header.layout != kPlainLayout && header.layout != kCodedLayout)
    return Corrupt("The layout is unknown.");
  if (!IsColumnEncoding(header.encoding)) return Corrupt("The encoding is unknown.");
  if (header.null_flags > 1) return Corrupt("The flag of NULLs is neither 0 nor 1.");
  if (header.rows != rows)
    return Status(
        ErrorCode::CORRUPT, "a column has the wrong number of rows",
        "It has " + std::to_string(header.rows) + ", its segment " + std::to_string(rows) + ".");
  const bool is_fixed = vfdw::FixedBytes(static_cast<ValueEncoding>(header.encoding)) > 0;
  if (is_fixed && header.heap_bytes != 0) return Corrupt("Values of a fixed length have no heap.");
  if (header.layout == kCodedLayout && (is_fixed || rows == 0))
    return Corrupt("Values of a fixed length, and none at all, have no dictionary.");
  return {};
}

// Where each of `count` values ends, and the values.
Status ReadHeap(ByteSource* source, uint64_t count, uint64_t heap_bytes,
                std::vector<uint64_t>* ends, std::string* heap) {
  if (count > source->remaining() / sizeof(uint64_t))
    return Corrupt("There are fewer offsets than values.");
  ends->resize(static_cast<size_t>(count) + 1);
  VFDW_RETURN_IF_ERROR(
      source->Read(ends->data() + 1, static_cast<size_t>(count) * sizeof(uint64_t)));
  if (!std::is_sorted(ends->begin(), ends->end()) || ends->back() != heap_bytes)
    return Corrupt("The offsets of values do not rise to the end of the heap.");
  return ReadItems<char>(source, heap_bytes, heap);
}

// The codes of all rows, after the number of values that they stand for.
Status ReadCodes(ByteSource* source, uint64_t rows, uint64_t* distinct_values,
                 std::vector<uint16_t>* codes) {
  VFDW_RETURN_IF_ERROR(source->Read(distinct_values, sizeof *distinct_values));
  VFDW_RETURN_IF_ERROR(ReadItems<uint16_t>(source, rows, codes));
  if (*std::max_element(codes->begin(), codes->end()) >= *distinct_values)
    return Corrupt("A code stands for no value.");
  return {};
}

}  // namespace

Status ColumnBytes::Write(const Column& column, ByteSink* sink) {
  Header header;
  header.layout = column.codes_.empty() ? kPlainLayout : kCodedLayout;
  header.encoding = static_cast<uint32_t>(column.encoding_);
  header.type_oid = column.type_oid_;
  header.null_flags = column.null_count_ > 0;
  header.rows = column.rows_;
  header.heap_bytes = column.heap_.size();
  VFDW_RETURN_IF_ERROR(sink->Append({reinterpret_cast<const char*>(&header), sizeof header}));
  if (column.null_count_ > 0)
    VFDW_RETURN_IF_ERROR(sink->Append(BytesOf(column.nulls_.data(), column.nulls_.size())));
  if (column.width_ > 0) return sink->Append(column.fixed_);
  if (!column.codes_.empty()) {
    const uint64_t distinct_values = column.distinct_values();
    VFDW_RETURN_IF_ERROR(sink->Append(BytesOf(&distinct_values, 1)));
    VFDW_RETURN_IF_ERROR(sink->Append(BytesOf(column.codes_.data(), column.codes_.size())));
  }
  // The first offset is always 0.
  VFDW_RETURN_IF_ERROR(sink->Append(BytesOf(column.ends_.data() + 1, column.ends_.size() - 1)));
  return sink->Append(column.heap_);
}

Result<Column> ColumnBytes::Read(ByteSource* source, uint64_t rows) {
  Header header;
  VFDW_RETURN_IF_ERROR(source->Read(&header, sizeof header));
  VFDW_RETURN_IF_ERROR(CheckHeader(header, rows));
  // Rows of a width are at least a byte each, so that a lie about their number ends here too.
  if (rows > source->remaining()) return Corrupt("There are fewer bytes than rows.");
  Column column(static_cast<ValueEncoding>(header.encoding), header.type_oid);
  column.rows_ = static_cast<size_t>(rows);
  if (header.null_flags == 1) {
    VFDW_RETURN_IF_ERROR(ReadItems<uint8_t>(source, rows, &column.nulls_));
    for (const uint8_t flag : column.nulls_) {
      if (flag > 1) return Corrupt("A flag of NULL is neither 0 nor 1.");
      column.null_count_ += flag;
    }
    if (column.null_count_ == 0) return Corrupt("There are flags of NULL but no NULL.");
  }
  if (column.width_ > 0) {
    VFDW_RETURN_IF_ERROR(ReadItems<char>(source, rows * column.width_, &column.fixed_));
  } else {
    uint64_t values = rows;
    if (header.layout == kCodedLayout)
      VFDW_RETURN_IF_ERROR(ReadCodes(source, rows, &values, &column.codes_));
    VFDW_RETURN_IF_ERROR(ReadHeap(source, values, header.heap_bytes, &column.ends_, &column.heap_));
  }
  if (source->remaining() != 0) return Corrupt("There are bytes behind the values.");
  return column;
}

}  // namespace vectord

// row_encoder.cpp - see row_encoder.h.
#include "daemon/service/row_encoder.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string_view>

#include "shared/limits.h"

namespace vectord {
namespace {

size_t RoundedUp(size_t bytes) { return (bytes + 7) / 8 * 8; }

bool IsHeap(ValueEncoding encoding) {
  return encoding == ValueEncoding::kText || encoding == ValueEncoding::kBinary;
}

std::string ColumnNames(const Definition& definition) {
  std::string names;
  for (const ColumnDefinition& column : definition.columns)
    names += (names.empty() ? "\"" : ", \"") + column.name + "\"";
  return names;
}

}  // namespace

Result<std::vector<OutputColumn>> ChooseColumns(const Definition& definition,
                                                const std::vector<std::string>& names) {
  std::vector<OutputColumn> chosen;
  chosen.reserve(names.size());
  for (const std::string& name : names) {
    size_t index = 0;  // segments hold all columns but the vector, in the definition's order
    const ColumnDefinition* found = nullptr;
    for (const ColumnDefinition& column : definition.columns) {
      if (column.name == name) {
        found = &column;
        break;
      }
      index += column.role != ColumnRole::kVector;
    }
    if (found == nullptr)
      return Status(ErrorCode::COLUMN_MISSING,
                    "column \"" + name + "\" is not in collection \"" + definition.name + "\"",
                    "The collection has the columns " + ColumnNames(definition) + ".");
    const bool is_vector = found->role == ColumnRole::kVector;
    chosen.push_back({is_vector ? ValueEncoding::kFloat32Vector : found->encoding, found->type_oid,
                      is_vector ? 0 : index});
  }
  return chosen;
}

RowEncoder::RowEncoder(const SegmentSet& set, const std::vector<OutputColumn>& columns,
                       bool ordered)
    : set_(set), columns_(columns), ordered_(ordered) {
  fixed_bytes_ = ordered ? sizeof(double) : 0;
  for (const OutputColumn& column : columns) {
    fixed_bytes_ += ValuesBytes(column, 1);
    has_heaps_ |= IsHeap(column.encoding);
  }
  fixed_bytes_ = std::max<size_t>(fixed_bytes_, 1);
}

bool RowEncoder::IsNull(const OutputColumn& column, const RowRef& row) const {
  const Segment& segment = *set_.segments[row.segment];
  if (column.encoding == ValueEncoding::kFloat32Vector) return !segment.has_vectors();
  return segment.columns().at(column.index).IsNull(row.row);
}

// Without the one more end that a heap's offsets have.
size_t RowEncoder::ValuesBytes(const OutputColumn& column, size_t rows) const {
  if (column.encoding == ValueEncoding::kFloat32Vector) return rows * set_.dimensions * 4;
  return rows * (IsHeap(column.encoding) ? sizeof(uint32_t) : vfdw::FixedBytes(column.encoding));
}

size_t RowEncoder::RowsWithin(const std::vector<RowRef>& rows, size_t target_bytes) const {
  if (!has_heaps_) return std::min(rows.size(), std::max<size_t>(target_bytes / fixed_bytes_, 1));
  size_t bytes = 0;
  for (size_t i = 0; i < rows.size(); i++) {
    bytes += fixed_bytes_;
    const ColumnSet& values = set_.segments[rows[i].segment]->columns();
    for (const OutputColumn& column : columns_)
      if (IsHeap(column.encoding)) bytes += values.at(column.index).Value(rows[i].row).size();
    if (bytes > target_bytes) return std::max<size_t>(i, 1);
  }
  return rows.size();
}

// Decides where every section stands; returns the frame's size.
Result<size_t> RowEncoder::Layout(const std::vector<RowRef>& rows, vfdw::SearchReply* reply) const {
  size_t offset = 0;
  const auto place = [&offset](size_t bytes, uint64_t* at, uint64_t* size) {
    *at = bytes == 0 ? 0 : offset;
    *size = bytes;
    offset += RoundedUp(bytes);
  };
  uint64_t distances_bytes;
  place(reply->ordered_rows * sizeof(double), &reply->distances_offset, &distances_bytes);
  reply->columns.assign(columns_.size(), {});
  for (size_t c = 0; c < columns_.size(); c++) {
    const OutputColumn& column = columns_[c];
    vfdw::ColumnBlock& block = reply->columns[c];
    block.encoding = static_cast<uint8_t>(column.encoding);
    block.type_oid = column.type_oid;
    bool has_nulls = false;
    size_t heap_bytes = 0;
    for (const RowRef& row : rows) {
      has_nulls |= IsNull(column, row);
      if (IsHeap(column.encoding))
        heap_bytes += set_.segments[row.segment]->columns().at(column.index).Value(row.row).size();
    }
    place(has_nulls ? (rows.size() + 7) / 8 : 0, &block.nulls_offset, &block.nulls_bytes);
    const size_t first_end = IsHeap(column.encoding) ? sizeof(uint32_t) : 0;
    place(ValuesBytes(column, rows.size()) + first_end, &block.values_offset, &block.values_bytes);
    place(heap_bytes, &block.heap_offset, &block.heap_bytes);
    if (heap_bytes > std::numeric_limits<uint32_t>::max() || offset > VFDW_MAX_REPLY_BYTES)
      return Status(ErrorCode::LIMIT_EXCEEDED, "a row is too large to be sent",
                    "A reply can have at most " + std::to_string(VFDW_MAX_REPLY_BYTES) + " bytes.",
                    "Select fewer columns of the foreign table.");
  }
  return offset;
}

void RowEncoder::WriteNulls(const OutputColumn& column, const std::vector<RowRef>& rows,
                            const vfdw::ColumnBlock& block, char* frame) const {
  if (block.nulls_bytes == 0) return;
  char* const nulls = frame + block.nulls_offset;
  memset(nulls, 0, block.nulls_bytes);
  for (size_t i = 0; i < rows.size(); i++)
    if (IsNull(column, rows[i])) nulls[i / 8] |= static_cast<char>(1 << (i % 8));
}

void RowEncoder::WriteFixed(const OutputColumn& column, const std::vector<RowRef>& rows,
                            char* out) const {
  for (const RowRef& row : rows) {
    const std::string_view value =
        set_.segments[row.segment]->columns().at(column.index).Value(row.row);
    memcpy(out, value.data(), value.size());
    out += value.size();
  }
}

void RowEncoder::WriteVectors(const std::vector<RowRef>& rows, char* out) const {
  const size_t bytes = size_t{set_.dimensions} * sizeof(float);
  for (const RowRef& row : rows) {
    const Segment& segment = *set_.segments[row.segment];
    if (segment.has_vectors())
      memcpy(out, segment.vectors().row(row.row), bytes);
    else
      memset(out, 0, bytes);
    out += bytes;
  }
}

void RowEncoder::WriteHeap(const OutputColumn& column, const std::vector<RowRef>& rows, char* ends,
                           char* heap) const {
  uint32_t end = 0;
  memcpy(ends, &end, sizeof end);
  for (const RowRef& row : rows) {
    const std::string_view value =
        set_.segments[row.segment]->columns().at(column.index).Value(row.row);
    if (!value.empty()) memcpy(heap + end, value.data(), value.size());
    end += static_cast<uint32_t>(value.size());
    ends += sizeof end;
    memcpy(ends, &end, sizeof end);
  }
}

Result<RawBytes> RowEncoder::Encode(const std::vector<RowRef>& rows, MemoryBudget* budget,
                                    vfdw::SearchReply* reply) const {
  reply->rows = static_cast<uint32_t>(rows.size());
  reply->dimensions = set_.dimensions;
  reply->ordered_rows = 0;
  if (rows.empty()) {
    reply->columns.clear();
    for (const OutputColumn& column : columns_) {
      reply->columns.emplace_back();
      reply->columns.back().encoding = static_cast<uint8_t>(column.encoding);
      reply->columns.back().type_oid = column.type_oid;
    }
    return RawBytes();  // no frame, and every section empty
  }
  const RowRef& last = rows.back();
  reply->last_row = set_.segments[last.segment]->VersionOf(last.row);
  if (ordered_)
    while (reply->ordered_rows < rows.size() &&
           set_.segments[rows[reply->ordered_rows].segment]->has_vectors())
      reply->ordered_rows++;

  VFDW_ASSIGN_OR_RETURN(const size_t bytes, Layout(rows, reply));
  if (bytes == 0) return RawBytes();
  VFDW_ASSIGN_OR_RETURN(RawBytes raw, RawBytes::Create(bytes, budget));
  char* const frame = raw.data();
  for (uint32_t i = 0; i < reply->ordered_rows; i++)
    memcpy(frame + reply->distances_offset + i * sizeof(double), &rows[i].distance, sizeof(double));
  for (size_t c = 0; c < columns_.size(); c++) {
    const vfdw::ColumnBlock& block = reply->columns[c];
    const auto clear_gap = [frame](uint64_t offset, uint64_t size) {
      memset(frame + offset + size, 0, RoundedUp(size) - size);
    };
    clear_gap(block.nulls_offset, block.nulls_bytes);
    clear_gap(block.values_offset, block.values_bytes);
    clear_gap(block.heap_offset, block.heap_bytes);
    WriteNulls(columns_[c], rows, block, frame);
    char* const values = frame + block.values_offset;
    if (IsHeap(columns_[c].encoding))
      WriteHeap(columns_[c], rows, values, frame + block.heap_offset);
    else if (columns_[c].encoding == ValueEncoding::kFloat32Vector)
      WriteVectors(rows, values);
    else
      WriteFixed(columns_[c], rows, values);
  }
  return raw;
}

}  // namespace vectord

// copy_rows.cpp - see copy_rows.h.
//
// Whole rows are read where they lie; only a row that was cut is put together in pending_. libpq
// hands over one row at a time, so in practice nothing is copied twice.
#include "daemon/source/copy_rows.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "daemon/source/big_endian.h"
#include "daemon/source/native_value.h"
#include "daemon/source/value_text.h"
#include "daemon/source/vector_decoder.h"

namespace vectord {
namespace {

constexpr char kSignature[] = "PGCOPY\n\377\r\n";  // its terminating zero belongs to it
constexpr size_t kSignatureBytes = sizeof(kSignature);
static_assert(kSignatureBytes == 11);
constexpr size_t kHeadBytes = kSignatureBytes + 8;  // int32 flags, int32 length of the extension
constexpr uint32_t kCriticalFlags = 0xffff0000;     // must be understood by a reader; none is
constexpr uint32_t kMaxExtensionBytes = 1 << 20;
// PostgreSQL cannot make a larger message, hence neither a longer row.
constexpr size_t kMaxRowBytes = 0x40000000;

Status NotAStream(const std::string& detail) {
  return Status(ErrorCode::SOURCE_FAILED, "the source sent rows that cannot be read", detail);
}

size_t FindVectorColumn(const Definition& definition) {
  size_t index = 0;
  while (definition.columns[index].role != ColumnRole::kVector) index++;
  return index;
}

void AppendValue(std::string_view value, Column* column) {
  NativeScratch scratch;
  column->Append(NativeValue(column->encoding(), value, &scratch));
}

}  // namespace

size_t RowBatch::bytes() const {
  return with_vector.memory_bytes() + without_vector.memory_bytes() +
         vectors.size() * sizeof(float);
}

ColumnSet EmptyColumnsOf(const Definition& definition) {
  std::vector<Column> columns;
  for (const ColumnDefinition& column : definition.columns)
    if (column.role != ColumnRole::kVector) columns.emplace_back(column.encoding, column.type_oid);
  return ColumnSet(std::move(columns));
}

CopyRows::CopyRows(const Definition& definition, uint32_t dimensions)
    : definition_(definition),
      dimensions_(dimensions),
      vector_index_(FindVectorColumn(definition)),
      empty_columns_(EmptyColumnsOf(definition)),
      fields_(definition.columns.size()) {}

RowBatch CopyRows::EmptyBatch() const {
  RowBatch batch;
  batch.with_vector = empty_columns_.EmptyCopy();
  batch.without_vector = empty_columns_.EmptyCopy();
  return batch;
}

Status CopyRows::Feed(std::string_view bytes, RowBatch* batch) {
  size_t consumed = 0;
  if (pending_.empty()) {
    VFDW_RETURN_IF_ERROR(Consume(bytes, batch, &consumed));
    pending_.assign(bytes.substr(consumed));
  } else {
    pending_.append(bytes);
    VFDW_RETURN_IF_ERROR(Consume(pending_, batch, &consumed));
    pending_.erase(0, consumed);
  }
  if (pending_.size() > kMaxRowBytes) return NotAStream("A row is longer than 1 GB.");
  return {};
}

Status CopyRows::Finish() const {
  if (phase_ == Phase::kDone) return {};
  return NotAStream("The stream ended before its end mark.");
}

Status CopyRows::Consume(std::string_view bytes, RowBatch* batch, size_t* consumed) {
  *consumed = 0;
  while (*consumed < bytes.size()) {
    if (phase_ == Phase::kDone) return NotAStream("Bytes follow the end mark.");
    const std::string_view rest = bytes.substr(*consumed);
    const Step step = phase_ == Phase::kHead ? ReadHead(rest) : ReadRow(rest, batch);
    VFDW_RETURN_IF_ERROR(step.status);
    if (step.bytes == 0) break;
    *consumed += step.bytes;
  }
  return {};
}

CopyRows::Step CopyRows::ReadHead(std::string_view bytes) {
  const size_t comparable = std::min(bytes.size(), kSignatureBytes);
  if (memcmp(bytes.data(), kSignature, comparable) != 0)
    return {0, NotAStream("The signature of COPY's binary format is missing.")};
  if (bytes.size() < kHeadBytes) return {};
  if ((LoadBig32(bytes.data() + kSignatureBytes) & kCriticalFlags) != 0)
    return {0, NotAStream("The head has flags of an unknown version of COPY's binary format.")};
  const uint32_t extension_bytes = LoadBig32(bytes.data() + kSignatureBytes + 4);
  if (extension_bytes > kMaxExtensionBytes)
    return {0, NotAStream("The head's extension is too long.")};
  if (bytes.size() - kHeadBytes < extension_bytes) return {};
  phase_ = Phase::kRows;
  return {kHeadBytes + extension_bytes, Status()};
}

// A row: int16 number of fields (-1: the end mark), then for each int32 bytes (-1: NULL) and bytes.
CopyRows::Step CopyRows::ReadRow(std::string_view bytes, RowBatch* batch) {
  size_t at = 0;
  if (bytes.size() < 2) return {};
  const auto count = static_cast<int16_t>(LoadBig16(bytes.data()));
  at += 2;
  if (count == -1) {
    phase_ = Phase::kDone;
    return {at, Status()};
  }
  if (count < 0 || static_cast<size_t>(count) != fields_.size())
    return {0, NotAStream("A row has " + std::to_string(count) + " fields instead of " +
                          std::to_string(fields_.size()) + ".")};
  for (Field& field : fields_) {
    if (bytes.size() - at < 4) return {};
    field.bytes = static_cast<int32_t>(LoadBig32(bytes.data() + at));
    at += 4;
    if (field.bytes < -1 || field.bytes > static_cast<int64_t>(kMaxRowBytes))
      return {0, NotAStream("A field has an impossible length.")};
    field.data = bytes.data() + at;
    if (field.bytes <= 0) continue;
    if (bytes.size() - at < static_cast<size_t>(field.bytes)) return {};
    at += static_cast<size_t>(field.bytes);
  }
  return {at, AddRow(batch)};
}

Status CopyRows::AddRow(RowBatch* batch) {
  VFDW_RETURN_IF_ERROR(CheckWidths());
  const Field& vector = fields_[vector_index_];
  if (vector.bytes < 0) {
    AppendColumns(&batch->without_vector);
    return {};
  }
  const size_t elements = batch->vectors.size();
  batch->vectors.resize(elements + dimensions_);
  std::string reason;
  const VectorFault fault = DecodeVector(definition_.vector_source, vector.text(), dimensions_,
                                         batch->vectors.data() + elements, &reason);
  if (fault == VectorFault::kNone && dimensions_ > 0) {
    AppendColumns(&batch->with_vector);
    return {};
  }
  batch->vectors.resize(elements);
  if (fault == VectorFault::kMalformed)
    return NotAStream("Of column \"" + definition_.vector_column + "\" in the row with key " +
                      KeyText() + ", " + reason + ".");
  Reject(fault == VectorFault::kNone ? "the vector is empty" : reason, batch);
  return {};
}

Status CopyRows::CheckWidths() const {
  for (size_t i = 0; i < fields_.size(); i++) {
    if (i == vector_index_ || fields_[i].bytes < 0) continue;
    const ColumnDefinition& column = definition_.columns[i];
    const size_t width = vfdw::FixedBytes(column.encoding);
    if (width == 0 || static_cast<size_t>(fields_[i].bytes) == width) continue;
    return NotAStream("A value of column \"" + column.name + "\" has " +
                      std::to_string(fields_[i].bytes) + " bytes instead of " +
                      std::to_string(width) + ".");
  }
  return {};
}

void CopyRows::AppendColumns(ColumnSet* columns) const {
  for (size_t i = 0, at = 0; i < fields_.size(); i++) {
    if (i == vector_index_) continue;
    Column& column = columns->at(at++);
    if (fields_[i].bytes < 0)
      column.AppendNull();
    else
      AppendValue(fields_[i].text(), &column);
  }
}

void CopyRows::Reject(std::string reason, RowBatch* batch) const {
  batch->rejected_keys.push_back(HashOfKey());
  if (batch->rejected_rows++ == 0)
    batch->first_rejection = "row with key " + KeyText() + ": " + std::move(reason);
}

KeyHash CopyRows::HashOfKey() const {
  std::vector<NativeScratch> scratch(fields_.size());
  std::vector<std::string_view> key;
  for (size_t i = 0; i < fields_.size(); i++) {
    const ColumnDefinition& column = definition_.columns[i];
    if (column.role != ColumnRole::kKey) continue;
    key.push_back(fields_[i].bytes < 0
                      ? std::string_view()
                      : NativeValue(column.encoding, fields_[i].text(), &scratch[i]));
  }
  return HashKey(key);
}

std::string CopyRows::KeyText() const {
  std::string text;
  for (size_t i = 0; i < fields_.size(); i++) {
    const ColumnDefinition& column = definition_.columns[i];
    if (column.role != ColumnRole::kKey) continue;
    text += text.empty() ? "(" : ", ";
    text += fields_[i].bytes < 0 ? "NULL" : ValueText(column.encoding, fields_[i].text());
  }
  return text + ")";
}

}  // namespace vectord

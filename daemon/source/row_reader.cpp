// row_reader.cpp - see row_reader.h.
#include "daemon/source/row_reader.h"

#include <utility>

#include "daemon/source/refusal.h"
#include "daemon/source/value_text.h"
#include "daemon/source/vector_decoder.h"
#include "shared/limits.h"

namespace vectord {

RowReader::RowReader(std::shared_ptr<const Definition> definition)
    : definition_(std::move(definition)),
      new_scratch_(definition_->columns.size()),
      old_scratch_(definition_->columns.size()) {
  for (size_t i = 0; i < definition_->columns.size(); i++) {
    const ColumnDefinition& column = definition_->columns[i];
    needed_.push_back({column.name, column.type_oid, column.type_modifier, column.role});
    if (column.role == ColumnRole::kKey) key_columns_++;
    if (column.role == ColumnRole::kVector) vector_column_ = i;
  }
}

Status RowReader::Bind(const Relation& relation) {
  if (relation_.get() == &relation) return {};
  binding_ = BindColumns(relation, needed_);
  if (!binding_.usable()) {
    std::string detail;
    for (const SchemaProblem& problem : binding_.problems)
      if (problem.fault != SchemaFault::kModifierChanged)
        detail += (detail.empty() ? "" : " ") + problem.detail;
    relation_.reset();
    return Refused(*definition_, detail,
                   "Alter the collection as the table is now, or call "
                   "vector_fdw.rebuild_collection().");
  }
  relation_ = relation.shared_from_this();
  return {};
}

Status RowReader::NotReadable(size_t column, const std::string& problem) const {
  return Status(
      ErrorCode::SOURCE_FAILED, "the source sent a change that cannot be read",
      "The value of column \"" + definition_->columns[column].name + "\" " + problem + ".");
}

// *native has a null data() when the value is NULL.
Status RowReader::ReadValue(const TupleValue& value, size_t column, NativeScratch* scratch,
                            std::string_view* native) const {
  *native = std::string_view();
  if (value.kind == TupleValueKind::kNull) return {};
  if (value.kind != TupleValueKind::kBinary)
    return NotReadable(column, value.kind == TupleValueKind::kText
                                   ? "came as text, not in binary form"
                                   : "was not sent");
  const ValueEncoding encoding = definition_->columns[column].encoding;
  const size_t width = vfdw::FixedBytes(encoding);
  if (width != 0 && value.bytes.size() != width)
    return NotReadable(column, "has " + std::to_string(value.bytes.size()) + " bytes instead of " +
                                   std::to_string(width));
  *native = NativeValue(encoding, value.bytes, scratch);
  return {};
}

Status RowReader::ReadRow(const Change& change, uint32_t dimensions, IncomingRow* row) {
  row->values.clear();
  row->unchanged.clear();
  for (size_t i = 0; i < definition_->columns.size(); i++) {
    if (i == vector_column_) continue;
    const TupleValue& value = ValueAfter(change, binding_.positions[i], *relation_);
    std::string_view native;
    if (value.kind == TupleValueKind::kUnchanged && i >= key_columns_) {
      row->unchanged.resize(definition_->columns.size() - 1, false);
      row->unchanged[row->values.size()] = true;
    } else {
      VFDW_RETURN_IF_ERROR(ReadValue(value, i, &new_scratch_[i], &native));
    }
    row->values.push_back(native);
  }
  return ReadVector(change, dimensions, row);
}

Status RowReader::ReadVector(const Change& change, uint32_t dimensions, IncomingRow* row) {
  const TupleValue& value = ValueAfter(change, binding_.positions[vector_column_], *relation_);
  row->vector = nullptr;
  row->dimensions = dimensions;
  row->reject_reason = {};
  switch (value.kind) {
    case TupleValueKind::kNull:
      row->vector_change = VectorChange::kNull;
      return {};
    case TupleValueKind::kUnchanged:
      row->vector_change = VectorChange::kUnchanged;
      return {};
    case TupleValueKind::kText:
      return NotReadable(vector_column_, "came as text, not in binary form");
    case TupleValueKind::kBinary:
      break;
  }
  const VectorSource source = definition_->vector_source;
  if (dimensions == 0) {
    row->dimensions = CountDimensions(source, value.bytes);
    if (row->dimensions > VFDW_MAX_DIMENSIONS) {
      Reject(change,
             "it has " + std::to_string(row->dimensions) + " dimensions, the bound is " +
                 std::to_string(VFDW_MAX_DIMENSIONS),
             row);
      return {};
    }
  }
  vector_.resize(row->dimensions);
  std::string reason;
  const VectorFault fault =
      DecodeVector(source, value.bytes, row->dimensions, vector_.data(), &reason);
  if (fault == VectorFault::kMalformed)
    return NotReadable(vector_column_, "is malformed: " + reason);
  if (fault == VectorFault::kRejected || row->dimensions == 0) {
    Reject(change, fault == VectorFault::kNone ? "the vector is empty" : reason, row);
    return {};
  }
  row->vector_change = VectorChange::kValue;
  row->vector = vector_.data();
  return {};
}

void RowReader::Reject(const Change& change, const std::string& reason, IncomingRow* row) {
  std::string key;
  for (size_t i = 0; i < key_columns_; i++) {
    const TupleValue& value = ValueAfter(change, binding_.positions[i], *relation_);
    if (i > 0) key += ", ";
    key += value.kind == TupleValueKind::kBinary
               ? ValueText(definition_->columns[i].encoding, value.bytes)
               : "NULL";
  }
  reason_ = "row with key (" + key + "): " + reason;
  row->vector_change = VectorChange::kRejected;
  row->reject_reason = reason_;
}

Status RowReader::ReadOldKey(const Change& change, std::vector<std::string_view>* key) {
  key->clear();
  if (change.old_tuple == nullptr) return {};
  for (size_t i = 0; i < key_columns_; i++) {
    std::string_view native;
    VFDW_RETURN_IF_ERROR(
        ReadValue((*change.old_tuple)[binding_.positions[i]], i, &old_scratch_[i], &native));
    key->push_back(native);
  }
  return {};
}

}  // namespace vectord

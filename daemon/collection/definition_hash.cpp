// definition_hash.cpp - see definition_hash.h.
#include "daemon/collection/definition_hash.h"

#include <string>

#include "daemon/base/byte_stream.h"
#include "daemon/base/checksum.h"

namespace vectord {
namespace {

void AppendText(const std::string& text, std::string* out) {
  AppendNumber(static_cast<uint64_t>(text.size()), out);
  *out += text;
}

}  // namespace

uint64_t HashDefinition(const Definition& definition) {
  std::string content;
  AppendText(definition.schema, &content);
  AppendText(definition.table, &content);
  AppendText(definition.vector_column, &content);
  AppendNumber(static_cast<uint32_t>(definition.vector_source), &content);
  AppendNumber(definition.dimensions, &content);
  AppendNumber(static_cast<uint64_t>(definition.columns.size()), &content);
  for (const ColumnDefinition& column : definition.columns) {
    AppendText(column.name, &content);
    AppendNumber(column.type_oid, &content);
    AppendNumber(column.type_modifier, &content);
    AppendNumber(static_cast<uint32_t>(column.role), &content);
    AppendNumber(static_cast<uint32_t>(column.encoding), &content);
  }
  // Of the index only what it is built by: efforts of searches change nothing in a file.
  AppendNumber(static_cast<uint32_t>(definition.index.kind), &content);
  AppendNumber(static_cast<uint32_t>(definition.index.metric), &content);
  AppendNumber(definition.index.m, &content);
  AppendNumber(definition.index.ef_construction, &content);
  AppendNumber(definition.index.nlist, &content);
  AppendNumber(static_cast<uint32_t>(definition.index.quantizer), &content);
  return Checksum(content);
}

SourceStamps StampsOf(const Definition& definition) {
  SourceStamps stamps;
  stamps.key = {definition.database, definition.name, definition.definition_id};
  stamps.table_oid = definition.table_oid;
  stamps.definition_hash = HashDefinition(definition);
  return stamps;
}

}  // namespace vectord

// pgoutput.cpp - see pgoutput.h.
#include "daemon/source/pgoutput.h"

#include <string>

#include "daemon/source/big_endian_reader.h"

namespace vectord {
namespace {

constexpr size_t kLeastColumnBytes = 1 + 1 + 4 + 4;  // flags, empty name, type, modifier
constexpr uint8_t kColumnInIdentity = 1;
constexpr uint8_t kTruncateCascade = 1;
constexpr uint8_t kTruncateRestartIdentity = 2;
constexpr uint8_t kMessageTransactional = 1;

Status Malformed(std::string_view bytes, const std::string& problem) {
  std::string what = "an empty message";
  if (!bytes.empty()) {
    static constexpr char kDigits[] = "0123456789abcdef";
    const auto type = static_cast<uint8_t>(bytes[0]);
    what = "a message of type 0x" + std::string{kDigits[type >> 4], kDigits[type & 15]} + " and " +
           std::to_string(bytes.size()) + " bytes";
  }
  return Status(ErrorCode::SOURCE_FAILED, "the source sent a change that cannot be read",
                "It was " + what + ": " + problem + ".");
}

// False when the bytes end too early, or a value is of no known kind.
bool ReadTuple(BigEndianReader* reader, Tuple* tuple) {
  tuple->clear();
  const size_t columns = reader->Int16();
  if (columns > reader->remaining()) return false;  // each has at least its kind
  tuple->resize(columns);
  for (TupleValue& value : *tuple) {
    value.kind = static_cast<TupleValueKind>(reader->Int8());
    switch (value.kind) {
      case TupleValueKind::kNull:
      case TupleValueKind::kUnchanged:
        value.bytes = {};
        break;
      case TupleValueKind::kText:
      case TupleValueKind::kBinary:
        value.bytes = reader->Bytes(reader->Int32());
        break;
      default:
        return false;
    }
  }
  return !reader->failed();
}

void ReadBegin(BigEndianReader* reader, BeginMessage* begin) {
  begin->commit_lsn = static_cast<Lsn>(reader->Int64());
  begin->commit_time_us = static_cast<int64_t>(reader->Int64());
  begin->xid = reader->Int32();
}

bool ReadCommit(BigEndianReader* reader, CommitMessage* commit) {
  const uint8_t flags = reader->Int8();
  commit->commit_lsn = static_cast<Lsn>(reader->Int64());
  commit->end_lsn = static_cast<Lsn>(reader->Int64());
  commit->commit_time_us = static_cast<int64_t>(reader->Int64());
  return flags == 0;  // none is defined
}

bool IsReplicaIdentity(ReplicaIdentity identity) {
  switch (identity) {
    case ReplicaIdentity::kDefault:
    case ReplicaIdentity::kNothing:
    case ReplicaIdentity::kFull:
    case ReplicaIdentity::kIndex:
      return true;
  }
  return false;
}

bool ReadRelation(BigEndianReader* reader, RelationMessage* relation) {
  relation->columns.clear();
  relation->id = reader->Int32();
  relation->schema = reader->CString();
  if (relation->schema.empty()) relation->schema = "pg_catalog";
  relation->name = reader->CString();
  relation->identity = static_cast<ReplicaIdentity>(reader->Int8());
  const size_t columns = reader->Int16();
  if (reader->failed() || !IsReplicaIdentity(relation->identity) ||
      columns > reader->remaining() / kLeastColumnBytes)
    return false;
  relation->columns.resize(columns);
  for (RelationColumnMessage& column : relation->columns) {
    column.in_identity = (reader->Int8() & kColumnInIdentity) != 0;
    column.name = reader->CString();
    column.type_oid = reader->Int32();
    column.type_modifier = static_cast<int32_t>(reader->Int32());
  }
  return true;
}

bool ReadInsert(BigEndianReader* reader, RowMessage* row) {
  row->relation_id = reader->Int32();
  row->old_kind = OldTuple::kNone;
  row->old_tuple.clear();
  return reader->Int8() == 'N' && ReadTuple(reader, &row->new_tuple);
}

bool IsOldTuple(uint8_t mark) { return mark == 'K' || mark == 'O'; }

bool ReadUpdate(BigEndianReader* reader, RowMessage* row) {
  row->relation_id = reader->Int32();
  row->old_kind = OldTuple::kNone;
  row->old_tuple.clear();
  uint8_t mark = reader->Int8();
  if (IsOldTuple(mark)) {
    row->old_kind = static_cast<OldTuple>(mark);
    if (!ReadTuple(reader, &row->old_tuple)) return false;
    mark = reader->Int8();
  }
  return mark == 'N' && ReadTuple(reader, &row->new_tuple);
}

bool ReadDelete(BigEndianReader* reader, RowMessage* row) {
  row->relation_id = reader->Int32();
  row->new_tuple.clear();
  const uint8_t mark = reader->Int8();
  row->old_kind = static_cast<OldTuple>(mark);
  return IsOldTuple(mark) && ReadTuple(reader, &row->old_tuple);
}

bool ReadTruncate(BigEndianReader* reader, TruncateMessage* truncate) {
  truncate->relation_ids.clear();
  const size_t relations = reader->Int32();
  const uint8_t options = reader->Int8();
  truncate->cascade = (options & kTruncateCascade) != 0;
  truncate->restart_identity = (options & kTruncateRestartIdentity) != 0;
  if (relations > reader->remaining() / sizeof(uint32_t)) return false;
  truncate->relation_ids.resize(relations);
  for (uint32_t& id : truncate->relation_ids) id = reader->Int32();
  return true;
}

void ReadMessage(BigEndianReader* reader, LogicalMessage* message) {
  message->transactional = (reader->Int8() & kMessageTransactional) != 0;
  message->lsn = static_cast<Lsn>(reader->Int64());
  message->prefix = reader->CString();
  message->content = reader->Bytes(reader->Int32());
}

// What is wrong with a message of a type that this file does not read.
const char* ForeignType(char type) {
  switch (type) {
    case 'S':
    case 'E':
    case 'c':
    case 'A':
      return "it belongs to a streamed transaction, which was not asked for";
    case 'b':
    case 'P':
    case 'K':
    case 'r':
    case 'p':
      return "it belongs to a prepared transaction, which was not asked for";
    default:
      return "its type is not known";
  }
}

}  // namespace

Status ParsePgOutput(std::string_view bytes, PgOutputMessage* message) {
  if (bytes.empty()) return Malformed(bytes, "there is nothing to read");
  BigEndianReader reader(bytes.substr(1));
  bool valid = true;
  message->kind = static_cast<PgOutputKind>(bytes[0]);
  switch (message->kind) {
    case PgOutputKind::kBegin:
      ReadBegin(&reader, &message->begin);
      break;
    case PgOutputKind::kCommit:
      valid = ReadCommit(&reader, &message->commit);
      break;
    case PgOutputKind::kOrigin:
      message->origin.commit_lsn = static_cast<Lsn>(reader.Int64());
      message->origin.name = reader.CString();
      break;
    case PgOutputKind::kRelation:
      valid = ReadRelation(&reader, &message->relation);
      break;
    case PgOutputKind::kType:
      message->type.oid = reader.Int32();
      message->type.schema = reader.CString();
      if (message->type.schema.empty()) message->type.schema = "pg_catalog";
      message->type.name = reader.CString();
      break;
    case PgOutputKind::kInsert:
      valid = ReadInsert(&reader, &message->row);
      break;
    case PgOutputKind::kUpdate:
      valid = ReadUpdate(&reader, &message->row);
      break;
    case PgOutputKind::kDelete:
      valid = ReadDelete(&reader, &message->row);
      break;
    case PgOutputKind::kTruncate:
      valid = ReadTruncate(&reader, &message->truncate);
      break;
    case PgOutputKind::kMessage:
      ReadMessage(&reader, &message->message);
      break;
    default:
      return Malformed(bytes, ForeignType(bytes[0]));
  }
  if (reader.failed()) return Malformed(bytes, "it ends too early");
  if (!valid) return Malformed(bytes, "a part of it is not what the protocol says");
  if (!reader.done())
    return Malformed(bytes, std::to_string(reader.remaining()) + " bytes follow its end");
  return {};
}

}  // namespace vectord

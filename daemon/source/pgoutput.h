// pgoutput.h - one message of PostgreSQL's logical replication, as the plugin pgoutput writes it.
//
// Protocol versions 1 and 2 with streaming and two_phase off
// (https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html): whole
// transactions in commit order, so a message never carries an xid of its own. Messages of streamed
// or prepared transactions are errors, because nobody asked for them.
//
// A pure function of bytes from outside: any input is safe. Views point into those bytes. Nothing
// is allocated by a count that the bytes cannot hold.
//
// Times are microseconds since 2000-01-01 UTC, as PostgreSQL's own.
#ifndef VECTORD_SOURCE_PGOUTPUT_H
#define VECTORD_SOURCE_PGOUTPUT_H

#include <cstdint>
#include <string_view>
#include <vector>

#include "daemon/base/status.h"
#include "shared/ids.h"

namespace vectord {

using vfdw::Lsn;

enum class TupleValueKind : char {
  kNull = 'n',
  kUnchanged = 'u',  // stored out of line, and not changed by this UPDATE: its bytes are not sent
  kText = 't',       // what the type's output function wrote: the type has no binary form
  kBinary = 'b'      // what the type's send function wrote
};

struct TupleValue {
  TupleValueKind kind = TupleValueKind::kNull;
  std::string_view bytes;  // of kText and kBinary
};

// One value for each column of the relation.
using Tuple = std::vector<TupleValue>;

enum class OldTuple : char {
  kNone = 0,   // the columns of the identity did not change
  kKey = 'K',  // columns outside the identity are NULL here, whatever they were
  kFull = 'O'  // REPLICA IDENTITY FULL: all columns
};

enum class ReplicaIdentity : char { kDefault = 'd', kNothing = 'n', kFull = 'f', kIndex = 'i' };

enum class PgOutputKind : char {
  kBegin = 'B',
  kCommit = 'C',
  kOrigin = 'O',
  kRelation = 'R',
  kType = 'Y',
  kInsert = 'I',
  kUpdate = 'U',
  kDelete = 'D',
  kTruncate = 'T',
  kMessage = 'M'
};

struct BeginMessage {
  Lsn commit_lsn = Lsn::kNone;  // where the commit record starts
  int64_t commit_time_us = 0;
  uint32_t xid = 0;  // of the top-level transaction
};

struct CommitMessage {
  Lsn commit_lsn = Lsn::kNone;
  Lsn end_lsn = Lsn::kNone;  // where the commit record ends
  int64_t commit_time_us = 0;
};

struct OriginMessage {
  Lsn commit_lsn = Lsn::kNone;  // on the server where the transaction was made
  std::string_view name;
};

struct RelationColumnMessage {
  std::string_view name;
  uint32_t type_oid = 0;  // as declared: a domain is not replaced by its base type
  int32_t type_modifier = -1;
  bool in_identity = false;
};

struct RelationMessage {
  uint32_t id = 0;  // the table's OID
  std::string_view schema, name;
  ReplicaIdentity identity = ReplicaIdentity::kDefault;
  std::vector<RelationColumnMessage> columns;  // those that are published
};

struct TypeMessage {
  uint32_t oid = 0;
  std::string_view schema, name;
};

// Of kInsert, kUpdate, kDelete.
struct RowMessage {
  uint32_t relation_id = 0;
  OldTuple old_kind = OldTuple::kNone;
  Tuple old_tuple;  // empty with kNone
  Tuple new_tuple;  // empty for kDelete
};

struct TruncateMessage {
  std::vector<uint32_t> relation_ids;
  bool cascade = false, restart_identity = false;
};

// What pg_logical_emit_message() wrote.
struct LogicalMessage {
  bool transactional = false;
  Lsn lsn = Lsn::kNone;
  std::string_view prefix, content;
};

// Only the member that belongs to kind means anything. Meant to be used again and again, so that
// its vectors keep their memory.
struct PgOutputMessage {
  PgOutputKind kind = PgOutputKind::kBegin;
  BeginMessage begin;
  CommitMessage commit;
  OriginMessage origin;
  RelationMessage relation;
  TypeMessage type;
  RowMessage row;
  TruncateMessage truncate;
  LogicalMessage message;
};

// SOURCE_FAILED for what is no such message; then *message is undefined.
Status ParsePgOutput(std::string_view bytes, PgOutputMessage* message);

}  // namespace vectord

#endif

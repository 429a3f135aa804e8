// relation_map.h - what the stream has said about tables, and where a collection finds its columns.
//
// The server describes a table before its first change in a session, and again when its definition
// may have changed. A description never changes: a new one is a new Relation, and the changes
// before it keep the old one, so that a transaction with an ALTER TABLE in its midst is read
// correctly.
//
// A description says nothing about rewritten rows (ALTER TYPE ... USING, ADD COLUMN ... DEFAULT):
// those never appear in the stream.
//
// Threads: a map belongs to one; a Relation is immutable, and readable by all.
#ifndef VECTORD_SOURCE_RELATION_MAP_H
#define VECTORD_SOURCE_RELATION_MAP_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "daemon/source/pgoutput.h"
#include "shared/messages.h"

namespace vectord {

struct RelationColumn {
  std::string name;
  uint32_t type_oid = 0;
  int32_t type_modifier = -1;
  bool in_identity = false;

  bool operator==(const RelationColumn& other) const;
};

// Lives in a shared_ptr, so that who keeps changes can keep their description.
struct Relation : std::enable_shared_from_this<Relation> {
  uint32_t id = 0;  // the table's OID
  std::string schema, name;
  ReplicaIdentity identity = ReplicaIdentity::kDefault;
  std::vector<RelationColumn> columns;

  bool operator==(const Relation& other) const;
  std::string QualifiedName() const { return schema + "." + name; }
};

class RelationMap {
 public:
  // A new replication session: tables must be described again before they are found. What was
  // known is kept, so that a change which happened in between is noticed.
  void BeginSession() { session_++; }

  struct Announcement {
    std::shared_ptr<const Relation> relation;  // the same object as before when nothing differs
    std::shared_ptr<const Relation> previous;  // null: never seen before
    bool changed() const { return relation != previous; }
  };
  Announcement Announce(const RelationMessage& message);

  // Null when it was not described in this session.
  std::shared_ptr<const Relation> Find(uint32_t id) const;

 private:
  struct Entry {
    std::shared_ptr<const Relation> relation;
    uint64_t session = 0;
  };
  std::unordered_map<uint32_t, Entry> entries_;
  uint64_t session_ = 0;
};

// ---- binding ----------------------------------------------------------------------------------

struct NeededColumn {
  std::string name;
  uint32_t type_oid = 0;
  int32_t type_modifier = -1;
  vfdw::ColumnRole role = vfdw::ColumnRole::kNone;
};

enum class SchemaFault {
  kColumnMissing,    // dropped, renamed, or taken out of the publication
  kTypeChanged,      // another type: its stored values are of no use
  kModifierChanged,  // varchar(10) to varchar(20), vector(3) to vector(4): the values may fit still
  kKeyNotInIdentity,  // UPDATE and DELETE do not say which row they mean
};

struct SchemaProblem {
  SchemaFault fault = SchemaFault::kColumnMissing;
  std::string column;
  std::string detail;  // a whole sentence
};

struct ColumnBinding {
  static constexpr size_t kMissing = SIZE_MAX;
  std::vector<size_t> positions;  // in the relation's tuples, in the order of the needed columns
  std::vector<SchemaProblem> problems;

  // Changes of the relation can be applied. Only kModifierChanged is harmless here.
  bool usable() const;
};

ColumnBinding BindColumns(const Relation& relation, const std::vector<NeededColumn>& needed);

}  // namespace vectord

#endif

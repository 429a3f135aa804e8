// definition_reader.h - reading vector_fdw.collection, with the columns of the source tables.
//
// One query returns everything about all collections of a database, read from catalogs only: it
// takes no lock on any source table, so it never waits for one. What it returns is turned into
// definitions by DecodeDefinitions(), which needs no server.
//
// A definition that cannot be followed (table or column gone, type of no use) is returned with its
// problem, so that the user sees it in the status.
#ifndef VECTORD_SOURCE_DEFINITION_READER_H
#define VECTORD_SOURCE_DEFINITION_READER_H

#include <string>
#include <vector>

#include "daemon/base/lsn_text.h"
#include "daemon/base/status.h"
#include "daemon/collection/definition.h"
#include "daemon/source/pg_connection.h"

namespace vectord {

struct ReadDefinition {
  Definition definition;  // with a problem: at least database, name, definition_id, loaded
  Status problem;
  // Two texts to compare with those of an earlier reading. content differs when anything does;
  // structure when what was built by the other definition is of no use for this one.
  std::string content, structure;
  // Differs when the publication has been changed, or the table's replica identity.
  std::string publication;
};

class DefinitionReader {
 public:
  // daemon_name: whose collections to read, beside those that name no daemon.
  explicit DefinitionReader(std::string daemon_name) : daemon_name_(std::move(daemon_name)) {}

  // True when a transaction may have changed something since the last call. The first call is true.
  Result<bool> MayHaveChanged(PgConnection* connection);
  // Where the source's WAL ended at that call.
  Lsn source_position() const { return source_position_; }

  // By name, ascending. None when the extension is not in this database.
  Result<std::vector<ReadDefinition>> Read(PgConnection* connection);

 private:
  const std::string daemon_name_;
  bool catalog_exists_ = false;
  std::string last_snapshot_;
  Lsn source_position_ = Lsn::kNone;
};

// The definition of one collection as the connection's transaction sees it. COLLECTION_MISSING.
Result<ReadDefinition> ReadOneDefinition(PgConnection* connection, const std::string& name);

// rows: the result of the query, a row for each column of each collection.
std::vector<ReadDefinition> DecodeDefinitions(const std::string& database, const PgRows& rows);

}  // namespace vectord

#endif

// initial_copy.h - reading a whole source table under one snapshot, by several connections.
//
//   InitialCopy --Begin(): snapshot taken over, rows counted--> --Run(): each row handed over
//   once-->
//
// All connections see the table as it was at one moment, that of a snapshot which a replication
// slot has exported. The table is locked in ACCESS SHARE mode from soon after the snapshot to the
// end. Its structure must be the one that the definition was read with, and its files those of
// before the snapshot: a table that was rewritten in between would look empty. Otherwise the copy
// fails and is tried again. (A lock before the snapshot could lead to a deadlock that the server
// does not see: the slot waits for a transaction which waits for our lock.)
//
// The table is read through its name only, partitions and inheritance children included, so SELECT
// on it is the only privilege needed. Ranges of blocks are handed to whoever is free.
//
// Threads: Begin(), Run() and the destructor are called by one thread; Run() starts the others and
// ends them.
#ifndef VECTORD_SOURCE_INITIAL_COPY_H
#define VECTORD_SOURCE_INITIAL_COPY_H

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "daemon/base/status.h"
#include "daemon/collection/definition.h"
#include "daemon/source/block_ranges.h"
#include "daemon/source/copy_rows.h"
#include "daemon/source/definition_reader.h"
#include "daemon/source/pg_connection.h"
#include "daemon/source/segment_assembler.h"
#include "daemon/source/stop_signal.h"

namespace vectord {

struct CopySource {
  std::string dsn;
  int connections = 1;
  std::shared_ptr<const Definition> definition;
  std::string structure;  // ReadDefinition::structure of the definition
};

// Tells which files hold the table and what is below it; a rewrite or TRUNCATE changes it.
Result<std::string> ReadStorageIdentity(PgConnection* connection, uint32_t table_oid);

class InitialCopy {
 public:
  // stop must outlive the copy.
  InitialCopy(CopySource source, const StopSignal& stop);

  // snapshot: exported by a transaction that is still open; it may end when on_taken is called.
  // storage: ReadStorageIdentity() of before the snapshot.
  Status Begin(const std::string& snapshot, const std::string& storage,
               const std::function<void()>& on_taken);
  // REQUIRES: Begin() was OK.
  const CopyTotals& totals() const { return totals_; }
  uint64_t table_bytes() const { return table_bytes_; }

  // Calls sink for each batch, by several threads at once. The first error ends the copy.
  using Sink = std::function<Status(const RowBatch&)>;
  Status Run(const Sink& sink);

 private:
  Status TakeSnapshot(const std::string& snapshot);
  Status LockTable(const std::string& storage);
  Status LockByOid();
  Status TryToLock();
  Result<std::string> ReadName(PgConnection* connection) const;
  Status CheckName(PgConnection* connection) const;
  static Status RenamedMeanwhile();
  Status ChooseValues();
  Status CheckStructure();
  Status PlanRanges();
  Status CountRows();
  Status FindDimensions();
  Status EstimateColumns();
  std::string CopyStatement(const BlockRange& range) const;
  std::string Quote(const std::string& name) const { return leader_->QuoteIdentifier(name); }
  Status Explain(const Status& error) const;

  class Workers;

  const CopySource source_;
  const StopSignal& stop_;
  std::unique_ptr<PgConnection> leader_;
  std::string snapshot_;
  std::string table_;     // its name as of the lock, qualified and quoted
  std::string relation_;  // as it stands in FROM
  std::string vector_;    // the vector column, quoted
  std::string columns_;   // all columns, quoted, in the order of the definition
  std::string values_;    // the same as they are copied
  std::vector<BlockRange> ranges_;
  bool by_ranges_ = true;  // false: something in the tree has no blocks to speak of
  uint64_t table_bytes_ = 0;
  CopyTotals totals_;
};

}  // namespace vectord

#endif

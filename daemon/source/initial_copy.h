// initial_copy.h - reading a whole source table under one snapshot, by several connections.
//
//   InitialCopy --Begin(): snapshot taken, rows counted--> --Run(): each row handed over once-->
//
// All connections see the table as it was at one moment. The table is locked in ACCESS SHARE mode
// from before the snapshot to the end, so its structure is the one that the definition was read
// with (checked under the snapshot), or the copy fails and is tried again with the new one.
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

class InitialCopy {
 public:
  // stop must outlive the copy.
  InitialCopy(CopySource source, const StopSignal& stop);

  Status Begin();
  // REQUIRES: Begin() was OK.
  const CopyTotals& totals() const { return totals_; }
  uint64_t table_bytes() const { return table_bytes_; }

  // Calls sink for each batch, by several threads at once. The first error ends the copy.
  using Sink = std::function<Status(const RowBatch&)>;
  Status Run(const Sink& sink);

 private:
  Status TakeSnapshot();
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
  std::string relation_;  // as it stands in FROM
  std::string vector_;    // the vector column, quoted
  std::string columns_;   // all columns, quoted, in the order of the definition
  std::vector<BlockRange> ranges_;
  bool by_ranges_ = true;  // false: something in the tree has no blocks to speak of
  uint64_t table_bytes_ = 0;
  CopyTotals totals_;
};

}  // namespace vectord

#endif

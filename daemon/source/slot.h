// slot.h - the replication slot of a source database, and the server that it lives on.
//
// A slot is the server's promise to keep the WAL that we have not confirmed. One permanent slot per
// source database feeds the stream; temporary ones give initial copies their snapshot. Statements
// for PostgreSQL 14 to 18, chosen by server_version_num.
#ifndef VECTORD_SOURCE_SLOT_H
#define VECTORD_SOURCE_SLOT_H

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base/lsn_text.h"
#include "daemon/base/status.h"
#include "daemon/source/pg_connection.h"
#include "daemon/source/replication_connection.h"
#include "shared/ids.h"

namespace vectord {

using vfdw::FullXid;

constexpr int kOldestServerVersion = 140000;

// ---- the server -------------------------------------------------------------------------------

struct SystemIdentity {
  uint64_t system_identifier = 0;  // given by initdb; copies of a cluster share it
  uint32_t timeline = 0;           // a new one after each promotion or recovery to a point in time
  Lsn flushed_lsn = Lsn::kNone;    // the end of the server's durable WAL
  bool is_in_recovery = false;     // then timeline and flushed_lsn may still move on
  std::string database;
};

Result<SystemIdentity> IdentifySystem(ReplicationConnection* connection);

struct ServerState {
  bool is_standby = false;
  FullXid next_xid = FullXid::kNobody;
  std::chrono::milliseconds wal_sender_timeout{0};  // 0: none
};

// Runs one statement without parameters, on whichever kind of connection.
using SqlRunner = std::function<Result<PgRows>(const std::string& sql)>;

Result<ServerState> ReadServerState(const SqlRunner& run);

// The first of the publications that does not exist; empty: all do.
Result<std::string> FindMissingPublication(const SqlRunner& run,
                                           const std::vector<std::string>& publications);

// ---- the slot ---------------------------------------------------------------------------------

enum class WalStatus {
  kReserved,
  kExtended,    // more than max_wal_size is kept
  kUnreserved,  // the next checkpoint of the server may take it away
  kLost         // it is gone: the slot is of no more use
};

struct SlotStatus {
  std::string plugin, database;
  bool temporary = false;
  WalStatus wal_status = WalStatus::kReserved;
  std::string invalidation;  // why it is lost, where the server says so (17+)
  Lsn confirmed_flush_lsn = Lsn::kNone;
  Lsn restart_lsn = Lsn::kNone;
  uint64_t retained_bytes = 0;        // of WAL that the server keeps because of it
  std::optional<int64_t> safe_bytes;  // that may be written before it is lost; none: no limit
  int active_pid = 0;                 // of the walsender that reads it; 0: none
};

// No value: there is no such slot. REQUIRES: RequireSlotName(name).
Result<std::optional<SlotStatus>> ReadSlotStatus(const SqlRunner& run, const std::string& name);

// BAD_CONFIG unless PostgreSQL takes it as a name: a-z, 0-9, _, at most 63.
Status RequireSlotName(const std::string& name);

// A transaction that a new slot waits for: it began before the slot, and has not ended.
struct SlotBlocker {
  int pid = 0;                                               // 0: a prepared transaction
  std::string user, application, state, running_for, query;  // empty: not ours to see
  std::string ToString() const;
};

struct NewSlot {
  std::string name;
  // The server drops a temporary slot when the connection ends.
  bool temporary = false;
  // The snapshot lives until the next command of the connection. REQUIRES: temporary.
  bool export_snapshot = false;
  // The longest wait for any one transaction; then SOURCE_FAILED, and there is no slot.
  std::chrono::milliseconds lock_timeout{std::chrono::minutes(10)};
  // How often to tell who is in the way.
  std::chrono::milliseconds report_interval{std::chrono::seconds(10)};
};

struct CreatedSlot {
  Lsn consistent_point = Lsn::kNone;
  std::string snapshot_name;  // for SET TRANSACTION SNAPSHOT; empty: none was exported
};

// Waits for every transaction that runs now. Meanwhile on_blocked is called with those in its way,
// as a second connection (by dsn) sees them; a warning is logged in any case.
// REQUIRES: RequireSlotName(slot.name).
using BlockedCallback = std::function<void(const std::vector<SlotBlocker>&)>;
Result<CreatedSlot> CreateSlot(ReplicationConnection* connection, const NewSlot& slot,
                               const std::string& dsn, const StopSignal& stop,
                               const BlockedCallback& on_blocked = nullptr);

// One that does not exist is no error. SOURCE_FAILED while somebody reads it.
Status DropSlot(ReplicationConnection* connection, const std::string& name);

// ---- the stream -------------------------------------------------------------------------------

// START_REPLICATION of whole transactions in binary form, with logical messages.
std::string StartReplicationCommand(const std::string& slot, Lsn start,
                                    const std::vector<std::string>& publications);

}  // namespace vectord

#endif

// slot.cpp - see slot.h.
//
// Replication commands have no parameters, so names and literals are quoted here. What the
// queries below say is read by name from pg_catalog: both kinds of connections empty search_path.
#include "daemon/source/slot.h"

#include <algorithm>
#include <cstdlib>

#include "daemon/base/log.h"
#include "daemon/base/settings.h"

namespace vectord {
namespace {

using std::chrono::milliseconds;

// A backslash means nothing: ReplicationConnection sets standard_conforming_strings.
std::string Literal(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'') quoted += '\'';
    quoted += c;
  }
  return quoted + "'";
}

std::string Identifier(const std::string& name) {
  std::string quoted = "\"";
  for (const char c : name) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + "\"";
}

Status Unexpected(const std::string& what) {
  return Status(ErrorCode::SOURCE_FAILED,
                "the source database gave an answer that was not expected",
                "It was the answer to " + what + ".");
}

std::string Text(const PgRow& row, size_t column) {
  return column < row.size() ? row[column].value_or("") : "";
}

uint64_t Number(const PgRow& row, size_t column) {
  return strtoull(Text(row, column).c_str(), nullptr, 10);
}

Lsn Position(const PgRow& row, size_t column) {
  return ParseLsn(Text(row, column)).value_or(Lsn::kNone);
}

WalStatus WalStatusOf(const std::string& text, bool is_invalidated) {
  if (is_invalidated || text == "lost") return WalStatus::kLost;
  if (text == "unreserved") return WalStatus::kUnreserved;
  if (text == "extended") return WalStatus::kExtended;
  return WalStatus::kReserved;
}

std::string CreateCommand(const NewSlot& slot, int server_version) {
  std::string command = "CREATE_REPLICATION_SLOT " + Identifier(slot.name);
  if (slot.temporary) command += " TEMPORARY";
  command += " LOGICAL pgoutput ";
  if (server_version >= 150000)
    command += slot.export_snapshot ? "(SNAPSHOT 'export')" : "(SNAPSHOT 'nothing')";
  else
    command += slot.export_snapshot ? "EXPORT_SNAPSHOT" : "NOEXPORT_SNAPSHOT";
  return command;
}

// Who is in the way of a slot that the walsender `pid` creates.
Result<std::vector<SlotBlocker>> ReadBlockers(PgConnection* connection, int pid) {
  VFDW_ASSIGN_OR_RETURN(
      const PgRows rows,
      connection->Exec("SELECT DISTINCT blocker.pid, activity.usename, activity.application_name,"
                       " activity.state,"
                       " date_trunc('second', clock_timestamp() - activity.xact_start)::text,"
                       " left(activity.query, 100)"
                       " FROM unnest(pg_blocking_pids($1::int)) AS blocker (pid)"
                       " LEFT JOIN pg_stat_activity AS activity USING (pid)",
                       {std::to_string(pid)}, milliseconds(5000)));
  std::vector<SlotBlocker> blockers;
  for (const PgRow& row : rows)
    blockers.push_back({static_cast<int>(Number(row, 0)), Text(row, 1), Text(row, 2), Text(row, 3),
                        Text(row, 4), Text(row, 5)});
  return blockers;
}

void ReportBlockers(const std::string& slot, const std::vector<SlotBlocker>& blockers) {
  std::string all;
  for (const SlotBlocker& blocker : blockers) all += (all.empty() ? "" : "; ") + blocker.ToString();
  LogWarning({}, "Replication slot \"{}\" waits for transactions that began before it: {}.", slot,
             all);
}

}  // namespace

// ---- the server -------------------------------------------------------------------------------

Result<SystemIdentity> IdentifySystem(ReplicationConnection* connection) {
  // Asked first: a server promoted between the two is then taken to be in recovery, and asked
  // again.
  VFDW_ASSIGN_OR_RETURN(const PgRows recovery, connection->Exec("SELECT pg_is_in_recovery()"));
  if (recovery.size() != 1) return Unexpected("a query for the state of the server");
  VFDW_ASSIGN_OR_RETURN(const PgRows rows, connection->Exec("IDENTIFY_SYSTEM"));
  if (rows.size() != 1 || rows[0].size() < 4) return Unexpected("IDENTIFY_SYSTEM");
  SystemIdentity identity;
  identity.system_identifier = Number(rows[0], 0);
  identity.timeline = static_cast<uint32_t>(Number(rows[0], 1));
  identity.flushed_lsn = Position(rows[0], 2);
  identity.database = Text(rows[0], 3);
  identity.is_in_recovery = Text(recovery[0], 0) == "t";
  if (identity.system_identifier == 0 || identity.flushed_lsn == Lsn::kNone)
    return Unexpected("IDENTIFY_SYSTEM");
  return identity;
}

Result<ServerState> ReadServerState(const SqlRunner& run) {
  // The snapshot's xmax is the next id to be given; asking for a current id would use one up.
  VFDW_ASSIGN_OR_RETURN(
      const PgRows rows,
      run("SELECT pg_is_in_recovery(), pg_snapshot_xmax(pg_current_snapshot()),"
          " (SELECT setting FROM pg_settings WHERE name = 'wal_sender_timeout')"));
  if (rows.size() != 1) return Unexpected("a query for the state of the server");
  ServerState state;
  state.is_standby = Text(rows[0], 0) == "t";
  state.next_xid = static_cast<FullXid>(Number(rows[0], 1));
  state.wal_sender_timeout = milliseconds(Number(rows[0], 2));
  return state;
}

Result<std::string> FindMissingPublication(const SqlRunner& run,
                                           const std::vector<std::string>& publications) {
  for (const std::string& publication : publications) {
    VFDW_ASSIGN_OR_RETURN(const PgRows rows, run("SELECT 1 FROM pg_publication WHERE pubname = " +
                                                 Literal(publication)));
    if (rows.empty()) return publication;
  }
  return std::string();
}

// ---- the slot ---------------------------------------------------------------------------------

Status RequireSlotName(const std::string& name) {
  const std::string problem = name.empty() ? "must not be empty" : CheckSlotName(name);
  if (problem.empty()) return {};
  return Status(ErrorCode::BAD_CONFIG, "\"" + name + "\" cannot be the name of a replication slot",
                "It " + problem + ".", "Set slot in the [[source]] section of vectord.toml.");
}

Result<std::optional<SlotStatus>> ReadSlotStatus(const SqlRunner& run, const std::string& name) {
  // Columns that came with later versions are asked for by way of JSON, where they may be missing:
  // conflicting (16), invalidation_reason (17).
  VFDW_ASSIGN_OR_RETURN(
      const PgRows rows,
      run("SELECT plugin, database, temporary, active_pid, wal_status, restart_lsn,"
          " confirmed_flush_lsn, safe_wal_size, to_jsonb(slot)->>'invalidation_reason',"
          " to_jsonb(slot)->>'conflicting', greatest(0, pg_wal_lsn_diff("
          "CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()"
          " ELSE pg_current_wal_lsn() END, restart_lsn))::bigint"
          " FROM pg_replication_slots AS slot WHERE slot_name = " +
          Literal(name)));
  if (rows.empty()) return std::optional<SlotStatus>();
  const PgRow& row = rows[0];
  SlotStatus status;
  status.plugin = Text(row, 0);
  status.database = Text(row, 1);
  status.temporary = Text(row, 2) == "t";
  status.active_pid = static_cast<int>(Number(row, 3));
  status.restart_lsn = Position(row, 5);
  status.confirmed_flush_lsn = Position(row, 6);
  if (row.size() > 7 && row[7]) status.safe_bytes = strtoll(row[7]->c_str(), nullptr, 10);
  status.invalidation = Text(row, 8);
  const bool is_conflicting = Text(row, 9) == "true";
  if (is_conflicting && status.invalidation.empty()) status.invalidation = "conflict with recovery";
  status.wal_status = WalStatusOf(Text(row, 4), !status.invalidation.empty());
  status.retained_bytes = Number(row, 10);
  return std::optional<SlotStatus>(status);
}

std::string SlotBlocker::ToString() const {
  if (pid == 0) return "a prepared transaction (see pg_prepared_xacts)";
  std::string text = "process " + std::to_string(pid);
  if (!user.empty()) text += " of user \"" + user + "\"";
  if (!application.empty()) text += " (" + application + ")";
  if (!state.empty()) text += ", " + state;
  if (!running_for.empty()) text += ", for " + running_for;
  if (!query.empty()) text += ", last query: " + query;
  return text;
}

Result<CreatedSlot> CreateSlot(ReplicationConnection* connection, const NewSlot& slot,
                               const std::string& dsn, const StopSignal& stop,
                               const BlockedCallback& on_blocked) {
  // The only time-out that a walsender heeds while it waits for transactions to end. Without it
  // one that is forgotten would keep this half-made slot, and with it all WAL, for ever.
  const auto limited =
      connection->Exec("SET lock_timeout = " + std::to_string(slot.lock_timeout.count()));
  if (!limited.ok()) return limited.status();

  std::unique_ptr<PgConnection> observer;
  const auto observe = [&]() -> Status {
    if (observer == nullptr || !observer->usable()) {
      auto connected = PgConnection::Connect(dsn, stop);
      // That nobody can be named is no reason to give up the slot.
      if (!connected.ok()) return stop.requested() ? connected.status() : Status();
      observer = std::move(connected).value();
    }
    const auto blockers = ReadBlockers(observer.get(), connection->backend_pid());
    if (!blockers.ok()) return stop.requested() ? blockers.status() : Status();
    if (blockers->empty()) return {};
    ReportBlockers(slot.name, *blockers);
    if (on_blocked) on_blocked(*blockers);
    return {};
  };
  VFDW_ASSIGN_OR_RETURN(const PgRows rows,
                        connection->ExecPatiently(CreateCommand(slot, connection->server_version()),
                                                  slot.report_interval, observe));
  if (rows.size() != 1 || rows[0].size() < 3) return Unexpected("CREATE_REPLICATION_SLOT");
  CreatedSlot created;
  created.consistent_point = Position(rows[0], 1);
  created.snapshot_name = Text(rows[0], 2);
  if (created.consistent_point == Lsn::kNone ||
      created.snapshot_name.empty() == slot.export_snapshot)
    return Unexpected("CREATE_REPLICATION_SLOT");
  return created;
}

Status DropSlot(ReplicationConnection* connection, const std::string& name) {
  const auto dropped = connection->Exec("DROP_REPLICATION_SLOT " + Identifier(name));
  if (dropped.ok() || connection->sqlstate() == "42704") return {};  // undefined_object
  return dropped.status();
}

// ---- the stream -------------------------------------------------------------------------------

std::string StartReplicationCommand(const std::string& slot, Lsn start,
                                    const std::vector<std::string>& publications) {
  std::string names;
  for (const std::string& publication : publications)
    names += (names.empty() ? "" : ",") + Identifier(publication);
  // Version 1 is whole transactions only. binary and messages came with 14.
  return "START_REPLICATION SLOT " + Identifier(slot) + " LOGICAL " + LsnText(start) +
         " (\"proto_version\" '1', \"publication_names\" " + Literal(names) +
         ", \"binary\" 'true', \"messages\" 'true')";
}

}  // namespace vectord

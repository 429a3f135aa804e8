// pg_connection.h - one connection to PostgreSQL whose every wait can be interrupted.
//
// The only file that knows libpq. No call blocks in libpq: each waits for the socket and the stop
// signal together, so a server that hangs never keeps vectord from stopping. On a stop the
// connection is simply closed; the server notices within a second, because the session sets
// client_connection_check_interval. (PQcancel() would wait for a server that may be the reason of
// the hang.) One exception: resolving a host name is done by the system, and its time-outs hold.
//
// Errors: CANCELED when a stop was requested. SOURCE_UNREACHABLE when there is no connection (any
// more) or the server goes down; SOURCE_FAILED for what a repetition may cure; NOT_PERMITTED;
// SOURCE_REFUSED for all else that the server refuses. The detail holds the server's words and
// SQLSTATE, never the connection string.
//
// Threads: a connection belongs to one thread at a time.
#ifndef VECTORD_SOURCE_PG_CONNECTION_H
#define VECTORD_SOURCE_PG_CONNECTION_H

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/status.h"
#include "daemon/source/stop_signal.h"

struct pg_conn;
struct pg_result;

namespace vectord {

// A small result, as text or in binary. No value: NULL.
using PgValue = std::optional<std::string>;
using PgRow = std::vector<PgValue>;
using PgRows = std::vector<PgRow>;

class PgConnection {
 public:
  static constexpr std::chrono::milliseconds kNoTimeout{std::chrono::hours(24 * 365)};

  // A session that is ready for queries of ours: UTF-8, ISO dates, no time-outs, only pg_catalog in
  // search_path, row security off (a table whose rows are hidden from this role is an error, not a
  // part of a table). The connection string wins over the defaults of connecting (application_name,
  // keepalives), not over these. stop must outlive the connection.
  static Result<std::unique_ptr<PgConnection>> Connect(const std::string& dsn,
                                                       const StopSignal& stop);
  // The database that a connection string names, as far as can be told without connecting.
  static std::string DatabaseOf(const std::string& dsn);
  // That libpq can read it; whether it leads anywhere is not asked.
  static bool IsConnectionString(const std::string& dsn);

  ~PgConnection();
  PgConnection(const PgConnection&) = delete;
  PgConnection& operator=(const PgConnection&) = delete;

  // Runs one statement. When the time is over the connection is closed: SOURCE_UNREACHABLE.
  Result<PgRows> Exec(const std::string& sql, const PgRow& parameters = {},
                      std::chrono::milliseconds timeout = kNoTimeout);
  // The same with values in PostgreSQL's binary formats.
  Result<PgRows> ExecBinary(const std::string& sql, const PgRow& parameters = {});
  // Runs COPY ... TO STDOUT. sink is called with each piece as it comes; its error ends the copy,
  // and the connection with it.
  Status CopyOut(const std::string& sql, const std::function<Status(std::string_view)>& sink);

  // The name as it must stand in SQL.
  std::string QuoteIdentifier(const std::string& name) const;

  const std::string& database() const { return database_; }
  const std::string& user() const { return user_; }
  int server_version() const;  // 150004 for 15.4
  bool usable() const;
  // Of the last statement that the server refused, else empty.
  const std::string& sqlstate() const { return sqlstate_; }

 private:
  explicit PgConnection(const StopSignal& stop) : stop_(stop) {}
  using Deadline = std::chrono::steady_clock::time_point;

  Status Open(const std::string& dsn);
  Status PrepareSession();
  Status WaitForSocket(short events, Deadline deadline);
  Status Send(const std::string& sql, const PgRow& parameters, bool binary, Deadline deadline);
  Status Receive(Deadline deadline, std::shared_ptr<pg_result>* result);
  Status Drain(Deadline deadline);
  Result<PgRows> Query(const std::string& sql, const PgRow& parameters, bool binary,
                       std::chrono::milliseconds timeout);
  Status CopyData(const std::function<Status(std::string_view)>& sink);
  Status ServerError(const pg_result* result);
  Status ConnectionError(const std::string& message);
  void Close();

  const StopSignal& stop_;
  pg_conn* connection_ = nullptr;
  std::string database_, user_, sqlstate_;
};

}  // namespace vectord

#endif

// replication_connection.h - one connection to PostgreSQL in replication mode.
//
// PgConnection (pg_connection.h) is for queries; this one is for what only a walsender does: its
// commands, and the stream in both directions. A walsender knows only the simple query protocol.
// As there, no call blocks in libpq: every wait ends with CANCELED when a stop is requested; then
// only EndStreaming() may follow. A command that has not ended is cancelled when it is closed,
// which takes a second at most. Errors are those of PgConnection, with the server's words and
// SQLSTATE.
//
//   Idle --StartStreaming()--> Streaming --the server ends it, or any error--> Closed
//
// Threads: a connection belongs to one at a time.
#ifndef VECTORD_SOURCE_REPLICATION_CONNECTION_H
#define VECTORD_SOURCE_REPLICATION_CONNECTION_H

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "daemon/base/status.h"
#include "daemon/source/pg_connection.h"
#include "daemon/source/stop_signal.h"

namespace vectord {

class ReplicationConnection {
 public:
  using Deadline = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::milliseconds kCommandTimeout{20000};

  // dsn is that of an ordinary connection. stop must outlive the connection.
  static Result<std::unique_ptr<ReplicationConnection>> Connect(const std::string& dsn,
                                                                const StopSignal& stop);
  ~ReplicationConnection();
  ReplicationConnection(const ReplicationConnection&) = delete;
  ReplicationConnection& operator=(const ReplicationConnection&) = delete;

  // Runs a replication command or SQL; of several statements, the rows of the last. Whatever
  // is put into the text must be quoted already.
  Result<PgRows> Exec(const std::string& command,
                      std::chrono::milliseconds timeout = kCommandTimeout);
  // The same for a command that may take long for good reasons: on_wait is called each time
  // another interval has passed; its error closes the connection and is returned.
  Result<PgRows> ExecPatiently(const std::string& command, std::chrono::milliseconds interval,
                               const std::function<Status()>& on_wait);

  // Runs START_REPLICATION.
  Status StartStreaming(const std::string& command);

  enum class Received { kFrame, kNothing, kEnd };
  // The next frame; kNothing when none has come until the deadline, kEnd when the server ended the
  // stream in good order. *frame is valid until the next call. REQUIRES: Streaming.
  Result<Received> Receive(Deadline deadline, std::string_view* frame);
  // REQUIRES: Streaming.
  Status Send(std::string_view frame);
  // Tells the server that no more is wanted, so that it frees the slot at once. Does not wait.
  void EndStreaming();

  int server_version() const;  // 150004 for 15.4
  int backend_pid() const;     // of the walsender
  bool usable() const;
  // Of the last command that the server refused, else empty.
  const std::string& sqlstate() const { return sqlstate_; }

 private:
  explicit ReplicationConnection(const StopSignal& stop) : stop_(stop) {}

  Status Open(const std::string& dsn);
  Status WaitForSocket(short events, Deadline deadline, bool* is_late);
  Status Flush(Deadline deadline);
  Status SendCommand(const std::string& command);
  Status ReceiveResult(std::chrono::milliseconds interval, const std::function<Status()>& on_wait,
                       std::shared_ptr<pg_result>* result);
  Status EndOfStream();
  Status ServerError(const pg_result* result);
  Status ConnectionError(const std::string& message);
  Status Refused(const char* verbose_message);
  void Close();

  const StopSignal& stop_;
  pg_conn* connection_ = nullptr;
  bool is_executing_ = false;  // a command was sent and has not ended
  std::string sqlstate_;
  std::unique_ptr<char, void (*)(void*)> frame_{nullptr, nullptr};
};

}  // namespace vectord

#endif

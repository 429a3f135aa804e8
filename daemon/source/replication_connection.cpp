// replication_connection.cpp - see replication_connection.h.
#include "daemon/source/replication_connection.h"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <exception>
#include <future>
#include <thread>
#include <utility>

#include "daemon/source/sqlstate.h"

namespace vectord {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kConnectTimeout{20000};
// The longest that the server may take no byte of a status update.
constexpr milliseconds kSendTimeout{30000};
// The longest that closing waits until a cancellation has been sent.
constexpr milliseconds kCancelTimeout{1000};

// Text of values is needed only for types without a binary form, but then it must be read the same
// everywhere. search_path protects the queries below from what users create.
constexpr char kSessionSettings[] =
    "SET search_path = ''; SET standard_conforming_strings = on; SET statement_timeout = 0; SET "
    "lock_timeout = 0;"
    " SET idle_in_transaction_session_timeout = 0; SET datestyle = 'ISO';"
    " SET intervalstyle = 'postgres'; SET extra_float_digits = 3; SET idle_session_timeout = 0";

std::string Trimmed(const char* text) {
  std::string trimmed = text == nullptr ? "" : text;
  while (!trimmed.empty() && (trimmed.back() == '\n' || trimmed.back() == ' ')) trimmed.pop_back();
  std::replace(trimmed.begin(), trimmed.end(), '\n', ' ');
  return trimmed;
}

// A walsender that waits for transactions to end does not notice that its client has gone: it, and
// the slot that it makes, would stay until they have ended. libpq's call to cancel takes no time
// limit, and a server that stands still would hold up whoever closes.
void CancelCommand(PGconn* connection) {
  try {
    const std::shared_ptr<PGcancel> cancel(PQgetCancel(connection), &PQfreeCancel);
    if (cancel == nullptr) return;
    const auto sent = std::make_shared<std::promise<void>>();
    const std::future<void> is_sent = sent->get_future();
    std::thread([cancel, sent] {
      char error[256];
      PQcancel(cancel.get(), error, sizeof(error));
      sent->set_value();
    }).detach();
    is_sent.wait_for(kCancelTimeout);
  } catch (const std::exception&) {
    // No thread or no memory for it: then the server finds out by itself.
  }
}

PgRows RowsOf(const PGresult* result) {
  PgRows rows(static_cast<size_t>(PQntuples(result)));
  for (size_t i = 0; i < rows.size(); i++) {
    const int row = static_cast<int>(i);
    for (int column = 0; column < PQnfields(result); column++) {
      if (PQgetisnull(result, row, column))
        rows[i].emplace_back();
      else
        rows[i].emplace_back(PQgetvalue(result, row, column));
    }
  }
  return rows;
}

}  // namespace

Result<std::unique_ptr<ReplicationConnection>> ReplicationConnection::Connect(
    const std::string& dsn, const StopSignal& stop) {
  std::unique_ptr<ReplicationConnection> connection(new ReplicationConnection(stop));
  VFDW_RETURN_IF_ERROR(connection->Open(dsn));
  std::string settings_sql = kSessionSettings;
  if (connection->server_version() >= 170000) settings_sql += "; SET transaction_timeout = 0";
  const auto settings = connection->Exec(settings_sql);
  if (!settings.ok()) return settings.status();
  return connection;
}

ReplicationConnection::~ReplicationConnection() { Close(); }

void ReplicationConnection::Close() {
  frame_.reset();
  if (is_executing_ && usable()) CancelCommand(connection_);
  is_executing_ = false;
  if (connection_ != nullptr) PQfinish(connection_);
  connection_ = nullptr;
}

Status ReplicationConnection::Open(const std::string& dsn) {
  // What comes before dbname is a default that the connection string may override, what comes
  // after it is not.
  static constexpr const char* kKeywords[] = {
      "fallback_application_name", "keepalives_idle",  "keepalives_interval",
      "keepalives_count",          "tcp_user_timeout", "dbname",
      "client_encoding",           "replication",      nullptr};
  const char* const values[] = {"vectord",   "10",   "5",        "3",    "10000",
                                dsn.c_str(), "UTF8", "database", nullptr};
  connection_ = PQconnectStartParams(kKeywords, values, /*expand_dbname=*/1);
  if (connection_ == nullptr) return ConnectionError("libpq has no memory for a connection");
  PQsetErrorVerbosity(connection_, PQERRORS_VERBOSE);

  const Deadline deadline = steady_clock::now() + kConnectTimeout;
  PostgresPollingStatusType next = PGRES_POLLING_WRITING;
  while (PQstatus(connection_) != CONNECTION_BAD && next != PGRES_POLLING_OK) {
    if (next == PGRES_POLLING_FAILED) break;
    bool is_late = false;
    VFDW_RETURN_IF_ERROR(
        WaitForSocket(next == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline, &is_late));
    if (is_late) return ConnectionError("The server did not answer in time.");
    next = PQconnectPoll(connection_);
  }
  if (PQstatus(connection_) != CONNECTION_OK) return Refused(PQerrorMessage(connection_));
  PQsetErrorVerbosity(connection_, PQERRORS_DEFAULT);
  PQsetnonblocking(connection_, 1);
  // By default libpq writes notices to standard error, in the midst of the log.
  PQsetNoticeProcessor(
      connection_, [](void*, const char*) {}, nullptr);
  return {};
}

int ReplicationConnection::server_version() const {
  return connection_ == nullptr ? 0 : PQserverVersion(connection_);
}

int ReplicationConnection::backend_pid() const {
  return connection_ == nullptr ? 0 : PQbackendPID(connection_);
}

bool ReplicationConnection::usable() const {
  return connection_ != nullptr && PQstatus(connection_) == CONNECTION_OK;
}

Status ReplicationConnection::ConnectionError(const std::string& message) {
  Close();
  return Status(ErrorCode::SOURCE_UNREACHABLE, "there is no connection to the source database",
                message.empty() ? "The connection was lost." : message);
}

// Rights do not come by waiting, unlike a server that is away or still starting.
Status ReplicationConnection::Refused(const char* verbose_message) {
  const RefusedConnection refused = ReadVerboseMessage(verbose_message);
  if (ErrorCodeOfSqlstate(refused.sqlstate) != ErrorCode::NOT_PERMITTED)
    return ConnectionError(refused.text);
  Close();
  return Status(ErrorCode::NOT_PERMITTED, "the source database refused a replication connection",
                refused.text + " (SQLSTATE " + refused.sqlstate +
                    "). The role of the [[source]] needs ALTER ROLE ... REPLICATION.");
}

Status ReplicationConnection::ServerError(const PGresult* result) {
  const auto field = [&](int code) { return Trimmed(PQresultErrorField(result, code)); };
  sqlstate_ = field(PG_DIAG_SQLSTATE);
  // libpq itself reports a lost connection without a SQLSTATE.
  if (sqlstate_.empty() || !usable()) {
    const std::string message = Trimmed(PQresultErrorMessage(result));
    return ConnectionError(message);
  }
  std::string detail = field(PG_DIAG_MESSAGE_PRIMARY) + " (SQLSTATE " + sqlstate_ + ").";
  const std::string more = field(PG_DIAG_MESSAGE_DETAIL);
  if (!more.empty()) detail += " " + more;
  return Status(ErrorCodeOfSqlstate(sqlstate_), "the source database refused a replication command",
                detail, field(PG_DIAG_MESSAGE_HINT));
}

Status ReplicationConnection::WaitForSocket(short events, Deadline deadline, bool* is_late) {
  *is_late = false;
  switch (stop_.WaitFor(PQsocket(connection_), events, deadline)) {
    case StopSignal::Ready::kSocket:
      return {};
    case StopSignal::Ready::kTimeout:
      *is_late = true;
      return {};
    case StopSignal::Ready::kStop:
      break;
  }
  return Status(ErrorCode::CANCELED, "the work on the source was stopped");
}

Status ReplicationConnection::Flush(Deadline deadline) {
  for (;;) {
    const int left = PQflush(connection_);
    if (left == 0) return {};
    if (left < 0) return ConnectionError(Trimmed(PQerrorMessage(connection_)));
    bool is_late = false;
    VFDW_RETURN_IF_ERROR(WaitForSocket(POLLIN | POLLOUT, deadline, &is_late));
    if (is_late) return ConnectionError("The server takes no more bytes.");
    if (!PQconsumeInput(connection_)) return ConnectionError(Trimmed(PQerrorMessage(connection_)));
  }
}

Status ReplicationConnection::SendCommand(const std::string& command) {
  sqlstate_.clear();
  if (connection_ == nullptr) return ConnectionError("");
  if (!PQsendQuery(connection_, command.c_str()))
    return ConnectionError(Trimmed(PQerrorMessage(connection_)));
  is_executing_ = true;
  return Flush(steady_clock::now() + kSendTimeout);
}

// The next result; null when the command is over.
Status ReplicationConnection::ReceiveResult(milliseconds interval,
                                            const std::function<Status()>& on_wait,
                                            std::shared_ptr<pg_result>* result) {
  Deadline deadline = steady_clock::now() + interval;
  while (PQisBusy(connection_)) {
    bool is_late = false;
    VFDW_RETURN_IF_ERROR(WaitForSocket(POLLIN, deadline, &is_late));
    if (is_late) {
      const Status status = on_wait();
      if (!status.ok()) {
        Close();
        return status;
      }
      deadline = steady_clock::now() + interval;
      continue;
    }
    if (!PQconsumeInput(connection_)) return ConnectionError(Trimmed(PQerrorMessage(connection_)));
  }
  result->reset(PQgetResult(connection_), &PQclear);
  // A stream is ended in another way.
  if (*result == nullptr || PQresultStatus(result->get()) == PGRES_COPY_BOTH) is_executing_ = false;
  return {};
}

Result<PgRows> ReplicationConnection::Exec(const std::string& command, milliseconds timeout) {
  return ExecPatiently(command, timeout, [] {
    return Status(ErrorCode::SOURCE_UNREACHABLE, "there is no connection to the source database",
                  "The server did not answer in time.");
  });
}

Result<PgRows> ReplicationConnection::ExecPatiently(const std::string& command,
                                                    milliseconds interval,
                                                    const std::function<Status()>& on_wait) {
  VFDW_RETURN_IF_ERROR(SendCommand(command));
  PgRows rows;
  Status failure;
  std::shared_ptr<pg_result> result;
  for (;;) {
    VFDW_RETURN_IF_ERROR(ReceiveResult(interval, on_wait, &result));
    if (result == nullptr) break;
    const ExecStatusType status = PQresultStatus(result.get());
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
      rows = RowsOf(result.get());
    } else if (failure.ok()) {
      failure = ServerError(result.get());
      if (!usable()) return failure;
    }
  }
  if (!failure.ok()) return failure;
  return rows;
}

Status ReplicationConnection::StartStreaming(const std::string& command) {
  VFDW_RETURN_IF_ERROR(SendCommand(command));
  std::shared_ptr<pg_result> result;
  VFDW_RETURN_IF_ERROR(ReceiveResult(
      kCommandTimeout,
      [] {
        return Status(ErrorCode::SOURCE_UNREACHABLE,
                      "there is no connection to the source database",
                      "The server did not start the stream in time.");
      },
      &result));
  if (PQresultStatus(result.get()) == PGRES_COPY_BOTH) return {};
  const Status failure = ServerError(result.get());
  Close();
  return failure;
}

Result<ReplicationConnection::Received> ReplicationConnection::Receive(Deadline deadline,
                                                                       std::string_view* frame) {
  if (connection_ == nullptr) return ConnectionError("");
  for (;;) {
    char* data = nullptr;
    const int bytes = PQgetCopyData(connection_, &data, /*async=*/1);
    if (bytes > 0) {
      frame_ = {data, &PQfreemem};
      *frame = {data, static_cast<size_t>(bytes)};
      return Received::kFrame;
    }
    if (bytes == -1) {
      VFDW_RETURN_IF_ERROR(EndOfStream());
      return Received::kEnd;
    }
    if (bytes == -2) return ConnectionError(Trimmed(PQerrorMessage(connection_)));
    bool is_late = false;
    VFDW_RETURN_IF_ERROR(WaitForSocket(POLLIN, deadline, &is_late));
    if (is_late) return Received::kNothing;
    if (!PQconsumeInput(connection_)) return ConnectionError(Trimmed(PQerrorMessage(connection_)));
  }
}

// Why the server ended the stream. Either way the connection is of no more use.
Status ReplicationConnection::EndOfStream() {
  std::shared_ptr<pg_result> result;
  Status failure;
  const Status received = ReceiveResult(
      milliseconds(1000),
      [] {
        return Status(ErrorCode::SOURCE_UNREACHABLE,
                      "there is no connection to the source database",
                      "The server ended the stream without a reason.");
      },
      &result);
  if (!received.ok())
    failure = received;
  else if (PQresultStatus(result.get()) == PGRES_FATAL_ERROR)
    failure = ServerError(result.get());
  Close();
  return failure;
}

Status ReplicationConnection::Send(std::string_view frame) {
  if (connection_ == nullptr) return ConnectionError("");
  for (;;) {
    const int queued = PQputCopyData(connection_, frame.data(), static_cast<int>(frame.size()));
    if (queued < 0) return ConnectionError(Trimmed(PQerrorMessage(connection_)));
    VFDW_RETURN_IF_ERROR(Flush(steady_clock::now() + kSendTimeout));
    if (queued > 0) return {};
  }
}

void ReplicationConnection::EndStreaming() {
  if (usable() && PQputCopyEnd(connection_, nullptr) == 1) PQflush(connection_);
  Close();
}

}  // namespace vectord

// pg_connection.cpp - see pg_connection.h.
#include "daemon/source/pg_connection.h"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace vectord {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// For all hosts of a connection string together; tcp_user_timeout gives up on a silent one.
constexpr milliseconds kConnectTimeout{20000};
constexpr milliseconds kSessionTimeout{20000};

struct SessionSetting {
  const char* name;
  const char* value;
  int since;  // server version
};

constexpr SessionSetting kSessionSettings[] = {
    {"statement_timeout", "0", 0},
    {"lock_timeout", "0", 0},
    {"idle_in_transaction_session_timeout", "0", 0},
    {"idle_session_timeout", "0", 140000},
    {"transaction_timeout", "0", 170000},
    {"search_path", "", 0},
    {"row_security", "off", 0},
    {"datestyle", "ISO", 0},
    {"extra_float_digits", "3", 0},
    {"bytea_output", "hex", 0},
    {"synchronize_seqscans", "off", 0},
    {"jit", "off", 0},
};

// One line: libpq's messages have several, indented by tabs.
std::string Trimmed(const char* text) {
  std::string trimmed;
  bool pending_space = false;
  for (const char* c = text == nullptr ? "" : text; *c != '\0'; c++) {
    if (*c == ' ' || *c == '\n' || *c == '\t') {
      pending_space = !trimmed.empty();
      continue;
    }
    if (pending_space) trimmed += ' ';
    pending_space = false;
    trimmed += *c;
  }
  return trimmed;
}

std::string FieldOf(const PGresult* result, int field) {
  return Trimmed(PQresultErrorField(result, field));
}

// What a repetition of the same step may cure: lost connections, shutdown, serialization, locks,
// resources.
struct ErrorClass {
  const char* sqlstate_prefix;
  ErrorCode code;
};
constexpr ErrorClass kErrorClasses[] = {
    {"08", ErrorCode::SOURCE_UNREACHABLE},    {"28", ErrorCode::SOURCE_UNREACHABLE},
    {"3D", ErrorCode::SOURCE_UNREACHABLE},    {"57P", ErrorCode::SOURCE_UNREACHABLE},
    {"53300", ErrorCode::SOURCE_UNREACHABLE}, {"40", ErrorCode::SOURCE_FAILED},
    {"53", ErrorCode::SOURCE_FAILED},         {"55P03", ErrorCode::SOURCE_FAILED},
    {"57", ErrorCode::SOURCE_FAILED},         {"58", ErrorCode::SOURCE_FAILED},
    {"42501", ErrorCode::NOT_PERMITTED},
};

ErrorCode CodeOfSqlstate(const std::string& sqlstate) {
  for (const ErrorClass& known : kErrorClasses)
    if (sqlstate.compare(0, strlen(known.sqlstate_prefix), known.sqlstate_prefix) == 0)
      return known.code;
  return ErrorCode::SOURCE_REFUSED;
}

PgRows RowsOf(const PGresult* result) {
  PgRows rows(static_cast<size_t>(PQntuples(result)));
  for (size_t i = 0; i < rows.size(); i++) {
    const int row = static_cast<int>(i);
    for (int column = 0; column < PQnfields(result); column++) {
      if (PQgetisnull(result, row, column))
        rows[i].emplace_back();
      else
        rows[i].emplace_back(std::in_place, PQgetvalue(result, row, column),
                             static_cast<size_t>(PQgetlength(result, row, column)));
    }
  }
  return rows;
}

steady_clock::time_point After(milliseconds timeout) { return steady_clock::now() + timeout; }

Status Cancelled() { return Status(ErrorCode::CANCELED, "the work on the source was stopped"); }

}  // namespace

Result<std::unique_ptr<PgConnection>> PgConnection::Connect(const std::string& dsn,
                                                            const StopSignal& stop) {
  std::unique_ptr<PgConnection> connection(new PgConnection(stop));
  VFDW_RETURN_IF_ERROR(connection->Open(dsn));
  VFDW_RETURN_IF_ERROR(connection->PrepareSession());
  return connection;
}

PgConnection::~PgConnection() { Close(); }

void PgConnection::Close() {
  if (connection_ != nullptr) PQfinish(connection_);
  connection_ = nullptr;
}

std::string PgConnection::DatabaseOf(const std::string& dsn) {
  std::string database, user;
  const auto look = [&](PQconninfoOption* options) {
    for (const PQconninfoOption* option = options; option && option->keyword; option++) {
      if (option->val == nullptr) continue;
      if (strcmp(option->keyword, "dbname") == 0) database = option->val;
      if (strcmp(option->keyword, "user") == 0) user = option->val;
    }
    PQconninfoFree(options);
  };
  look(PQconndefaults());
  const std::string default_user = user;
  if (user == database) database.clear();
  look(PQconninfoParse(dsn.c_str(), nullptr));
  return database.empty() ? user : database;
}

bool PgConnection::IsConnectionString(const std::string& dsn) {
  PQconninfoOption* const options = PQconninfoParse(dsn.c_str(), nullptr);
  PQconninfoFree(options);
  return options != nullptr;
}

Status PgConnection::Open(const std::string& dsn) {
  // What comes before dbname is a default that the connection string may override, what comes
  // after it is not.
  static constexpr const char* kKeywords[] = {
      "fallback_application_name", "keepalives_idle", "keepalives_interval", "keepalives_count",
      "tcp_user_timeout",          "dbname",          "client_encoding",     nullptr};
  const char* const values[] = {"vectord", "10", "5", "3", "10000", dsn.c_str(), "UTF8", nullptr};
  connection_ = PQconnectStartParams(kKeywords, values, /*expand_dbname=*/1);
  if (connection_ == nullptr) return ConnectionError("libpq has no memory for a connection");

  const Deadline deadline = After(kConnectTimeout);
  PostgresPollingStatusType next = PGRES_POLLING_WRITING;
  while (PQstatus(connection_) != CONNECTION_BAD && next != PGRES_POLLING_OK) {
    if (next == PGRES_POLLING_FAILED) break;
    VFDW_RETURN_IF_ERROR(WaitForSocket(next == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline));
    next = PQconnectPoll(connection_);
  }
  if (PQstatus(connection_) != CONNECTION_OK)
    return ConnectionError(Trimmed(PQerrorMessage(connection_)));
  PQsetnonblocking(connection_, 1);
  return {};
}

Status PgConnection::PrepareSession() {
  // One round trip. The names are ours, so they need no parameters.
  std::string sql = "SELECT pg_catalog.current_database(), CURRENT_USER::text";
  for (const SessionSetting& setting : kSessionSettings) {
    if (server_version() < setting.since) continue;
    sql += std::string(", pg_catalog.set_config('") + setting.name + "', '" + setting.value +
           "', false)";
  }
  VFDW_ASSIGN_OR_RETURN(const PgRows rows, Exec(sql, {}, kSessionTimeout));
  database_ = rows.at(0).at(0).value_or("");
  user_ = rows.at(0).at(1).value_or("");

  if (server_version() < 140000) return {};
  // Refused where the server's system cannot notice that a connection was closed; then a long
  // statement of ours runs to its end after a stop, which is only a waste.
  const auto checks =
      Exec("SELECT pg_catalog.set_config('client_connection_check_interval', '500', false)", {},
           kSessionTimeout);
  return usable() ? Status() : checks.status();
}

int PgConnection::server_version() const {
  return connection_ == nullptr ? 0 : PQserverVersion(connection_);
}

bool PgConnection::usable() const {
  return connection_ != nullptr && PQstatus(connection_) == CONNECTION_OK;
}

Status PgConnection::ConnectionError(const std::string& message) {
  Close();
  return Status(ErrorCode::SOURCE_UNREACHABLE, "there is no connection to the source database",
                message.empty() ? "The connection was lost." : message);
}

Status PgConnection::ServerError(const PGresult* result) {
  sqlstate_ = FieldOf(result, PG_DIAG_SQLSTATE);
  // libpq itself reports a lost connection without a SQLSTATE.
  if (sqlstate_.empty() || !usable()) {
    const std::string message = Trimmed(PQresultErrorMessage(result));
    return ConnectionError(message);
  }
  std::string detail = FieldOf(result, PG_DIAG_MESSAGE_PRIMARY) + " (SQLSTATE " + sqlstate_ + ").";
  const std::string more = FieldOf(result, PG_DIAG_MESSAGE_DETAIL);
  if (!more.empty()) detail += " " + more;
  return Status(CodeOfSqlstate(sqlstate_), "the source database refused a statement", detail,
                FieldOf(result, PG_DIAG_MESSAGE_HINT));
}

Status PgConnection::WaitForSocket(short events, Deadline deadline) {
  switch (stop_.WaitFor(PQsocket(connection_), events, deadline)) {
    case StopSignal::Ready::kSocket:
      return {};
    case StopSignal::Ready::kStop:
      Close();
      return Cancelled();
    case StopSignal::Ready::kTimeout:
      break;
  }
  return ConnectionError("The server did not answer in time.");
}

Status PgConnection::Send(const std::string& sql, const PgRow& parameters, bool binary,
                          Deadline deadline) {
  sqlstate_.clear();
  if (connection_ == nullptr) return ConnectionError("");
  std::vector<const char*> values;
  for (const PgValue& parameter : parameters)
    values.push_back(parameter ? parameter->c_str() : nullptr);
  if (!PQsendQueryParams(connection_, sql.c_str(), static_cast<int>(values.size()), nullptr,
                         values.data(), nullptr, nullptr, binary ? 1 : 0))
    return ConnectionError(Trimmed(PQerrorMessage(connection_)));
  for (;;) {
    const int left = PQflush(connection_);
    if (left == 0) return {};
    if (left < 0) return ConnectionError(Trimmed(PQerrorMessage(connection_)));
    VFDW_RETURN_IF_ERROR(WaitForSocket(POLLIN | POLLOUT, deadline));
    if (!PQconsumeInput(connection_)) return ConnectionError(Trimmed(PQerrorMessage(connection_)));
  }
}

// The next result; null when the statement is over.
Status PgConnection::Receive(Deadline deadline, std::shared_ptr<pg_result>* result) {
  while (PQisBusy(connection_)) {
    VFDW_RETURN_IF_ERROR(WaitForSocket(POLLIN, deadline));
    if (!PQconsumeInput(connection_)) return ConnectionError(Trimmed(PQerrorMessage(connection_)));
  }
  result->reset(PQgetResult(connection_), &PQclear);
  return {};
}

Status PgConnection::Drain(Deadline deadline) {
  std::shared_ptr<pg_result> result;
  do {
    VFDW_RETURN_IF_ERROR(Receive(deadline, &result));
  } while (result != nullptr);
  return {};
}

Result<PgRows> PgConnection::Query(const std::string& sql, const PgRow& parameters, bool binary,
                                   milliseconds timeout) {
  const Deadline deadline = After(timeout);
  VFDW_RETURN_IF_ERROR(Send(sql, parameters, binary, deadline));
  std::shared_ptr<pg_result> result;
  VFDW_RETURN_IF_ERROR(Receive(deadline, &result));
  const ExecStatusType status = PQresultStatus(result.get());
  if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
    PgRows rows = RowsOf(result.get());
    VFDW_RETURN_IF_ERROR(Drain(deadline));
    return rows;
  }
  const Status error = ServerError(result.get());
  if (usable()) VFDW_RETURN_IF_ERROR(Drain(deadline));
  return error;
}

Result<PgRows> PgConnection::Exec(const std::string& sql, const PgRow& parameters,
                                  milliseconds timeout) {
  return Query(sql, parameters, false, timeout);
}

Result<PgRows> PgConnection::ExecBinary(const std::string& sql, const PgRow& parameters) {
  return Query(sql, parameters, true, kNoTimeout);
}

Status PgConnection::CopyOut(const std::string& sql,
                             const std::function<Status(std::string_view)>& sink) {
  const Deadline deadline = After(kNoTimeout);
  VFDW_RETURN_IF_ERROR(Send(sql, {}, false, deadline));
  std::shared_ptr<pg_result> result;
  VFDW_RETURN_IF_ERROR(Receive(deadline, &result));
  if (PQresultStatus(result.get()) == PGRES_COPY_OUT) {
    VFDW_RETURN_IF_ERROR(CopyData(sink));
    VFDW_RETURN_IF_ERROR(Receive(deadline, &result));
  }
  if (PQresultStatus(result.get()) == PGRES_COMMAND_OK) return Drain(deadline);
  const Status error = ServerError(result.get());
  if (usable()) VFDW_RETURN_IF_ERROR(Drain(deadline));
  return error;
}

// Hands over what has arrived until the server says that there is no more, or fails: then the
// next result says why.
Status PgConnection::CopyData(const std::function<Status(std::string_view)>& sink) {
  for (;;) {
    char* data = nullptr;
    const int bytes = PQgetCopyData(connection_, &data, /*async=*/1);
    const std::unique_ptr<char, void (*)(void*)> owner(data, &PQfreemem);
    if (bytes == -1) return {};
    if (bytes == -2) return ConnectionError(Trimmed(PQerrorMessage(connection_)));
    if (bytes == 0) {
      VFDW_RETURN_IF_ERROR(WaitForSocket(POLLIN, After(kNoTimeout)));
      if (!PQconsumeInput(connection_))
        return ConnectionError(Trimmed(PQerrorMessage(connection_)));
      continue;
    }
    const Status status =
        stop_.requested() ? Cancelled() : sink({data, static_cast<size_t>(bytes)});
    if (!status.ok()) {
      Close();
      return status;
    }
  }
}

std::string PgConnection::QuoteIdentifier(const std::string& name) const {
  char* quoted = connection_ ? PQescapeIdentifier(connection_, name.c_str(), name.size()) : nullptr;
  if (quoted == nullptr) {
    // Only when the connection is gone or the name is no valid UTF-8: the statement will fail.
    return "\"\"";
  }
  std::string text = quoted;
  PQfreemem(quoted);
  return text;
}

}  // namespace vectord

// stream_writer.h - applications that write to the tables of stream_test.cpp by chance.
//
// stream_test_docs (id int PRIMARY KEY, v real[], note text) and
// stream_test_pairs (a text, b bigint, v real[], PRIMARY KEY (a, b)). Statements may fail: then
// their transaction is rolled back, and the next one is tried, in a new session where need be.
#ifndef VECTORD_TEST_UNIT_SOURCE_STREAM_WRITER_H
#define VECTORD_TEST_UNIT_SOURCE_STREAM_WRITER_H

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "daemon/source/pg_connection.h"
#include "daemon/source/stop_signal.h"

namespace vectord {

template <typename Condition>
bool WaitFor(const Condition& condition,
             std::chrono::milliseconds longest = std::chrono::seconds(30)) {
  const auto deadline = std::chrono::steady_clock::now() + longest;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

// A session that is opened again when the server has gone.
class Session {
 public:
  explicit Session(std::string dsn) : dsn_(std::move(dsn)) {}

  // Empty when the statement failed.
  std::optional<PgRows> Try(const std::string& sql) {
    if (connection_ == nullptr || !connection_->usable()) {
      auto connected = PgConnection::Connect(dsn_, stop_);
      if (!connected.ok()) return std::nullopt;
      connection_ = std::move(connected).value();
    }
    auto rows = connection_->Exec(sql);
    if (!rows.ok()) {
      last_error_ = rows.status().ToString();
      return std::nullopt;
    }
    return std::move(rows).value();
  }
  PgRows Do(const std::string& sql) {
    std::optional<PgRows> rows;
    WaitFor(
        [&] { return (rows = Try(sql)).has_value() || (connection_ && connection_->usable()); });
    EXPECT_TRUE(rows.has_value()) << sql << "\n" << last_error_;
    return rows.value_or(PgRows());
  }
  std::string Value(const std::string& sql) {
    const PgRows rows = Do(sql);
    return rows.empty() || rows[0].empty() ? "" : rows[0][0].value_or("");
  }
  void Transaction(const std::vector<std::string>& statements) {
    bool succeeded = Try("BEGIN").has_value();
    for (const std::string& statement : statements) succeeded = succeeded && Try(statement);
    (void)Try(succeeded ? "COMMIT" : "ROLLBACK");
  }
  PgConnection* connection() { return connection_.get(); }

 private:
  const std::string dsn_;
  StopSignal stop_;
  std::unique_ptr<PgConnection> connection_;
  std::string last_error_;
};

// What applications do, by chance.
class Writer {
 public:
  Writer(std::string dsn, uint32_t seed, int number, bool may_truncate)
      : session_(std::move(dsn)), random_(seed), number_(number), may_truncate_(may_truncate) {}

  void Run(const std::atomic<bool>& stop) {
    while (!stop) session_.Transaction(Statements());
  }

 private:
  int Upto(int count) { return std::uniform_int_distribution<int>(0, count - 1)(random_); }
  std::string Id() { return std::to_string(Upto(300)); }
  std::string Vector() {
    // Out of line or not.
    return "(SELECT array_agg(random()::real) FROM generate_series(1, " +
           std::to_string(Upto(2) ? 4 : 700) + "))";
  }
  std::string Text() { return "'" + std::string(static_cast<size_t>(Upto(40)), 'x') + "'"; }

  std::string Statement() {
    const std::string docs = "public.stream_test_docs", pairs = "public.stream_test_pairs";
    switch (Upto(12)) {
      case 0:
      case 1:
        return "INSERT INTO " + docs + " (id, v, note) SELECT " + Id() + ", " + Vector() + ", " +
               Text() + " ON CONFLICT (id) DO UPDATE SET v = excluded.v";
      case 2:
        return "INSERT INTO " + docs + " (id, v) SELECT i, " + Vector() +
               " FROM generate_series(1, 300) AS i ON CONFLICT DO NOTHING";
      case 3:
        return "UPDATE " + docs + " SET note = " + Text() +
               " WHERE id % 7 = " + std::to_string(Upto(7));
      case 4:
        return "UPDATE " + docs + " SET v = " + Vector() + " WHERE id = " + Id();
      case 5:
        return "UPDATE " + docs + " SET id = id + 1000 * " + std::to_string(1 + Upto(9)) +
               " WHERE id = " + Id();
      case 6:
        return "DELETE FROM " + docs + " WHERE id % 11 = " + std::to_string(Upto(11));
      case 7:
        return "UPDATE " + docs + " SET v = NULL WHERE id = " + Id();
      case 8:
        return "INSERT INTO " + pairs + " SELECT repeat(chr(97 + " + Id() + " % 26), 1200) || " +
               Id() + ", " + Id() + ", " + Vector() + " ON CONFLICT DO NOTHING";
      case 9:
        return "UPDATE " + pairs + " SET v = " + Vector() +
               " WHERE b % 5 = " + std::to_string(Upto(5));
      case 10:
        return "UPDATE " + pairs + " SET b = b + 10000 WHERE b = " + Id();
      default:
        return "DELETE FROM " + pairs + " WHERE b = " + Id();
    }
  }

  std::vector<std::string> Statements() {
    const int kind = may_truncate_ ? Upto(60) : 2 + Upto(58);
    if (kind == 0) return {"TRUNCATE public.stream_test_docs"};
    if (kind == 1) return {"TRUNCATE public.stream_test_docs, public.stream_test_pairs"};
    if (kind == 2 && number_ == 0)
      return {"ALTER TABLE public.stream_test_docs ADD COLUMN IF NOT EXISTS extra int",
              "UPDATE public.stream_test_docs SET extra = id WHERE id < 50"};
    if (kind == 3 && number_ == 0)
      return {Statement(), "ALTER TABLE public.stream_test_docs DROP COLUMN IF EXISTS extra",
              Statement()};
    std::vector<std::string> statements;
    for (int i = Upto(6); i >= 0; i--) {
      const int wrapped = Upto(4);
      if (wrapped == 0) statements.push_back("SAVEPOINT s");
      statements.push_back(Statement());
      if (wrapped == 0) statements.push_back(Upto(2) ? "ROLLBACK TO s" : "RELEASE s");
    }
    return statements;
  }

  Session session_;
  std::minstd_rand random_;
  const int number_;
  const bool may_truncate_;
};

class Writers {
 public:
  Writers(const std::string& dsn, uint32_t seed, bool may_truncate = true) {
    for (int i = 0; i < 2; i++)
      threads_.emplace_back([this, dsn, seed, may_truncate, i] {
        Writer(dsn, seed + static_cast<uint32_t>(i), i, may_truncate).Run(stop_);
      });
  }
  ~Writers() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  std::atomic<bool> stop_{false};
  std::vector<std::thread> threads_;
};

}  // namespace vectord

#endif

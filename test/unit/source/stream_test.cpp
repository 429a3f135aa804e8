// stream_test.cpp - slots and the stream against a real server.
//
// Skipped unless VECTORD_TEST_DSN names a database of a scratch cluster with wal_level = logical,
// as superuser: tables, slots and publications that begin with stream_test are created there, and
// walsenders are terminated. VECTORD_TEST_RESTART, where set, is a command that restarts
// the cluster when a mode (immediate, fast) is appended to it. VECTORD_TEST_SECONDS is how long
// each of the random tests writes (3), VECTORD_TEST_SEED repeats one of them.
#include "daemon/source/stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <ctime>
#include <random>
#include <thread>

#include "daemon/base/clock.h"
#include "daemon/source/vector_decoder.h"
#include "test/unit/source/stream_model.h"
#include "test/unit/source/stream_writer.h"

namespace vectord {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kSlot[] = "stream_test";
constexpr char kPublication[] = "stream_test";

std::string Environment(const char* name) {
  const char* value = getenv(name);
  return value ? value : "";
}

int SecondsOfWriting() {
  const std::string text = Environment("VECTORD_TEST_SECONDS");
  return text.empty() ? 3 : atoi(text.c_str());
}

uint32_t Seed() {
  const std::string text = Environment("VECTORD_TEST_SEED");
  const uint32_t seed = text.empty() ? std::random_device()() : strtoul(text.c_str(), nullptr, 10);
  fprintf(stderr, "VECTORD_TEST_SEED=%u\n", seed);
  return seed;
}

class StreamTest : public testing::Test {
 protected:
  void SetUp() override {
    dsn_ = Environment("VECTORD_TEST_DSN");
    if (dsn_.empty()) GTEST_SKIP() << "VECTORD_TEST_DSN is not set";
    session_ = std::make_unique<Session>(dsn_);
    CleanUp();
    // Long vectors are stored out of line; a key may be, too.
    session_->Do("CREATE TABLE public.stream_test_docs (id int PRIMARY KEY, v real[], note text)");
    session_->Do("ALTER TABLE public.stream_test_docs ALTER v SET STORAGE external");
    session_->Do(
        "CREATE TABLE public.stream_test_pairs (a text, b bigint, v real[], PRIMARY KEY (a, b))");
    session_->Do("ALTER TABLE public.stream_test_pairs ALTER a SET STORAGE external");
    session_->Do(
        "CREATE PUBLICATION stream_test FOR TABLE public.stream_test_docs, "
        "public.stream_test_pairs");
    auto connection = ReplicationConnection::Connect(dsn_, stop_);
    ASSERT_TRUE(connection.ok()) << connection.status().ToString();
    NewSlot slot;
    slot.name = kSlot;
    const auto created = CreateSlot(connection->get(), slot, dsn_, stop_);
    ASSERT_TRUE(created.ok()) << created.status().ToString();
    EXPECT_TRUE(created->snapshot_name.empty());
    model_.set_durable(created->consistent_point);
  }
  void TearDown() override {
    if (session_ == nullptr) return;
    stream_.reset();
    CleanUp();
  }
  void CleanUp() {
    session_->Do(
        "SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots"
        " WHERE active_pid IS NOT NULL AND slot_name LIKE 'stream_test%'");
    session_->Do(
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
        " WHERE slot_name LIKE 'stream_test%'");
    session_->Do("DROP PUBLICATION IF EXISTS stream_test");
    session_->Do("DROP TABLE IF EXISTS public.stream_test_docs, public.stream_test_pairs");
  }

  StreamOptions Options() const {
    StreamOptions options;
    options.dsn = dsn_;
    options.slot = kSlot;
    options.publications = {kPublication};
    options.status_interval = milliseconds(200);
    options.longest_backoff = milliseconds(500);
    options.buffer.spill_path = "/tmp/vectord_stream_test_spill." + std::to_string(getpid());
    return options;
  }
  void StartStream(StreamOptions options) {
    stream_ = std::make_unique<ChangeStream>(std::move(options), &model_, &budget_, &files_);
    ASSERT_TRUE(stream_->Start().ok());
  }
  void StartStream() { StartStream(Options()); }

  bool IsStreaming() const { return stream_->status().state == StreamState::kStreaming; }
  StreamFault FaultOfNewStream(StreamOptions options) {
    StartStream(std::move(options));
    EXPECT_TRUE(WaitFor([&] { return stream_->status().problem.fault != StreamFault::kNone; }));
    const StreamProblem problem = stream_->status().problem;
    EXPECT_FALSE(problem.status.ok());
    stream_.reset();
    return problem.fault;
  }

  // Waits until all that is committed now has been applied.
  void CatchUp() {
    const Lsn now = *ParseLsn(session_->Value("SELECT pg_current_wal_insert_lsn()"));
    // A transaction after it, so that the position certainly passes it.
    session_->Do("SELECT pg_logical_emit_message(true, 'vectord.heartbeat', '')");
    ASSERT_TRUE(WaitFor([&] { return model_.applied() >= now; }))
        << "applied " << LsnText(model_.applied()) << " of " << LsnText(now) << ": "
        << stream_->status().problem.status.ToString();
  }

  ModelTable ReadTable(PgConnection* connection, const std::string& table,
                       const std::vector<std::string>& key_columns) const {
    // Columns come and go beside a copy. "*" means those of now, not those of its snapshot; so the
    // names are read by a session that sees now, while the table is locked (if this is a copy).
    (void)connection->Exec("LOCK TABLE public." + table + " IN ACCESS SHARE MODE");
    const auto names = session_->connection()->Exec(
        "SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0"
        " AND NOT attisdropped ORDER BY attnum",
        {"public." + table});
    EXPECT_TRUE(names.ok()) << names.status().ToString();
    const auto rows = connection->ExecBinary("SELECT * FROM public." + table);
    EXPECT_TRUE(rows.ok()) << rows.status().ToString();
    ModelTable content;
    for (const PgRow& row : *rows) {
      std::string key;
      ModelRow values;
      for (size_t i = 0; i < row.size(); i++) {
        const std::string name = *(*names)[i][0];
        if (row[i]) values[name] = row[i];
        for (const std::string& key_column : key_columns)
          if (name == key_column) key += std::to_string(row[i]->size()) + ":" + *row[i];
      }
      content[key] = values;
    }
    return content;
  }
  // Columns that are NULL or do not exist any more do not count.
  void ExpectEqual(const std::string& table, const std::vector<std::string>& key_columns) {
    session_->Do("SELECT 1");
    const ModelTable expected = ReadTable(session_->connection(), table, key_columns);
    std::set<std::string> columns;
    for (const PgRow& row : session_->Do("SELECT attname FROM pg_attribute WHERE attrelid ="
                                         " 'public." +
                                         table + "'::regclass AND NOT attisdropped"))
      columns.insert(*row[0]);
    ModelTable actual;
    for (const auto& [key, row] : model_.table(table))
      for (const auto& [column, value] : row) {
        ModelRow& kept = actual[key];
        if (value && columns.count(column)) kept[column] = value;
      }
    EXPECT_EQ(actual.size(), expected.size()) << table;
    EXPECT_TRUE(actual == expected) << table;
  }
  void ExpectModelEqualsTables() {
    CatchUp();
    ExpectEqual("stream_test_docs", {"id"});
    ExpectEqual("stream_test_pairs", {"a", "b"});
    EXPECT_THAT(model_.faults(), IsEmpty());
  }
  void Restart(const std::string& mode) {
    const std::string command =
        Environment("VECTORD_TEST_RESTART") + " " + mode + " >/dev/null 2>&1";
    EXPECT_EQ(system(command.c_str()), 0) << command;
  }

  std::string dsn_;
  StopSignal stop_;
  std::unique_ptr<Session> session_;
  MemoryBudget budget_{256 << 20, "test"};
  PosixFileSystem files_;
  StreamModel model_;
  std::unique_ptr<ChangeStream> stream_;  // last: it ends before what it uses
};

// ---- random changes ---------------------------------------------------------------------------

TEST_F(StreamTest, FollowsRandomChanges) {
  StartStream();
  {
    Writers writers(dsn_, Seed());
    std::this_thread::sleep_for(seconds(SecondsOfWriting()));
  }
  ExpectModelEqualsTables();
  EXPECT_GT(model_.unchanged_values(), 0u);
  EXPECT_EQ(stream_->status().sessions, 1u);
  fprintf(stderr, "%lu transactions, %lu changes, %lu unchanged values, %lu relation changes\n",
          model_.transactions(), stream_->status().counters.changes, model_.unchanged_values(),
          model_.relation_changes());
}

TEST_F(StreamTest, NothingIsLostOrAppliedTwiceWhateverDies) {
  const uint32_t seed = Seed();
  std::minstd_rand random(seed);
  const bool may_restart = !Environment("VECTORD_TEST_RESTART").empty();
  StreamOptions options = Options();
  options.buffer.memory_limit_bytes = 64 << 10;  // most go through the file
  options.buffer.block_bytes = 16 << 10;
  StartStream(options);
  int walsenders = 0, crashes = 0, restarts = 0;
  {
    Writers writers(dsn_, seed);
    const auto end = steady_clock::now() + seconds(3 * SecondsOfWriting());
    while (steady_clock::now() < end) {
      std::this_thread::sleep_for(milliseconds(random() % 300));
      if (random() % 2 == 0) model_.Checkpoint();
      switch (random() % (may_restart ? 8 : 7)) {
        case 0:
        case 1:
        case 2:
          walsenders++;
          (void)session_->Try(
              "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots"
              " WHERE slot_name = 'stream_test' AND active_pid IS NOT NULL");
          break;
        case 3:
        case 4:
          crashes++;
          stream_.reset();
          model_.Crash();
          StartStream(options);
          break;
        case 7:
          restarts++;
          Restart("immediate");
          break;
        default:
          break;
      }
    }
  }
  ExpectModelEqualsTables();
  fprintf(stderr, "%d walsenders, %d crashes of ours, %d of the server, %lu transactions\n",
          walsenders, crashes, restarts, model_.transactions());
}

TEST_F(StreamTest, ATransactionLargerThanTheMemoryIsApplied) {
  StreamOptions options = Options();
  options.buffer.memory_limit_bytes = 1 << 20;
  StartStream(options);
  session_->Do(
      "INSERT INTO public.stream_test_docs SELECT i, array_fill(i::real, array[200])"
      " FROM generate_series(1, 20000) AS i");
  ExpectModelEqualsTables();
  EXPECT_GT(stream_->status().counters.spilled_bytes, uint64_t{10} << 20);
  EXPECT_LE(budget_.peak(), size_t{2} << 20);
}

// ---- what arrives -----------------------------------------------------------------------------

TEST_F(StreamTest, MessagesAndTransactionsHaveTheirIds) {
  StartStream();
  session_->Do("SELECT pg_logical_emit_message(true, 'p', 'inside')");
  session_->Do("SELECT pg_logical_emit_message(false, 'p', 'outside')");
  session_->Do("INSERT INTO public.stream_test_docs VALUES (1)");
  CatchUp();
  EXPECT_THAT(model_.messages(), ElementsAre("inside", "outside"));
  EXPECT_EQ(stream_->status().counters.transactions, 2u);
  EXPECT_GT(stream_->status().counters.last_commit_time_us, 0);
}

TEST_F(StreamTest, PreparedTransactionsComeWhenTheyAreCommitted) {
  if (session_->Value("SHOW max_prepared_transactions") == "0") GTEST_SKIP();
  StartStream();
  for (const char* sql : {"BEGIN", "INSERT INTO public.stream_test_docs VALUES (1)",
                          "PREPARE TRANSACTION 'stream_test'"})
    session_->Do(sql);
  CatchUp();
  EXPECT_TRUE(model_.table("stream_test_docs").empty());
  session_->Do("COMMIT PREPARED 'stream_test'");
  ExpectModelEqualsTables();
  EXPECT_EQ(model_.table("stream_test_docs").size(), 1u);
}

TEST_F(StreamTest, FullIdentityServesAsWell) {
  session_->Do("ALTER TABLE public.stream_test_docs REPLICA IDENTITY FULL");
  StartStream();
  session_->Do("INSERT INTO public.stream_test_docs SELECT i FROM generate_series(1, 5) AS i");
  session_->Do("DELETE FROM public.stream_test_docs WHERE id < 3");
  CatchUp();
  EXPECT_EQ(model_.table("stream_test_docs").size(), 3u);
  EXPECT_THAT(model_.faults(), IsEmpty());
}

// ---- initial copies ---------------------------------------------------------------------------

TEST_F(StreamTest, ACopyUnderAnExportedSnapshotAndTheStreamFromItsPointMeetExactly) {
  const Lsn behind = *ParseLsn(session_->Value("SELECT pg_current_wal_lsn()"));
  // TRUNCATE ignores snapshots: one after the point would empty the copy, while the stream still
  // brings changes of the rows that were there.
  std::optional<Writers> writers(std::in_place, dsn_, Seed(), /*may_truncate=*/false);
  ASSERT_TRUE(WaitFor([&] {
    return session_->Value("SELECT count(*) > 100 FROM public.stream_test_docs") == "t";
  }));
  auto connection = ReplicationConnection::Connect(dsn_, stop_);
  ASSERT_TRUE(connection.ok());
  NewSlot slot;
  slot.name = "stream_test_copy";
  slot.temporary = slot.export_snapshot = true;
  const auto created = CreateSlot(connection->get(), slot, dsn_, stop_);
  ASSERT_TRUE(created.ok()) << created.status().ToString();
  EXPECT_GT(created->consistent_point, behind);

  Session copier(dsn_);
  copier.Do("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
  copier.Do("SET TRANSACTION SNAPSHOT '" + created->snapshot_name + "'");
  model_.Load("stream_test_docs", ReadTable(copier.connection(), "stream_test_docs", {"id"}),
              created->consistent_point);
  model_.Load("stream_test_pairs", ReadTable(copier.connection(), "stream_test_pairs", {"a", "b"}),
              created->consistent_point);
  copier.Do("COMMIT");
  // The main stream, from the point on: what was committed before is in the copy.
  model_.set_durable(created->consistent_point);
  StartStream();
  std::this_thread::sleep_for(milliseconds(500));
  writers.reset();
  ExpectModelEqualsTables();
}

TEST_F(StreamTest, ASlotThatHasToWaitSaysForWhom) {
  Session blocker(dsn_);
  blocker.Do("BEGIN");
  blocker.Do("INSERT INTO public.stream_test_docs VALUES (1)");
  const std::string pid = blocker.Value("SELECT pg_backend_pid()");
  auto connection = ReplicationConnection::Connect(dsn_, stop_);
  ASSERT_TRUE(connection.ok());
  NewSlot slot;
  slot.name = "stream_test_waits";
  slot.report_interval = milliseconds(100);
  slot.lock_timeout = milliseconds(1000);
  std::vector<std::string> reports;
  const auto note = [&](const std::vector<SlotBlocker>& blockers) {
    for (const SlotBlocker& each : blockers) reports.push_back(each.ToString());
  };
  const auto timed_out = CreateSlot(connection->get(), slot, dsn_, stop_, note);
  EXPECT_EQ(timed_out.status().code(), ErrorCode::SOURCE_FAILED) << timed_out.status().ToString();
  ASSERT_FALSE(reports.empty());
  EXPECT_THAT(reports[0], HasSubstr("process " + pid));
  EXPECT_THAT(reports[0], HasSubstr("idle in transaction"));
  const SqlRunner run = [&](const std::string& sql) { return (*connection)->Exec(sql); };
  auto status = ReadSlotStatus(run, slot.name);
  ASSERT_TRUE(status.ok()) << status.status().ToString();
  EXPECT_FALSE(status->has_value()) << "it must not hold back WAL";

  slot.lock_timeout = seconds(20);
  reports.clear();
  const auto created = CreateSlot(connection->get(), slot, dsn_, stop_, [&](const auto& blockers) {
    note(blockers);
    blocker.Do("COMMIT");
  });
  ASSERT_TRUE(created.ok()) << created.status().ToString();
  EXPECT_FALSE(reports.empty());
  status = ReadSlotStatus(run, slot.name);
  ASSERT_TRUE(status.ok() && status->has_value());
  EXPECT_EQ((*status)->plugin, "pgoutput");
  EXPECT_FALSE((*status)->temporary);
  EXPECT_EQ((*status)->wal_status, WalStatus::kReserved);
  EXPECT_EQ((*status)->confirmed_flush_lsn, created->consistent_point);
  EXPECT_TRUE(DropSlot(connection->get(), slot.name).ok());
  EXPECT_TRUE(DropSlot(connection->get(), slot.name).ok()) << "gone is gone";
}

TEST_F(StreamTest, AStopEndsTheWaitForASlot) {
  Session blocker(dsn_);
  blocker.Do("BEGIN");
  blocker.Do("INSERT INTO public.stream_test_docs VALUES (1)");
  StopSignal stop;
  auto connection = ReplicationConnection::Connect(dsn_, stop);
  ASSERT_TRUE(connection.ok());
  NewSlot slot;
  slot.name = "stream_test_waits";
  slot.temporary = true;
  std::thread stopper([&] {
    std::this_thread::sleep_for(milliseconds(200));
    stop.Request();
  });
  const auto started = steady_clock::now();
  EXPECT_EQ(CreateSlot(connection->get(), slot, dsn_, stop).status().code(), ErrorCode::CANCELED);
  EXPECT_LT(steady_clock::now() - started, seconds(1));
  stopper.join();
  blocker.Do("ROLLBACK");
}

// ---- faults -----------------------------------------------------------------------------------

TEST_F(StreamTest, EachReasonNotToGoOnHasItsName) {
  const SystemIdentity source = [&] {
    auto connection = ReplicationConnection::Connect(dsn_, stop_);
    return *IdentifySystem(connection->get());
  }();
  StreamOptions options = Options();
  options.slot = "stream_test_nobody";
  EXPECT_EQ(FaultOfNewStream(options), StreamFault::kSlotMissing);
  options = Options();
  options.expected.system_identifier = 1;
  EXPECT_EQ(FaultOfNewStream(options), StreamFault::kOtherSystem);
  options.expected = {source.system_identifier, source.timeline + 1};
  EXPECT_EQ(FaultOfNewStream(options), StreamFault::kOtherTimeline);
  options = Options();
  options.publications.push_back("stream_test_no'\"body");
  EXPECT_EQ(FaultOfNewStream(options), StreamFault::kPublicationMissing);
  options = Options();
  options.dsn += " port=1";
  EXPECT_EQ(FaultOfNewStream(options), StreamFault::kUnreachable);
  options = Options();
  options.slot = "No Slot";
  EXPECT_FALSE(ChangeStream(options, &model_, &budget_, &files_).Start().ok());

  const Lsn durable = model_.DurableLsn();
  model_.set_durable(Lsn{static_cast<uint64_t>(durable) - 1});
  EXPECT_EQ(FaultOfNewStream(Options()), StreamFault::kSlotAhead);
  model_.set_durable(Lsn{static_cast<uint64_t>(source.flushed_lsn) + (uint64_t{1} << 40)});
  EXPECT_EQ(FaultOfNewStream(Options()), StreamFault::kServerBehind);

  model_.set_durable(durable);
  StartStream();
  ASSERT_TRUE(WaitFor([&] { return IsStreaming(); }));
  StreamModel other_model;
  ChangeStream second(Options(), &other_model, &budget_, &files_);
  ASSERT_TRUE(second.Start().ok());
  EXPECT_TRUE(WaitFor([&] { return second.status().problem.fault == StreamFault::kSlotBusy; }));
  stream_.reset();
  EXPECT_TRUE(WaitFor([&] { return second.status().state == StreamState::kStreaming; }))
      << "a busy slot is tried again";
}

TEST_F(StreamTest, ASlotThatIsDroppedOrLostUnderTheStreamIsNoticed) {
  StartStream();
  ASSERT_TRUE(WaitFor([&] { return IsStreaming(); }));
  // The stream may be back before the slot is dropped; then both are tried again.
  ASSERT_TRUE(WaitFor([&] {
    return session_
        ->Try(
            "SELECT pg_terminate_backend(active_pid, 5000), pg_drop_replication_slot(slot_name)"
            " FROM pg_replication_slots WHERE slot_name = 'stream_test'")
        .has_value();
  }));
  ASSERT_TRUE(WaitFor([&] { return stream_->status().state == StreamState::kFailed; }));
  EXPECT_EQ(stream_->status().problem.fault, StreamFault::kSlotMissing);
}

TEST_F(StreamTest, ASlotThatKeptMoreWalThanAllowedIsLost) {
  session_->Do("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'");
  session_->Do("SELECT pg_reload_conf()");
  const auto wal_status = [&] {
    return session_->Value(
        "SELECT wal_status FROM pg_replication_slots WHERE slot_name = 'stream_test'");
  };
  const bool is_lost = WaitFor([&] {
    session_->Do(
        "INSERT INTO public.stream_test_docs SELECT coalesce(max(id), 0) + 1"
        " FROM public.stream_test_docs");
    session_->Do("SELECT pg_switch_wal()");
    session_->Do("CHECKPOINT");
    return wal_status() == "lost";
  });
  session_->Do("ALTER SYSTEM RESET max_slot_wal_keep_size");
  session_->Do("SELECT pg_reload_conf()");
  ASSERT_TRUE(is_lost) << wal_status();
  EXPECT_EQ(FaultOfNewStream(Options()), StreamFault::kSlotLost);
}

// ---- what we tell the server ------------------------------------------------------------------

TEST_F(StreamTest, TheServerForgetsOnlyWhatIsDurable) {
  const auto confirmed = [&] {
    return *ParseLsn(
        session_->Value("SELECT confirmed_flush_lsn FROM pg_replication_slots"
                        " WHERE slot_name = 'stream_test'"));
  };
  const Lsn before = confirmed();
  StartStream();
  session_->Do("INSERT INTO public.stream_test_docs SELECT i FROM generate_series(1, 100) AS i");
  CatchUp();
  std::this_thread::sleep_for(milliseconds(600));  // three status intervals: it had its chance
  EXPECT_EQ(confirmed(), before);
  model_.Checkpoint();
  const Lsn durable = model_.DurableLsn();
  EXPECT_TRUE(WaitFor([&] { return confirmed() == durable; }));
  EXPECT_EQ(stream_->status().confirmed_lsn, durable);
}

TEST_F(StreamTest, WhenOnlyANeighbourWritesTheSlotMovesOnAndAHeartbeatHelps) {
  session_->Do("DROP DATABASE IF EXISTS stream_test_neighbour");
  session_->Do("CREATE DATABASE stream_test_neighbour");
  StreamOptions options = Options();
  options.heartbeat_after_bytes = 4 << 20;
  StartStream(options);
  model_.set_checkpoints_always(true);
  const auto retained = [&] {
    return strtoull(session_
                        ->Value("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)"
                                " FROM pg_replication_slots WHERE slot_name = 'stream_test'")
                        .c_str(),
                    nullptr, 10);
  };
  {
    Session neighbour(dsn_ + " dbname=stream_test_neighbour");
    neighbour.Do(
        "CREATE TABLE public.t AS SELECT i, repeat('x', 100) AS x FROM generate_series(1, 1) i");
    for (int i = 0; i < 20; i++)
      neighbour.Do(
          "INSERT INTO public.t SELECT i, repeat('x', 500) FROM generate_series(1, 5000) i");
    // restart_lsn moves when the server logs its running transactions, as it does every 15 s.
    neighbour.Do("CHECKPOINT");
  }
  EXPECT_TRUE(WaitFor([&] { return retained() < (uint64_t{4} << 20); }, seconds(40))) << retained();
  EXPECT_GT(stream_->status().received_lsn, Lsn::kNone);
  EXPECT_TRUE(stream_->status().slot.has_value());
  fprintf(stderr, "%lu heartbeats\n", stream_->status().heartbeats);
  session_->Do("DROP DATABASE stream_test_neighbour");
}

TEST_F(StreamTest, ARoleThatMayOnlyLogInAndReplicateIsEnough) {
  session_->Do("DROP ROLE IF EXISTS stream_test_role");
  session_->Do("CREATE ROLE stream_test_role LOGIN REPLICATION");
  StreamOptions options = Options();
  options.dsn += " user=stream_test_role";
  options.heartbeat_after_bytes = 1;
  StartStream(options);
  session_->Do("INSERT INTO public.stream_test_docs SELECT i FROM generate_series(1, 100) AS i");
  CatchUp();
  EXPECT_EQ(model_.table("stream_test_docs").size(), 100u);
  EXPECT_TRUE(WaitFor([&] { return stream_->status().heartbeats > 0; }));
  stream_.reset();
  session_->Do("DROP ROLE stream_test_role");
}

TEST_F(StreamTest, StopsWithinASecondWhateverItDoes) {
  const auto time_of_stop = [&] {
    const auto started = steady_clock::now();
    stream_.reset();
    return steady_clock::now() - started;
  };
  StartStream();
  ASSERT_TRUE(WaitFor([&] { return IsStreaming(); }));
  EXPECT_LT(time_of_stop(), seconds(1)) << "idle";
  StreamOptions options = Options();
  options.dsn += " port=1";
  options.first_backoff = seconds(30);
  StartStream(options);
  ASSERT_TRUE(WaitFor([&] { return stream_->status().problem.fault != StreamFault::kNone; }));
  EXPECT_LT(time_of_stop(), seconds(1)) << "in a back-off";
  session_->Do(
      "INSERT INTO public.stream_test_docs SELECT i, array_fill(1::real, array[128])"
      " FROM generate_series(1, 100000) AS i");
  StartStream();
  ASSERT_TRUE(WaitFor([&] { return IsStreaming(); }));
  std::this_thread::sleep_for(milliseconds(300));
  EXPECT_LT(time_of_stop(), seconds(1)) << "while it receives or applies";
  StartStream();
  ExpectModelEqualsTables();
}

TEST_F(StreamTest, AnOrderlyShutdownOfTheServerDoesNotWaitForOurCheckpoint) {
  if (Environment("VECTORD_TEST_RESTART").empty()) GTEST_SKIP();
  StartStream();
  session_->Do("INSERT INTO public.stream_test_docs SELECT i FROM generate_series(1, 100) AS i");
  CatchUp();
  const auto started = steady_clock::now();
  Restart("fast");
  EXPECT_LT(steady_clock::now() - started, seconds(10));
  session_->Do("INSERT INTO public.stream_test_docs SELECT i FROM generate_series(101, 200) AS i");
  ExpectModelEqualsTables();
}

// ---- speed ------------------------------------------------------------------------------------

// Decodes vectors, and counts.
class CountingSink final : public ChangeSink {
 public:
  Status Apply(const Transaction& transaction) override {
    const int64_t started = SteadyNowUs();
    const Status status = transaction.ForEach([this](const Change& change) {
      std::string reason;
      const std::string_view vector = (*change.new_tuple)[1].bytes;
      if (DecodeVector(VectorSource::kReal, vector, 128, values_, &reason) != VectorFault::kNone)
        return Status(ErrorCode::INTERNAL, reason);
      rows++;
      return Status();
    });
    apply_us += SteadyNowUs() - started;
    return status;
  }
  void Progress(Lsn) override {}
  Lsn DurableLsn() override { return Lsn::kNone; }

  std::atomic<uint64_t> rows{0};
  std::atomic<int64_t> apply_us{0};

 private:
  float values_[128];
};

TEST_F(StreamTest, ARowOf128DimensionsTakesUnder20MicrosecondsHere) {
  constexpr uint64_t kRows = 200000;
  session_->Do(
      "INSERT INTO public.stream_test_docs SELECT i, array_fill(random()::real, array[128])"
      " FROM generate_series(1, " +
      std::to_string(kRows) + ") AS i");
  CountingSink sink;
  StreamOptions options = Options();
  ChangeStream stream(options, &sink, &budget_, &files_);
  const auto started = steady_clock::now();
  const clock_t cpu_before = clock();
  ASSERT_TRUE(stream.Start().ok());
  ASSERT_TRUE(WaitFor([&] { return sink.rows == kRows; }, seconds(120)));
  const double cpu_us_per_row =
      1e6 * static_cast<double>(clock() - cpu_before) / CLOCKS_PER_SEC / static_cast<double>(kRows);
  const double time = std::chrono::duration<double>(steady_clock::now() - started).count();
  stream.Stop();
  fprintf(stderr,
          "%.0f rows/s of 128 dimensions; %.2f us of CPU per row here, of which %.2f us in Apply; "
          "spilled %lu MB\n",
          static_cast<double>(kRows) / time, cpu_us_per_row,
          static_cast<double>(sink.apply_us) / static_cast<double>(kRows),
          stream.status().counters.spilled_bytes >> 20);
  // Of CPU: how much of a core there is depends on what else runs, the server among it.
  EXPECT_LT(cpu_us_per_row, 20);
}

}  // namespace
}  // namespace vectord

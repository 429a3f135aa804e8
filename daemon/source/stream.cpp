// stream.cpp - see stream.h.
#include "daemon/source/stream.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/base/lsn_text.h"
#include "daemon/base/quantity.h"
#include "daemon/base/refused_memory.h"
#include "daemon/base/thread_pool.h"

namespace vectord {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kShortestStatusInterval{100};
// A walsender that is to stop asks for a reply again and again, as fast as it gets them, until we
// confirm all of its WAL; otherwise it asks twice per wal_sender_timeout.
constexpr int kUrgentKeepalives = 3;
constexpr milliseconds kUrgentTime{500};
// The server waits for other clients and for its checkpoint, so there is no hurry.
constexpr milliseconds kWaitForStoppingServer{1000};
// At a slot about which there was something to complain.
constexpr milliseconds kLookAgain{10000};
constexpr char kObjectInUse[] = "55006";
constexpr char kUndefinedObject[] = "42704";

int64_t PostgresNowUs() { return SystemClock().WallUs() - kPostgresEpochUnixUs; }

// Often enough that the server never takes us for dead.
milliseconds AllowedInterval(milliseconds wanted, milliseconds wal_sender_timeout) {
  if (wal_sender_timeout.count() == 0) return wanted;
  return std::max(kShortestStatusInterval, std::min(wanted, wal_sender_timeout / 3));
}

}  // namespace

ChangeStream::ChangeStream(StreamOptions options, ChangeSink* sink, MemoryBudget* budget,
                           FileSystem* files)
    : options_(std::move(options)),
      sink_(sink),
      decoder_(sink, budget, files, options_.buffer, [this] { return KeepAlive(); }),
      backoff_(options_.first_backoff, options_.longest_backoff),
      allowed_interval_(options_.status_interval) {}

Status ChangeStream::Start() {
  VFDW_RETURN_IF_ERROR(RequireSlotName(options_.slot));
  try {
    thread_ = std::thread([this] { Run(); });
  } catch (const std::system_error& error) {
    return Status(ErrorCode::INTERNAL, "could not start the thread that follows the source",
                  error.what());
  }
  return {};
}

void ChangeStream::Stop() {
  RequestStop();
  if (thread_.joinable()) thread_.join();
}

StreamStatus ChangeStream::status() const {
  MutexLock lock(mu_);
  return status_;
}

// ---- sessions ---------------------------------------------------------------------------------

void ChangeStream::Run() {
  SetThreadName("stream");
  LowerThreadPriority(5);  // a search that needs the core gets it; freshness can wait a moment
  while (!stop_.requested()) {
    const StreamProblem problem = RunSession();
    if (stop_.requested()) break;
    const bool is_of_connection =
        problem.fault == StreamFault::kUnreachable || problem.fault == StreamFault::kRefused;
    if (is_of_connection && options_.failures != nullptr) options_.failures->Add();
    if (!MayPass(problem.fault)) {
      LogStatus({}, problem.status);
      NoteProblem(problem, StreamState::kFailed);
      return;
    }
    NoteProblem(problem, StreamState::kConnecting);
    if (!stop_.SleepFor(backoff_.Next())) break;
  }
  NoteProblem({}, StreamState::kStopped);
}

// Always ends with a problem, be it that a stop was requested.
StreamProblem ChangeStream::RunSession() {
  StreamProblem problem;
  const Status status = WithRefusedMemory("follow the changes", [&]() -> Status {
    problem = OpenSession();
    if (problem.fault != StreamFault::kNone) return {};
    NoteProblem({}, StreamState::kStreaming);
    LogInfo({}, "Following the changes of database \"{}\" from {} on, by slot \"{}\".",
            this->status().source.database, LsnText(decoder_.position()), options_.slot);
    problem = ReceiveLoop();
    if (stop_.requested()) (void)SendStatus(/*asks_for_reply=*/false);  // the last word, if it can
    return {};
  });
  // A transaction that did not come to its end comes again.
  if (!status.ok()) problem = {StreamFault::kSinkFailed, status};
  // Frees the slot now rather than when the server notices.
  if (connection_ != nullptr) connection_->EndStreaming();
  connection_.reset();
  return problem;
}

StreamProblem ChangeStream::OpenSession() {
  auto connected = ReplicationConnection::Connect(options_.dsn, stop_);
  if (!connected.ok()) return ProblemOf(connected.status());
  connection_ = std::move(connected).value();

  Lsn start = Lsn::kNone;
  FullXid near_xid = FullXid::kNobody;
  StreamProblem problem = CheckServer(&start, &near_xid);
  if (problem.fault != StreamFault::kNone) return problem;
  const Status started = connection_->StartStreaming(
      StartReplicationCommand(options_.slot, start, options_.publications));
  if (!started.ok()) return ProblemOf(started);

  decoder_.BeginSession(start, near_xid);
  received_lsn_ = decoder_.position();
  sent_ = StandbyStatus();
  began_at_ = sent_at_ = heard_at_ = asked_at_ = steady_clock::now();
  urgent_keepalives_ = 0;
  // The first status tells the server where we are, so that it need not ask.
  return ProblemOf(SendStatus(/*asks_for_reply=*/false));
}

// All that must be true before a stream may start; finds out where.
StreamProblem ChangeStream::CheckServer(Lsn* start, FullXid* near_xid) {
  const SqlRunner run = [this](const std::string& sql) { return connection_->Exec(sql); };
  const int version = connection_->server_version();
  if (version < kOldestServerVersion)
    return {StreamFault::kUnsupportedServer,
            Status(ErrorCode::SOURCE_REFUSED, "the source is too old a PostgreSQL",
                   "Its version is " + std::to_string(version / 10000) +
                       "; at least 14 is needed to follow changes.")};
  const auto identity = IdentifySystem(connection_.get());
  if (!identity.ok()) return ProblemOf(identity.status());
  // Positions that were not durable are still true for us: the server only ever sends what is
  // durable there.
  *start = std::max(sink_->DurableLsn(), decoder_.position());
  StreamProblem problem = CheckSource(options_.expected, *identity, *start);
  if (problem.fault != StreamFault::kNone) return problem;

  const auto server = ReadServerState(run);
  if (!server.ok()) return ProblemOf(server.status());
  const auto slot = ReadSlotStatus(run, options_.slot);
  if (!slot.ok()) return ProblemOf(slot.status());
  problem = CheckSlot(options_.slot, *slot, identity->database, *start);
  if (problem.fault != StreamFault::kNone) return problem;
  const auto missing = FindMissingPublication(run, options_.publications);
  if (!missing.ok()) return ProblemOf(missing.status());
  if (!missing->empty())
    return {StreamFault::kPublicationMissing,
            Status(ErrorCode::SOURCE_FAILED, "publication \"" + *missing + "\" does not exist",
                   "The stream cannot be read without it.")};

  if (*start == Lsn::kNone) *start = (*slot)->confirmed_flush_lsn;
  *near_xid = server->next_xid;
  is_standby_ = server->is_standby;
  allowed_interval_ = AllowedInterval(options_.status_interval, server->wal_sender_timeout);
  slot_seen_at_ = identity->flushed_lsn;
  WarnAboutSlot(**slot);
  MutexLock lock(mu_);
  status_.source = *identity;
  status_.server_version = version;
  status_.slot = *slot;
  status_.sessions++;
  return {};
}

// What an error of the connection, the decoder or the sink means for the stream.
StreamProblem ChangeStream::ProblemOf(const Status& status) const {
  if (status.ok()) return {};
  const std::string& sqlstate = connection_ == nullptr ? std::string() : connection_->sqlstate();
  if (sqlstate == kObjectInUse) return {StreamFault::kSlotBusy, status};
  switch (status.code()) {
    case ErrorCode::SOURCE_UNREACHABLE:
    case ErrorCode::CANCELED:
      return {StreamFault::kUnreachable, status};
    case ErrorCode::NOT_PERMITTED:
    case ErrorCode::SOURCE_REFUSED:
      return {StreamFault::kRefused, status};
    case ErrorCode::SOURCE_FAILED:
      return {sqlstate.empty() ? StreamFault::kMalformed : StreamFault::kUnreachable, status};
    default:
      return {StreamFault::kSinkFailed, status};
  }
}

// ---- the stream -------------------------------------------------------------------------------

StreamProblem ChangeStream::ReceiveLoop() {
  for (;;) {
    std::string_view frame;
    auto received = connection_->Receive(steady_clock::now(), &frame);
    if (received.ok() && *received == ReplicationConnection::Received::kNothing) {
      sink_->BeforeWait();
      received = connection_->Receive(steady_clock::now() + StatusInterval(), &frame);
    }
    if (!received.ok()) {
      // The slot exists, so what is not there is the publication, at the time of the change.
      if (connection_->sqlstate() == kUndefinedObject)
        return {StreamFault::kPublicationMissing, received.status()};
      return ProblemOf(received.status());
    }
    if (*received == ReplicationConnection::Received::kEnd)
      return {StreamFault::kUnreachable,
              Status(ErrorCode::SOURCE_UNREACHABLE, "the source database ended the stream",
                     "It is shutting down, or was told to end it.")};
    if (*received == ReplicationConnection::Received::kFrame) {
      heard_at_ = steady_clock::now();
      const StreamProblem problem = HandleFrame(frame);
      if (problem.fault != StreamFault::kNone) return problem;
    }
    if (stop_.requested()) return {StreamFault::kUnreachable, Status()};
    Status status = SendStatusIfDue();
    if (status.ok()) status = PingIfSilent();
    if (!status.ok()) return ProblemOf(status);
    LookAfterSlot();
  }
}

StreamProblem ChangeStream::HandleFrame(std::string_view bytes) {
  ReplicationFrame frame;
  const Status parsed = ParseReplicationFrame(bytes, &frame);
  if (!parsed.ok()) return {StreamFault::kMalformed, parsed};
  if (frame.kind == ReplicationFrame::Kind::kKeepalive) return HandleKeepalive(frame);

  received_lsn_ = std::max(received_lsn_, std::max(frame.data_start, frame.wal_end));
  const bool was_in_transaction = decoder_.in_transaction();
  const Status decoded = decoder_.Decode(frame.data);
  if (!decoded.ok()) {
    if (decoder_.sink_failed()) return {StreamFault::kSinkFailed, decoded};
    return ProblemOf(decoded);
  }
  if (was_in_transaction && !decoder_.in_transaction()) {
    backoff_.Reset();  // something has been achieved
    NoteProgress();
  }
  return {};
}

StreamProblem ChangeStream::HandleKeepalive(const ReplicationFrame& frame) {
  if (IsServerStopping(frame)) {
    // It would wait for us until our next checkpoint; the slot keeps what is missing.
    LogInfo({}, "The source database is shutting down: slot \"{}\" is released.", options_.slot);
    connection_->EndStreaming();
    (void)stop_.SleepFor(kWaitForStoppingServer);
    return {StreamFault::kUnreachable,
            Status(ErrorCode::SOURCE_UNREACHABLE, "the source database is shutting down",
                   "The stream goes on when it is back.")};
  }
  received_lsn_ = std::max(received_lsn_, frame.wal_end);
  decoder_.NoteServerPosition(frame.wal_end);
  // Not at once: a transaction that cannot be applied may be next, each time.
  if (steady_clock::now() - began_at_ > options_.longest_backoff) backoff_.Reset();
  NoteProgress();
  return frame.reply_requested ? ProblemOf(SendStatus(/*asks_for_reply=*/false)) : StreamProblem();
}

bool ChangeStream::IsServerStopping(const ReplicationFrame& frame) {
  const TimePoint now = steady_clock::now();
  // Our own request for a sign of life is answered by a keepalive that asks for nothing.
  if (!frame.reply_requested || frame.wal_end > received_lsn_ || sent_.flushed >= frame.wal_end ||
      now - urgent_since_ > kUrgentTime) {
    urgent_keepalives_ = frame.reply_requested ? 1 : 0;
    urgent_since_ = now;
    return false;
  }
  return ++urgent_keepalives_ >= kUrgentKeepalives;
}

// ---- what we tell the server ------------------------------------------------------------------

milliseconds ChangeStream::StatusInterval() const {
  if (options_.checkpoint_interval == nullptr) return allowed_interval_;
  return std::min(allowed_interval_, options_.checkpoint_interval->load());
}

// Called while a transaction is applied, when nothing is received. The sink is busy, perhaps under
// a lock of its own, so it is not asked for anything: what was durable before still is. A lost
// connection does not end the transaction, which is here already, in its midst: it is noticed when
// the next one is to be received.
Status ChangeStream::KeepAlive() {
  if (stop_.requested()) return Status(ErrorCode::CANCELED, "the work on the source was stopped");
  if (steady_clock::now() - sent_at_ < StatusInterval()) return {};
  const Status sent = SendStatus(/*asks_for_reply=*/false, sent_.flushed);
  if (!sent.ok()) sent_at_ = steady_clock::now();
  return sent.code() == ErrorCode::CANCELED ? sent : Status();
}

Status ChangeStream::SendStatus(bool asks_for_reply) {
  return SendStatus(asks_for_reply, std::min(sink_->DurableLsn(), decoder_.position()));
}

Status ChangeStream::SendStatus(bool asks_for_reply, Lsn durable_lsn) {
  StandbyStatus status;
  status.applied = decoder_.position();
  status.written = std::max(received_lsn_, status.applied);
  status.flushed = durable_lsn;
  status.sent_at_us = PostgresNowUs();
  status.reply_requested = asks_for_reply;
  VFDW_RETURN_IF_ERROR(connection_->Send(EncodeStandbyStatus(status)));
  sent_ = status;
  sent_at_ = steady_clock::now();
  MutexLock lock(mu_);
  status_.confirmed_lsn = status.flushed;
  return {};
}

Status ChangeStream::SendStatusIfDue() {
  if (steady_clock::now() - sent_at_ < StatusInterval()) return {};
  const bool has_news = decoder_.in_transaction() || received_lsn_ > sent_.written ||
                        decoder_.position() > sent_.applied ||
                        std::min(sink_->DurableLsn(), decoder_.position()) > sent_.flushed;
  return has_news ? SendStatus(/*asks_for_reply=*/false) : Status();
}

Status ChangeStream::PingIfSilent() {
  const TimePoint now = steady_clock::now();
  const auto silence = now - heard_at_;
  if (silence >= options_.silence_limit)
    return Status(
        ErrorCode::SOURCE_UNREACHABLE, "there is no connection to the source database",
        "The server has been silent for " + ReadableDuration(options_.silence_limit) + ".");
  if (silence < options_.silence_limit / 2 || asked_at_ > heard_at_) return {};
  asked_at_ = now;
  return SendStatus(/*asks_for_reply=*/true);
}

// ---- the slot ---------------------------------------------------------------------------------

// Looks at the slot each time that much WAL has been written, whoever wrote it. So an idle cluster
// is not asked, and transaction ids cannot wrap between two looks.
void ChangeStream::LookAfterSlot() {
  const uint64_t next = static_cast<uint64_t>(slot_seen_at_) + options_.heartbeat_after_bytes / 2;
  const TimePoint now = steady_clock::now();
  // A warning is to go when its cause has.
  const bool is_warned = warned_at_bytes_ != 0 && now - slot_looked_at_ >= kLookAgain;
  if (decoder_.in_transaction() || (static_cast<uint64_t>(received_lsn_) < next && !is_warned))
    return;
  slot_seen_at_ = received_lsn_;
  slot_looked_at_ = now;
  const Status status = ReadSlotAndBeat();
  if (!status.ok() && !stop_.requested())
    LogDebug({}, "Slot \"{}\" could not be looked at: {}", options_.slot, status.ToString());
}

Status ChangeStream::ReadSlotAndBeat() {
  VFDW_ASSIGN_OR_RETURN(const std::unique_ptr<PgConnection> connection,
                        PgConnection::Connect(options_.dsn, stop_));
  const SqlRunner run = [&](const std::string& sql) {
    return connection->Exec(sql, {}, milliseconds(5000));
  };
  VFDW_ASSIGN_OR_RETURN(const ServerState server, ReadServerState(run));
  decoder_.NoteNearXid(server.next_xid);
  is_standby_ = server.is_standby;
  VFDW_ASSIGN_OR_RETURN(const std::optional<SlotStatus> slot, ReadSlotStatus(run, options_.slot));
  if (!slot) return {};  // the server will end the stream
  WarnAboutSlot(*slot);
  {
    MutexLock lock(mu_);
    status_.slot = slot;
  }
  // A transactional message: others alone do not move the slot on. A standby cannot write one.
  const bool was_long_ago = static_cast<uint64_t>(received_lsn_) >=
                            static_cast<uint64_t>(beat_at_) + options_.heartbeat_after_bytes;
  if (slot->retained_bytes < options_.heartbeat_after_bytes || !was_long_ago || is_standby_)
    return {};
  beat_at_ = received_lsn_;
  VFDW_ASSIGN_OR_RETURN(const PgRows rows, run("SELECT pg_logical_emit_message(true, '" +
                                               std::string(kHeartbeatPrefix) + "', '')"));
  MutexLock lock(mu_);
  status_.heartbeats++;
  return {};
}

// Before it hurts, and each time it has become twice as bad.
void ChangeStream::WarnAboutSlot(const SlotStatus& slot) {
  const bool is_in_danger =
      slot.wal_status == WalStatus::kUnreserved ||
      (slot.safe_bytes && *slot.safe_bytes < static_cast<int64_t>(slot.retained_bytes));
  const bool is_large = slot.retained_bytes >= 8 * options_.heartbeat_after_bytes;
  std::string warning;
  if (is_in_danger || is_large)
    warning =
        "Slot \"" + options_.slot + "\" makes the source database keep " +
        ReadableBytes(slot.retained_bytes) + " of WAL" +
        (is_in_danger ? ", and will be lost when it is much more (max_slot_wal_keep_size)." : ".");
  const bool has_grown = warned_at_bytes_ == 0 || slot.retained_bytes >= 2 * warned_at_bytes_;
  if (warning.empty()) {
    warned_at_bytes_ = 0;
  } else if (has_grown) {
    warned_at_bytes_ = std::max<uint64_t>(1, slot.retained_bytes);
    LogWarning({}, "{}", warning);
  }
  MutexLock lock(mu_);
  status_.warning = std::move(warning);
}

// ---- status -----------------------------------------------------------------------------------

void ChangeStream::NoteProblem(const StreamProblem& problem, StreamState state) {
  // The same reason again and again is one event.
  if (state == StreamState::kConnecting && problem.fault != logged_fault_)
    LogWarning({}, "The changes of slot \"{}\" cannot be followed ({}); trying again: {}",
               options_.slot, StreamFaultName(problem.fault), problem.status.ToString());
  logged_fault_ = problem.fault;
  MutexLock lock(mu_);
  status_.state = state;
  status_.problem = problem;
}

void ChangeStream::NoteProgress() {
  MutexLock lock(mu_);
  status_.received_lsn = received_lsn_;
  status_.applied_lsn = decoder_.position();
  status_.counters = decoder_.counters();
}

}  // namespace vectord

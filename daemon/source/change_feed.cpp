// change_feed.cpp - see change_feed.h.
#include "daemon/source/change_feed.h"

#include <algorithm>
#include <optional>
#include <system_error>
#include <utility>

#include "daemon/base/log.h"
#include "daemon/base/refused_memory.h"
#include "daemon/base/thread_pool.h"
#include "shared/source_names.h"

namespace vectord {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstRetry{100}, kLongestRetry{5000};
constexpr milliseconds kLook{50};  // at whether the stream has failed, or is needed

Status NoPublication() {
  return Status(ErrorCode::SOURCE_REFUSED,
                std::string("publication \"") + VFDW_PUBLICATION + "\" does not exist",
                "Changes of the source tables are received through it.",
                "Call vector_fdw.rebuild_collection() for each collection: it creates the "
                "publication and adds the table.");
}

}  // namespace

ChangeFeed::ChangeFeed(ChangeFeedOptions options, ChangeApplier* applier, MemoryBudget* budget,
                       FileSystem* files)
    : options_(std::move(options)),
      applier_(applier),
      budget_(budget),
      files_(files),
      backoff_(kFirstRetry, kLongestRetry) {}

Status ChangeFeed::Start() {
  VFDW_RETURN_IF_ERROR(RequireSlotName(options_.slot));
  try {
    thread_ = std::thread([this] { Run(); });
  } catch (const std::system_error& error) {
    return Status(ErrorCode::INTERNAL, "could not start a thread for a replication slot",
                  error.what());
  }
  return {};
}

void ChangeFeed::Stop() {
  RequestStop();
  if (thread_.joinable()) thread_.join();
}

bool ChangeFeed::Add(const std::shared_ptr<TableFeed>& feed) {
  MutexLock lock(mu_);
  if (is_open_) applier_->Add(feed);
  return is_open_;
}

Status ChangeFeed::status() const {
  MutexLock lock(mu_);
  return status_;
}

std::string ChangeFeed::Complaint() const {
  MutexLock lock(mu_);
  return status_.ok() ? warning_ : status_.ToString();
}

void ChangeFeed::NoteStatus(const Status& status) {
  MutexLock lock(mu_);
  status_ = status;
}

void ChangeFeed::Run() {
  SetThreadName("slot");
  while (!is_needed_ && stop_.SleepFor(kLook)) {
  }
  while (!stop_.requested()) {
    SystemIdentity identity;
    const Status opened =
        WithRefusedMemory("use the replication slot", [&] { return Open(&identity); });
    if (stop_.requested()) return;
    if (!opened.ok()) {
      const bool is_of_connection = opened.code() == ErrorCode::SOURCE_UNREACHABLE ||
                                    opened.code() == ErrorCode::NOT_PERMITTED;
      if (is_of_connection && options_.failures != nullptr) options_.failures->Add();
      const std::string text = opened.ToString();
      if (text != logged_)
        LogWarning({}, "Replication slot \"{}\" cannot be used; trying again: {}", options_.slot,
                   text);
      logged_ = text;
      NoteStatus(opened);
      Rest();
      continue;
    }
    logged_.clear();
    backoff_.Reset();
    const Status status = WithRefusedMemory("follow the changes", [&]() -> Status {
      const StreamProblem problem = Follow(identity);
      if (!stop_.requested()) GiveUp(problem);
      return {};
    });
    if (status.ok()) continue;
    NoteStatus(status);
    Rest();
  }
}

// Before the next try.
void ChangeFeed::Rest() {
  const auto until = std::chrono::steady_clock::now() + backoff_.Next();
  while (!is_hurried_ && std::chrono::steady_clock::now() < until && stop_.SleepFor(kLook)) {
  }
}

Status ChangeFeed::Open(SystemIdentity* identity) {
  is_hurried_ = false;
  VFDW_ASSIGN_OR_RETURN(const auto connection, ReplicationConnection::Connect(options_.dsn, stop_));
  const SqlRunner run = [&](const std::string& sql) { return connection->Exec(sql); };
  VFDW_ASSIGN_OR_RETURN(*identity, IdentifySystem(connection.get()));
  // The rows may have been read from files, or before the server was exchanged.
  const StreamProblem other = CheckSource(applier_->source(), *identity, applier_->DurableLsn());
  if (other.fault == StreamFault::kInRecovery) return other.status;
  if (other.fault != StreamFault::kNone) GiveUpRows(other);
  // A slot that is older than the publication cannot see it.
  VFDW_ASSIGN_OR_RETURN(const std::string missing, FindMissingPublication(run, {VFDW_PUBLICATION}));
  if (!missing.empty()) return NoPublication();
  VFDW_RETURN_IF_ERROR(EnsureSlot(connection.get(), identity->database));
  applier_->SetSource(*identity);  // at the end: giving up rows forgets it
  return {};
}

Status ChangeFeed::EnsureSlot(ReplicationConnection* connection, const std::string& database) {
  const SqlRunner run = [&](const std::string& sql) { return connection->Exec(sql); };
  VFDW_ASSIGN_OR_RETURN(const std::optional<SlotStatus> slot, ReadSlotStatus(run, options_.slot));
  const StreamProblem problem = CheckSlot(options_.slot, slot, database, applier_->DurableLsn());
  switch (problem.fault) {
    case StreamFault::kNone:
    case StreamFault::kSlotBusy:  // the stream waits for it
      return {};
    case StreamFault::kSlotMissing:
      if (applier_->DurableLsn() != Lsn::kNone) GiveUpRows(problem);
      return CreatePermanentSlot(connection);
    case StreamFault::kSlotLost:
      LogWarning({}, "{}; it is replaced by a new one.", problem.status.ToString());
      GiveUpRows(problem);
      VFDW_RETURN_IF_ERROR(DropSlot(connection, options_.slot));
      return CreatePermanentSlot(connection);
    case StreamFault::kSlotAhead:
      GiveUpRows(problem);
      return {};
    default:
      return problem.status;
  }
}

Status ChangeFeed::CreatePermanentSlot(ReplicationConnection* connection) {
  NewSlot slot;
  slot.name = options_.slot;
  LogInfo({}, "Creating replication slot \"{}\".", options_.slot);
  return CreateSlot(connection, slot, options_.dsn, stop_,
                    [this](const auto& blockers) {
                      std::string detail;
                      for (const SlotBlocker& blocker : blockers)
                        detail += (detail.empty() ? "" : "; ") + blocker.ToString();
                      NoteStatus(Status(ErrorCode::SOURCE_FAILED,
                                        "the replication slot waits for transactions to end",
                                        detail + "."));
                    })
      .status();
}

// Returns when the stream has ended for a reason that does not pass, or a stop is requested.
StreamProblem ChangeFeed::Follow(const SystemIdentity& identity) {
  StreamOptions options;
  options.dsn = options_.dsn;
  options.slot = options_.slot;
  options.publications = {VFDW_PUBLICATION};
  options.expected = {identity.system_identifier, identity.timeline};
  options.buffer.spill_path = options_.spill_path;
  options.checkpoint_interval = options_.checkpoint_interval;
  options.failures = options_.failures;
  ChangeStream stream(options, applier_, budget_, files_);
  if (const Status started = stream.Start(); !started.ok())
    return {StreamFault::kUnreachable, started};
  while (stop_.SleepFor(kLook)) {
    const StreamStatus now = stream.status();
    if (now.state == StreamState::kFailed) return now.problem;
    MutexLock lock(mu_);
    // Once it has streamed, a lost connection does not matter: the slot keeps what is missing.
    is_open_ = is_open_ || now.state == StreamState::kStreaming;
    status_ = now.problem.status;
    warning_ = now.warning;
  }
  return {};
}

// What was built from this slot may lack changes; with another history it has some that never were.
void ChangeFeed::GiveUpRows(const StreamProblem& problem) {
  const Status why(ErrorCode::SOURCE_FAILED, "all collections of the database are copied anew",
                   "Their changes cannot be followed any more: " + problem.status.ToString());
  LogWarning({}, "{}", why.ToString());
  const bool are_true = problem.fault != StreamFault::kOtherSystem &&
                        problem.fault != StreamFault::kOtherTimeline &&
                        problem.fault != StreamFault::kServerBehind;
  if (are_true)
    applier_->BreakAll(why);
  else
    applier_->BreakAndEmptyAll(why);
}

void ChangeFeed::GiveUp(const StreamProblem& problem) {
  {
    MutexLock lock(mu_);
    is_open_ = false;
    status_ = problem.status;
  }
  GiveUpRows(problem);
  const bool is_ours = problem.fault != StreamFault::kOtherDatabase &&
                       problem.fault != StreamFault::kUnsupportedServer;
  const Status dropped = is_ours ? DropOwnSlot() : Status();
  if (!dropped.ok())
    LogWarning({}, "Replication slot \"{}\" could not be dropped: {}", options_.slot,
               dropped.ToString());
  Rest();
}

Status ChangeFeed::DropOwnSlot() {
  VFDW_ASSIGN_OR_RETURN(const auto connection, ReplicationConnection::Connect(options_.dsn, stop_));
  const SqlRunner run = [&](const std::string& sql) { return connection->Exec(sql); };
  VFDW_ASSIGN_OR_RETURN(const SystemIdentity identity, IdentifySystem(connection.get()));
  VFDW_ASSIGN_OR_RETURN(const std::optional<SlotStatus> slot, ReadSlotStatus(run, options_.slot));
  if (!slot || slot->plugin != "pgoutput" || slot->database != identity.database) return {};
  return DropSlot(connection.get(), options_.slot);
}

}  // namespace vectord

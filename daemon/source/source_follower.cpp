// source_follower.cpp - see source_follower.h.
#include "daemon/source/source_follower.h"

#include <cstdlib>
#include <set>
#include <system_error>
#include <utility>

#include "daemon/base/log.h"
#include "daemon/base/refused_memory.h"
#include "daemon/base/thread_pool.h"
#include "daemon/source/publication.h"

namespace vectord {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstRetry{100}, kLongestRetry{5000};

// In the gauge from its making to its end.
class CountedWhile {
 public:
  explicit CountedWhile(Gauge* gauge) : gauge_(gauge) { gauge_->Add(1); }
  ~CountedWhile() { gauge_->Add(-1); }
  CountedWhile(const CountedWhile&) = delete;
  CountedWhile& operator=(const CountedWhile&) = delete;

 private:
  Gauge* const gauge_;
};

bool ServesOrFailed(const Collection& collection) {
  switch (collection.state()) {
    case CollectionState::kReady:
    case CollectionState::kUnloaded:
    case CollectionState::kError:
      return true;
    default:
      return collection.current() != nullptr;
  }
}

}  // namespace

SourceFollower::SourceFollower(SourceConfig config, FollowerContext* context)
    : config_(std::move(config)),
      context_(*context),
      backoff_(kFirstRetry, kLongestRetry),
      applier_([this](uint32_t relation) { return LookUpAncestors(relation); }, context->compactor),
      feed_({config_.dsn, config_.slot, context->scratch + "/stream-" + config_.slot,
             &context->checkpoint_interval, &context->metrics->source_failures},
            &applier_, context->budget, context->files),
      checkpointer_(context->data, config_.slot, &context->checkpoint_interval, &applier_) {
  sync_context_.feed = &feed_;
  sync_context_.applier = &applier_;
  sync_context_.checkpointer = &checkpointer_;
  sync_context_.metrics = context->metrics;
  sync_context_.files = context->files;
  sync_context_.scratch = context->scratch;
  sync_context_.slot_name = config_.slot;
  sync_context_.index_threads = &context->index_threads;
}

Status SourceFollower::Start() {
  VFDW_RETURN_IF_ERROR(feed_.Start());
  try {
    thread_ = std::thread([this] {
      SetThreadName("source");
      Run();
    });
  } catch (const std::system_error& error) {
    return Status(ErrorCode::INTERNAL, "could not start a thread for a source", error.what());
  }
  return {};
}

void SourceFollower::Stop() {
  RequestStop();
  if (thread_.joinable()) thread_.join();
  feed_.Stop();
  checkpointer_.Stop();
}

bool SourceFollower::synced() const {
  if (!has_read_.load(std::memory_order_acquire)) return false;
  for (const auto& collection : context_.catalog->OfDatabase(FollowedDatabase()))
    if (!ServesOrFailed(*collection)) return false;
  return true;
}

std::string SourceFollower::FollowedDatabase() const {
  MutexLock lock(mu_);
  return database_;
}

void SourceFollower::Run() {
  {
    // Known before the first connection, so that a search can be told why there is nothing yet.
    MutexLock lock(mu_);
    database_ = PgConnection::DatabaseOf(config_.dsn);
  }
  while (!stop_.requested()) {
    const Status status = WithRefusedMemory("follow a database", [this] { return Follow(); });
    if (stop_.requested()) return;
    context_.metrics->source_failures.Add();
    NoteUnreachable(status);
    stop_.SleepFor(backoff_.Next());
  }
}

// Returns when the connection is of no use any more.
Status SourceFollower::Follow() {
  VFDW_ASSIGN_OR_RETURN(const auto connection, PgConnection::Connect(config_.dsn, stop_));
  VFDW_RETURN_IF_ERROR(TakeDatabase(connection->database()));
  const CountedWhile connected(&context_.metrics->sources_connected);
  DefinitionReader reader(context_.daemon_name);
  while (!stop_.requested()) {
    const Status status = Poll(connection.get(), &reader);
    if (!connection->usable()) return status;
    if (status.ok()) {
      stop_.SleepFor(config_.poll_interval);
      continue;
    }
    NoteUnreachable(status);
    stop_.SleepFor(backoff_.Next());
  }
  return {};
}

Status SourceFollower::TakeDatabase(const std::string& database) {
  if (database != FollowedDatabase()) {
    // The same connection string leads elsewhere now: what is held is of another database.
    DropAll();
    context_.claims.ReleaseAll(this);
    MutexLock lock(mu_);
    database_ = database;
  }
  if (context_.claims.Claim(database, this)) return {};
  return Status(ErrorCode::BAD_CONFIG,
                "two [[source]] sections name databases called \"" + database + "\"",
                "Only one of them is followed, because collections are found by the database's "
                "name.",
                "Remove one of the sections, or hold that database by another vectord.");
}

Status SourceFollower::Poll(PgConnection* connection, DefinitionReader* reader) {
  VFDW_ASSIGN_OR_RETURN(const bool changed, reader->MayHaveChanged(connection));
  if (changed) {
    if (!has_recovered_ && !recovery_) VFDW_RETURN_IF_ERROR(Recover());
    VFDW_ASSIGN_OR_RETURN(std::vector<ReadDefinition> definitions, reader->Read(connection));
    Reconcile(std::move(definitions));
    if (!has_recovered_) {
      recovery_->Finish();
      recovery_.reset();
      has_recovered_ = true;
      VFDW_RETURN_IF_ERROR(checkpointer_.Start());
    }
    for (const auto& [name, held] : held_)
      if (held.loaded) feed_.Need();
    has_read_.store(true, std::memory_order_release);
  }
  VFDW_RETURN_IF_ERROR(CheckServed(connection));
  NoteReachable();
  LookAfterRows(reader->source_position());
  NoteStream();
  return {};
}

Status SourceFollower::Recover() {
  Recovery recovery(FollowedDatabase(), config_.slot, context_.manifests, context_.data, &applier_,
                    &checkpointer_);
  VFDW_RETURN_IF_ERROR(recovery.Prepare(config_.dsn, stop_));
  recovery_.emplace(std::move(recovery));
  return {};
}

// Changes that the publication keeps back are missed without a sign of it, so rows that are served
// are looked after when the publication has changed, and when they are new.
Status SourceFollower::CheckServed(PgConnection* connection) {
  std::vector<std::pair<Held*, std::shared_ptr<TableFeed>>> served;
  Definitions definitions;
  for (auto& [name, held] : held_) {
    if (held.is_checked || !held.loaded || held.has_problem || held.job == nullptr) continue;
    auto feed = held.job->serving();
    if (feed == nullptr) continue;
    definitions.push_back(feed->incarnation()->definition());
    served.emplace_back(&held, std::move(feed));
  }
  if (served.empty()) return {};
  VFDW_ASSIGN_OR_RETURN(const std::vector<Status> problems,
                        CheckPublished(connection, definitions));
  for (size_t i = 0; i < served.size(); i++) {
    Held& held = *served[i].first;
    if (!problems[i].ok()) {
      // The definition may have been changed or dropped since it was read, and the publication with
      // it: then the next poll will know.
      const auto now = ReadOneDefinition(connection, definitions[i]->name);
      if (!now.ok() && !connection->usable()) return now.status();
      if (!now.ok() || now->content != held.content || now->publication != held.publication)
        continue;
      served[i].second->Break(problems[i]);
    }
    held.is_checked = true;
  }
  return {};
}

// Rows that follow their table no more are copied again.
void SourceFollower::LookAfterRows(Lsn source_position) {
  for (auto& [name, held] : held_) {
    held.collection->NoteSourcePosition(static_cast<uint64_t>(source_position));
    if (!held.loaded || held.has_problem || held.job == nullptr || !held.job->TakeFailure())
      continue;
    held.is_checked = false;
    context_.queue->Submit(held.job, held.job->retry_delay());
  }
}

// The collections go on serving while changes do not come; how old they are shows in their lag.
void SourceFollower::NoteStream() {
  const std::string shown = feed_.Complaint();
  if (shown == reported_stream_error_) return;
  for (const auto& [name, held] : held_) {
    const CollectionState state = held.collection->state();
    if (state == CollectionState::kError || state == CollectionState::kUnloaded) continue;
    held.collection->ClearLastError(reported_stream_error_);
    if (!shown.empty()) held.collection->SetLastError(shown);
  }
  reported_stream_error_ = shown;
}

// Asked by the stream's thread, for each relation once.
Result<std::vector<uint32_t>> SourceFollower::LookUpAncestors(uint32_t relation) {
  if (lookup_ == nullptr || !lookup_->usable()) {
    VFDW_ASSIGN_OR_RETURN(lookup_, PgConnection::Connect(config_.dsn, stop_));
  }
  VFDW_ASSIGN_OR_RETURN(
      const PgRows rows,
      lookup_->Exec("WITH RECURSIVE above AS ("
                    " SELECT $1::oid AS oid"
                    " UNION"
                    " SELECT i.inhparent FROM pg_inherits i JOIN above ON i.inhrelid = above.oid)"
                    " SELECT oid FROM above",
                    {std::to_string(relation)}, std::chrono::seconds(30)));
  std::vector<uint32_t> ancestors;
  for (const PgRow& row : rows)
    ancestors.push_back(
        static_cast<uint32_t>(strtoul(row.at(0).value_or("0").c_str(), nullptr, 10)));
  return ancestors;
}

void SourceFollower::NoteReachable() {
  backoff_.Reset();
  if (has_reported_reachable_ && reported_error_.empty()) return;
  const std::string database = FollowedDatabase();
  context_.catalog->SetSourceStatus(database, Status());
  LogInfo({}, "following the collections of database \"{}\"", database);
  has_reported_reachable_ = true;
  reported_error_.clear();
  for (const auto& [name, held] : held_)
    if (held.job != nullptr) held.job->ShowNote();
}

// The collections go on serving. An error of their own says more than that the source is away.
void SourceFollower::NoteUnreachable(const Status& why) {
  const std::string database = FollowedDatabase();
  const std::string text = why.ToString();
  if (text != reported_error_)
    LogWarning({}, "cannot follow the collections of database \"{}\": {}", database, text);
  reported_error_ = text;
  // What another source follows is none of our business.
  if (why.code() == ErrorCode::BAD_CONFIG) return;
  context_.catalog->SetSourceStatus(database, why);
  for (const auto& [name, held] : held_) {
    const CollectionState state = held.collection->state();
    if (state != CollectionState::kError && state != CollectionState::kUnloaded)
      held.collection->SetLastError(text);
  }
}

void SourceFollower::Reconcile(std::vector<ReadDefinition> definitions) {
  std::set<std::string> defined;
  for (const ReadDefinition& read : definitions) defined.insert(read.definition.name);
  for (auto it = held_.begin(); it != held_.end();) {
    if (defined.count(it->first) > 0) {
      ++it;
      continue;
    }
    LogInfo({it->first}, "dropped");
    Drop(it->second);
    it = held_.erase(it);
  }
  for (ReadDefinition& read : definitions) {
    const auto it = held_.find(read.definition.name);
    if (it == held_.end())
      Add(std::move(read));
    else if (it->second.content != read.content)
      Change(std::move(read), &it->second);
    else if (it->second.publication != read.publication)
      TakePublication(read, &it->second);
    else
      continue;
    feed_.Hurry();
  }
}

void SourceFollower::Add(ReadDefinition read) {
  LogInfo({read.definition.name}, "found, over table {}", read.definition.QualifiedTable());
  Held held;
  held.collection = std::make_shared<Collection>(read.definition, context_.budget);
  context_.catalog->Add(held.collection);
  Held& kept = held_[read.definition.name] = std::move(held);
  Change(std::move(read), &kept);
}

void SourceFollower::Change(ReadDefinition read, Held* held) {
  const bool same_structure = held->structure == read.structure;
  const bool was_built = held->loaded && !held->has_problem && same_structure;
  if (!read.problem.ok() && read.definition.columns.empty()) {
    // The table is gone. What is still served is described by what was known of it.
    const auto before = held->collection->definition();
    read.definition.schema = before->schema;
    read.definition.table = before->table;
    read.definition.columns = before->columns;
  }
  held->collection->SetDefinition(read.definition);
  held->content = read.content;
  held->structure = read.structure;
  held->has_problem = !read.problem.ok();

  if (!read.definition.loaded) {
    context_.queue->Cancel(held->job);
    applier_.RemoveCollection(*held->collection);
    checkpointer_.Forget(*held->collection);
    held->collection->Unload();
    held->collection->NoteDiskBytes(0);
    held->collection->SetLastError("");
  } else if (!read.problem.ok()) {
    context_.queue->Cancel(held->job);
    held->collection->Fail(read.problem, /*needs_user=*/true);
    LogError({read.definition.name}, "{}", read.problem.ToString());
  } else if (!was_built) {
    Rebuild(read, held);
  } else {
    LogInfo({read.definition.name}, "takes over changed options of searches");
  }
  held->loaded = read.definition.loaded;
  TakePublication(read, held);
}

// What it was refused for may have been put right.
void SourceFollower::TakePublication(const ReadDefinition& read, Held* held) {
  held->publication = read.publication;
  held->is_checked = false;
  context_.queue->Hurry(held->job);
}

void SourceFollower::Rebuild(const ReadDefinition& read, Held* held) {
  context_.queue->Cancel(held->job);
  held->collection->SetState(CollectionState::kCopying, "waiting to be copied", 0);
  held->collection->SetLastError("");
  CopySource source;
  source.dsn = config_.dsn;
  source.connections = config_.copy_jobs;
  source.definition = std::make_shared<const Definition>(read.definition);
  source.structure = read.structure;
  held->job = std::make_shared<BuildJob>(held->collection, std::move(source), &sync_context_);
  if (recovery_) {
    auto restored = recovery_->Restore(held->collection);
    if (restored.ok() && *restored != nullptr) {
      held->job->Adopt(std::move(*restored));
      return;
    }
    if (!restored.ok()) {
      const std::string text =
          "its files are not used, and it is copied anew: " + restored.status().ToString();
      LogWarning({read.definition.name}, "{}", text);
      held->job->Explain(text);
    }
  }
  context_.queue->Submit(held->job);
}

void SourceFollower::Drop(const Held& held) {
  context_.queue->Cancel(held.job);
  applier_.RemoveCollection(*held.collection);
  checkpointer_.Forget(*held.collection);
  context_.catalog->Remove(held.collection->database(), held.collection->name());
}

void SourceFollower::DropAll() {
  for (const auto& [name, held] : held_) Drop(held);
  held_.clear();
}

}  // namespace vectord

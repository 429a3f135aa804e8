// checkpointer.cpp - see checkpointer.h.
#include "daemon/source/checkpointer.h"

#include <algorithm>
#include <system_error>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/base/refused_memory.h"
#include "daemon/base/thread_pool.h"
#include "daemon/collection/definition_hash.h"

namespace vectord {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// After a checkpoint that failed, unless the interval is shorter.
constexpr milliseconds kRetryAfter{5000};

CollectionKey KeyOf(const Definition& definition) { return StampsOf(definition).key; }

// What could not be removed the next start removes.
void LogRemoval(const Status& removed, const CollectionKey& key) {
  if (!removed.ok()) LogStatus({key.name}, removed);
}

}  // namespace

Checkpointer::Checkpointer(DataDir* data, std::string slot_name,
                           const std::atomic<milliseconds>* interval, ChangeApplier* applier)
    : data_(data), slot_name_(std::move(slot_name)), interval_(interval), applier_(applier) {}

void Checkpointer::Adopt(const CollectionKey& key, std::unique_ptr<CollectionStore> store,
                         std::shared_ptr<TableFeed> feed,
                         std::vector<CollectionStore::UnsettledFile> unsettled) {
  feed->incarnation()->collection()->NoteDiskBytes(store->dir().disk_bytes());
  saved_[key].store = std::move(store);
  if (!unsettled.empty()) unsettled_.push_back({std::move(feed), std::move(unsettled)});
}

Status Checkpointer::Start() {
  try {
    thread_ = std::thread([this] { Run(); });
    settler_ = std::thread([this] { Settle(); });
  } catch (const std::system_error& error) {
    return Status(ErrorCode::INTERNAL, "could not start a thread for checkpoints", error.what());
  }
  return {};
}

void Checkpointer::Stop() {
  {
    MutexLock lock(mu_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
  if (settler_.joinable()) settler_.join();
}

void Checkpointer::Soon() {
  MutexLock lock(mu_);
  is_wanted_ = true;
  changed_.NotifyAll();
}

void Checkpointer::Forget(const Collection& collection) {
  MutexLock lock(mu_);
  forgotten_.emplace_back(collection.database(), collection.name());
  changed_.NotifyAll();
}

// ---- the thread -------------------------------------------------------------------------------

void Checkpointer::Run() {
  SetThreadName("checkpoint");
  LowerThreadPriority(10);
  bool failed = false;
  while (WaitForNext(failed)) {
    failed = !RunOnce();
  }
  RunOnce();
}

bool Checkpointer::RunOnce() {
  bool all_saved = false;
  const Status status = WithRefusedMemory("save collections", [&]() -> Status {
    RemoveForgotten();
    all_saved = CheckpointAll();
    return {};
  });
  if (!status.ok()) LogStatus({}, status);
  return all_saved;
}

// False when it is to stop.
bool Checkpointer::WaitForNext(bool failed) {
  const auto began = steady_clock::now();
  MutexLock lock(mu_);
  for (;;) {
    if (stopping_) return false;
    if (is_wanted_ || !forgotten_.empty() || !damaged_.empty()) break;
    const milliseconds interval = *interval_;
    const auto next = began + (failed ? std::min(interval, kRetryAfter) : interval);
    // The interval may be changed meanwhile.
    if (steady_clock::now() >= next) break;
    (void)changed_.WaitUntil(mu_, std::min(next, steady_clock::now() + kRetryAfter));
  }
  is_wanted_ = false;
  return true;
}

void Checkpointer::RemoveForgotten() {
  std::vector<std::pair<std::string, std::string>> forgotten;
  std::vector<Damaged> damaged;
  {
    MutexLock lock(mu_);
    forgotten.swap(forgotten_);
    damaged.swap(damaged_);
  }
  for (const auto& [key, file, why] : damaged)
    if (const auto found = saved_.find(key); found != saved_.end()) {
      const Status discarded =
          found->second.store != nullptr ? found->second.store->Discard(why, &file) : Status();
      if (!discarded.ok()) LogStatus({key.name}, discarded);
      saved_.erase(found);
    }
  for (const auto& [database, name] : forgotten) RemoveOthers({database, name, ""});
}

// The files of all definitions of the collection but this one.
void Checkpointer::RemoveOthers(const CollectionKey& key) {
  for (auto it = saved_.begin(); it != saved_.end();) {
    const CollectionKey& other = it->first;
    if (other.database != key.database || other.name != key.name ||
        other.definition_id == key.definition_id) {
      ++it;
      continue;
    }
    it->second.store.reset();
    LogRemoval(data_->RemoveCollection(other), other);
    it = saved_.erase(it);
  }
  // And what was set aside of those that are known no more.
  std::vector<CollectionKey> kept;
  if (!key.definition_id.empty()) kept.push_back(key);
  LogRemoval(data_->RemoveOthers(DirectoryPrefix(key.database, key.name), kept), key);
}

bool Checkpointer::CheckpointAll() {
  const ChangeApplier::CheckpointRound round = applier_->BeginCheckpoint();
  if (round.position == Lsn::kNone || round.source.system_identifier == 0) return true;
  bool all_saved = true;
  for (const auto& feed : round.feeds) all_saved = Save(feed.get(), round.source) && all_saved;
  if (all_saved) applier_->FinishCheckpoint(round);
  return all_saved;
}

bool Checkpointer::Save(TableFeed* feed, const SystemIdentity& source) {
  const auto frozen = feed->Freeze();
  // Not served, or broken: after a crash it is copied anew.
  if (!frozen.ok() || frozen->rows == nullptr) return true;
  const SegmentSet& rows = *frozen->rows;
  Collection& collection = *feed->incarnation()->collection();
  const CollectionKey key = KeyOf(*rows.definition);
  Saved& saved = saved_[key];
  if (saved.store != nullptr && saved.generation == rows.generation && saved.as_of == rows.as_of)
    return true;
  const Status status = WithRefusedMemory("save the collection", [&] {
    return Write(rows, frozen->rejected_keys, collection.builds(), source, &saved);
  });
  Report(status, &collection, &saved);
  if (!status.ok()) {
    if (saved.store != nullptr && status.code() == ErrorCode::DISK_FULL)
      (void)saved.store->dir().RemoveSetAside();  // for the sake of their space
    else
      saved.store.reset();  // the directory may have gone; it is opened, or made, again
    return false;
  }
  collection.NoteDiskBytes(saved.store->dir().disk_bytes());
  RemoveOthers(key);
  return true;
}

Status Checkpointer::Write(const SegmentSet& rows, const std::vector<KeyHash>& rejected_keys,
                           uint64_t builds, const SystemIdentity& source, Saved* saved) {
  SourceStamps stamps = StampsOf(*rows.definition);
  stamps.system_identifier = source.system_identifier;
  stamps.timeline = source.timeline;
  stamps.slot_name = slot_name_;
  if (saved->store == nullptr) {
    VFDW_ASSIGN_OR_RETURN(auto directory, data_->OpenCollection(stamps.key));
    saved->store =
        std::make_unique<CollectionStore>(std::move(directory), rows.definition->storage);
  }
  CollectionCounters counters;
  counters.builds = builds;
  for (const KeyHash& key : rejected_keys)
    counters.rejected_keys.insert(counters.rejected_keys.end(), {key.low, key.high});
  const int64_t start_ns = SteadyNowNs();
  VFDW_RETURN_IF_ERROR(saved->store->Checkpoint(rows, counters, stamps));
  saved->generation = rows.generation;
  saved->as_of = rows.as_of;
  LogDebug({stamps.key.name}, "saved {} rows as of {} in {:.3f} s", rows.rows,
           LsnText(static_cast<Lsn>(rows.as_of)),
           static_cast<double>(SteadyNowNs() - start_ns) / 1e9);
  return {};
}

void Checkpointer::Report(const Status& status, Collection* collection, Saved* saved) {
  std::string text;
  if (!status.ok())
    text = "saving the collection failed and is tried again; meanwhile PostgreSQL keeps its WAL: " +
           status.ToString();
  if (text != saved->shown_error) {
    collection->ClearLastError(saved->shown_error);
    if (!text.empty()) LogWarning({collection->name()}, "{}", text);
  }
  // Each time, since others show their errors too.
  if (!text.empty()) collection->SetLastError(text);
  saved->shown_error = text;
}

// ---- what was restored ------------------------------------------------------------------------

void Checkpointer::Settle() {
  SetThreadName("settle");
  for (const Unsettled& unsettled : unsettled_)
    if (!SettleFeed(unsettled)) return;
  unsettled_.clear();
}

bool Checkpointer::SettleFeed(const Unsettled& unsettled) {
  for (const CollectionStore::UnsettledFile& file : unsettled.files) {
    Status status;
    for (;;) {
      status = WithRefusedMemory("check files", [&] { return file.vectors->Settle(&stopping_); });
      if (status.code() != ErrorCode::OUT_OF_MEMORY) break;
      LogStatus({unsettled.feed->incarnation()->collection()->name()}, status);
      if (!SleepUnlessStopped(kRetryAfter)) return false;
    }
    if (stopping_) return false;
    if (status.ok()) continue;
    ReportDamage(unsettled.feed.get(), file.file, status);
    return true;
  }
  applier_->AllowMerges(unsettled.feed);
  return true;
}

void Checkpointer::ReportDamage(TableFeed* feed, const FileRef& file, const Status& why) {
  feed->Break(Status(ErrorCode::CORRUPT, "the collection is copied anew",
                     "Its files cannot be used: " + why.ToString()));
  MutexLock lock(mu_);
  damaged_.push_back({KeyOf(*feed->incarnation()->definition()), file, why});
  changed_.NotifyAll();
}

bool Checkpointer::SleepUnlessStopped(milliseconds length) {
  const auto until = steady_clock::now() + length;
  MutexLock lock(mu_);
  while (!stopping_ && steady_clock::now() < until) (void)changed_.WaitUntil(mu_, until);
  return !stopping_;
}

}  // namespace vectord

// recovery.cpp - see recovery.h.
#include "daemon/source/recovery.h"

#include <algorithm>
#include <utility>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/base/refused_memory.h"
#include "daemon/collection/definition_hash.h"
#include "daemon/source/replication_connection.h"
#include "daemon/source/stream_fault.h"

namespace vectord {

Recovery::Recovery(std::string database, std::string slot_name,
                   const std::vector<Manifest>& manifests, DataDir* data, ChangeApplier* applier,
                   Checkpointer* checkpointer)
    : database_(std::move(database)),
      slot_name_(std::move(slot_name)),
      data_(data),
      applier_(applier),
      checkpointer_(checkpointer) {
  for (const Manifest& manifest : manifests)
    if (manifest.stamps.key.database == database_) found_.push_back({manifest});
}

Status Recovery::Prepare(const std::string& dsn, const StopSignal& stop) {
  if (found_.empty()) return {};
  VFDW_ASSIGN_OR_RETURN(const auto connection, ReplicationConnection::Connect(dsn, stop));
  const SqlRunner run = [&](const std::string& sql) { return connection->Exec(sql); };
  VFDW_ASSIGN_OR_RETURN(const SystemIdentity source, IdentifySystem(connection.get()));
  VFDW_ASSIGN_OR_RETURN(const std::optional<SlotStatus> slot, ReadSlotStatus(run, slot_name_));
  return UseServer(source, slot);
}

Status Recovery::UseServer(const SystemIdentity& source, const std::optional<SlotStatus>& slot) {
  for (const Found& found : found_) {
    const SourceStamps& stamps = found.manifest.stamps;
    StreamProblem problem = CheckSource({stamps.system_identifier, stamps.timeline}, source,
                                        static_cast<Lsn>(found.manifest.durable_lsn));
    if (problem.fault == StreamFault::kInRecovery) return problem.status;
  }
  source_ = source;
  slot_ = slot;
  return {};
}

Result<std::shared_ptr<TableFeed>> Recovery::Restore(
    const std::shared_ptr<Collection>& collection) {
  const CollectionKey key = StampsOf(*collection->definition()).key;
  wanted_.push_back(key);
  const auto found = std::find_if(found_.begin(), found_.end(),
                                  [&](const Found& it) { return it.manifest.stamps.key == key; });
  if (found == found_.end()) return std::shared_ptr<TableFeed>();
  found->is_wanted = true;
  return WithRefusedMemory("read the collection's files",
                           [&] { return Load(collection, found->manifest); });
}

Result<std::shared_ptr<TableFeed>> Recovery::Load(const std::shared_ptr<Collection>& collection,
                                                  const Manifest& manifest) {
  const int64_t start_ns = SteadyNowNs();
  const std::shared_ptr<const Definition> definition = collection->definition();
  VFDW_ASSIGN_OR_RETURN(auto directory, data_->OpenCollection(manifest.stamps.key));
  auto store = std::make_unique<CollectionStore>(std::move(directory), definition->storage);
  if (!store->has_content()) return store->dir().problem();
  if (const Status usable = CheckUsable(manifest); !usable.ok()) {
    if (const Status discarded = store->Discard(usable, nullptr); !discarded.ok())
      LogStatus({collection->name()}, discarded);
    return usable;
  }
  SourceStamps expected = StampsOf(*definition);
  expected.system_identifier = source_.system_identifier;
  expected.timeline = source_.timeline;
  expected.slot_name = slot_name_;
  VFDW_ASSIGN_OR_RETURN(CollectionStore::Loaded loaded,
                        store->Load(definition, expected, collection->budget()));
  const auto durable_lsn = static_cast<Lsn>(loaded.set->as_of);
  std::vector<KeyHash> rejected_keys;
  for (size_t i = 0; i + 1 < loaded.counters.rejected_keys.size(); i += 2)
    rejected_keys.push_back(
        {loaded.counters.rejected_keys[i], loaded.counters.rejected_keys[i + 1]});
  VFDW_ASSIGN_OR_RETURN(
      std::shared_ptr<TableFeed> feed,
      TableFeed::Resume(std::make_shared<Incarnation>(collection, definition, applier_->position()),
                        *loaded.set, rejected_keys, durable_lsn));
  if (!loaded.unsettled.empty()) {
    MutexLock lock(feed->incarnation()->mu);
    feed->incarnation()->HoldMerges();  // until the checkpointer has settled them
  }
  VFDW_RETURN_IF_ERROR(applier_->ServeRestored(feed, loaded.counters.builds));
  checkpointer_->Adopt(manifest.stamps.key, std::move(store), feed, std::move(loaded.unsettled));
  start_ = start_ == Lsn::kNone ? durable_lsn : std::min(start_, durable_lsn);
  LogInfo({collection->name()}, "took over {} rows as of {} from its files in {:.3f} s",
          loaded.set->rows, LsnText(durable_lsn),
          static_cast<double>(SteadyNowNs() - start_ns) / 1e9);
  return feed;
}

Status Recovery::CheckUsable(const Manifest& manifest) const {
  const auto durable_lsn = static_cast<Lsn>(manifest.durable_lsn);
  if (durable_lsn == Lsn::kNone)
    return Status(ErrorCode::CORRUPT, "the files do not say up to where they are true");
  const ExpectedSource expected{manifest.stamps.system_identifier, manifest.stamps.timeline};
  StreamProblem problem = CheckSource(expected, source_, durable_lsn);
  if (problem.fault == StreamFault::kNone)
    problem = CheckSlot(slot_name_, slot_, database_, durable_lsn);
  // Who reads the slot will go, or the stream will say so.
  return problem.fault == StreamFault::kSlotBusy ? Status() : problem.status;
}

void Recovery::Finish() {
  for (const Found& found : found_) {
    if (found.is_wanted) continue;
    const CollectionKey& key = found.manifest.stamps.key;
    LogInfo({key.name}, "its files are removed: there is no such definition any more");
    if (const Status removed = data_->RemoveCollection(key); !removed.ok())
      LogStatus({key.name}, removed);
  }
  // What was set aside is of interest for as long as there is the collection.
  if (const Status removed = data_->RemoveOthers(DirectoryPrefix(database_), wanted_);
      !removed.ok())
    LogStatus({}, removed);
  if (start_ == Lsn::kNone) return;
  applier_->SetSource(source_);
  applier_->StartAt(start_);
}

}  // namespace vectord

// checkpointer.h - writes what the collections of one source hold to disk, again and again.
//
// A checkpoint takes the set of each serving collection as it is, writes what is new of it
// (collection_store.h), and when all are on disk lets the slot forget the WAL before (the applier's
// FinishCheckpoint). Searches and the stream go on meanwhile; what they replace stays alive until
// it is written.
//
//   every interval, or Soon(): freeze -> write -> confirm
//   a write failed (disk full): last_error says so, the slot keeps its WAL, tried again soon
//
// Invariant: whatever the slot has been told to forget is on disk in every collection that is
// served and has files; what has none is copied anew after a crash.
//
// What was read from the disk at the start is relied upon at once and checked here, in a thread of
// its own (UnsettledVectors); damaged rows are not served any longer, and until they were checked
// no segments are merged, so that damage does not get into new files.
//
// Threads: Adopt() before Start(); Start(), Stop() by the owner; the others by any. The stores are
// touched by the checkpointer's own thread only.
#ifndef VECTORD_SOURCE_CHECKPOINTER_H
#define VECTORD_SOURCE_CHECKPOINTER_H

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "daemon/base/mutex.h"
#include "daemon/base/status.h"
#include "daemon/collection/collection_store.h"
#include "daemon/source/change_applier.h"
#include "daemon/storage/data_dir.h"

namespace vectord {

class Checkpointer {
 public:
  // interval: may change while it runs. What is pointed to outlives the checkpointer.
  Checkpointer(DataDir* data, std::string slot_name,
               const std::atomic<std::chrono::milliseconds>* interval, ChangeApplier* applier);
  ~Checkpointer() { Stop(); }

  // A collection that was restored from its files.
  void Adopt(const CollectionKey& key, std::unique_ptr<CollectionStore> store,
             std::shared_ptr<TableFeed> feed,
             std::vector<CollectionStore::UnsettledFile> unsettled);

  Status Start();
  // After a last checkpoint. REQUIRES: the stream has ended.
  void Stop();

  // Something is served that was not before: the next checkpoint is now.
  void Soon();
  // The collection was dropped or unloaded: its files go.
  void Forget(const Collection& collection);

 private:
  struct Saved {
    std::unique_ptr<CollectionStore> store;
    uint64_t generation = 0, as_of = 0;  // of the set in it
    std::string shown_error;             // in the collection's last_error
  };
  struct Unsettled {
    std::shared_ptr<TableFeed> feed;
    std::vector<CollectionStore::UnsettledFile> files;
  };
  struct Damaged {
    CollectionKey key;
    FileRef file;
    Status why;
  };
  struct KeyLess {
    bool operator()(const CollectionKey& a, const CollectionKey& b) const {
      return std::tie(a.database, a.name, a.definition_id) <
             std::tie(b.database, b.name, b.definition_id);
    }
  };

  void Run();
  bool WaitForNext(bool failed);
  void RemoveForgotten();
  bool RunOnce();
  bool CheckpointAll();
  bool Save(TableFeed* feed, const SystemIdentity& source);
  Status Write(const SegmentSet& rows, const std::vector<KeyHash>& rejected_keys, uint64_t builds,
               const SystemIdentity& source, Saved* saved);
  void Report(const Status& status, Collection* collection, Saved* saved);
  void RemoveOthers(const CollectionKey& key);
  void Settle();
  // False when it is to stop.
  bool SettleFeed(const Unsettled& unsettled);
  bool SleepUnlessStopped(std::chrono::milliseconds length);
  void ReportDamage(TableFeed* feed, const FileRef& file, const Status& why);

  DataDir* const data_;
  const std::string slot_name_;
  const std::atomic<std::chrono::milliseconds>* const interval_;
  ChangeApplier* const applier_;
  std::map<CollectionKey, Saved, KeyLess> saved_;
  std::vector<Unsettled> unsettled_;
  std::atomic<bool> stopping_{false};
  std::thread thread_, settler_;

  Mutex mu_;
  CondVar changed_;
  bool is_wanted_ GUARDED_BY(mu_) = false;
  std::vector<std::pair<std::string, std::string>> forgotten_ GUARDED_BY(mu_);  // database, name
  std::vector<Damaged> damaged_ GUARDED_BY(mu_);
};

}  // namespace vectord

#endif

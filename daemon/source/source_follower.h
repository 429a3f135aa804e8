// source_follower.h - keeps the catalog of collections equal to the definitions of one database.
//
// One thread per [[source]]: it stays connected, looks for changed definitions at each poll, and
// turns what it finds into collections and build jobs (Reconcile). While the database cannot be
// reached its collections go on serving and their last_error says so; it comes back by itself.
//
//   connecting --connected, database claimed--> following --error--> connecting (after a while)
//
// With the first definitions come the rows that files hold of them (recovery.h). Beside it run the
// feed of changes (change_feed.h), which starts with the first collection, and checkpoints. A
// collection whose rows follow their table no more (a column changed its type, its memory is used
// up) is noticed at the next poll, and built again.
//
// Threads: Start(), Stop() by the owner; synced() by any. held_ belongs to the follower's thread.
#ifndef VECTORD_SOURCE_SOURCE_FOLLOWER_H
#define VECTORD_SOURCE_SOURCE_FOLLOWER_H

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "daemon/base/config.h"
#include "daemon/base/file.h"
#include "daemon/base/memory_budget.h"
#include "daemon/base/metrics.h"
#include "daemon/base/mutex.h"
#include "daemon/base/status.h"
#include "daemon/collection/catalog.h"
#include "daemon/source/backoff.h"
#include "daemon/source/build_queue.h"
#include "daemon/source/change_feed.h"
#include "daemon/source/checkpointer.h"
#include "daemon/source/database_claims.h"
#include "daemon/source/definition_reader.h"
#include "daemon/source/recovery.h"
#include "daemon/source/stop_signal.h"

namespace vectord {

// What all followers share. It outlives them.
struct FollowerContext {
  std::string daemon_name;
  std::atomic<int> index_threads{1};
  std::atomic<std::chrono::milliseconds> checkpoint_interval{std::chrono::seconds(60)};
  DataDir* data = nullptr;
  std::vector<Manifest> manifests;  // that stood in it at the start
  Catalog* catalog = nullptr;
  MemoryBudget* budget = nullptr;
  Metrics* metrics = nullptr;
  BuildQueue* queue = nullptr;
  Compactor* compactor = nullptr;
  FileSystem* files = nullptr;
  std::string scratch;  // directory of files that mean nothing after a crash
  DatabaseClaims claims;
};

class SourceFollower {
 public:
  SourceFollower(SourceConfig config, FollowerContext* context);
  ~SourceFollower() { Stop(); }

  Status Start();
  void RequestStop() {
    stop_.Request();
    feed_.RequestStop();
  }
  void Stop();

  // True when the definitions have been read, and each loaded collection either serves or has
  // failed for a reason that only a person can cure.
  bool synced() const;

 private:
  // What the follower knows of a collection that it has put into the catalog.
  struct Held {
    std::shared_ptr<Collection> collection;
    std::shared_ptr<BuildJob> job;  // the last; null before the first
    std::string content, structure, publication;
    bool loaded = false, has_problem = false;
    bool is_checked = false;  // that what is served is published as a whole
  };

  void Run();
  Status Follow();
  std::string FollowedDatabase() const;
  Status TakeDatabase(const std::string& database);
  Status Recover();
  Status Poll(PgConnection* connection, DefinitionReader* reader);
  Result<std::vector<uint32_t>> LookUpAncestors(uint32_t relation);
  Status CheckServed(PgConnection* connection);
  void LookAfterRows(Lsn source_position);
  void NoteStream();
  void NoteReachable();
  void NoteUnreachable(const Status& why);

  void Reconcile(std::vector<ReadDefinition> definitions);
  void Add(ReadDefinition read);
  void Change(ReadDefinition read, Held* held);
  void TakePublication(const ReadDefinition& read, Held* held);
  void Rebuild(const ReadDefinition& read, Held* held);
  void Drop(const Held& held);
  void DropAll();

  const SourceConfig config_;
  FollowerContext& context_;
  StopSignal stop_;
  Backoff backoff_;
  std::thread thread_;
  std::map<std::string, Held> held_;
  std::unique_ptr<PgConnection> lookup_;  // of the stream's thread
  ChangeApplier applier_;
  ChangeFeed feed_;
  Checkpointer checkpointer_;
  std::optional<Recovery> recovery_;  // until the first definitions have been taken over
  bool has_recovered_ = false;
  SyncContext sync_context_;
  std::string reported_stream_error_;  // shown by the collections; empty: none
  std::string reported_error_;         // the last one logged; empty: none since it was reachable
  bool has_reported_reachable_ = false;
  std::atomic<bool> has_read_{false};
  mutable Mutex mu_;
  std::string database_ GUARDED_BY(mu_);  // written by the follower's thread only
};

}  // namespace vectord

#endif

// source_follower.h - keeps the catalog of collections equal to the definitions of one database.
//
// One thread per [[source]]: it stays connected, looks for changed definitions at each poll, and
// turns what it finds into collections and build jobs (Reconcile). While the database cannot be
// reached its collections go on serving and their last_error says so; it comes back by itself.
//
//   connecting --connected, database claimed--> following --error--> connecting (after a while)
//
// Nothing here reads rows (initial_copy.h) or follows changes of them.
//
// Threads: Start(), Stop() by the owner; synced() by any. held_ belongs to the follower's thread.
#ifndef VECTORD_SOURCE_SOURCE_FOLLOWER_H
#define VECTORD_SOURCE_SOURCE_FOLLOWER_H

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "daemon/base/config.h"
#include "daemon/base/memory_budget.h"
#include "daemon/base/mutex.h"
#include "daemon/base/status.h"
#include "daemon/collection/catalog.h"
#include "daemon/source/backoff.h"
#include "daemon/source/build_queue.h"
#include "daemon/source/database_claims.h"
#include "daemon/source/definition_reader.h"
#include "daemon/source/stop_signal.h"

namespace vectord {

// What all followers share. It outlives them.
struct FollowerContext {
  std::string daemon_name;
  int index_threads = 1;
  Catalog* catalog = nullptr;
  MemoryBudget* budget = nullptr;
  BuildQueue* queue = nullptr;
  DatabaseClaims claims;
};

class SourceFollower {
 public:
  SourceFollower(SourceConfig config, FollowerContext* context);
  ~SourceFollower() { Stop(); }

  Status Start();
  void RequestStop() { stop_.Request(); }
  void Stop();

  // True when the definitions have been read, and each loaded collection either serves or has
  // failed for a reason that only a person can cure.
  bool synced() const;

 private:
  // What the follower knows of a collection that it has put into the catalog.
  struct Held {
    std::shared_ptr<Collection> collection;
    std::shared_ptr<BuildJob> job;  // the last; null before the first
    std::string content, structure;
    bool loaded = false, has_problem = false;
  };

  void Run();
  Status Follow();
  std::string FollowedDatabase() const;
  Status TakeDatabase(const std::string& database);
  Status Poll(PgConnection* connection, DefinitionReader* reader);
  void NoteReachable();
  void NoteUnreachable(const Status& why);

  void Reconcile(std::vector<ReadDefinition> definitions);
  void Add(ReadDefinition read);
  void Change(ReadDefinition read, Held* held);
  void Rebuild(const ReadDefinition& read, Held* held);
  void Drop(const Held& held);
  void DropAll();

  const SourceConfig config_;
  FollowerContext& context_;
  StopSignal stop_;
  Backoff backoff_;
  std::thread thread_;
  std::map<std::string, Held> held_;
  std::string reported_error_;  // the last one logged; empty: none since it was reachable
  bool has_reported_reachable_ = false;
  std::atomic<bool> has_read_{false};
  mutable Mutex mu_;
  std::string database_ GUARDED_BY(mu_);  // written by the follower's thread only
};

}  // namespace vectord

#endif

// change_feed.h - keeps the changes of one source database coming: its slot, and the stream from
// it.
//
//   Idle --Need()--> Opening --slot exists, stream started--> Open
//                       ^  ^-- waits: no publication yet, no connection, transactions in the way --
//                       '--- a fault that does not pass: the slot is given up, all feeds are ended
//                       --
//
// One permanent slot, of the configured name; it is created when it is missing, and replaced when
// it is of no more use (lost, of another system, overtaken). Then what was built from it cannot be
// followed any more: every collection of the source is copied anew. Until that is done the old rows
// are still true as of some time, and served; but not those of another history than the server's.
//
// A slot of that name that is not ours (other plugin, other database) is never touched.
//
// Threads: Start(), Stop() by the owner; the others by any.
#ifndef VECTORD_SOURCE_CHANGE_FEED_H
#define VECTORD_SOURCE_CHANGE_FEED_H

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "daemon/base/file.h"
#include "daemon/base/memory_budget.h"
#include "daemon/base/metrics.h"
#include "daemon/base/mutex.h"
#include "daemon/base/status.h"
#include "daemon/source/backoff.h"
#include "daemon/source/change_applier.h"
#include "daemon/source/stream.h"

namespace vectord {

struct ChangeFeedOptions {
  std::string dsn, slot;
  std::string spill_path;  // of the stream's file; nobody else uses it
  // May change. The server is told at least as often what it may forget.
  const std::atomic<std::chrono::milliseconds>* checkpoint_interval = nullptr;
  Counter* failures = nullptr;  // of connections; null: they are not counted
};

class ChangeFeed {
 public:
  // What is pointed to outlives the feed.
  ChangeFeed(ChangeFeedOptions options, ChangeApplier* applier, MemoryBudget* budget,
             FileSystem* files);
  ~ChangeFeed() { Stop(); }

  Status Start();
  void RequestStop() { stop_.Request(); }
  void Stop();

  // From now on the changes are wanted.
  void Need() { is_needed_ = true; }
  // What stood in the way may have changed: the next try comes at once.
  void Hurry() { is_hurried_ = true; }
  // Adds the feed of a table that is about to be copied: false when there is no slot yet that would
  // keep its changes.
  bool Add(const std::shared_ptr<TableFeed>& feed);
  // Why changes do not come, or OK.
  Status status() const;
  // That, or what will soon be a problem; empty: neither.
  std::string Complaint() const;

 private:
  void Run();
  Status Open(SystemIdentity* identity);
  Status EnsureSlot(ReplicationConnection* connection, const std::string& database);
  Status CreatePermanentSlot(ReplicationConnection* connection);
  StreamProblem Follow(const SystemIdentity& identity);
  void GiveUp(const StreamProblem& problem);
  void GiveUpRows(const StreamProblem& problem);
  Status DropOwnSlot();
  void NoteStatus(const Status& status);
  void Rest();

  const ChangeFeedOptions options_;
  ChangeApplier* const applier_;
  MemoryBudget* const budget_;
  FileSystem* const files_;
  StopSignal stop_;
  Backoff backoff_;
  std::atomic<bool> is_needed_{false};
  std::atomic<bool> is_hurried_{false};  // since the last try
  std::thread thread_;
  std::string logged_;  // the last problem in the log; of the thread

  mutable Mutex mu_;  // before the applier's
  bool is_open_ GUARDED_BY(mu_) = false;
  Status status_ GUARDED_BY(mu_);
  std::string warning_ GUARDED_BY(mu_);
};

}  // namespace vectord

#endif

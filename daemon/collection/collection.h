// collection.h - one collection: its definition, its state, and the set it answers from.
//
// States, who moves them (all by SetState, under mu_), and what is served meanwhile:
//
//   copying -> catching_up -> building -> ready      the builder (source/), for each definition_id
//   any     -> error                                 the builder, when it gives up; retried there
//   ready   -> unloaded                              the user, by the catalog's "loaded"
//   ready   -> copying                               a new definition: the old set goes on serving
//
// After a restart a collection of which the files are sound begins at ready (PublishRestored), any
// other at copying.
//
// How fresh it is: applied_lsn() says up to where all commits of the source are in current(). It
// moves on with the stream, also when other tables are written to and the set stays as it is. Who
// needs more waits for it in WaitUntilApplied().
//
// Threads: any. Searches take current() once and never wait for writers.
#ifndef VECTORD_COLLECTION_COLLECTION_H
#define VECTORD_COLLECTION_COLLECTION_H

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "daemon/base/memory_budget.h"
#include "daemon/base/mutex.h"
#include "daemon/base/status.h"
#include "daemon/collection/definition.h"
#include "daemon/collection/segment_set.h"
#include "shared/messages.h"

namespace vectord {

enum class CollectionState { kCopying, kCatchingUp, kBuilding, kReady, kUnloaded, kError };
const char* StateName(CollectionState state);

// Progress of the work behind the state, updated without a lock by many threads.
struct Progress {
  std::atomic<uint64_t> done{0}, total{0};
};

class Collection {
 public:
  // budget: the daemon's; the collection's own, of definition.memory_limit, hangs below it.
  Collection(Definition definition, MemoryBudget* budget);

  const std::string& database() const { return database_; }
  const std::string& name() const { return name_; }

  // The definition last told by the catalog; what current() was built by may be older.
  std::shared_ptr<const Definition> definition() const;
  void SetDefinition(Definition definition);

  // The set to answer from, or null while none was ever built or it is unloaded.
  std::shared_ptr<const SegmentSet> current() const;
  // The set of that generation, if it is current or still held by somebody; else null.
  std::shared_ptr<const SegmentSet> OfGeneration(uint64_t generation) const;

  // Makes set the one that new searches use, and the state ready; counts a build.
  void Publish(std::shared_ptr<SegmentSet> set);
  // The same for a set that was built before the last start; builds: as many as there were by then.
  void PublishRestored(std::shared_ptr<SegmentSet> set, uint64_t builds);
  // Makes set the one that new searches use: the same rows with changes applied, or merged.
  // REQUIRES: Publish() came before, by the same definition.
  void PublishUpdate(std::shared_ptr<SegmentSet> set);

  // All commits before lsn are in current(). A smaller one than before changes nothing.
  void NoteApplied(uint64_t lsn);
  // 0: it does not follow its table.
  uint64_t applied_lsn() const { return applied_lsn_.load(std::memory_order_acquire); }
  // True when lsn has been applied; false when the time is over. Wakes up now and then, so that the
  // caller can look at what else may end his wait.
  bool WaitUntilApplied(uint64_t lsn, std::chrono::milliseconds time) const;
  // The end of the source's WAL as it was a moment ago, for the lag.
  void NoteSourcePosition(uint64_t lsn);

  // Drops the set (searches under way keep theirs) and makes the state unloaded.
  void Unload();
  // Drops the set: it is not true any more, or its memory is needed. The state stays.
  void DropSet();

  void SetState(CollectionState state, std::string phase, uint64_t total);
  // Makes the state error. The old set, if any, goes on serving. needs_user: it is of no use to
  // wait for the next try.
  void Fail(const Status& why, bool needs_user);
  // Notes what is wrong without a change of state (rejected rows).
  void SetLastError(std::string text);
  // Takes it back, unless something else was noted meanwhile.
  void ClearLastError(const std::string& text);
  CollectionState state() const;
  Progress& progress() { return progress_; }
  // How often its rows were copied and indexed.
  uint64_t builds() const;
  void NoteDiskBytes(uint64_t bytes) { disk_bytes_ = bytes; }
  // What the collection's memory is reserved from. Each SegmentSet must hold it
  // (SegmentSet::budget), since a search may keep a set for longer than the collection lives.
  const std::shared_ptr<MemoryBudget>& budget() const { return budget_; }

  vfdw::CollectionStatus GetStatus() const;
  vfdw::CollectionInfo GetInfo() const;
  // Why a search cannot be answered now: NOT_READY with the progress or the last error, UNLOADED,
  // or OUT_OF_MEMORY or DISK_FULL when that made the build fail.
  Status NotServing() const;
  // Why a search cannot be answered that asks for all commits before lsn: NOT_READY with how far it
  // is, and what keeps it from following its table.
  Status NotApplied(uint64_t lsn) const;

 private:
  std::string StateDetail() const REQUIRES(mu_);
  std::string LastError() const REQUIRES(mu_);  // a sentence
  Status FailedToBuild(const std::string& what) const REQUIRES(mu_);
  void BeginServing(std::shared_ptr<SegmentSet> set, std::shared_ptr<const SegmentSet>* old)
      REQUIRES(mu_);
  std::shared_ptr<const SegmentSet> Replace(std::shared_ptr<const SegmentSet> set) REQUIRES(mu_);
  void Advance(uint64_t lsn) REQUIRES(mu_);
  void ReportLag(vfdw::CollectionStatus* status) const REQUIRES(mu_);

  const std::string database_, name_;
  const std::shared_ptr<MemoryBudget> budget_;
  Progress progress_;
  std::atomic<uint64_t> disk_bytes_{0};

  mutable Mutex mu_;
  std::shared_ptr<const Definition> definition_ GUARDED_BY(mu_);
  std::shared_ptr<const SegmentSet> current_ GUARDED_BY(mu_);
  std::vector<std::weak_ptr<const SegmentSet>> retired_ GUARDED_BY(mu_);
  CollectionState state_ GUARDED_BY(mu_) = CollectionState::kCopying;
  std::string phase_ GUARDED_BY(mu_);
  std::string last_error_ GUARDED_BY(mu_);
  vfdw::ErrorCode failure_ GUARDED_BY(mu_) = vfdw::ErrorCode::OK;  // of the last build that failed
  bool needs_user_ GUARDED_BY(mu_) = false;                        // to get over it
  uint64_t builds_ GUARDED_BY(mu_) = 0;
  std::atomic<uint64_t> applied_lsn_{0};  // stored under mu_
  mutable CondVar applied_changed_;       // with mu_
  uint64_t source_lsn_ GUARDED_BY(mu_) = 0;
  // When all of source_lsn_ had been applied.
  std::chrono::steady_clock::time_point caught_up_at_ GUARDED_BY(mu_) =
      std::chrono::steady_clock::now();
};

}  // namespace vectord

#endif

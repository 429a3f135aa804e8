// collection.h - one collection: its definition, its state, and the set it answers from.
//
// States, who moves them (all by SetState, under mu_), and what is served meanwhile:
//
//   copying -> catching_up -> building -> ready   the builder (source/), per definition_id
//   any     -> error                              the builder giving up; source/ tries again
//   ready   -> unloaded                           the user, by the catalog's "loaded"
//   ready   -> copying                            a new definition: the old set goes on serving
//
// Nothing here survives a crash yet: after a restart every collection begins at copying.
//
// Threads: any. Searches take current() once and never wait for writers.
#ifndef VECTORD_COLLECTION_COLLECTION_H
#define VECTORD_COLLECTION_COLLECTION_H

#include <atomic>
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
  // Drops the set (searches under way keep theirs) and makes the state unloaded.
  void Unload();

  void SetState(CollectionState state, std::string phase, uint64_t total);
  // Makes the state error. The old set, if any, goes on serving.
  void Fail(const Status& why);
  // Notes what is wrong without a change of state (rejected rows).
  void SetLastError(std::string text);
  CollectionState state() const;
  Progress& progress() { return progress_; }
  // What the collection's memory is reserved from. Each SegmentSet must hold it
  // (SegmentSet::budget), since a search may keep a set for longer than the collection lives.
  const std::shared_ptr<MemoryBudget>& budget() const { return budget_; }

  vfdw::CollectionStatus GetStatus() const;
  vfdw::CollectionInfo GetInfo() const;
  // Why a search cannot be answered now: NOT_READY with the progress or the last error, UNLOADED,
  // or OUT_OF_MEMORY or DISK_FULL when that made the build fail.
  Status NotServing() const;

 private:
  Status FailedToBuild(const std::string& what) const REQUIRES(mu_);

  const std::string database_, name_;
  const std::shared_ptr<MemoryBudget> budget_;
  Progress progress_;

  mutable Mutex mu_;
  std::shared_ptr<const Definition> definition_ GUARDED_BY(mu_);
  std::shared_ptr<const SegmentSet> current_ GUARDED_BY(mu_);
  std::vector<std::weak_ptr<const SegmentSet>> retired_ GUARDED_BY(mu_);
  CollectionState state_ GUARDED_BY(mu_) = CollectionState::kCopying;
  std::string phase_ GUARDED_BY(mu_);
  std::string last_error_ GUARDED_BY(mu_);
  vfdw::ErrorCode failure_ GUARDED_BY(mu_) = vfdw::ErrorCode::OK;  // of the last build that failed
  uint64_t builds_ GUARDED_BY(mu_) = 0;
};

}  // namespace vectord

#endif

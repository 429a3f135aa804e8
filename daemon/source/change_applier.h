// change_applier.h - the changes of one source database on their way to the tables' feeds.
//
// Several collections may show one table, and each may have two incarnations at a time, so a change
// goes to any number of feeds. Changes name the partition in which they happened; feeds know the
// table at the root, so the applier keeps the ancestors of each relation that it has met.
//
// Publishing: at once when the stream has nothing more, else every few milliseconds. A collection's
// applied_lsn moves on with the stream, whether or not its table was touched.
//
// A feed that cannot take a change is broken and left behind; the stream never stops for it.
//
// Threads: the calls of ChangeSink by the stream's thread; the others by any.
#ifndef VECTORD_SOURCE_CHANGE_APPLIER_H
#define VECTORD_SOURCE_CHANGE_APPLIER_H

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "daemon/base/mutex.h"
#include "daemon/base/status.h"
#include "daemon/collection/compactor.h"
#include "daemon/source/change_sink.h"
#include "daemon/source/slot.h"
#include "daemon/source/stream_fault.h"
#include "daemon/source/table_feed.h"

namespace vectord {

class ChangeApplier final : public ChangeSink {
 public:
  // The relation and all relations above it (partitioned tables, parents), as they are now.
  using AncestorLookup = std::function<Result<std::vector<uint32_t>>(uint32_t relation)>;

  // compactor may be null, for tests; it outlives the applier.
  ChangeApplier(AncestorLookup lookup, Compactor* compactor);

  void Add(std::shared_ptr<TableFeed> feed);
  void Remove(const std::shared_ptr<TableFeed>& feed);
  // The incarnation of the feed takes the place of all others of its collection, which follow no
  // more. REQUIRES: the feed is Applying.
  Status Serve(const std::shared_ptr<TableFeed>& feed);
  // The first incarnation of a collection after a start. REQUIRES: no stream runs yet.
  Status ServeRestored(const std::shared_ptr<TableFeed>& feed, uint64_t builds);
  // Its rows from the disk were checked: segments may be merged now.
  void AllowMerges(const std::shared_ptr<TableFeed>& feed);
  // Ends all feeds of the collection.
  void RemoveCollection(const Collection& collection);
  // Ends all feeds; the next stream may start anywhere.
  void BreakAll(const Status& why);
  // For a server that does not know the transactions that were applied here: no collection may go
  // on answering by them.
  void BreakAndEmptyAll(const Status& why);

  // The server that the changes come from; BreakAll() forgets it.
  void SetSource(const SystemIdentity& source);
  // Zeroes: not known.
  ExpectedSource source() const;

  // ---- what is on disk. A checkpoint covers all that was served when it began; what begins to be
  // served later is not waited for, because it would be copied anew after a crash.
  struct CheckpointRound {
    uint64_t era = 0;  // all rows of an era come from one slot
    SystemIdentity source;
    Lsn position = Lsn::kNone;
    std::vector<std::shared_ptr<TableFeed>> feeds;
  };
  CheckpointRound BeginCheckpoint() const;
  // All feeds of the round are on disk as of its position or later.
  void FinishCheckpoint(const CheckpointRound& round);
  // Where the stream is to begin after a start: all that was restored is on disk up to there.
  // REQUIRES: no stream runs yet.
  void StartAt(Lsn durable_lsn);

  const SharedPosition& position() const { return position_; }

  // ---- ChangeSink
  Status Apply(const Transaction& transaction) override;
  void Progress(Lsn applied_end) override;
  void BeforeWait() override;
  Lsn DurableLsn() override;
  Status OnRelation(const Relation& relation, const Relation* previous) override;

 private:
  using Feeds = std::vector<std::shared_ptr<TableFeed>>;
  class Delivery;

  Status RefreshAncestors();
  Feeds FeedsOf(uint32_t relation);
  Feeds AllFeeds() const;
  void PublishAll();

  const AncestorLookup lookup_;
  Compactor* const compactor_;
  const SharedPosition position_ = std::make_shared<std::atomic<uint64_t>>(0);

  // Of the stream's thread.
  std::unordered_map<uint32_t, std::vector<uint32_t>> ancestors_;
  std::unordered_set<uint32_t> without_ancestors_;  // to be looked up before anything is applied
  bool ancestors_are_stale_ = false;
  bool is_unpublished_ = false;
  std::chrono::steady_clock::time_point published_at_;

  mutable Mutex mu_;  // nothing else is locked under it
  Feeds feeds_ GUARDED_BY(mu_);
  uint64_t era_ GUARDED_BY(mu_) = 0;
  SystemIdentity source_ GUARDED_BY(mu_);
  Lsn durable_lsn_ GUARDED_BY(mu_) = Lsn::kNone;
};

}  // namespace vectord

#endif

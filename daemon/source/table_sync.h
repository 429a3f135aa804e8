// table_sync.h - one try to bring a collection level with its table, and to keep it so.
//
//   start --Add()-----> buffering    the stream's transactions of the table are kept
//         --slot at C-> copying      rows as of C, by binary COPY under the slot's snapshot
//         --all came--> catching_up  kept transactions that committed at C or after it are applied
//         --no more---> following    the stream applies directly; the index is built beside
//         --built-----> serving      takes the place of the incarnation before it
//
// The thread of Run() moves it on, and the collection's state with it (copying, catching_up,
// building, ready). Whatever fails, here or in the stream (the feed is broken), ends the try; the
// rows are given up, and the next try begins at the start. After serving, only the feed lives on.
// Nothing of a try survives a crash; what is served is saved (checkpointer.h).
//
// Why no row is lost or doubled: the slot of the copy becomes consistent at C, and its snapshot
// sees exactly the transactions whose commit record starts before C. It is created when the feed is
// already keeping, and when the table has been in the publication for as long as any transaction
// that commits after C, because slots wait for the transactions that began before them.
#ifndef VECTORD_SOURCE_TABLE_SYNC_H
#define VECTORD_SOURCE_TABLE_SYNC_H

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "daemon/base/metrics.h"
#include "daemon/base/status.h"
#include "daemon/collection/compactor.h"
#include "daemon/source/change_feed.h"
#include "daemon/source/checkpointer.h"
#include "daemon/source/initial_copy.h"
#include "daemon/source/segment_assembler.h"
#include "daemon/source/stop_signal.h"
#include "daemon/source/table_feed.h"

namespace vectord {

// What the syncs of one source database share. It outlives them.
struct SyncContext {
  ChangeFeed* feed = nullptr;
  ChangeApplier* applier = nullptr;
  Checkpointer* checkpointer = nullptr;  // may be null, for tests
  Metrics* metrics = nullptr;
  FileSystem* files = nullptr;
  std::string scratch;    // directory of files that mean nothing after a crash
  std::string slot_name;  // of the permanent slot; those of copies are called after it
  const std::atomic<int>* index_threads = nullptr;
};

class TableSync {
 public:
  // Calls change(collection) unless the work was cancelled; false when it was.
  using Touch = std::function<bool(const std::function<void(Collection&)>& change)>;

  // What is given by reference outlives the sync.
  TableSync(std::shared_ptr<Collection> collection, CopySource source, const SyncContext& context,
            const StopSignal& stop, Touch touch);
  // Gives up the rows unless they are being served.
  ~TableSync();

  // Starts keeping changes. False when the stream is not open yet.
  bool Begin();
  // Up to copying. REQUIRES: Begin() was true.
  Status TakeSnapshot();
  uint64_t table_bytes() const { return copy_.table_bytes(); }
  // From there to serving.
  Status Run();

  const std::shared_ptr<TableFeed>& feed() const { return feed_; }

 private:
  Status Copy(SegmentAssembler* assembler);
  Status CatchUp(SegmentAssembler* assembler);
  Status BuildIndex();
  Status Serve();
  Status KeepGoing() const;

  const std::shared_ptr<Collection> collection_;
  const CopySource source_;
  const SyncContext& context_;
  const StopSignal& stop_;
  const Touch touch_;
  InitialCopy copy_;
  std::shared_ptr<TableFeed> feed_;
  bool is_serving_ = false;
};

}  // namespace vectord

#endif

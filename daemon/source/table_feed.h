// table_feed.h - the changes of one source table on their way into one incarnation.
//
//   Buffering --CatchUp(): what was kept is applied--> Applying
//       \------------------------ Break() ----------------\--> Broken: it must be copied anew
//
// An incarnation whose feed was Applying is retired with it. While the feed is Buffering the thread
// that copies owns the incarnation's rows, and gives them up (Dispose) when it has noticed.
//
// While the table is copied its transactions are kept (table_sync.h), beyond some memory in a file.
// Which of them count is known when the copy's snapshot is: those that committed at or after it;
// the copy has the others.
//
// Invariant: of every transaction all changes are applied or kept, or the feed is Broken. The
// incarnation's lock is held from Begin() to End(), so nobody else sees half of a transaction.
//
// Threads: Begin() to Publish() by the applier; SetStart(), Seed(), CatchUp() and Dispose() by
// the thread that copies the table; Break() and failure() by any.
#ifndef VECTORD_SOURCE_TABLE_FEED_H
#define VECTORD_SOURCE_TABLE_FEED_H

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "daemon/base/file.h"
#include "daemon/base/metrics.h"
#include "daemon/base/status.h"
#include "daemon/collection/compactor.h"
#include "daemon/collection/incarnation.h"
#include "daemon/source/row_reader.h"
#include "daemon/source/transaction.h"
#include "daemon/source/txn_buffer.h"

namespace vectord {

// Why a table has to be copied anew, when nothing is wrong with it.
Status ResyncStatus(const std::string& detail);

class TableFeed {
 public:
  // spill_path: of files that nobody else uses; something is appended. files outlives the feed.
  TableFeed(std::shared_ptr<Incarnation> incarnation, FileSystem* files, std::string spill_path);

  // Of rows that were read from the disk, where all commits before durable_lsn are: Applying from
  // there on. Not serving yet.
  static Result<std::shared_ptr<TableFeed>> Resume(std::shared_ptr<Incarnation> incarnation,
                                                   const SegmentSet& rows,
                                                   const std::vector<KeyHash>& rejected_keys,
                                                   Lsn durable_lsn);

  const std::shared_ptr<Incarnation>& incarnation() const { return incarnation_; }
  uint32_t table_oid() const { return incarnation_->definition()->table_oid; }

  // ---- the applier
  void Begin(const TransactionInfo& info) NO_THREAD_SAFETY_ANALYSIS;
  // A change of the table, or of a relation below it.
  void Take(const Change& change) NO_THREAD_SAFETY_ANALYSIS;
  // The transaction changed the table in a way that its changes do not tell.
  void TakeResync() NO_THREAD_SAFETY_ANALYSIS;
  // With an error: the rest of the transaction did not come.
  void End(const TransactionInfo& info, const Status& status) NO_THREAD_SAFETY_ANALYSIS;
  void Publish(Compactor* compactor);

  // ---- the copy
  // Transactions that committed before consistent_point are in the copy. Its slot was asked for at
  // slot_began: one that overlaps the making of the slot may be applied after the copy, with values
  // from before a resync that the copy has (types are altered without a lock on the table).
  void SetStart(Lsn slot_began, Lsn consistent_point);
  // The copied rows, and what is wrong with rejected ones. REQUIRES: Buffering. Without the lock,
  // which would hold up the applier: as long as the feed is Buffering nobody else uses the writer.
  Status Seed(const SegmentSet& copied, const std::vector<KeyHash>& rejected_keys,
              const std::string& first_rejection) NO_THREAD_SAFETY_ANALYSIS;
  // Applies what was kept. Afterwards the feed is Applying.
  Status CatchUp(const std::function<Status()>& keep_going);
  // The copy has failed, or is not wanted any more.
  void Dispose();

  // ---- the checkpoint
  struct Frozen {
    std::shared_ptr<const SegmentSet> rows;  // null: there is nothing to write
    std::vector<KeyHash> rejected_keys;
  };
  // What has been applied, when it is being served.
  Result<Frozen> Freeze();

  // ---- any
  void Break(const Status& why);
  // Rows that changes bring and that cannot be held are counted there from now on. counter outlives
  // the feed.
  void CountRejectionsIn(Counter* counter);
  // OK as long as the feed is Buffering or Applying.
  Status failure() const;

 private:
  enum class Mode { kBuffering, kApplying, kBroken };

  explicit TableFeed(std::shared_ptr<Incarnation> incarnation);
  void BreakLocked(const Status& why) REQUIRES(incarnation_->mu);
  Status TakeLocked(const Change& change) REQUIRES(incarnation_->mu);
  Status Keep(const Change& change) REQUIRES(incarnation_->mu);
  Status ApplyChange(const Change& change) REQUIRES(incarnation_->mu);
  Status ApplyRow(const Change& change) REQUIRES(incarnation_->mu);
  struct Backlog;
  std::unique_ptr<TxnBuffer> NewBacklog() REQUIRES(incarnation_->mu);
  Backlog TakeBacklog() REQUIRES(incarnation_->mu);
  Status ApplyKept(const Change& change, Backlog* backlog) REQUIRES(incarnation_->mu);

  const std::shared_ptr<Incarnation> incarnation_;
  FileSystem* const files_;
  const std::string spill_path_;

  // All under incarnation_->mu.
  Mode mode_ = Mode::kBuffering;
  Status failure_;
  RowReader reader_;
  IncomingRow row_;
  std::vector<std::string_view> old_key_;
  Counter* rejections_ = nullptr;

  struct KeptTransaction {
    RowTag tag;
    uint64_t first_change;  // in the backlog
  };

  bool is_skipping_ = false;                   // the transaction is in the copy
  RowTag tag_;                                 // of the transaction under way
  Lsn start_ = Lsn::kNone;                     // of what is applied; none: not known yet
  Lsn resync_start_ = Lsn::kNone;              // resyncs from there on break the feed
  std::vector<KeptTransaction> transactions_;  // in the backlog, in order
  Lsn resync_lsn_ = Lsn::kNone;  // of the last transaction with a resync, until start_ is known
  uint64_t skipped_ = 0;         // changes at the start of the backlog that are in the copy
  uint64_t backlogs_made_ = 0;
  std::unique_ptr<TxnBuffer> backlog_;
};

}  // namespace vectord

#endif

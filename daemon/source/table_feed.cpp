// table_feed.cpp - see table_feed.h.
#include "daemon/source/table_feed.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "daemon/base/refused_memory.h"

namespace vectord {
namespace {

constexpr size_t kBacklogBytes = 16 << 20;
// So few that they are applied while the stream waits.
constexpr uint64_t kLastChanges = 1000;
// A writer that is faster than the table's would catch up in fewer rounds; a slower one never
// would, so then the stream waits.
constexpr int kRounds = 20;
constexpr uint64_t kChangesBetweenSets = 4096;
constexpr char kToApply[] = "apply changes";

}  // namespace

Status ResyncStatus(const std::string& detail) {
  return Status(ErrorCode::SOURCE_FAILED, "the table is copied anew",
                detail + " The stream of changes does not say which rows that has changed.");
}

// Without a backlog.
TableFeed::TableFeed(std::shared_ptr<Incarnation> incarnation)
    : incarnation_(std::move(incarnation)), files_(nullptr), reader_{incarnation_->definition()} {}

TableFeed::TableFeed(std::shared_ptr<Incarnation> incarnation, FileSystem* files,
                     std::string spill_path)
    : incarnation_(std::move(incarnation)),
      files_(files),
      spill_path_(std::move(spill_path)),
      reader_{incarnation_->definition()} {
  MutexLock lock(incarnation_->mu);
  backlog_ = NewBacklog();
}

std::unique_ptr<TxnBuffer> TableFeed::NewBacklog() {
  TxnBufferOptions options;
  options.memory_limit_bytes = kBacklogBytes;
  options.spill_path = spill_path_ + "-" + std::to_string(backlogs_made_++);
  auto backlog = std::make_unique<TxnBuffer>(incarnation_->collection()->budget().get(), files_,
                                             std::move(options), [] { return Status(); });
  backlog->Begin(FullXid::kNobody, Lsn::kNone, 0);
  return backlog;
}

// ---- the applier ------------------------------------------------------------------------------

void TableFeed::Begin(const TransactionInfo& info) {
  incarnation_->mu.Lock();
  tag_ = {static_cast<uint64_t>(info.xid), static_cast<uint64_t>(info.commit_lsn)};
  is_skipping_ = start_ != Lsn::kNone && info.commit_lsn < start_;
  if (mode_ == Mode::kBuffering && !is_skipping_)
    transactions_.push_back({tag_, backlog_->info().changes});
  // A merge or a failed set may have ended it.
  if (mode_ == Mode::kApplying && incarnation_->state() == Incarnation::State::kRetired)
    BreakLocked(incarnation_->failure());
}

void TableFeed::Take(const Change& change) {
  if (mode_ == Mode::kBroken || is_skipping_) return;
  const Status status =
      WithRefusedMemory(kToApply, [&]() NO_THREAD_SAFETY_ANALYSIS { return TakeLocked(change); });
  if (!status.ok()) BreakLocked(status);
}

Status TableFeed::TakeLocked(const Change& change) {
  return mode_ == Mode::kBuffering ? Keep(change) : ApplyChange(change);
}

void TableFeed::TakeResync() {
  if (mode_ == Mode::kBroken) return;
  const auto commit_lsn = static_cast<Lsn>(tag_.commit_lsn);
  if (start_ == Lsn::kNone)
    resync_lsn_ = commit_lsn;
  else if (commit_lsn >= resync_start_)
    BreakLocked(ResyncStatus("It was changed by DDL."));
}

void TableFeed::End(const TransactionInfo& info, const Status& status) {
  if (!status.ok())
    BreakLocked(status);
  else if (mode_ == Mode::kApplying)
    incarnation_->NoteApplied(static_cast<uint64_t>(info.end_lsn));
  incarnation_->mu.Unlock();
}

void TableFeed::Publish(Compactor* compactor) {
  bool wants_merge = false;
  {
    MutexLock lock(incarnation_->mu);
    if (mode_ != Mode::kApplying) return;
    if (incarnation_->state() == Incarnation::State::kRetired) {
      BreakLocked(incarnation_->failure());
      return;
    }
    const bool has_changes = incarnation_->writer().dirty();
    const Status status = WithRefusedMemory(
        kToApply, [&]() NO_THREAD_SAFETY_ANALYSIS { return incarnation_->Publish(); });
    if (!status.ok()) {
      BreakLocked(status);
      return;
    }
    wants_merge = has_changes && incarnation_->state() == Incarnation::State::kServing &&
                  incarnation_->writer().WantsMerge();
  }
  if (wants_merge && compactor != nullptr) compactor->Notify(incarnation_);
}

// ---- applying ---------------------------------------------------------------------------------

Status TableFeed::Keep(const Change& change) {
  const std::shared_ptr<const Relation> relation = change.relation->shared_from_this();
  if (change.kind == ChangeKind::kTruncate)
    return backlog_->AppendTruncate(relation, change.cascade);
  return backlog_->Append(change.message, relation);
}

Status TableFeed::ApplyChange(const Change& change) {
  if (change.kind != ChangeKind::kTruncate) return ApplyRow(change);
  // Which rows stood in which partition is not known here.
  if (change.relation->id != table_oid() || incarnation_->definition()->partitioned)
    return ResyncStatus("A part of it, " + change.relation->QualifiedName() + ", was truncated.");
  return incarnation_->writer().Truncate();
}

Status TableFeed::ApplyRow(const Change& change) {
  CollectionWriter& writer = incarnation_->writer();
  VFDW_RETURN_IF_ERROR(reader_.Bind(*change.relation));
  VFDW_RETURN_IF_ERROR(reader_.ReadOldKey(change, &old_key_));
  if (change.kind == ChangeKind::kDelete) return writer.Delete(old_key_);
  VFDW_RETURN_IF_ERROR(reader_.ReadRow(change, writer.dimensions(), &row_));
  row_.tag = tag_;
  if (row_.vector_change == VectorChange::kRejected && rejections_ != nullptr) rejections_->Add();
  return change.kind == ChangeKind::kInsert ? writer.Insert(row_) : writer.Update(old_key_, row_);
}

void TableFeed::CountRejectionsIn(Counter* counter) {
  MutexLock lock(incarnation_->mu);
  rejections_ = counter;
}

// ---- the copy ---------------------------------------------------------------------------------

void TableFeed::SetStart(Lsn slot_began, Lsn consistent_point) {
  MutexLock lock(incarnation_->mu);
  start_ = consistent_point;
  resync_start_ = slot_began;
  incarnation_->NoteApplied(static_cast<uint64_t>(consistent_point));
  if (mode_ != Mode::kBuffering) return;
  skipped_ = backlog_->info().changes;
  const auto first =
      std::find_if(transactions_.begin(), transactions_.end(), [&](const KeptTransaction& kept) {
        return static_cast<Lsn>(kept.tag.commit_lsn) >= consistent_point;
      });
  if (first != transactions_.end()) skipped_ = first->first_change;
  transactions_.erase(transactions_.begin(), first);
  if (resync_lsn_ != Lsn::kNone && resync_lsn_ >= slot_began)
    BreakLocked(ResyncStatus("It was changed by DDL."));
}

Status TableFeed::Seed(const SegmentSet& copied, const std::vector<KeyHash>& rejected_keys,
                       const std::string& first_rejection) {
  VFDW_RETURN_IF_ERROR(failure());
  return incarnation_->writer().Seed(copied, rejected_keys, first_rejection);
}

struct TableFeed::Backlog {
  std::unique_ptr<TxnBuffer> changes;
  std::vector<KeptTransaction> transactions;
  uint64_t skipped = 0;  // changes at its start that are in the copy
  uint64_t seen = 0;
  size_t transaction = 0;  // of the change last seen
};

TableFeed::Backlog TableFeed::TakeBacklog() {
  Backlog backlog;
  backlog.skipped = std::exchange(skipped_, 0);
  backlog.transactions = std::exchange(transactions_, {});
  backlog.changes = std::exchange(backlog_, NewBacklog());
  return backlog;
}

Status TableFeed::ApplyKept(const Change& change, Backlog* backlog) {
  const uint64_t position = backlog->seen++;
  if (position < backlog->skipped) return {};
  const std::vector<KeptTransaction>& kept = backlog->transactions;
  while (backlog->transaction + 1 < kept.size() &&
         kept[backlog->transaction + 1].first_change <= position)
    backlog->transaction++;
  tag_ = kept[backlog->transaction].tag;
  return ApplyChange(change);
}

Status TableFeed::CatchUp(const std::function<Status()>& keep_going) {
  for (int round = 0;; round++) {
    Backlog backlog;
    Status status;
    {
      MutexLock lock(incarnation_->mu);
      if (mode_ == Mode::kBroken) return failure_;
      const bool is_last = backlog_->info().changes <= kLastChanges || round == kRounds;
      backlog = TakeBacklog();
      status = backlog.changes->Commit(Lsn::kNone);
      if (is_last && status.ok()) {
        status = backlog.changes->ForEach([&](const Change& change) NO_THREAD_SAFETY_ANALYSIS {
          return ApplyKept(change, &backlog);  // the lock is held
        });
        if (status.ok()) {
          mode_ = Mode::kApplying;
          backlog_.reset();
          return {};
        }
      }
      if (!status.ok()) {
        BreakLocked(status);
        return status;
      }
    }
    status = backlog.changes->ForEach([&](const Change& change) -> Status {
      MutexLock lock(incarnation_->mu);
      if (mode_ == Mode::kBroken) return failure_;
      VFDW_RETURN_IF_ERROR(ApplyKept(change, &backlog));
      if (backlog.seen % kChangesBetweenSets != 0) return {};
      VFDW_RETURN_IF_ERROR(keep_going());
      return incarnation_->Publish();
    });
    if (!status.ok()) {
      Break(status);
      return status;
    }
  }
}

// ---- the disk ---------------------------------------------------------------------------------

Result<std::shared_ptr<TableFeed>> TableFeed::Resume(std::shared_ptr<Incarnation> incarnation,
                                                     const SegmentSet& rows,
                                                     const std::vector<KeyHash>& rejected_keys,
                                                     Lsn durable_lsn) {
  std::shared_ptr<TableFeed> feed(new TableFeed(std::move(incarnation)));
  MutexLock lock(feed->incarnation_->mu);
  VFDW_RETURN_IF_ERROR(feed->incarnation_->writer().Seed(rows, rejected_keys));
  feed->incarnation_->NoteApplied(static_cast<uint64_t>(durable_lsn));
  feed->start_ = feed->resync_start_ = durable_lsn;
  feed->mode_ = Mode::kApplying;
  return feed;
}

Result<TableFeed::Frozen> TableFeed::Freeze() {
  MutexLock lock(incarnation_->mu);
  Frozen frozen;
  if (mode_ != Mode::kApplying || incarnation_->state() != Incarnation::State::kServing)
    return frozen;
  const Status status =
      WithRefusedMemory("save the collection", [&]() NO_THREAD_SAFETY_ANALYSIS -> Status {
        VFDW_ASSIGN_OR_RETURN(frozen.rows, incarnation_->Freeze());
        frozen.rejected_keys = incarnation_->writer().rejected_keys();
        return {};
      });
  if (status.ok()) return frozen;
  BreakLocked(status);
  return status;
}

// ---- the end ----------------------------------------------------------------------------------

void TableFeed::BreakLocked(const Status& why) {
  if (mode_ == Mode::kBroken) return;
  const bool owned_by_copy = mode_ == Mode::kBuffering;
  mode_ = Mode::kBroken;
  failure_ = why.ok() ? Status(ErrorCode::CANCELED, "the collection was replaced") : why;
  backlog_.reset();
  transactions_ = {};
  if (!owned_by_copy && incarnation_->state() != Incarnation::State::kRetired)
    incarnation_->Retire(failure_);
}

void TableFeed::Dispose() {
  MutexLock lock(incarnation_->mu);
  BreakLocked(Status(ErrorCode::CANCELED, "the collection was not built"));
  if (incarnation_->state() != Incarnation::State::kRetired) incarnation_->Retire(failure_);
}

void TableFeed::Break(const Status& why) {
  MutexLock lock(incarnation_->mu);
  BreakLocked(why);
}

Status TableFeed::failure() const {
  MutexLock lock(incarnation_->mu);
  if (mode_ == Mode::kBroken) return failure_;
  return incarnation_->state() == Incarnation::State::kRetired ? incarnation_->failure() : Status();
}

}  // namespace vectord

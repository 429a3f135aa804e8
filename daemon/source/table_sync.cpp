// table_sync.cpp - see table_sync.h.
#include "daemon/source/table_sync.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <random>
#include <utility>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/base/lsn_text.h"
#include "daemon/collection/segment_merge.h"
#include "daemon/source/publication.h"

namespace vectord {
namespace {

double SecondsSince(int64_t start_ns) {
  return static_cast<double>(SteadyNowNs() - start_ns) / 1e9;
}

// All that is committed later has its commit record there or behind.
Result<Lsn> ReadPosition(PgConnection* connection) {
  VFDW_ASSIGN_OR_RETURN(
      const PgRows rows,
      connection->Exec("SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() "
                       "ELSE pg_current_wal_insert_lsn() END::text"));
  return ParseLsn(rows.at(0).at(0).value_or("")).value_or(Lsn::kNone);
}

// Unique in the cluster, also among daemons of the same name.
std::string NewCopySlotName(const std::string& slot_name) {
  static std::atomic<uint32_t> count{0};
  std::random_device random;
  char suffix[32];
  snprintf(suffix, sizeof(suffix), "_copy_%08x_%x", random(), count++);
  return slot_name.substr(0, 40) + suffix;
}

}  // namespace

TableSync::TableSync(std::shared_ptr<Collection> collection, CopySource source,
                     const SyncContext& context, const StopSignal& stop, Touch touch)
    : collection_(std::move(collection)),
      source_(std::move(source)),
      context_(context),
      stop_(stop),
      touch_(std::move(touch)),
      copy_(source_, stop) {}

TableSync::~TableSync() {
  if (feed_ == nullptr || is_serving_) return;
  context_.applier->Remove(feed_);
  feed_->Dispose();
}

bool TableSync::Begin() {
  static std::atomic<uint64_t> count{0};
  auto incarnation =
      std::make_shared<Incarnation>(collection_, source_.definition, context_.applier->position());
  auto feed = std::make_shared<TableFeed>(std::move(incarnation), context_.files,
                                          context_.scratch + "/backlog-" + std::to_string(count++));
  feed->CountRejectionsIn(&context_.metrics->rows_rejected);
  if (!context_.feed->Add(feed)) return false;
  feed_ = std::move(feed);
  return true;
}

Status TableSync::TakeSnapshot() {
  VFDW_ASSIGN_OR_RETURN(auto connection, PgConnection::Connect(source_.dsn, stop_));
  VFDW_ASSIGN_OR_RETURN(const std::vector<Status> problems,
                        CheckPublished(connection.get(), {source_.definition}));
  VFDW_RETURN_IF_ERROR(problems.at(0));
  VFDW_ASSIGN_OR_RETURN(const std::string storage,
                        ReadStorageIdentity(connection.get(), source_.definition->table_oid));
  VFDW_ASSIGN_OR_RETURN(const Lsn slot_began, ReadPosition(connection.get()));
  connection.reset();

  VFDW_ASSIGN_OR_RETURN(auto replication, ReplicationConnection::Connect(source_.dsn, stop_));
  NewSlot slot;
  slot.name = NewCopySlotName(context_.slot_name);
  slot.temporary = slot.export_snapshot = true;
  VFDW_ASSIGN_OR_RETURN(
      const CreatedSlot created,
      CreateSlot(replication.get(), slot, source_.dsn, stop_, [this](const auto& blockers) {
        touch_([&](Collection& it) {
          it.SetState(CollectionState::kCopying,
                      "waiting for the transaction of " +
                          (blockers.empty() ? "nobody" : blockers[0].ToString()),
                      0);
        });
      }));
  feed_->SetStart(slot_began, created.consistent_point);
  // The slot goes with its connection, so that it keeps no WAL while rows are copied.
  VFDW_RETURN_IF_ERROR(
      copy_.Begin(created.snapshot_name, storage, [&replication] { replication.reset(); }));
  LogDebug({collection_->name()}, "is copied as of {}", LsnText(created.consistent_point));
  return {};
}

Status TableSync::KeepGoing() const {
  if (stop_.requested()) return Status(ErrorCode::CANCELED, "the work on the source was stopped");
  return feed_->failure();
}

Status TableSync::Run() {
  VFDW_ASSIGN_OR_RETURN(auto assembler,
                        SegmentAssembler::Create(collection_->budget(), source_.definition,
                                                 copy_.totals(), *context_.index_threads));
  VFDW_RETURN_IF_ERROR(Copy(assembler.get()));
  VFDW_RETURN_IF_ERROR(CatchUp(assembler.get()));
  assembler.reset();
  VFDW_RETURN_IF_ERROR(BuildIndex());
  return Serve();
}

Status TableSync::Copy(SegmentAssembler* assembler) {
  const uint64_t rows = copy_.totals().rows;
  touch_([&](Collection& it) { it.SetState(CollectionState::kCopying, "copying rows", rows); });
  const int64_t start_ns = SteadyNowNs();
  VFDW_RETURN_IF_ERROR(copy_.Run([&](const RowBatch& batch) -> Status {
    VFDW_RETURN_IF_ERROR(KeepGoing());
    VFDW_RETURN_IF_ERROR(assembler->Add(batch));
    collection_->progress().done += batch.rows();
    context_.metrics->rows_copied.Add(batch.rows());
    context_.metrics->rows_rejected.Add(batch.rejected_rows);
    return {};
  }));
  const double seconds = SecondsSince(start_ns);
  LogInfo({collection_->name()}, "copied {} rows in {:.2f} s ({:.0f} rows/s)", rows, seconds,
          static_cast<double>(rows) / std::max(seconds, 1e-9));
  return {};
}

Status TableSync::CatchUp(SegmentAssembler* assembler) {
  touch_([](Collection& it) {
    it.SetState(CollectionState::kCatchingUp, "applying changes made during the copy", 0);
  });
  VFDW_ASSIGN_OR_RETURN(const auto copied, assembler->Assemble(IndexKind::kFlat, BuildControl()));
  VFDW_RETURN_IF_ERROR(
      feed_->Seed(*copied, assembler->rejected_keys(), assembler->first_rejection()));
  return feed_->CatchUp([this]() -> Status {
    if (stop_.requested()) return Status(ErrorCode::CANCELED, "the work on the source was stopped");
    return {};
  });
}

// Of the copied rows only: those that come meanwhile are left to the compactor, since under steady
// writing there would be no end of them.
Status TableSync::BuildIndex() {
  Incarnation& incarnation = *feed_->incarnation();
  const std::string index = IndexKindName(source_.definition->index.kind);
  std::optional<MergePlan> plan;
  {
    MutexLock lock(incarnation.mu);
    if (incarnation.state() == Incarnation::State::kRetired) return incarnation.failure();
    plan = incarnation.writer().PlanFirstIndex();
  }
  if (!plan) return {};
  const uint64_t rows = plan->views[0]->rows();
  touch_([&](Collection& it) {
    it.SetState(CollectionState::kBuilding, "building " + index + " index", rows);
  });
  const int64_t start_ns = SteadyNowNs();
  BuildControl control;
  control.threads = *context_.index_threads;
  control.cancelled = stop_.flag();
  control.rows_done = &collection_->progress().done;
  VFDW_RETURN_IF_ERROR(RunMerge(&incarnation, *plan, control));
  LogInfo({collection_->name()}, "built the {} index of {} rows in {:.2f} s", index, rows,
          SecondsSince(start_ns));
  return {};
}

Status TableSync::Serve() {
  Status status;
  const bool touched = touch_([&](Collection& /*it*/) { status = context_.applier->Serve(feed_); });
  if (!touched) return Status(ErrorCode::CANCELED, "the work on the source was stopped");
  VFDW_RETURN_IF_ERROR(status);
  is_serving_ = true;
  context_.metrics->builds.Add();
  if (context_.checkpointer != nullptr) context_.checkpointer->Soon();
  const std::string rejections = [&] {
    MutexLock lock(feed_->incarnation()->mu);
    return feed_->incarnation()->RejectionText();
  }();
  if (!rejections.empty()) LogWarning({collection_->name()}, "{}", rejections);
  return {};
}

}  // namespace vectord

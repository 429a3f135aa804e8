// collection.cpp - see collection.h.
#include "daemon/collection/collection.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "daemon/base/lsn_text.h"

namespace vectord {
namespace {

size_t LimitOf(const Definition& definition) {
  return definition.memory_limit == 0 ? std::numeric_limits<size_t>::max()
                                      : static_cast<size_t>(definition.memory_limit);
}

const char* MetricName(vfdw_metric metric) {
  switch (metric) {
#define VFDW_METRIC_CASE_(value, name, op) \
  case value:                              \
    return name;
    VFDW_METRICS(VFDW_METRIC_CASE_)
#undef VFDW_METRIC_CASE_
  }
  return "unknown";
}

// The largest effort of searches of the 10 nearest that name none, and the recall that it was
// measured to have, over all segments. 0: they scan, or it was not measured.
void ReportEffort(const SegmentSet& set, const Definition& definition,
                  vfdw::CollectionStatus* status) {
  const uint32_t chosen =
      definition.index.kind == IndexKind::kIvf ? definition.nprobe : definition.ef_search;
  double found = 0;
  size_t rows = 0;
  bool all_known = true;
  for (const SegmentView& segment : set.segments) {
    if (!segment->has_vectors()) continue;
    const Index& index = segment->index();
    const uint32_t effort = chosen != 0 ? chosen : index.EffortFor(definition.target_recall);
    const std::optional<double> recall = index.ExpectedRecall(effort);
    if (!index.Scans(effort)) status->effort = std::max(status->effort, effort);
    all_known = all_known && recall.has_value();
    found += recall.value_or(0) * static_cast<double>(segment.live_rows);
    rows += segment.live_rows;
  }
  if (all_known && rows > 0) status->measured_recall = found / static_cast<double>(rows);
}

}  // namespace

const char* StateName(CollectionState state) {
  switch (state) {
    case CollectionState::kCopying:
      return "copying";
    case CollectionState::kCatchingUp:
      return "catching_up";
    case CollectionState::kBuilding:
      return "building";
    case CollectionState::kReady:
      return "ready";
    case CollectionState::kUnloaded:
      return "unloaded";
    case CollectionState::kError:
      return "error";
  }
  return "unknown";
}

Collection::Collection(Definition definition, MemoryBudget* budget)
    : database_(definition.database),
      name_(definition.name),
      budget_(std::make_shared<MemoryBudget>(LimitOf(definition), "collection " + definition.name,
                                             budget)),
      definition_(std::make_shared<const Definition>(std::move(definition))) {}

std::shared_ptr<const Definition> Collection::definition() const {
  MutexLock lock(mu_);
  return definition_;
}

void Collection::SetDefinition(Definition definition) {
  budget_->SetLimit(LimitOf(definition));
  auto owned = std::make_shared<const Definition>(std::move(definition));
  MutexLock lock(mu_);
  definition_ = std::move(owned);
}

std::shared_ptr<const SegmentSet> Collection::current() const {
  MutexLock lock(mu_);
  return current_;
}

std::shared_ptr<const SegmentSet> Collection::OfGeneration(uint64_t generation) const {
  MutexLock lock(mu_);
  if (current_ && current_->generation == generation) return current_;
  for (const auto& weak : retired_) {
    auto set = weak.lock();
    if (set && set->generation == generation) return set;
  }
  return nullptr;
}

// Returns the old set, which is to be freed without the lock: it may be large.
std::shared_ptr<const SegmentSet> Collection::Replace(std::shared_ptr<const SegmentSet> set) {
  std::shared_ptr<const SegmentSet> old = std::move(current_);
  current_ = std::move(set);
  retired_.erase(std::remove_if(retired_.begin(), retired_.end(),
                                [](const auto& weak) { return weak.expired(); }),
                 retired_.end());
  if (old) retired_.push_back(old);
  return old;
}

void Collection::Publish(std::shared_ptr<SegmentSet> set) {
  std::shared_ptr<const SegmentSet> old;
  MutexLock lock(mu_);
  BeginServing(std::move(set), &old);
  builds_++;
}

void Collection::PublishRestored(std::shared_ptr<SegmentSet> set, uint64_t builds) {
  std::shared_ptr<const SegmentSet> old;
  MutexLock lock(mu_);
  BeginServing(std::move(set), &old);
  builds_ = builds;
}

// *old is to be freed without the lock, as that of Replace().
void Collection::BeginServing(std::shared_ptr<SegmentSet> set,
                              std::shared_ptr<const SegmentSet>* old) {
  const uint64_t as_of = set->as_of;
  *old = Replace(std::move(set));
  Advance(as_of);
  state_ = CollectionState::kReady;
  phase_.clear();
  last_error_.clear();
  progress_.done = 0;
  progress_.total = 0;
}

uint64_t Collection::builds() const {
  MutexLock lock(mu_);
  return builds_;
}

void Collection::PublishUpdate(std::shared_ptr<SegmentSet> set) {
  std::shared_ptr<const SegmentSet> old;
  MutexLock lock(mu_);
  const uint64_t as_of = set->as_of;
  old = Replace(std::move(set));
  Advance(as_of);
}

void Collection::Unload() {
  std::shared_ptr<const SegmentSet> old;
  MutexLock lock(mu_);
  old = Replace(nullptr);
  applied_lsn_.store(0, std::memory_order_release);
  state_ = CollectionState::kUnloaded;
  phase_.clear();
  progress_.done = 0;
  progress_.total = 0;
}

void Collection::DropSet() {
  std::shared_ptr<const SegmentSet> old;
  MutexLock lock(mu_);
  old = Replace(nullptr);
  applied_lsn_.store(0, std::memory_order_release);
}

void Collection::NoteApplied(uint64_t lsn) {
  if (lsn <= applied_lsn()) return;
  MutexLock lock(mu_);
  if (current_ != nullptr) Advance(lsn);
}

void Collection::Advance(uint64_t lsn) {
  if (lsn <= applied_lsn()) return;
  applied_lsn_.store(lsn, std::memory_order_release);
  if (lsn >= source_lsn_) caught_up_at_ = std::chrono::steady_clock::now();
  applied_changed_.NotifyAll();
}

bool Collection::WaitUntilApplied(uint64_t lsn, std::chrono::milliseconds time) const {
  if (applied_lsn() >= lsn) return true;
  MutexLock lock(mu_);
  if (applied_lsn() < lsn) (void)applied_changed_.WaitFor(mu_, time);
  return applied_lsn() >= lsn;
}

void Collection::NoteSourcePosition(uint64_t lsn) {
  MutexLock lock(mu_);
  source_lsn_ = lsn;
  if (applied_lsn() >= lsn) caught_up_at_ = std::chrono::steady_clock::now();
}

void Collection::ReportLag(vfdw::CollectionStatus* status) const {
  status->applied_lsn = applied_lsn();
  if (status->applied_lsn == 0 || source_lsn_ <= status->applied_lsn) return;
  const auto behind = std::chrono::steady_clock::now() - caught_up_at_;
  status->lag_bytes = source_lsn_ - status->applied_lsn;
  status->lag_ms =
      static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(behind).count());
}

void Collection::SetState(CollectionState state, std::string phase, uint64_t total) {
  MutexLock lock(mu_);
  state_ = state;
  phase_ = std::move(phase);
  progress_.done = 0;
  progress_.total = total;
}

void Collection::Fail(const Status& why, bool needs_user) {
  MutexLock lock(mu_);
  state_ = CollectionState::kError;
  phase_.clear();
  last_error_ = why.ToString();
  failure_ = why.code();
  needs_user_ = needs_user;
}

void Collection::SetLastError(std::string text) {
  MutexLock lock(mu_);
  last_error_ = std::move(text);
}

void Collection::ClearLastError(const std::string& text) {
  MutexLock lock(mu_);
  if (last_error_ == text) last_error_.clear();
}

CollectionState Collection::state() const {
  MutexLock lock(mu_);
  return state_;
}

vfdw::CollectionStatus Collection::GetStatus() const {
  vfdw::CollectionStatus status;
  MutexLock lock(mu_);
  status.schema = definition_->schema;
  status.name = name_;
  status.state = StateName(state_);
  status.metric = MetricName(definition_->index.metric);
  status.index = IndexKindName(definition_->index.kind);
  status.phase = phase_;
  status.last_error = last_error_;
  status.definition_id = definition_->definition_id;
  status.dimensions = definition_->dimensions;
  status.memory_bytes = budget_->used();
  status.disk_bytes = disk_bytes_;
  status.phase_done = progress_.done;
  status.phase_total = progress_.total;
  status.builds = builds_;
  status.serving = current_ != nullptr;
  if (state_ == CollectionState::kError) {
    status.failure = static_cast<uint32_t>(failure_);
    status.needs_user = needs_user_;
  }
  if (current_) {
    ReportEffort(*current_, *definition_, &status);
    status.rows = current_->rows;
    status.deleted_rows = current_->deleted_rows;
    status.null_vectors = current_->rows - current_->vector_rows;
    status.rejected_rows = current_->rejected_rows;
    if (current_->dimensions != 0) status.dimensions = current_->dimensions;
    status.segments = static_cast<uint32_t>(current_->segments.size());
    ReportLag(&status);
  }
  return status;
}

vfdw::CollectionInfo Collection::GetInfo() const {
  vfdw::CollectionInfo info;
  MutexLock lock(mu_);
  info.schema = definition_->schema;
  info.name = name_;
  info.source_table = definition_->table;
  info.metric = static_cast<uint8_t>(definition_->index.metric);
  info.index = IndexKindName(definition_->index.kind);
  info.dimensions = current_ ? current_->dimensions : definition_->dimensions;
  info.rows = current_ ? current_->rows : 0;
  info.state = StateName(state_);
  for (const ColumnDefinition& column : definition_->columns)
    info.columns.push_back({column.name, column.type_oid, column.type_name, column.type_modifier,
                            static_cast<uint8_t>(column.role),
                            static_cast<uint8_t>(column.encoding), column.not_null});
  return info;
}

std::string Collection::LastError() const {
  if (last_error_.empty()) return "Its last build failed.";
  return last_error_.back() == '.' ? last_error_ : last_error_ + ".";
}

// Over a limit is an error of its own; whatever else it was, nobody can say more than "not ready".
Status Collection::FailedToBuild(const std::string& what) const {
  const bool over_limit = failure_ == ErrorCode::OUT_OF_MEMORY || failure_ == ErrorCode::DISK_FULL;
  return Status(over_limit ? failure_ : ErrorCode::NOT_READY, what + "could not be built",
                LastError(),
                over_limit ? std::string()
                           : "See vector_fdw.stat_collections; vectord tries again by itself.");
}

Status Collection::NotServing() const {
  MutexLock lock(mu_);
  const std::string what = "collection \"" + name_ + "\" ";
  if (state_ == CollectionState::kUnloaded || !definition_->loaded)
    return Status(ErrorCode::UNLOADED, what + "is unloaded",
                  "Its definition is kept, its memory was freed.");
  if (state_ == CollectionState::kError) return FailedToBuild(what);
  return Status(ErrorCode::NOT_READY, what + "is not ready yet", StateDetail());
}

std::string Collection::StateDetail() const {
  std::string detail = "It is " + std::string(StateName(state_));
  if (!phase_.empty()) detail += " (" + phase_ + ")";
  if (const uint64_t total = progress_.total; total > 0)
    detail += ": " + std::to_string(progress_.done) + " of " + std::to_string(total) + " done";
  return detail + ".";
}

Status Collection::NotApplied(uint64_t lsn) const {
  MutexLock lock(mu_);
  if (state_ == CollectionState::kError)
    return Status(ErrorCode::NOT_READY, "collection \"" + name_ + "\" does not follow its table",
                  LastError(),
                  "See vector_fdw.stat_collections; vectord tries again by itself. With "
                  "vector_fdw.consistency \"eventual\" what it has is searched.");
  return Status(ErrorCode::NOT_READY,
                "collection \"" + name_ + "\" has not applied all that this search asks for",
                "All commits before " + LsnText(static_cast<Lsn>(lsn)) +
                    " are asked for, those before " + LsnText(static_cast<Lsn>(applied_lsn())) +
                    " have been applied. " + StateDetail(),
                "Try again or raise vector_fdw.request_timeout. With vector_fdw.consistency "
                "\"eventual\" what it has is searched.");
}

}  // namespace vectord

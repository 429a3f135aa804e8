// incarnation.cpp - see incarnation.h.
#include "daemon/collection/incarnation.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace vectord {

Incarnation::Incarnation(std::shared_ptr<Collection> collection,
                         std::shared_ptr<const Definition> definition,
                         SharedPosition stream_position)
    : collection_(std::move(collection)),
      definition_(std::move(definition)),
      stream_position_(std::move(stream_position)),
      writer_(std::make_unique<CollectionWriter>(definition_, collection_->budget())) {}

// The stream may have passed transactions that did not touch this table, or not yet have been told
// that the last one was applied.
uint64_t Incarnation::AppliedLsn() const {
  return std::max(applied_lsn_, stream_position_->load(std::memory_order_acquire));
}

Status Incarnation::Publish() {
  assert(state_ != State::kRetired);
  const uint64_t applied_lsn = AppliedLsn();
  if (!writer_->dirty()) {
    if (state_ == State::kServing) collection_->NoteApplied(applied_lsn);
    return {};
  }
  const Status status = PublishChanges(applied_lsn);
  if (!status.ok()) Retire(status);
  return status;
}

Status Incarnation::PublishChanges(uint64_t applied_lsn) {
  VFDW_ASSIGN_OR_RETURN(std::shared_ptr<SegmentSet> set, writer_->MakeSet(applied_lsn));
  if (state_ != State::kServing) return {};
  collection_->PublishUpdate(std::move(set));
  const std::string rejection = RejectionText();
  if (rejection == shown_rejection_) return {};
  collection_->ClearLastError(shown_rejection_);
  if (!rejection.empty()) collection_->SetLastError(rejection);
  shown_rejection_ = rejection;
  return {};
}

Status Incarnation::Serve() {
  assert(state_ == State::kFollowing);
  VFDW_ASSIGN_OR_RETURN(std::shared_ptr<SegmentSet> set, writer_->MakeSet(AppliedLsn()));
  collection_->Publish(std::move(set));
  BeginServing();
  return {};
}

Status Incarnation::ServeRestored(uint64_t builds) {
  assert(state_ == State::kFollowing);
  VFDW_ASSIGN_OR_RETURN(std::shared_ptr<SegmentSet> set, writer_->MakeSet(AppliedLsn()));
  collection_->PublishRestored(std::move(set), builds);
  BeginServing();
  return {};
}

Result<std::shared_ptr<const SegmentSet>> Incarnation::Freeze() {
  assert(state_ == State::kServing);
  VFDW_RETURN_IF_ERROR(Publish());
  const std::shared_ptr<const SegmentSet> current = collection_->current();
  if (current == nullptr) return std::shared_ptr<const SegmentSet>();  // unloaded
  // Its segments, which are shared, without changes up to here.
  auto frozen = std::make_shared<SegmentSet>(*current);
  frozen->as_of = AppliedLsn();
  return std::shared_ptr<const SegmentSet>(std::move(frozen));
}

void Incarnation::BeginServing() {
  state_ = State::kServing;
  shown_rejection_ = RejectionText();
  if (!shown_rejection_.empty()) collection_->SetLastError(shown_rejection_);
}

void Incarnation::Retire(Status failure) {
  state_ = State::kRetired;
  CancelMerges();
  failure_ = std::move(failure);
  writer_.reset();
}

std::string Incarnation::RejectionText() const {
  if (writer_ == nullptr || writer_->rejected_rows() == 0) return "";
  const uint64_t rows = writer_->rejected_rows();
  const std::string count = rows == 1 ? "1 row was" : std::to_string(rows) + " rows were";
  // Reasons are not kept over a restart, nor all of them.
  const std::string reason(writer_->reject_reason());
  if (reason.empty()) return count + " rejected";
  return count + (rows == 1 ? " rejected: " : " rejected, one of them: ") + reason;
}

}  // namespace vectord

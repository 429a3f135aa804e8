// build_job.cpp - see build_job.h.
#include "daemon/source/build_job.h"

#include <algorithm>
#include <utility>

#include "daemon/base/allocator.h"
#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/base/refused_memory.h"
#include "daemon/index/index_builder.h"

namespace vectord {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstRetry{100}, kLongestRetry{5000};
// After what only a person can cure, but vectord is not told when it is.
constexpr milliseconds kRetryRefused{10000};
// For the stream to open, which takes its time, and costs nothing to look at.
constexpr milliseconds kRetryBegin{50}, kRetryStream{500};
constexpr uint64_t kLargeTableBytes = 64 << 20;

// The source may be refused only until a script has taken its next step, and damaged files are
// replaced; the others are decisions of a person.
bool NeedsUser(ErrorCode code) {
  return code != ErrorCode::SOURCE_REFUSED && code != ErrorCode::CORRUPT;
}

}  // namespace

BuildJob::BuildJob(std::shared_ptr<Collection> collection, CopySource source,
                   const SyncContext* context)
    : collection_(std::move(collection)),
      source_(std::move(source)),
      context_(context),
      backoff_(kFirstRetry, kLongestRetry) {}

void BuildJob::Cancel() {
  stop_.Request();
  MutexLock lock(mu_);  // waits for a Touch() under way
}

template <typename Change>
bool BuildJob::Touch(const std::string* note, const Change& change) {
  MutexLock lock(mu_);
  if (stop_.requested()) return false;
  if (note != nullptr) note_ = *note;
  change(*collection_);
  return true;
}

std::string BuildJob::Note() const {
  MutexLock lock(mu_);
  return note_;
}

void BuildJob::ShowNote() {
  MutexLock lock(mu_);
  if (stop_.requested() || collection_->state() == CollectionState::kError) return;
  std::string note = note_;
  if (serving_ != nullptr) {
    Incarnation& incarnation = *serving_->incarnation();
    MutexLock rows_lock(incarnation.mu);
    note = incarnation.RejectionText();
  }
  collection_->SetLastError(note);
}

BuildJob::Outcome BuildJob::Run(const std::function<bool()>& may_be_large) {
  Outcome outcome = Outcome::kFinished;
  const Status status =
      WithRefusedMemory("build the collection", [&] { return RunOnce(may_be_large, &outcome); });
  if (outcome == Outcome::kFinished) ReturnFreePages();  // it has copied, or tried to
  if (stop_.requested()) return Outcome::kFinished;
  if (status.ok()) return outcome;
  Settle(status);
  if (waits_for_stream_)
    retry_delay_ = kRetryStream;  // nothing was tried yet
  else
    context_->metrics->builds_failed.Add();
  return Outcome::kRetry;
}

Status BuildJob::RunOnce(const std::function<bool()>& may_be_large, Outcome* outcome) {
  TableSync sync(collection_, source_, *context_, stop_,
                 [this](const auto& change) { return Touch(nullptr, change); });
  waits_for_stream_ = !sync.Begin();
  if (waits_for_stream_) {
    *outcome = Outcome::kRetry;
    const Status why = context_->feed->status();
    if (!why.ok()) return why;
    Touch(nullptr, [](Collection& it) {
      it.SetState(CollectionState::kCopying, "waiting for the stream of changes", 0);
    });
    retry_delay_ = kRetryBegin;
    return {};
  }
  VFDW_RETURN_IF_ERROR(sync.TakeSnapshot());
  if (!is_large_ && sync.table_bytes() > kLargeTableBytes) {
    is_large_ = true;
    if (!may_be_large()) {
      *outcome = Outcome::kPostponed;
      return {};
    }
  }
  VFDW_RETURN_IF_ERROR(sync.Run());
  backoff_.Reset();
  MutexLock lock(mu_);
  serving_ = sync.feed();
  note_.clear();
  return {};
}

void BuildJob::Adopt(std::shared_ptr<TableFeed> feed) {
  feed->CountRejectionsIn(&context_->metrics->rows_rejected);
  MutexLock lock(mu_);
  serving_ = std::move(feed);
}

void BuildJob::Explain(const std::string& note) {
  Touch(&note, [&](Collection& it) { it.SetLastError(note); });
}

std::shared_ptr<TableFeed> BuildJob::serving() const {
  MutexLock lock(mu_);
  return serving_;
}

bool BuildJob::TakeFailure() {
  const std::shared_ptr<TableFeed> feed = serving();
  if (feed == nullptr) return false;
  const Status failure = feed->failure();
  if (failure.ok()) return false;
  {
    MutexLock lock(mu_);
    serving_.reset();
  }
  Touch(nullptr, [&](Collection& it) {
    // The rows stay true to where they were, but there may be no room for them and a new copy; or
    // their files are damaged.
    if (failure.code() == ErrorCode::OUT_OF_MEMORY || failure.code() == ErrorCode::CORRUPT)
      it.DropSet();
    it.SetState(CollectionState::kCopying, "waiting to be copied", 0);
  });
  Settle(failure);
  return true;
}

// Decides whether the failure passes by itself, and makes it visible.
void BuildJob::Settle(const Status& failure) {
  const bool passes = vfdw::ErrorMayRetry(failure.code());
  retry_delay_ = passes ? backoff_.Next() : kRetryRefused;
  if (!passes) backoff_.Reset();
  const std::string text = failure.ToString();
  const bool is_new = Note() != text;
  const bool touched = Touch(&text, [&](Collection& it) {
    if (passes)
      it.SetLastError(text);
    else
      it.Fail(failure, NeedsUser(failure.code()));
  });
  if (!touched || !is_new) return;
  if (passes)
    LogWarning({collection_->name()}, "is not built yet, and is tried again: {}", text);
  else
    LogError({collection_->name()}, "could not be built: {}", text);
}

}  // namespace vectord

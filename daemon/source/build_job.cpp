// build_job.cpp - see build_job.h.
#include "daemon/source/build_job.h"

#include <algorithm>
#include <new>
#include <utility>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/index/index_builder.h"

namespace vectord {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstRetry{100}, kLongestRetry{5000};
// After what only a person can cure, but vectord is not told when it is.
constexpr milliseconds kRetryRefused{10000};
constexpr uint64_t kLargeTableBytes = 64 << 20;

double SecondsSince(int64_t start_ns) {
  return static_cast<double>(SteadyNowNs() - start_ns) / 1e9;
}

}  // namespace

BuildJob::BuildJob(std::shared_ptr<Collection> collection, CopySource source, int index_threads)
    : collection_(std::move(collection)),
      source_(std::move(source)),
      index_threads_(index_threads),
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
  collection_->SetLastError(note_);
}

BuildJob::Outcome BuildJob::Run(const std::function<bool()>& may_be_large) {
  bool postponed = false;
  Status status;
  try {
    status = RunOnce(may_be_large, &postponed);
  } catch (const std::bad_alloc&) {
    status = Status(ErrorCode::OUT_OF_MEMORY, "not enough memory to build the collection",
                    "The system refused memory.");
  }
  if (stop_.requested()) return Outcome::kFinished;
  if (postponed) return Outcome::kPostponed;
  if (status.ok()) return Outcome::kFinished;
  Settle(status);
  return Outcome::kRetry;
}

Status BuildJob::RunOnce(const std::function<bool()>& may_be_large, bool* postponed) {
  InitialCopy copy(source_, stop_);
  VFDW_RETURN_IF_ERROR(copy.Begin());
  if (!is_large_ && copy.table_bytes() > kLargeTableBytes) {
    is_large_ = true;
    *postponed = !may_be_large();
    if (*postponed) return {};
  }
  VFDW_ASSIGN_OR_RETURN(auto assembler,
                        SegmentAssembler::Create(collection_->budget(), source_.definition,
                                                 copy.totals(), index_threads_));
  VFDW_RETURN_IF_ERROR(Copy(&copy, assembler.get()));
  return Build(assembler.get());
}

Status BuildJob::Copy(InitialCopy* copy, SegmentAssembler* assembler) {
  const uint64_t rows = copy->totals().rows;
  Touch(nullptr,
        [&](Collection& it) { it.SetState(CollectionState::kCopying, "copying rows", rows); });
  const int64_t start_ns = SteadyNowNs();
  VFDW_RETURN_IF_ERROR(copy->Run([&](const RowBatch& batch) -> Status {
    VFDW_RETURN_IF_ERROR(assembler->Add(batch));
    if (!stop_.requested()) collection_->progress().done += batch.rows();
    return {};
  }));
  const double seconds = SecondsSince(start_ns);
  LogInfo({collection_->name()}, "copied {} rows in {:.2f} s ({:.0f} rows/s)", rows, seconds,
          static_cast<double>(rows) / std::max(seconds, 1e-9));
  return {};
}

Status BuildJob::Build(SegmentAssembler* assembler) {
  const Definition& definition = *source_.definition;
  const std::string index = IndexKindName(definition.index.kind);
  const uint64_t rows = assembler->rows_with_vector();
  Touch(nullptr, [&](Collection& it) {
    it.SetState(CollectionState::kBuilding, "building " + index + " index", rows);
  });
  const int64_t start_ns = SteadyNowNs();
  BuildControl control;
  control.threads = index_threads_;
  control.cancelled = stop_.flag();
  control.rows_done = &collection_->progress().done;
  VFDW_ASSIGN_OR_RETURN(std::shared_ptr<SegmentSet> set, assembler->Assemble(control));
  const std::string rejections = assembler->RejectionText();
  const bool published = Touch(&rejections, [&](Collection& it) {
    it.Publish(std::move(set));
    if (!rejections.empty()) it.SetLastError(rejections);
  });
  if (!published) return {};
  LogInfo({collection_->name()}, "built the {} index of {} rows in {:.2f} s", index, rows,
          SecondsSince(start_ns));
  if (!rejections.empty()) LogWarning({collection_->name()}, "{}", rejections);
  return {};
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
      it.Fail(failure);
  });
  if (!touched || !is_new) return;
  if (passes)
    LogWarning({collection_->name()}, "building failed and is tried again: {}", text);
  else
    LogError({collection_->name()}, "could not be built: {}", text);
}

}  // namespace vectord

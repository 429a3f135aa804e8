// build_job.h - brings one collection level with its table by one definition, as often as it takes.
//
//                    .----- a try failed, or what it built broke: it runs again -----.
//                    v                                                               |
//   waiting --Run()--> trying (table_sync.h) --serving--> finished --TakeFailure()---'
//      |                  |
//      '------------------'------Cancel()------> cancelled
//
// The job moves the collection's state along (SetState, Publish, Fail); the follower decides when
// there is a job.
//
// After Cancel() has returned the job does not touch its collection any more, so whoever cancels
// may unload it, or let another job build it.
//
// After a restart the follower makes a new job, which may begin as finished (Adopt).
//
// Threads: Run() by one at a time; the others by any.
#ifndef VECTORD_SOURCE_BUILD_JOB_H
#define VECTORD_SOURCE_BUILD_JOB_H

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "daemon/base/mutex.h"
#include "daemon/base/status.h"
#include "daemon/collection/collection.h"
#include "daemon/source/backoff.h"
#include "daemon/source/initial_copy.h"
#include "daemon/source/stop_signal.h"
#include "daemon/source/table_sync.h"

namespace vectord {

class BuildJob {
 public:
  // context outlives the job.
  BuildJob(std::shared_ptr<Collection> collection, CopySource source, const SyncContext* context);

  enum class Outcome {
    kFinished,   // serving, or cancelled: nothing is left to do
    kPostponed,  // the table is large and may_be_large said no
    kRetry       // run it again after retry_delay()
  };
  // may_be_large is asked once, when is_large() has become true.
  Outcome Run(const std::function<bool()>& may_be_large);

  // What a run would have led to is there already, restored from files. REQUIRES: not submitted
  // yet.
  void Adopt(std::shared_ptr<TableFeed> feed);

  // Shows why there is something to build, until a run has its own to say.
  void Explain(const std::string& note);

  // The rows that a finished job serves go on following their table.
  void Cancel();
  bool cancelled() const { return stop_.requested(); }

  // True when Run() has finished and what it built follows its table no more: the job is to run
  // again after retry_delay(). The collection says why.
  bool TakeFailure();

  // What follows the table since Run() has finished; null before, and after TakeFailure().
  std::shared_ptr<TableFeed> serving() const;

  // REQUIRES: Run() returned kRetry, or TakeFailure() true.
  std::chrono::milliseconds retry_delay() const { return retry_delay_; }
  bool is_large() const { return is_large_; }

  const std::shared_ptr<Collection>& collection() const { return collection_; }
  // Makes the collection's last_error what the last try has to say: a failure, the rejected rows,
  // or nothing. Not when the collection has failed: then it says so already.
  void ShowNote();

 private:
  Status RunOnce(const std::function<bool()>& may_be_large, Outcome* outcome);
  void Settle(const Status& failure);
  std::string Note() const;
  // Calls change(collection) unless the job was cancelled, and keeps Cancel() out meanwhile. With a
  // note, that becomes note_ too.
  template <typename Change>
  bool Touch(const std::string* note, const Change& change);

  const std::shared_ptr<Collection> collection_;
  const CopySource source_;
  const SyncContext* const context_;
  StopSignal stop_;
  std::atomic<bool> is_large_{false};
  Backoff backoff_;
  std::chrono::milliseconds retry_delay_{0};
  bool waits_for_stream_ = false;                       // the last run could not begin
  mutable Mutex mu_;                                    // before Collection's
  std::string note_ GUARDED_BY(mu_);                    // what ShowNote() shows
  std::shared_ptr<TableFeed> serving_ GUARDED_BY(mu_);  // since Run() has finished
};

}  // namespace vectord

#endif

// build_queue.h - which build runs when.
//
// Jobs start in the order in which they came, as many at a time as there are threads. Of the tables
// known to be large one thread fewer may be built at once, so that a small table never waits for
// large ones. A collection is built by one job at a time. Failed jobs come again after their delay.
//
// Threads: any may call. The queue's own threads run the jobs.
#ifndef VECTORD_SOURCE_BUILD_QUEUE_H
#define VECTORD_SOURCE_BUILD_QUEUE_H

#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "daemon/base/mutex.h"
#include "daemon/base/status.h"
#include "daemon/source/build_job.h"

namespace vectord {

class BuildQueue {
 public:
  static constexpr int kThreads = 3;

  static Result<std::unique_ptr<BuildQueue>> Start();
  ~BuildQueue() { Stop(); }

  // Does nothing once Stop() has begun.
  void Submit(std::shared_ptr<BuildJob> job,
              std::chrono::milliseconds delay = std::chrono::milliseconds(0));
  // What the job last failed by may have changed: it is tried again without delay. Null, and a job
  // that has nothing left to do, are allowed.
  void Hurry(const std::shared_ptr<BuildJob>& job);
  // Null is allowed. When it returns, the job does not touch its collection any more.
  void Cancel(const std::shared_ptr<BuildJob>& job);
  // Cancels all jobs and ends the threads.
  void Stop();

 private:
  using Time = std::chrono::steady_clock::time_point;
  struct Waiting {
    std::shared_ptr<BuildJob> job;
    Time not_before;
  };

  struct Running {
    std::shared_ptr<BuildJob> job;
    bool is_hurried = false;  // what this run has seen may be of before
  };

  BuildQueue() = default;
  void Work(int worker);
  // Moves the next job to run from waiting_ to running_; null when there is none now.
  std::shared_ptr<BuildJob> TakeNext() REQUIRES(mu_);
  bool MayRun(const Waiting& waiting, Time now) const REQUIRES(mu_);
  int LargeRunning() const REQUIRES(mu_);
  bool MayBeLarge();
  void Finish(const std::shared_ptr<BuildJob>& job, BuildJob::Outcome outcome);
  void WaitForChange() REQUIRES(mu_);

  Mutex mu_;
  CondVar changed_;
  std::vector<Waiting> waiting_ GUARDED_BY(mu_);
  std::vector<Running> running_ GUARDED_BY(mu_);
  bool stopping_ GUARDED_BY(mu_) = false;
  std::vector<std::thread> threads_;  // changed only by Start() and Stop()
};

}  // namespace vectord

#endif

// thread_pool.h - named worker threads: a pool with a queue, and a loop split over threads.
//
// Tasks must not throw: an exception that leaves a task ends the process, as it would end any
// thread. ParallelFor, which runs code around third-party builders, turns exceptions into a Status.
#ifndef VECTOR_FDW_DAEMON_BASE_THREAD_POOL_H
#define VECTOR_FDW_DAEMON_BASE_THREAD_POOL_H

#include <atomic>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "daemon/base/mutex.h"
#include "daemon/base/status.h"

namespace vectord {

// Name of the calling thread in logs, top and gdb; Linux keeps the first 15 bytes.
void SetThreadName(const std::string& name);

// For work that others should not wait for: the calling thread, and those it starts, get a core
// only as far as nobody of a lower niceness wants it. Where the system refuses, nothing changes.
void LowerThreadPriority(int niceness);

// 0 means one per core that this process may run on.
int ResolveThreadCount(int configured);

// Runs tasks in the order of submission, as many at a time as there are threads.
//
//   Running --Stop()--> Stopping --last task done, threads joined--> Stopped
//
// Any thread may Submit. Stop and Drain are called from outside the pool's own tasks.
class ThreadPool {
 public:
  static constexpr size_t kUnbounded = 0;

  // Starts the threads, named "name-0" and on. Fails when the system refuses a thread.
  static Result<std::unique_ptr<ThreadPool>> Start(const std::string& name, int threads,
                                                   size_t max_queued = kUnbounded);
  ~ThreadPool();  // Stop(kDiscardQueued), when nobody stopped it before
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // OVERLOADED when the queue is full, SHUTTING_DOWN once Stop has begun; then the task is
  // destroyed without being run. Never blocks.
  Status Submit(std::function<void()> task);

  // Returns at a moment when nothing is queued or running. New tasks may arrive meanwhile, and are
  // waited for too.
  void Drain();

  // Refuses new tasks, finishes those that run and, as asked, runs or destroys those queued, then
  // joins the threads. May be called again; the second call returns when the first has.
  enum class Queued { kRun, kDiscard };
  void Stop(Queued queued);

  size_t queued() const;
  int threads() const { return static_cast<int>(workers_.size()); }

 private:
  ThreadPool(std::string name, size_t max_queued)
      : name_(std::move(name)), max_queued_(max_queued) {}
  void Work(int worker);

  const std::string name_;
  const size_t max_queued_;
  std::vector<std::thread> workers_;  // changed only by Start and, under stop_mu_, by Stop
  Mutex stop_mu_ ACQUIRED_BEFORE(mu_);
  mutable Mutex mu_;
  CondVar has_work_;
  CondVar is_idle_;
  std::deque<std::function<void()>> queue_ GUARDED_BY(mu_);
  int running_ GUARDED_BY(mu_) = 0;
  bool stopping_ GUARDED_BY(mu_) = false;
};

// Calls fn(begin, end, worker) over disjoint ranges that cover [0, n), each of at most grain
// elements, on up to `threads` threads; the caller is worker 0 and no worker number is used by two
// threads at once. The extra threads live for this call only and have the caller's name. Where the
// system refuses a thread the others do its work.
//
// OK: all ranges were done. CANCELED: *stop was true before the last range began. OUT_OF_MEMORY or
// INTERNAL: fn threw; the ranges not yet begun were left out.
using RangeFunction = std::function<void(size_t begin, size_t end, int worker)>;
Status ParallelFor(int threads, size_t n, size_t grain, const RangeFunction& fn,
                   const std::atomic<bool>* stop = nullptr);

}  // namespace vectord

#endif

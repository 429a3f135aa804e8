// compactor.h - keeps the segments of all collections few and indexed, in the background.
//
// Whoever publishes a set that leaves something to merge calls Notify(); a thread then plans,
// builds beside, and swaps (segment_merge.h). One thread takes merges of any size, the other small
// ones only, so that fresh rows are indexed while a large merge runs. Both run at low priority: a
// search that needs the core gets it.
//
// While an incarnation holds merges, nothing is done for it; whoever allows them calls Notify().
//
// A merge ends early when its incarnation is retired: dropped, unloaded, or replaced by a new copy.
//
// A merge that has no memory is tried again after a while; until then last_error says so, and
// nothing is lost but speed.
//
// Threads: any may call. Stop() once or more, by the owner.
#ifndef VECTORD_COLLECTION_COMPACTOR_H
#define VECTORD_COLLECTION_COMPACTOR_H

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "daemon/base/mutex.h"
#include "daemon/base/status.h"
#include "daemon/collection/incarnation.h"

namespace vectord {

class Compactor {
 public:
  // build_threads: of each merge.
  static Result<std::unique_ptr<Compactor>> Start(int build_threads);
  ~Compactor() { Stop(); }

  // Looks at the incarnation soon. Cheap when that was asked for already.
  void Notify(const std::shared_ptr<Incarnation>& incarnation);
  void SetBuildThreads(int build_threads) { build_threads_ = build_threads; }
  // Cancels what is under way and ends the threads.
  void Stop();

 private:
  using Time = std::chrono::steady_clock::time_point;
  struct Task {
    std::weak_ptr<Incarnation> incarnation;
    Time not_before;
    std::string shown_error;  // of the last try
    bool running = false;
    bool notified_again = false;  // while it was running
  };
  // One per thread: its tasks, and the most rows that it merges at once.
  struct Lane {
    const char* name;
    size_t most_rows;
    std::vector<std::shared_ptr<Task>> tasks;  // guarded by mu_
    std::thread thread;
  };

  explicit Compactor(int build_threads) : build_threads_(build_threads) {}
  void Work(Lane* lane);
  std::shared_ptr<Task> TakeNext(Lane* lane) REQUIRES(mu_);
  void WaitForTask(const Lane& lane) REQUIRES(mu_);
  bool RunTask(const Lane& lane, Task* task);
  void Report(const Status& status, Incarnation* incarnation, Task* task);

  std::atomic<int> build_threads_;
  std::atomic<bool> stopping_{false};
  Mutex mu_;
  CondVar changed_;
  Lane lanes_[2] = {{"merge-large", SIZE_MAX, {}, {}}, {"merge-small", 100000, {}, {}}};
};

}  // namespace vectord

#endif

// freshness_queue.h - searches that wait for their collection to apply what they asked for, without
// a thread.
//
//   waiting --Look(): the wait is over--> ready --TakeReady()--> a worker goes on with it
//
// A wait is mostly over in a few milliseconds, which a worker spends asleep (search_handler.cpp).
// One that is not means that the stream stands still: another transaction is large, the table is
// copied anew, the source is away. Then as many sessions as write would hold as many workers, and
// searches of other collections would find none.
//
// Threads: any. Its lock is taken before that of a collection, after none.
#ifndef VECTOR_FDW_DAEMON_SERVICE_FRESHNESS_QUEUE_H
#define VECTOR_FDW_DAEMON_SERVICE_FRESHNESS_QUEUE_H

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/mutex.h"
#include "daemon/collection/collection.h"
#include "daemon/service/request_context.h"

namespace vectord {

class FreshnessQueue {
 public:
  explicit FreshnessQueue(const Clock* clock) : clock_(clock) {}

  // Whether somebody has been waiting for that collection: then a wait is not going to be short.
  bool HasWaiters(const Collection& collection) const;
  // REQUIRES: request->awaited.
  void Park(std::unique_ptr<RequestContext> request);
  // Moves those on whose wait is over: applied, stopped, or in vain (then the request is told so).
  // Whether any is ready.
  bool Look();
  std::unique_ptr<RequestContext> TakeReady();  // null: none
  bool has_ready() const { return ready_count_.load(std::memory_order_acquire) > 0; }
  // Empties the queue, for whoever answers these requests instead.
  std::vector<std::unique_ptr<RequestContext>> TakeAll();

 private:
  struct Waiting {
    std::unique_ptr<RequestContext> request;
    int64_t since_ns;
  };
  // Tells the request when it is in vain.
  static bool EndsAt(int64_t now_ns, const Waiting& waiting);

  const Clock* const clock_;
  mutable Mutex mu_;
  std::vector<Waiting> waiting_ GUARDED_BY(mu_);
  std::deque<std::unique_ptr<RequestContext>> ready_ GUARDED_BY(mu_);
  std::atomic<size_t> ready_count_{0};  // of ready_, to be asked without the lock
};

}  // namespace vectord

#endif

// admission.h - how many requests may be under way, and how many of the long ones.
//
// Two limits. Requests in flight, parked ones included, are counted from arrival to reply;
// beyond the limit they are refused (OVERLOADED). Of the requests that will compute for long (exact
// scans of much data, IsLongSearch) or that wait a moment for changes, only as many run at once as
// there are slots: the rest is parked in the order of arrival, without a thread, and the worker
// that ends a long request goes on with the first parked one. There are more workers than slots, so
// a cheap search, a status or a cancel never waits for a scan to end.
//
// Threads: any. The lock is taken once or twice per request, for a few instructions.
#ifndef VECTOR_FDW_DAEMON_SERVICE_ADMISSION_H
#define VECTOR_FDW_DAEMON_SERVICE_ADMISSION_H

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "daemon/base/mutex.h"
#include "daemon/service/request_context.h"

namespace vectord {

// A search that computes this many vector elements or more is long: some 5 ms of one core.
inline constexpr uint64_t kLongSearchElements = 16 * 1000 * 1000;

class Admission {
 public:
  // REQUIRES: long_slots > 0.
  Admission(size_t max_in_flight, size_t long_slots)
      : max_in_flight_(max_in_flight), long_slots_(long_slots) {}

  void SetMaxInFlight(size_t max_in_flight) { max_in_flight_ = max_in_flight; }

  // Counts a request in, or refuses. Each true is followed by one Leave().
  bool Enter();
  void Leave() { in_flight_.fetch_sub(1, std::memory_order_relaxed); }
  size_t in_flight() const { return in_flight_.load(std::memory_order_relaxed); }
  size_t max_in_flight() const { return max_in_flight_.load(std::memory_order_relaxed); }

  // True: the request has a slot now. False: it was moved into the queue, and *request is null.
  bool StartOrPark(std::unique_ptr<RequestContext>* request);
  // Ends the caller's use of a slot. Returns a parked request that has the slot now and that the
  // caller must go on with, or null.
  std::unique_ptr<RequestContext> FinishLong();
  // Empties the queue, for whoever answers these requests instead.
  std::vector<std::unique_ptr<RequestContext>> TakeParked();
  size_t parked() const;

 private:
  std::atomic<size_t> max_in_flight_;
  const size_t long_slots_;
  std::atomic<size_t> in_flight_{0};

  mutable Mutex mu_;
  size_t long_running_ GUARDED_BY(mu_) = 0;
  std::deque<std::unique_ptr<RequestContext>> parked_ GUARDED_BY(mu_);
};

}  // namespace vectord

#endif

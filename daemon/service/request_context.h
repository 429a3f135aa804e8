// request_context.h - one request from its arrival to its reply: who asks, until when, and whether
// the answer is still wanted.
//
// Owned by whoever works on it: the transport, then the dispatcher, or the queues of admission.h
// and freshness_queue.h. Only Stop() and cancelled may be used by other threads, and only through
// the table of in_flight.h, which keeps the object alive for the call.
#ifndef VECTOR_FDW_DAEMON_SERVICE_REQUEST_CONTEXT_H
#define VECTOR_FDW_DAEMON_SERVICE_REQUEST_CONTEXT_H

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>

#include "daemon/base/status.h"
#include "shared/envelope.h"

namespace vectord {

class Collection;

// An accepted connection, numbered by the transport and never reused. 0: not known.
using ConnectionId = uint64_t;

enum class StopReason : uint8_t { kNone, kClient, kDeadline, kGone, kShutdown };

struct RequestContext {
  static constexpr int64_t kNoDeadline = std::numeric_limits<int64_t>::max();

  RequestContext() = default;
  RequestContext(const RequestContext&) = delete;
  RequestContext& operator=(const RequestContext&) = delete;
  virtual ~RequestContext() = default;  // the transport keeps the frames in a subclass

  // Sets when it came and, from the envelope, when the client stops waiting.
  void Arrived(int64_t now_ns) {
    received_ns = now_ns;
    if (envelope.timeout_ms > 0) deadline_ns = now_ns + int64_t{envelope.timeout_ms} * 1000000;
  }

  // The first reason stays.
  void Stop(StopReason why) {
    StopReason none = StopReason::kNone;
    reason.compare_exchange_strong(none, why, std::memory_order_relaxed);
    cancelled.store(true, std::memory_order_release);
  }
  // REQUIRES: cancelled.
  Status StopStatus() const;

  std::string client;  // the transport's name for the connection: any bytes
  ConnectionId connection = 0;
  vfdw::Envelope envelope;
  std::string_view body, raw;  // live as long as the object
  int64_t received_ns = 0;
  int64_t deadline_ns = kNoDeadline;
  bool has_long_slot = false;  // of admission.h
  bool is_alone = false;       // no other client asks; the transport tells the client

  // Of freshness_queue.h: what it waits for, until that has applied so much; whether no more of
  // that is going to help.
  std::shared_ptr<const Collection> awaited;
  uint64_t awaited_lsn = 0;
  bool waited_in_vain = false;

  std::atomic<bool> cancelled{false};
  std::atomic<StopReason> reason{StopReason::kNone};

  size_t in_flight_index = 0;  // of in_flight.h
  bool counted = false;        // of admission.h
};

}  // namespace vectord

#endif

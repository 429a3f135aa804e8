// metrics.h - what the daemon counts and times, one row per metric.
//
// VECTORD_METRICS is the only list: it makes the members of Metrics and the text for Prometheus.
// The daemon owns one Metrics and lends it to the layers. Updates are single relaxed atomic
// operations; readers see each metric whole but not all of them at one instant.
#ifndef VECTOR_FDW_DAEMON_BASE_METRICS_H
#define VECTOR_FDW_DAEMON_BASE_METRICS_H

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

namespace vectord {

// Only rises, from 0 at the start of the process.
class Counter {
 public:
  void Add(uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

class Gauge {
 public:
  void Set(int64_t value) { value_.store(value, std::memory_order_relaxed); }
  void Add(int64_t n) { value_.fetch_add(n, std::memory_order_relaxed); }
  int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_{0};
};

// Times in nanoseconds, counted in buckets that are linear within each power of two: 32 to the
// octave, so that a percentile is off by at most 1/64 of itself. From 1 ns to 2^40 ns (18 minutes);
// what is longer counts as that long.
class LatencyHistogram {
 public:
  void Record(int64_t nanoseconds);
  uint64_t count() const;
  // Time that a fraction of the records (0.5, 0.99) stay within, in microseconds. 0 without
  // records.
  double PercentileUs(double fraction) const;
  // Records shorter than 2^power ns. REQUIRES: kSubBits <= power <= kMaxPower.
  uint64_t CountBelowPowerOfTwo(int power) const;
  uint64_t sum_ns() const { return sum_ns_.load(std::memory_order_relaxed); }

  static constexpr int kSubBits = 5;
  static constexpr int kMaxPower = 40;

 private:
  static constexpr size_t kBuckets = size_t{kMaxPower - kSubBits + 1} << kSubBits;
  static size_t BucketOf(uint64_t nanoseconds);
  static double MiddleNs(size_t bucket);

  std::array<std::atomic<uint64_t>, kBuckets> buckets_{};
  std::atomic<uint64_t> sum_ns_{0};
};

//    type              member               name (after "vectord_")        help
#define VECTORD_METRICS(X)                                                                         \
  X(Gauge, connections, "connections", "Clients connected now.")                                   \
  X(Counter, connections_refused, "connections_refused_total",                                     \
    "Clients turned away because max_connections was reached.")                                    \
  X(Counter, requests, "requests_total", "Requests received, of any kind.")                        \
  X(Counter, errors, "errors_total", "Requests answered by an error.")                             \
  X(Counter, malformed_messages, "malformed_messages_total", "Messages that were not understood.") \
  X(Counter, requests_overloaded, "requests_overloaded_total",                                     \
    "Requests refused because requests_in_flight was reached.")                                    \
  X(Counter, requests_canceled, "requests_canceled_total",                                         \
    "Requests canceled by the client or by their deadline.")                                       \
  X(Gauge, requests_in_flight, "requests_in_flight", "Requests accepted and not yet answered.")    \
  X(Gauge, cursors, "cursors", "Searches whose continuation is kept for the client.")              \
  X(Counter, cursors_expired, "cursors_expired_total", "Continuations dropped before their end.")  \
  X(LatencyHistogram, search_time, "search_seconds",                                               \
    "Time of a search inside vectord, from the message received to the reply handed over.")        \
  X(LatencyHistogram, queue_time, "queue_seconds", "Time that a request waits for a worker.")      \
  X(Counter, candidates, "candidates_total", "Vectors whose distance was computed by searches.")   \
  X(Gauge, collections, "collections", "Collections defined.")                                     \
  X(Gauge, collections_ready, "collections_ready", "Collections that answer searches.")            \
  X(Counter, rows_copied, "rows_copied_total",                                                     \
    "Rows received by copies of tables, also by those that failed.")                               \
  X(Counter, rows_rejected, "rows_rejected_total",                                                 \
    "Rows, copied or changed, left out because of their vector.")                                  \
  X(Counter, builds, "builds_total", "Collections copied and indexed to the end.")                 \
  X(Counter, builds_failed, "builds_failed_total",                                                 \
    "Tries to copy and index a collection that failed or were refused.")                           \
  X(Gauge, sources, "sources", "Source databases configured.")                                     \
  X(Gauge, sources_connected, "sources_connected", "Source databases connected now.")              \
  X(Counter, source_failures, "source_failures_total", "Connections to sources lost or refused.")  \
  X(Gauge, memory_bytes, "memory_bytes", "Memory reserved for collections and requests.")          \
  X(Gauge, memory_limit_bytes, "memory_limit_bytes", "The setting [memory] limit.")

#define VECTORD_METRIC_MEMBER_(type, member, name, help) type member;
struct Metrics {
  VECTORD_METRICS(VECTORD_METRIC_MEMBER_)
};
#undef VECTORD_METRIC_MEMBER_

// The text exposition format, version 0.0.4; times in seconds.
std::string PrometheusText(const Metrics& metrics);

}  // namespace vectord

#endif

// clock.h - time, as something that a test can hold still.
//
// Steady time measures and expires; wall time is only ever shown to people. Hot paths that only
// measure may call the two free functions; whatever decides by time (time-outs, expiry, intervals)
// takes a Clock&.
#ifndef VECTOR_FDW_DAEMON_BASE_CLOCK_H
#define VECTOR_FDW_DAEMON_BASE_CLOCK_H

#include <atomic>
#include <chrono>
#include <cstdint>

namespace vectord {

// Nanoseconds of CLOCK_MONOTONIC: never goes back, means nothing in another process's life.
inline int64_t SteadyNowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

inline int64_t SteadyNowUs() { return SteadyNowNs() / 1000; }

// Thread safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual int64_t SteadyNs() const = 0;
  // Microseconds since 1970-01-01 UTC.
  virtual int64_t WallUs() const = 0;
  int64_t SteadyUs() const { return SteadyNs() / 1000; }
};

class SystemClock final : public Clock {
 public:
  int64_t SteadyNs() const override { return SteadyNowNs(); }
  int64_t WallUs() const override {
    return std::chrono::duration_cast<std::chrono::microseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
};

// For tests: time passes only by Advance().
class ManualClock final : public Clock {
 public:
  explicit ManualClock(int64_t steady_ns = 0, int64_t wall_us = 0)
      : steady_ns_(steady_ns), wall_us_(wall_us) {}

  int64_t SteadyNs() const override { return steady_ns_.load(std::memory_order_acquire); }
  int64_t WallUs() const override { return wall_us_.load(std::memory_order_acquire); }

  void Advance(std::chrono::nanoseconds time) {
    steady_ns_.fetch_add(time.count(), std::memory_order_acq_rel);
    wall_us_.fetch_add(time.count() / 1000, std::memory_order_acq_rel);
  }

 private:
  std::atomic<int64_t> steady_ns_;
  std::atomic<int64_t> wall_us_;
};

}  // namespace vectord

#endif

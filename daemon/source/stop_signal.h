// stop_signal.h - one request to stop, visible to code that computes and to code that sleeps.
//
// Loops read requested() or flag(); waits for a socket poll fd() beside it. Once requested it stays
// so. Where the system refuses a descriptor, fd() is -1 and waits fall back on short sleeps.
//
// Threads: any.
#ifndef VECTORD_SOURCE_STOP_SIGNAL_H
#define VECTORD_SOURCE_STOP_SIGNAL_H

#include <atomic>
#include <chrono>

namespace vectord {

class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  void Request();
  bool requested() const { return requested_.load(std::memory_order_acquire); }
  const std::atomic<bool>* flag() const { return &requested_; }
  // Readable once requested.
  int fd() const { return fd_; }

  // Sleeps; false when a stop was requested before the time was over.
  bool SleepFor(std::chrono::milliseconds time) const;

  enum class Ready { kSocket, kStop, kTimeout };
  // Waits until the socket is ready for events (as of poll), a stop is requested, or the deadline
  // has passed. socket may be -1: none.
  Ready WaitFor(int socket, short events, std::chrono::steady_clock::time_point deadline) const;

 private:
  std::atomic<bool> requested_{false};
  const int fd_;
};

}  // namespace vectord

#endif

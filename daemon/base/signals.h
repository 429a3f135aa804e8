// signals.h - signals as events of the main loop.
//
// Catch() is called first in main. It installs handlers that write to a pipe, and blocks the
// signals in the calling thread, hence in all threads that are made later; they are let through
// while the caller waits in Wait(). Blocking alone would not do: a library may have made a thread
// before main began (OpenBLAS does), and a signal that finds one thread open takes its default
// action, which is the end of the process. SIGPIPE is ignored: writers see EPIPE instead.
#ifndef VECTOR_FDW_DAEMON_BASE_SIGNALS_H
#define VECTOR_FDW_DAEMON_BASE_SIGNALS_H

#include <chrono>
#include <optional>
#include <utility>

#include "daemon/base/status.h"

namespace vectord {

enum class SignalEvent { kStop, kReload };  // SIGTERM or SIGINT; SIGHUP

class Signals {
 public:
  // Once in a process.
  static Result<Signals> Catch();
  Signals(Signals&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Signals& operator=(Signals&& other) = delete;

  // Returns when Next() has something, other_fd (-1: none) is readable, or the time is over (none:
  // there is no limit); sometimes earlier.
  void Wait(int other_fd, std::optional<std::chrono::milliseconds> time) const;
  // Never blocks; nothing when no signal has come.
  std::optional<SignalEvent> Next();

 private:
  explicit Signals(int fd) : fd_(fd) {}
  int fd_;  // where the handlers' bytes are read; stays open, as the handlers stay
};

}  // namespace vectord

#endif

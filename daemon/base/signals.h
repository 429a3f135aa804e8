// signals.h - signals as events of the main loop.
//
// Block() is called first in main, before any thread exists, because a new thread inherits the
// mask: afterwards no thread can be interrupted by these signals and none needs a handler. SIGPIPE
// is blocked and never reported: writers see EPIPE instead.
#ifndef VECTOR_FDW_DAEMON_BASE_SIGNALS_H
#define VECTOR_FDW_DAEMON_BASE_SIGNALS_H

#include <optional>
#include <utility>

#include "daemon/base/status.h"

namespace vectord {

enum class SignalEvent { kStop, kReload };  // SIGTERM or SIGINT; SIGHUP

class Signals {
 public:
  static Result<Signals> Block();
  ~Signals();  // closes the descriptor; the signals stay blocked
  Signals(Signals&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Signals& operator=(Signals&& other) = delete;

  // Readable when Next() has something.
  int fd() const { return fd_; }
  // Never blocks; nothing when no signal is pending.
  std::optional<SignalEvent> Next();

 private:
  explicit Signals(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace vectord

#endif

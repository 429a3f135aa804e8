// signals.cpp - see signals.h: handlers and a pipe.
#include "daemon/base/signals.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>

#include "daemon/base/file.h"

namespace vectord {
namespace {

constexpr int kCaught[] = {SIGTERM, SIGINT, SIGHUP};

constexpr char kReloadByte = 1, kStopByte = 2;  // no bytes of a text

volatile int pipe_end = -1;  // written before the handlers are installed, never after

// Async-signal-safe. When the pipe is full, enough of them wait already.
void HandleSignal(int signal) {
  const int saved_errno = errno;
  const char byte = signal == SIGHUP ? kReloadByte : kStopByte;
  (void)!write(pipe_end, &byte, 1);
  errno = saved_errno;
}

sigset_t Caught() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : kCaught) sigaddset(&set, signal);
  return set;
}

}  // namespace

Result<Signals> Signals::Catch() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
    return ErrnoStatus(errno, "could not create a pipe for signals");
  pipe_end = ends[1];
  const sigset_t caught = Caught();
  if (const int error = pthread_sigmask(SIG_BLOCK, &caught, nullptr); error != 0)
    return ErrnoStatus(error, "could not block signals");
  struct sigaction action = {};
  action.sa_handler = &HandleSignal;
  action.sa_flags = SA_RESTART;
  for (const int signal : kCaught)
    if (sigaction(signal, &action, nullptr) != 0)
      return ErrnoStatus(errno, "could not install a signal handler");
  action.sa_handler = SIG_IGN;
  if (sigaction(SIGPIPE, &action, nullptr) != 0)
    return ErrnoStatus(errno, "could not ignore SIGPIPE");
  return Signals(ends[0]);
}

void Signals::Wait(int other_fd, std::optional<std::chrono::milliseconds> time) const {
  sigset_t open;
  pthread_sigmask(SIG_BLOCK, nullptr, &open);
  for (const int signal : kCaught) sigdelset(&open, signal);
  timespec limit = {};
  if (time) {
    limit.tv_sec = static_cast<time_t>(time->count() / 1000);
    limit.tv_nsec = static_cast<long>(time->count() % 1000) * 1000000;
  }
  pollfd fds[] = {{fd_, POLLIN, 0}, {other_fd, POLLIN, 0}};
  (void)ppoll(fds, 2, time ? &limit : nullptr, &open);
}

std::optional<SignalEvent> Signals::Next() {
  for (bool has_waited = false;;) {
    char byte;
    if (read(fd_, &byte, 1) == 1) {
      if (byte == kReloadByte) return SignalEvent::kReload;
      if (byte == kStopByte) return SignalEvent::kStop;
      continue;  // not the handler's: a stray write to the descriptor must not stop the daemon
    }
    if (has_waited) return std::nullopt;
    // One may be pending for this thread, which has it blocked.
    Wait(-1, std::chrono::milliseconds(0));
    has_waited = true;
  }
}

}  // namespace vectord

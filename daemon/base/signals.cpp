// signals.cpp - signals through a signalfd.
#include "daemon/base/signals.h"

#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>

#include "daemon/base/file.h"

namespace vectord {

Result<Signals> Signals::Block() {
  sigset_t reported;
  sigemptyset(&reported);
  sigaddset(&reported, SIGTERM);
  sigaddset(&reported, SIGINT);
  sigaddset(&reported, SIGHUP);
  sigset_t blocked = reported;
  sigaddset(&blocked, SIGPIPE);
  if (const int error = pthread_sigmask(SIG_BLOCK, &blocked, nullptr); error != 0)
    return ErrnoStatus(error, "could not block signals");
  const int fd = signalfd(-1, &reported, SFD_NONBLOCK | SFD_CLOEXEC);
  if (fd < 0) return ErrnoStatus(errno, "could not create a signal descriptor");
  return Signals(fd);
}

Signals::~Signals() {
  if (fd_ >= 0) close(fd_);
}

std::optional<SignalEvent> Signals::Next() {
  signalfd_siginfo info;
  ssize_t bytes;
  do bytes = read(fd_, &info, sizeof(info));
  while (bytes < 0 && errno == EINTR);
  if (bytes != static_cast<ssize_t>(sizeof(info))) return std::nullopt;
  return info.ssi_signo == SIGHUP ? SignalEvent::kReload : SignalEvent::kStop;
}

}  // namespace vectord

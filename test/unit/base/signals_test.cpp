// signals_test.cpp - signals become events. Each test runs in a process of its own, because the
// mask of blocked signals stays.
#include "daemon/base/signals.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace vectord {
namespace {

// Exit code 0 when every step holds, else the number of the first that does not.
[[noreturn]] void StopAndReloadArriveAsEvents() {
  Result<Signals> signals = Signals::Block();
  if (!signals.ok()) _exit(1);
  if (signals->Next().has_value()) _exit(2);
  kill(getpid(), SIGHUP);
  pollfd fds = {signals->fd(), POLLIN, 0};
  if (poll(&fds, 1, 10000) != 1) _exit(3);
  if (signals->Next() != SignalEvent::kReload) _exit(4);
  for (const int signal : {SIGTERM, SIGINT}) {
    kill(getpid(), signal);
    if (poll(&fds, 1, 10000) != 1) _exit(5);
    if (signals->Next() != SignalEvent::kStop) _exit(6);
  }
  _exit(signals->Next().has_value() ? 7 : 0);
}

[[noreturn]] void WritingToAClosedPipeOnlyFails() {
  Result<Signals> signals = Signals::Block();
  int ends[2];
  if (!signals.ok() || pipe(ends) != 0) _exit(1);
  close(ends[0]);
  if (write(ends[1], "x", 1) != -1 || errno != EPIPE) _exit(2);
  _exit(signals->Next().has_value() ? 3 : 0);
}

TEST(SignalsDeathTest, StopAndReloadArriveAsEvents) {
  EXPECT_EXIT(StopAndReloadArriveAsEvents(), testing::ExitedWithCode(0), "");
}

TEST(SignalsDeathTest, WritingToAClosedPipeOnlyFails) {
  EXPECT_EXIT(WritingToAClosedPipeOnlyFails(), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace vectord

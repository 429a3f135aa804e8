// signals_test.cpp - signals become events. Each test runs in a process of its own, because the
// mask of blocked signals stays.
#include "daemon/base/signals.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <optional>
#include <thread>

namespace vectord {
namespace {

std::optional<SignalEvent> SendAndWait(Signals* signals, int signal) {
  kill(getpid(), signal);
  for (int i = 0; i < 1000; i++) {
    if (const auto event = signals->Next()) return event;
    signals->Wait(-1, std::chrono::milliseconds(10));
  }
  return std::nullopt;
}

// Exit code 0 when every step holds, else the number of the first that does not.
[[noreturn]] void StopAndReloadArriveAsEvents() {
  Result<Signals> signals = Signals::Catch();
  if (!signals.ok()) _exit(1);
  if (signals->Next().has_value()) _exit(2);
  if (SendAndWait(&*signals, SIGHUP) != SignalEvent::kReload) _exit(4);
  for (const int signal : {SIGTERM, SIGINT})
    if (SendAndWait(&*signals, signal) != SignalEvent::kStop) _exit(6);
  _exit(signals->Next().has_value() ? 7 : 0);
}

// As OpenBLAS does it: a thread that was there before main, with all signals open.
[[noreturn]] void AThreadThatBlocksNothingDoesNotEndTheProcess() {
  std::thread([] { pause(); }).detach();
  StopAndReloadArriveAsEvents();
}

[[noreturn]] void WritingToAClosedPipeOnlyFails() {
  Result<Signals> signals = Signals::Catch();
  int ends[2];
  if (!signals.ok() || pipe(ends) != 0) _exit(1);
  close(ends[0]);
  if (write(ends[1], "x", 1) != -1 || errno != EPIPE) _exit(2);
  _exit(signals->Next().has_value() ? 3 : 0);
}

// What somebody writes to a descriptor that he takes for his own, such as a log.
[[noreturn]] void BytesThatAreNoSignalsAreIgnored() {
  const int lowest = dup(STDERR_FILENO), pipe_end = dup(STDERR_FILENO);
  close(lowest);
  close(pipe_end);
  Result<Signals> signals = Signals::Catch();  // takes the lowest two
  constexpr char kLine[] = "[info] starting";
  if (!signals.ok() || write(pipe_end, kLine, sizeof(kLine) - 1) <= 0) _exit(1);
  if (signals->Next().has_value()) _exit(2);
  _exit(SendAndWait(&*signals, SIGHUP) == SignalEvent::kReload ? 0 : 3);
}

TEST(SignalsDeathTest, BytesThatAreNoSignalsAreIgnored) {
  EXPECT_EXIT(BytesThatAreNoSignalsAreIgnored(), testing::ExitedWithCode(0), "");
}

TEST(SignalsDeathTest, StopAndReloadArriveAsEvents) {
  EXPECT_EXIT(StopAndReloadArriveAsEvents(), testing::ExitedWithCode(0), "");
}

TEST(SignalsDeathTest, AThreadThatBlocksNothingDoesNotEndTheProcess) {
  EXPECT_EXIT(AThreadThatBlocksNothingDoesNotEndTheProcess(), testing::ExitedWithCode(0), "");
}

TEST(SignalsDeathTest, WritingToAClosedPipeOnlyFails) {
  EXPECT_EXIT(WritingToAClosedPipeOnlyFails(), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace vectord

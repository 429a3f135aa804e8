// stop_signal_test.cpp - a request wakes what sleeps, and stays.
#include "daemon/source/stop_signal.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <thread>

namespace vectord {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

TEST(StopSignal, WakesASleeper) {
  StopSignal stop;
  const auto start = steady_clock::now();
  std::thread other([&] { stop.Request(); });
  EXPECT_FALSE(stop.SleepFor(milliseconds(60000)));
  EXPECT_LT(steady_clock::now() - start, milliseconds(30000));
  other.join();
  EXPECT_TRUE(stop.requested());
  EXPECT_FALSE(stop.SleepFor(milliseconds(60000)));
}

TEST(StopSignal, SleepsToTheEndWithoutARequest) {
  StopSignal stop;
  EXPECT_TRUE(stop.SleepFor(milliseconds(1)));
}

TEST(StopSignal, TellsTheSocketFromTheDeadline) {
  StopSignal stop;
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  EXPECT_EQ(stop.WaitFor(ends[0], POLLIN, steady_clock::now() + milliseconds(1)),
            StopSignal::Ready::kTimeout);
  ASSERT_EQ(write(ends[1], "x", 1), 1);
  EXPECT_EQ(stop.WaitFor(ends[0], POLLIN, steady_clock::now() + milliseconds(60000)),
            StopSignal::Ready::kSocket);
  stop.Request();
  EXPECT_EQ(stop.WaitFor(ends[0], POLLIN, steady_clock::now() + milliseconds(60000)),
            StopSignal::Ready::kStop);
  close(ends[0]);
  close(ends[1]);
}

}  // namespace
}  // namespace vectord

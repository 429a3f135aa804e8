// clock_test.cpp - real time goes on, a test's time waits.
#include "daemon/base/clock.h"

#include <gtest/gtest.h>

namespace vectord {
namespace {

TEST(Clock, SteadyTimeNeverGoesBack) {
  const SystemClock clock;
  const int64_t before = clock.SteadyNs();
  EXPECT_LE(before, clock.SteadyNs());
  EXPECT_GT(clock.WallUs(), int64_t{1600000000} * 1000000);
}

TEST(Clock, AManualClockMovesOnlyWhenTold) {
  ManualClock clock(5000, 100);
  EXPECT_EQ(clock.SteadyNs(), 5000);
  EXPECT_EQ(clock.SteadyUs(), 5);
  clock.Advance(std::chrono::milliseconds(2));
  EXPECT_EQ(clock.SteadyNs(), 2005000);
  EXPECT_EQ(clock.WallUs(), 2100);
}

}  // namespace
}  // namespace vectord

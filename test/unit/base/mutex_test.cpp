// mutex_test.cpp - exclusion and waking.
#include "daemon/base/mutex.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace vectord {
namespace {

TEST(Mutex, OnlyOneThreadIsInside) {
  Mutex mu;
  int count = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; i++)
    threads.emplace_back([&] {
      for (int j = 0; j < 10000; j++) {
        MutexLock lock(mu);
        count++;
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(count, 40000);
}

TEST(CondVar, AWaiterWakesWithTheLockHeld) {
  Mutex mu;
  CondVar changed;
  bool ready = false;
  std::thread other([&] {
    MutexLock lock(mu);
    ready = true;
    changed.NotifyOne();
  });
  {
    MutexLock lock(mu);
    while (!ready) changed.Wait(mu);
    bool others_may_enter = true;
    std::thread([&] {
      if (mu.TryLock())
        mu.Unlock();
      else
        others_may_enter = false;
    }).join();
    EXPECT_FALSE(others_may_enter);
  }
  other.join();
}

TEST(CondVar, AWaitEndsAtItsDeadline) {
  Mutex mu;
  CondVar changed;
  MutexLock lock(mu);
  while (changed.WaitFor(mu, std::chrono::milliseconds(1))) {  // spurious wakes do not count
  }
  SUCCEED();
}

}  // namespace
}  // namespace vectord

// admission_test.cpp - places in flight, slots for long requests, and the queue for them.
#include "daemon/service/admission.h"

#include <gtest/gtest.h>

#include <thread>

namespace vectord {
namespace {

TEST(Admission, RefusesBeyondTheLimitUntilOneLeaves) {
  Admission admission(2, 1);
  EXPECT_TRUE(admission.Enter());
  EXPECT_TRUE(admission.Enter());
  EXPECT_FALSE(admission.Enter());
  admission.Leave();
  EXPECT_TRUE(admission.Enter());
  admission.SetMaxInFlight(3);
  EXPECT_TRUE(admission.Enter());
  EXPECT_EQ(admission.in_flight(), 3u);
}

TEST(Admission, ParkedRequestsGoOnInTheOrderOfArrival) {
  Admission admission(10, 1);
  std::unique_ptr<RequestContext> requests[3];
  RequestContext* names[3];
  for (int i = 0; i < 3; i++) {
    requests[i] = std::make_unique<RequestContext>();
    names[i] = requests[i].get();
  }
  EXPECT_TRUE(admission.StartOrPark(&requests[0]));
  EXPECT_TRUE(requests[0]->has_long_slot);
  EXPECT_FALSE(admission.StartOrPark(&requests[1]));
  EXPECT_FALSE(admission.StartOrPark(&requests[2]));
  EXPECT_EQ(requests[1], nullptr);
  EXPECT_EQ(admission.parked(), 2u);
  auto next = admission.FinishLong();
  EXPECT_EQ(next.get(), names[1]);
  EXPECT_TRUE(next->has_long_slot);
  next = admission.FinishLong();
  EXPECT_EQ(next.get(), names[2]);
  EXPECT_EQ(admission.FinishLong(), nullptr);
  EXPECT_TRUE(admission.StartOrPark(&requests[0]));  // the slot is free again
}

TEST(Admission, NoParkedRequestIsForgottenByThreadsAtOnce) {
  constexpr int kThreads = 4, kEach = 5000;
  Admission admission(kThreads * kEach, 2);
  std::atomic<int> done{0}, running{0}, most{0};
  const auto work = [&] {
    for (int i = 0; i < kEach; i++) {
      auto request = std::make_unique<RequestContext>();
      if (!admission.StartOrPark(&request)) continue;
      while (request != nullptr) {
        const int now = ++running;
        for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
        }
        done++;
        running--;
        request = admission.FinishLong();
      }
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; i++) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(done, kThreads * kEach);
  EXPECT_EQ(admission.parked(), 0u);
  EXPECT_LE(most, 2);
}

}  // namespace
}  // namespace vectord

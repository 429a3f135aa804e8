// thread_pool_test.cpp - order, bounds and ends of the pool; coverage and failures of the loop.
#include "daemon/base/thread_pool.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <new>
#include <set>
#include <stdexcept>

namespace vectord {
namespace {

std::unique_ptr<ThreadPool> MustStart(int threads, size_t max_queued = ThreadPool::kUnbounded) {
  Result<std::unique_ptr<ThreadPool>> pool = ThreadPool::Start("test", threads, max_queued);
  EXPECT_TRUE(pool.ok());
  return std::move(*pool);
}

// A gate that tasks wait at, so that a test decides when they go on.
class Gate {
 public:
  void Open() {
    MutexLock lock(mu_);
    open_ = true;
    changed_.NotifyAll();
  }
  void Pass() {
    MutexLock lock(mu_);
    arrived_++;
    changed_.NotifyAll();
    while (!open_) changed_.Wait(mu_);
  }
  void AwaitArrivals(int n) {
    MutexLock lock(mu_);
    while (arrived_ < n) changed_.Wait(mu_);
  }

 private:
  Mutex mu_;
  CondVar changed_;
  bool open_ GUARDED_BY(mu_) = false;
  int arrived_ GUARDED_BY(mu_) = 0;
};

TEST(ThreadPool, OneThreadRunsTasksInOrder) {
  auto pool = MustStart(1);
  std::vector<int> order;
  for (int i = 0; i < 100; i++) ASSERT_TRUE(pool->Submit([&order, i] { order.push_back(i); }).ok());
  pool->Drain();
  ASSERT_EQ(order.size(), 100u);
  for (int i = 0; i < 100; i++) EXPECT_EQ(order[static_cast<size_t>(i)], i);
}

TEST(ThreadPool, SeveralTasksRunAtTheSameTimeInNamedThreads) {
  auto pool = MustStart(2);
  Gate gate;
  Mutex mu;
  std::set<std::string> names;
  for (int i = 0; i < 2; i++)
    ASSERT_TRUE(pool->Submit([&] {
                      char name[16];
                      pthread_getname_np(pthread_self(), name, sizeof(name));
                      {
                        MutexLock lock(mu);
                        names.insert(name);
                      }
                      gate.Pass();
                    })
                    .ok());
  gate.AwaitArrivals(2);
  gate.Open();
  pool->Drain();
  EXPECT_EQ(names, (std::set<std::string>{"test-0", "test-1"}));
}

TEST(ThreadPool, AFullQueueRefusesWithoutRunning) {
  auto pool = MustStart(1, 1);
  Gate gate;
  ASSERT_TRUE(pool->Submit([&] { gate.Pass(); }).ok());
  gate.AwaitArrivals(1);
  std::atomic<int> ran{0};
  EXPECT_TRUE(pool->Submit([&] { ran++; }).ok());
  EXPECT_EQ(pool->queued(), 1u);
  EXPECT_EQ(pool->Submit([&] { ran++; }).code(), ErrorCode::OVERLOADED);
  gate.Open();
  pool->Drain();
  EXPECT_EQ(ran, 1);
}

TEST(ThreadPool, StopFinishesWhatIsQueuedWhenAsked) {
  auto pool = MustStart(1);
  std::atomic<int> ran{0};
  for (int i = 0; i < 50; i++) ASSERT_TRUE(pool->Submit([&] { ran++; }).ok());
  pool->Stop(ThreadPool::Queued::kRun);
  EXPECT_EQ(ran, 50);
  EXPECT_EQ(pool->Submit([] {}).code(), ErrorCode::SHUTTING_DOWN);
  pool->Stop(ThreadPool::Queued::kRun);
}

TEST(ThreadPool, StopDestroysWhatIsQueuedWhenAsked) {
  auto pool = MustStart(1);
  Gate gate;
  ASSERT_TRUE(pool->Submit([&] { gate.Pass(); }).ok());
  gate.AwaitArrivals(1);
  auto owned = std::make_shared<int>(1);
  std::atomic<bool> ran{false};
  ASSERT_TRUE(pool->Submit([owned, &ran] { ran = true; }).ok());
  EXPECT_EQ(owned.use_count(), 2);
  std::thread stopper([&] { pool->Stop(ThreadPool::Queued::kDiscard); });
  while (pool->queued() != 0) std::this_thread::yield();
  gate.Open();
  stopper.join();
  EXPECT_FALSE(ran);
  EXPECT_EQ(owned.use_count(), 1);
}

TEST(ThreadPool, ATaskMaySubmitAnotherAndDrainWaitsForIt) {
  auto pool = MustStart(2);
  std::atomic<int> ran{0};
  ASSERT_TRUE(pool->Submit([&] {
                    ran++;
                    (void)pool->Submit([&] { ran++; });
                  })
                  .ok());
  pool->Drain();
  EXPECT_EQ(ran, 2);
}

TEST(ParallelFor, EveryElementIsDoneOnce) {
  for (const int threads : {1, 2, 5})
    for (const size_t n : {0u, 1u, 10u, 1001u}) {
      std::vector<std::atomic<int>> done(n);
      const Status status = ParallelFor(threads, n, 10, [&](size_t begin, size_t end, int worker) {
        EXPECT_LT(begin, end);
        EXPECT_LE(end - begin, 10u);
        EXPECT_GE(worker, 0);
        EXPECT_LT(worker, threads);
        for (size_t i = begin; i < end; i++) done[i]++;
      });
      EXPECT_TRUE(status.ok());
      for (size_t i = 0; i < n; i++) EXPECT_EQ(done[i], 1);
    }
}

TEST(ParallelFor, StopsBetweenRangesWhenToldTo) {
  std::atomic<bool> stop{false};
  std::atomic<int> ranges{0};
  const Status status = ParallelFor(
      2, 1000, 1,
      [&](size_t, size_t, int) {
        if (++ranges >= 10) stop = true;
      },
      &stop);
  EXPECT_EQ(status.code(), ErrorCode::CANCELED);
  EXPECT_LE(ranges, 11);
}

TEST(ParallelFor, AnExceptionBecomesAStatus) {
  EXPECT_EQ(ParallelFor(2, 100, 1, [](size_t, size_t, int) { throw std::bad_alloc(); }).code(),
            ErrorCode::OUT_OF_MEMORY);
  const Status status =
      ParallelFor(2, 100, 1, [](size_t, size_t, int) { throw std::runtime_error("no such list"); });
  EXPECT_EQ(status.code(), ErrorCode::INTERNAL);
  EXPECT_EQ(status.detail(), "no such list");
}

TEST(ThreadCount, ZeroMeansOnePerCore) {
  EXPECT_EQ(ResolveThreadCount(3), 3);
  EXPECT_GE(ResolveThreadCount(0), 1);
}

}  // namespace
}  // namespace vectord

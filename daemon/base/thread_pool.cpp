// thread_pool.cpp - a queue under one lock; ranges by one atomic counter.
#include "daemon/base/thread_pool.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <exception>
#include <new>
#include <system_error>

namespace vectord {

void SetThreadName(const std::string& name) {
  pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
}

void LowerThreadPriority(int niceness) {
  (void)setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), niceness);
}

int ResolveThreadCount(int configured) {
  if (configured > 0) return configured;
  cpu_set_t cpus;
  if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0) return std::max(1, CPU_COUNT(&cpus));
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

Result<std::unique_ptr<ThreadPool>> ThreadPool::Start(const std::string& name, int threads,
                                                      size_t max_queued) {
  assert(threads > 0);
  std::unique_ptr<ThreadPool> pool(new ThreadPool(name, max_queued));
  pool->workers_.reserve(static_cast<size_t>(threads));
  for (int worker = 0; worker < threads; worker++) {
    try {
      pool->workers_.emplace_back(&ThreadPool::Work, pool.get(), worker);
    } catch (const std::system_error& error) {
      return Status(ErrorCode::LIMIT_EXCEEDED, "could not start a thread",
                    "Thread " + std::to_string(worker + 1) + " of " + std::to_string(threads) +
                        " of the pool \"" + name + "\": " + error.what() + ".",
                    "Configure fewer threads, or raise the limit on processes.");
    }
  }
  return pool;
}

ThreadPool::~ThreadPool() { Stop(Queued::kDiscard); }

Status ThreadPool::Submit(std::function<void()> task) {
  {
    MutexLock lock(mu_);
    if (stopping_) return Status(ErrorCode::SHUTTING_DOWN, "vectord is shutting down");
    if (max_queued_ != kUnbounded && queue_.size() >= max_queued_)
      return Status(ErrorCode::OVERLOADED, "too many tasks are waiting",
                    "The queue \"" + name_ + "\" holds " + std::to_string(max_queued_) + " tasks.");
    queue_.push_back(std::move(task));
  }
  has_work_.NotifyOne();
  return Status::Ok();
}

void ThreadPool::Drain() {
  MutexLock lock(mu_);
  while (!queue_.empty() || running_ > 0) is_idle_.Wait(mu_);
}

void ThreadPool::Stop(Queued queued) {
  MutexLock stop_lock(stop_mu_);
  std::deque<std::function<void()>> discarded;  // destroyed outside mu_: tasks may own anything
  {
    MutexLock lock(mu_);
    stopping_ = true;
    if (queued == Queued::kDiscard) discarded.swap(queue_);
    if (queue_.empty() && running_ == 0) is_idle_.NotifyAll();
  }
  has_work_.NotifyAll();
  for (std::thread& worker : workers_)
    if (worker.joinable()) worker.join();
}

size_t ThreadPool::queued() const {
  MutexLock lock(mu_);
  return queue_.size();
}

void ThreadPool::Work(int worker) {
  SetThreadName(name_ + "-" + std::to_string(worker));
  for (;;) {
    std::function<void()> task;
    {
      MutexLock lock(mu_);
      while (queue_.empty() && !stopping_) has_work_.Wait(mu_);
      if (queue_.empty()) return;
      task = std::move(queue_.front());
      queue_.pop_front();
      running_++;
    }
    task();
    task = nullptr;  // what it owns is gone before the pool counts as idle
    MutexLock lock(mu_);
    running_--;
    if (queue_.empty() && running_ == 0) is_idle_.NotifyAll();
  }
}

namespace {

// What the workers of one ParallelFor share.
struct Loop {
  Loop(size_t n, size_t grain, const RangeFunction& fn, const std::atomic<bool>* stop)
      : n(n), grain(grain), fn(fn), stop(stop) {}

  const size_t n, grain;
  const RangeFunction& fn;
  const std::atomic<bool>* const stop;
  std::atomic<size_t> next_range{0};
  std::atomic<bool> failed{false};
  std::atomic<bool> canceled{false};
  Mutex mu;
  Status failure GUARDED_BY(mu);

  size_t ranges() const { return n / grain + (n % grain != 0); }

  void Fail(Status status) {
    MutexLock lock(mu);
    if (failure.ok()) failure = std::move(status);
    failed.store(true, std::memory_order_relaxed);
  }

  void Work(int worker) noexcept {
    while (!failed.load(std::memory_order_relaxed)) {
      const size_t range = next_range.fetch_add(1, std::memory_order_relaxed);
      if (range >= ranges()) return;
      if (stop != nullptr && stop->load(std::memory_order_relaxed)) {
        canceled.store(true, std::memory_order_relaxed);
        return;
      }
      try {
        const size_t begin = range * grain;
        fn(begin, begin + std::min(grain, n - begin), worker);
      } catch (const std::bad_alloc&) {
        Fail(Status(ErrorCode::OUT_OF_MEMORY, "out of memory"));
      } catch (const std::exception& error) {
        Fail(Status(ErrorCode::INTERNAL, "unexpected failure in a parallel step", error.what()));
      } catch (...) {
        Fail(Status(ErrorCode::INTERNAL, "unexpected failure in a parallel step"));
      }
    }
  }
};

}  // namespace

Status ParallelFor(int threads, size_t n, size_t grain, const RangeFunction& fn,
                   const std::atomic<bool>* stop) {
  assert(threads > 0 && grain > 0);
  Loop loop(n, grain, fn, stop);
  const size_t helpers =
      std::min(static_cast<size_t>(threads), std::max<size_t>(loop.ranges(), 1)) - 1;
  std::vector<std::thread> started;
  try {
    started.reserve(helpers);
    for (size_t i = 0; i < helpers; i++)
      started.emplace_back(&Loop::Work, &loop, static_cast<int>(i) + 1);
  } catch (const std::exception&) {
    // No thread or no memory for one: the work is done by those that exist.
  }
  loop.Work(0);
  for (std::thread& thread : started) thread.join();
  MutexLock lock(loop.mu);
  if (!loop.failure.ok()) return loop.failure;
  if (loop.canceled.load(std::memory_order_relaxed))
    return Status(ErrorCode::CANCELED, "canceled on request");
  return Status::Ok();
}

}  // namespace vectord

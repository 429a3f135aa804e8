// build_queue.cpp - see build_queue.h.
#include "daemon/source/build_queue.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "daemon/base/thread_pool.h"

namespace vectord {

using std::chrono::steady_clock;

Result<std::unique_ptr<BuildQueue>> BuildQueue::Start() {
  std::unique_ptr<BuildQueue> queue(new BuildQueue());
  try {
    for (int i = 0; i < kThreads; i++)
      queue->threads_.emplace_back([queue = queue.get(), i] { queue->Work(i); });
  } catch (const std::system_error& error) {
    return Status(ErrorCode::INTERNAL, "could not start a thread for building", error.what());
  }
  return queue;
}

void BuildQueue::Submit(std::shared_ptr<BuildJob> job, std::chrono::milliseconds delay) {
  MutexLock lock(mu_);
  if (stopping_) return;
  waiting_.push_back({std::move(job), steady_clock::now() + delay});
  changed_.NotifyAll();
}

void BuildQueue::Hurry(const std::shared_ptr<BuildJob>& job) {
  if (job == nullptr) return;
  MutexLock lock(mu_);
  for (Running& running : running_)
    if (running.job == job) running.is_hurried = true;
  for (Waiting& waiting : waiting_)
    if (waiting.job == job) waiting.not_before = steady_clock::now();
  changed_.NotifyAll();
}

void BuildQueue::Cancel(const std::shared_ptr<BuildJob>& job) {
  if (job == nullptr) return;
  job->Cancel();
  MutexLock lock(mu_);
  waiting_.erase(std::remove_if(waiting_.begin(), waiting_.end(),
                                [&](const Waiting& waiting) { return waiting.job == job; }),
                 waiting_.end());
}

void BuildQueue::Stop() {
  {
    MutexLock lock(mu_);
    stopping_ = true;
    for (const Waiting& waiting : waiting_) waiting.job->Cancel();
    for (const Running& running : running_) running.job->Cancel();
    waiting_.clear();
    changed_.NotifyAll();
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void BuildQueue::Work(int worker) {
  SetThreadName("build-" + std::to_string(worker));
  LowerThreadPriority(5);  // searches come first; threads that copy and build inherit it
  for (;;) {
    std::shared_ptr<BuildJob> job;
    {
      MutexLock lock(mu_);
      while (!stopping_ && (job = TakeNext()) == nullptr) WaitForChange();
      if (stopping_) return;
    }
    const BuildJob::Outcome outcome = job->Run([this] { return MayBeLarge(); });
    Finish(job, outcome);
  }
}

std::shared_ptr<BuildJob> BuildQueue::TakeNext() {
  const Time now = steady_clock::now();
  for (size_t i = 0; i < waiting_.size(); i++) {
    if (!MayRun(waiting_[i], now)) continue;
    std::shared_ptr<BuildJob> job = std::move(waiting_[i].job);
    waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(i));
    running_.push_back({job});
    return job;
  }
  return nullptr;
}

bool BuildQueue::MayRun(const Waiting& waiting, Time now) const {
  if (waiting.not_before > now) return false;
  if (waiting.job->is_large() && LargeRunning() >= kThreads - 1) return false;
  return std::none_of(running_.begin(), running_.end(), [&](const Running& running) {
    return running.job->collection() == waiting.job->collection();
  });
}

int BuildQueue::LargeRunning() const {
  return static_cast<int>(
      std::count_if(running_.begin(), running_.end(),
                    [](const Running& running) { return running.job->is_large(); }));
}

// Asked by a running job that has just found out, and is counted already. Two that ask at once may
// both be refused; then both come again.
bool BuildQueue::MayBeLarge() {
  MutexLock lock(mu_);
  return LargeRunning() <= kThreads - 1;
}

void BuildQueue::Finish(const std::shared_ptr<BuildJob>& job, BuildJob::Outcome outcome) {
  MutexLock lock(mu_);
  const auto running = std::find_if(running_.begin(), running_.end(),
                                    [&](const Running& candidate) { return candidate.job == job; });
  const bool at_once = outcome == BuildJob::Outcome::kPostponed || running->is_hurried;
  running_.erase(running);
  if (outcome != BuildJob::Outcome::kFinished && !job->cancelled() && !stopping_) {
    const Time now = steady_clock::now();
    waiting_.push_back({job, at_once ? now : now + job->retry_delay()});
  }
  changed_.NotifyAll();
}

void BuildQueue::WaitForChange() {
  Time earliest = Time::max();
  const Time now = steady_clock::now();
  // What may run later by time; what waits for another job is woken by its end.
  for (const Waiting& waiting : waiting_)
    if (waiting.not_before > now) earliest = std::min(earliest, waiting.not_before);
  if (earliest == Time::max())
    changed_.Wait(mu_);
  else
    changed_.WaitUntil(mu_, earliest);
}

}  // namespace vectord

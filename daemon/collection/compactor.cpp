// compactor.cpp - see compactor.h.
#include "daemon/collection/compactor.h"

#include <algorithm>
#include <optional>
#include <system_error>

#include "daemon/base/allocator.h"
#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/base/thread_pool.h"
#include "daemon/collection/segment_merge.h"

namespace vectord {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds kRetryAfter{10};
}  // namespace

Result<std::unique_ptr<Compactor>> Compactor::Start(int build_threads) {
  std::unique_ptr<Compactor> compactor(new Compactor(build_threads));
  try {
    for (Lane& lane : compactor->lanes_)
      lane.thread = std::thread([compactor = compactor.get(), &lane] { compactor->Work(&lane); });
  } catch (const std::system_error& error) {
    return Status(ErrorCode::INTERNAL, "could not start a thread for merging segments",
                  error.what());
  }
  return compactor;
}

void Compactor::Notify(const std::shared_ptr<Incarnation>& incarnation) {
  MutexLock lock(mu_);
  if (stopping_) return;
  for (Lane& lane : lanes_) {
    const auto known = std::find_if(lane.tasks.begin(), lane.tasks.end(), [&](const auto& task) {
      return !task->incarnation.owner_before(incarnation) &&
             !incarnation.owner_before(task->incarnation);
    });
    if (known == lane.tasks.end())
      lane.tasks.push_back(
          std::make_shared<Task>(Task{incarnation, steady_clock::now(), "", false, false}));
    else
      (*known)->notified_again = true;
  }
  changed_.NotifyAll();
}

void Compactor::Stop() {
  stopping_ = true;
  {
    MutexLock lock(mu_);
    for (const Lane& lane : lanes_)
      for (const auto& task : lane.tasks)
        if (const auto incarnation = task->incarnation.lock()) incarnation->CancelMerges();
    changed_.NotifyAll();
  }
  for (Lane& lane : lanes_)
    if (lane.thread.joinable()) lane.thread.join();
}

void Compactor::Work(Lane* lane) {
  SetThreadName(lane->name);
  LowerThreadPriority(10);
  while (!stopping_) {
    std::shared_ptr<Task> task;
    {
      MutexLock lock(mu_);
      while (!stopping_ && (task = TakeNext(lane)) == nullptr) WaitForTask(*lane);
      if (stopping_) return;
      task->running = true;
      task->notified_again = false;
    }
    const bool is_done = RunTask(*lane, task.get());
    MutexLock lock(mu_);
    task->running = false;
    if (is_done && !task->notified_again) {
      lane->tasks.erase(std::find(lane->tasks.begin(), lane->tasks.end(), task));
      continue;
    }
    task->not_before = steady_clock::now();
    if (!task->shown_error.empty()) task->not_before += kRetryAfter;
  }
}

std::shared_ptr<Compactor::Task> Compactor::TakeNext(Lane* lane) {
  const Time now = steady_clock::now();
  for (const auto& task : lane->tasks)
    if (!task->running && task->not_before <= now) return task;
  return nullptr;
}

void Compactor::WaitForTask(const Lane& lane) {
  Time earliest = Time::max();
  for (const auto& task : lane.tasks) earliest = std::min(earliest, task->not_before);
  if (earliest == Time::max())
    changed_.Wait(mu_);
  else
    changed_.WaitUntil(mu_, earliest);
}

// One merge. True when there was nothing (more) to do.
bool Compactor::RunTask(const Lane& lane, Task* task) {
  const auto incarnation = task->incarnation.lock();
  if (incarnation == nullptr) return true;
  std::optional<MergePlan> plan;
  {
    MutexLock lock(incarnation->mu);
    if (incarnation->state() != Incarnation::State::kServing || incarnation->merges_held())
      return true;
    if (const Status status = incarnation->Publish(); !status.ok()) return true;
    plan = incarnation->writer().PlanMerge(lane.most_rows);
  }
  if (!plan) return true;
  BuildControl control;
  control.threads = build_threads_;
  control.cancelled = incarnation->merges_cancelled();
  const int64_t start_ns = SteadyNowNs();
  const Status status = RunMerge(incarnation.get(), *plan, control);
  if (plan->build_index) ReturnFreePages();
  if (status.ok() && plan->build_index)
    LogInfo({incarnation->collection()->name()}, "indexed the rows of {} segments in {:.2f} s",
            plan->views.size(), static_cast<double>(SteadyNowNs() - start_ns) / 1e9);
  Report(status, incarnation.get(), task);
  return false;
}

void Compactor::Report(const Status& status, Incarnation* incarnation, Task* task) {
  if (status.code() == ErrorCode::CANCELED) return;
  Collection& collection = *incarnation->collection();
  std::string text;
  if (!status.ok())
    text = "merging segments failed and is tried again, searches are slower until then: " +
           status.ToString();
  if (text == task->shown_error) return;
  collection.ClearLastError(task->shown_error);
  if (!text.empty()) {
    collection.SetLastError(text);
    LogWarning({collection.name()}, "{}", text);
  }
  task->shown_error = text;
}

}  // namespace vectord

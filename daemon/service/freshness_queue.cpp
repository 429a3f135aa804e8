// freshness_queue.cpp - see freshness_queue.h.
#include "daemon/service/freshness_queue.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace vectord {
namespace {

// A collection in error may still be followed by what it was before; then this is enough.
constexpr int64_t kPatienceWithErrorsNs = 1000000000;
// So long before the client stops waiting it is told why, which it could not know by itself.
constexpr int64_t kLongestNoticeNs = 500000000;

int64_t NoticeNs(const RequestContext& request) {
  return std::min(kLongestNoticeNs, (request.deadline_ns - request.received_ns) / 10);
}

bool IsInVain(const RequestContext& request, int64_t waited_ns, int64_t now_ns) {
  if (request.deadline_ns != RequestContext::kNoDeadline &&
      now_ns >= request.deadline_ns - NoticeNs(request))
    return true;
  return waited_ns >= kPatienceWithErrorsNs && request.awaited->state() == CollectionState::kError;
}

}  // namespace

bool FreshnessQueue::HasWaiters(const Collection& collection) const {
  MutexLock lock(mu_);
  return std::any_of(waiting_.begin(), waiting_.end(), [&](const Waiting& waiting) {
    return waiting.request->awaited.get() == &collection;
  });
}

void FreshnessQueue::Park(std::unique_ptr<RequestContext> request) {
  MutexLock lock(mu_);
  waiting_.push_back({std::move(request), clock_->SteadyNs()});
}

bool FreshnessQueue::EndsAt(int64_t now_ns, const Waiting& waiting) {
  RequestContext& request = *waiting.request;
  if (request.cancelled || request.awaited->applied_lsn() >= request.awaited_lsn) return true;
  request.waited_in_vain =
      request.awaited->current() == nullptr || IsInVain(request, now_ns - waiting.since_ns, now_ns);
  return request.waited_in_vain;
}

bool FreshnessQueue::Look() {
  MutexLock lock(mu_);
  const int64_t now_ns = clock_->SteadyNs();
  const auto over =
      std::stable_partition(waiting_.begin(), waiting_.end(),
                            [&](const Waiting& waiting) { return !EndsAt(now_ns, waiting); });
  for (auto it = over; it != waiting_.end(); ++it) ready_.push_back(std::move(it->request));
  waiting_.erase(over, waiting_.end());
  ready_count_.store(ready_.size(), std::memory_order_release);
  return !ready_.empty();
}

std::unique_ptr<RequestContext> FreshnessQueue::TakeReady() {
  if (!has_ready()) return nullptr;
  MutexLock lock(mu_);
  if (ready_.empty()) return nullptr;
  std::unique_ptr<RequestContext> request = std::move(ready_.front());
  ready_.pop_front();
  ready_count_.store(ready_.size(), std::memory_order_release);
  return request;
}

std::vector<std::unique_ptr<RequestContext>> FreshnessQueue::TakeAll() {
  MutexLock lock(mu_);
  std::vector<std::unique_ptr<RequestContext>> all(std::make_move_iterator(ready_.begin()),
                                                   std::make_move_iterator(ready_.end()));
  for (Waiting& waiting : waiting_) all.push_back(std::move(waiting.request));
  ready_.clear();
  waiting_.clear();
  ready_count_.store(0, std::memory_order_release);
  return all;
}

}  // namespace vectord

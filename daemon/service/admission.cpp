// admission.cpp - see admission.h.
#include "daemon/service/admission.h"

#include <cassert>
#include <iterator>
#include <utility>

namespace vectord {

bool Admission::Enter() {
  // Counts first and asks then, so that no two requests take the last place.
  if (in_flight_.fetch_add(1, std::memory_order_relaxed) < max_in_flight()) return true;
  Leave();
  return false;
}

bool Admission::StartOrPark(std::unique_ptr<RequestContext>* request) {
  MutexLock lock(mu_);
  if (long_running_ < long_slots_) {
    long_running_++;
    (*request)->has_long_slot = true;
    return true;
  }
  parked_.push_back(std::move(*request));
  return false;
}

std::unique_ptr<RequestContext> Admission::FinishLong() {
  MutexLock lock(mu_);
  assert(long_running_ > 0);
  if (parked_.empty()) {
    long_running_--;
    return nullptr;
  }
  std::unique_ptr<RequestContext> next = std::move(parked_.front());
  parked_.pop_front();
  next->has_long_slot = true;
  return next;
}

std::vector<std::unique_ptr<RequestContext>> Admission::TakeParked() {
  MutexLock lock(mu_);
  std::vector<std::unique_ptr<RequestContext>> taken(std::make_move_iterator(parked_.begin()),
                                                     std::make_move_iterator(parked_.end()));
  parked_.clear();
  return taken;
}

size_t Admission::parked() const {
  MutexLock lock(mu_);
  return parked_.size();
}

}  // namespace vectord

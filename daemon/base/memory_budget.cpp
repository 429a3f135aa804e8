// memory_budget.cpp - counting by compare and swap.
#include "daemon/base/memory_budget.h"

#include <algorithm>
#include <cassert>
#include <limits>
#include <utility>

namespace vectord {

MemoryReservation::MemoryReservation(MemoryReservation&& other) noexcept
    : budget_(std::exchange(other.budget_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)),
      what_(std::move(other.what_)) {}

MemoryReservation& MemoryReservation::operator=(MemoryReservation&& other) noexcept {
  if (this == &other) return *this;
  Release();
  budget_ = std::exchange(other.budget_, nullptr);
  bytes_ = std::exchange(other.bytes_, 0);
  what_ = std::move(other.what_);
  return *this;
}

Status MemoryReservation::Resize(size_t bytes) {
  assert(budget_ != nullptr);
  if (bytes > bytes_)
    VFDW_RETURN_IF_ERROR(budget_->Add(bytes - bytes_, what_));
  else
    budget_->Subtract(bytes_ - bytes);
  bytes_ = bytes;
  return Status::Ok();
}

void MemoryReservation::Release() {
  if (budget_ != nullptr) budget_->Subtract(bytes_);
  budget_ = nullptr;
  bytes_ = 0;
}

MemoryBudget::MemoryBudget(size_t limit_bytes, std::string name, MemoryBudget* parent)
    : name_(std::move(name)), parent_(parent), limit_(limit_bytes) {}

MemoryBudget::~MemoryBudget() { assert(used() == 0); }

Result<MemoryReservation> MemoryBudget::Reserve(size_t bytes, std::string_view what) {
  VFDW_RETURN_IF_ERROR(Add(bytes, what));
  return MemoryReservation(this, bytes, what);
}

Result<MemoryReservation> MemoryBudget::ReserveSpare(size_t bytes, std::string_view what) {
  for (const MemoryBudget* budget = this; budget != nullptr; budget = budget->parent_) {
    const size_t used_bytes = budget->used(), limit_bytes = budget->limit();
    const size_t most = limit_bytes - limit_bytes / 8;
    if (used_bytes > most || bytes > most - used_bytes)
      return Status(ErrorCode::OUT_OF_MEMORY, "not enough memory for " + std::string(what),
                    "Asked for " + ReadableBytes(bytes) + " when " + ReadableBytes(used_bytes) +
                        " of the limit of " + ReadableBytes(limit_bytes) + " (" + budget->name_ +
                        ") were in use, and an eighth of it is kept for rows.");
  }
  return Reserve(bytes, what);
}

size_t MemoryBudget::available() const {
  size_t least = std::numeric_limits<size_t>::max();
  for (const MemoryBudget* budget = this; budget != nullptr; budget = budget->parent_) {
    const size_t used_bytes = budget->used(), limit_bytes = budget->limit();
    least = std::min(least, limit_bytes > used_bytes ? limit_bytes - used_bytes : 0);
  }
  return least;
}

bool MemoryBudget::AddHere(size_t bytes, size_t* used_bytes) {
  size_t used = used_.load(std::memory_order_relaxed);
  do {
    const size_t limit_bytes = limit();
    *used_bytes = used;
    if (used > limit_bytes || bytes > limit_bytes - used) return false;
  } while (!used_.compare_exchange_weak(used, used + bytes, std::memory_order_relaxed));
  size_t peak = peak_.load(std::memory_order_relaxed);
  while (peak < used + bytes &&
         !peak_.compare_exchange_weak(peak, used + bytes, std::memory_order_relaxed)) {
  }
  return true;
}

Status MemoryBudget::Add(size_t bytes, std::string_view what) {
  if (bytes == 0) return Status::Ok();
  for (MemoryBudget* budget = this; budget != nullptr; budget = budget->parent_) {
    size_t used_bytes = 0;
    if (budget->AddHere(bytes, &used_bytes)) continue;
    for (MemoryBudget* granted = this; granted != budget; granted = granted->parent_)
      granted->used_.fetch_sub(bytes, std::memory_order_relaxed);
    return Status(ErrorCode::OUT_OF_MEMORY, "not enough memory for " + std::string(what),
                  "Asked for " + ReadableBytes(bytes) + " when " + ReadableBytes(used_bytes) +
                      " of the limit of " + ReadableBytes(budget->limit()) + " (" + budget->name_ +
                      ") were in use.");
  }
  return Status::Ok();
}

void MemoryBudget::Subtract(size_t bytes) {
  for (MemoryBudget* budget = this; budget != nullptr; budget = budget->parent_) {
    [[maybe_unused]] const size_t before =
        budget->used_.fetch_sub(bytes, std::memory_order_relaxed);
    assert(before >= bytes);
  }
}

}  // namespace vectord

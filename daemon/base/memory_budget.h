// memory_budget.h - permission to use memory, asked for before it is allocated.
//
// A budget counts, it does not allocate. Budgets form a tree: what a child grants, its parent has
// granted too. A refusal is an error with numbers; nothing ever waits. Lowering a limit below what
// is in use takes nothing away, it only refuses what comes next.
//
// Threads: any number may reserve, resize and release at once, without locks. While one request is
// being refused by the parent, the child shows its bytes as used for an instant, so that another
// request near the limit may be refused as well; the limit itself is never exceeded.
//
// A budget must outlive its children and its reservations.
#ifndef VECTOR_FDW_DAEMON_BASE_MEMORY_BUDGET_H
#define VECTOR_FDW_DAEMON_BASE_MEMORY_BUDGET_H

#include <atomic>
#include <cstddef>
#include <string>
#include <string_view>

#include "daemon/base/quantity.h"
#include "daemon/base/status.h"

namespace vectord {

class MemoryBudget;

// Bytes that a budget has granted; given back by the destructor. One owner at a time: not thread
// safe in itself.
class MemoryReservation {
 public:
  MemoryReservation() = default;  // nothing, of no budget
  MemoryReservation(MemoryReservation&& other) noexcept;
  MemoryReservation& operator=(MemoryReservation&& other) noexcept;
  ~MemoryReservation() { Release(); }

  // Grows or shrinks. On error the old size stays. Shrinking never fails.
  // REQUIRES: it came from Reserve().
  Status Resize(size_t bytes);
  void Release();
  size_t bytes() const { return bytes_; }

 private:
  friend class MemoryBudget;
  MemoryReservation(MemoryBudget* budget, size_t bytes, std::string_view what)
      : budget_(budget), bytes_(bytes), what_(what) {}

  MemoryBudget* budget_ = nullptr;
  size_t bytes_ = 0;
  std::string what_;
};

class MemoryBudget {
 public:
  // name appears in refusals: "vectord", "collection docs_vec".
  MemoryBudget(size_t limit_bytes, std::string name, MemoryBudget* parent = nullptr);
  ~MemoryBudget();  // REQUIRES: every reservation has been given back
  MemoryBudget(const MemoryBudget&) = delete;
  MemoryBudget& operator=(const MemoryBudget&) = delete;

  // what completes "not enough memory for ...". Fails with OUT_OF_MEMORY; the detail has the bytes
  // asked for, those in use and the limit of the budget that refused.
  Result<MemoryReservation> Reserve(size_t bytes, std::string_view what);
  // For what only makes something faster: refuses also where less than an eighth of a limit would
  // remain, which is for what cannot be done without.
  Result<MemoryReservation> ReserveSpare(size_t bytes, std::string_view what);

  size_t used() const { return used_.load(std::memory_order_relaxed); }
  size_t peak() const { return peak_.load(std::memory_order_relaxed); }
  size_t limit() const { return limit_.load(std::memory_order_relaxed); }
  // What could be reserved at this moment, by the limits of this budget and all above it.
  size_t available() const;
  const std::string& name() const { return name_; }
  void SetLimit(size_t limit_bytes) { limit_.store(limit_bytes, std::memory_order_relaxed); }

 private:
  friend class MemoryReservation;

  // Grants on every level or on none.
  Status Add(size_t bytes, std::string_view what);
  void Subtract(size_t bytes);
  bool AddHere(size_t bytes, size_t* used_bytes);

  const std::string name_;
  MemoryBudget* const parent_;
  std::atomic<size_t> limit_;
  std::atomic<size_t> used_{0};
  std::atomic<size_t> peak_{0};
};

}  // namespace vectord

#endif

// sorted_columns.cpp - see sorted_columns.h.
#include "daemon/attribute/sorted_columns.h"

#include <new>
#include <utility>

#include "daemon/attribute/value_predicates.h"

namespace vectord {

const SortedRows* SortedColumns::Get(const ColumnSet& columns, size_t column, ValueKind kind,
                                     MemoryBudget* budget) const {
  if (budget == nullptr || kind == ValueKind::kNone || columns.rows() < kFewestRows) return nullptr;
  Entry& entry = entries_[column];
  const Sorted* sorted = entry.ready.load(std::memory_order_acquire);
  if (sorted == nullptr) {
    if (!entry.mu.TryLock()) return nullptr;
    try {
      Make(columns, column, kind, budget, &entry);
    } catch (const std::bad_alloc&) {
      // Then there is none.
    }
    sorted = entry.made.get();
    entry.mu.Unlock();
  }
  // With a domain, clients could name one type or another.
  return sorted != nullptr && sorted->kind == kind ? &sorted->rows : nullptr;
}

void SortedColumns::Make(const ColumnSet& columns, size_t column, ValueKind kind,
                         MemoryBudget* budget, Entry* entry) const {
  if (entry->made != nullptr) return;
  // While it is sorted, a key stands beside each row number.
  constexpr size_t kBytesToSort = 16;
  Result<MemoryReservation> memory = budget->ReserveSpare(
      columns.rows() * (sizeof(uint32_t) + kBytesToSort), "the order of a column");
  if (!memory.ok()) return;
  auto sorted = std::make_unique<Sorted>();
  sorted->kind = kind;
  if (!SortRows(kind, columns.at(column), &sorted->rows)) return;
  sorted->memory = std::move(memory).value();
  const size_t bytes = sorted->rows.capacity() * sizeof(uint32_t);
  if (!sorted->memory.Resize(bytes).ok()) return;
  bytes_.fetch_add(bytes, std::memory_order_relaxed);
  entry->made = std::move(sorted);
  entry->ready.store(entry->made.get(), std::memory_order_release);
}

}  // namespace vectord

// sorted_columns.h - the rows of one segment by the values of each column that filters ask for.
//
// Finds the few rows of a key or a tenant without looking at all. Made at the first use, by the
// search that needs it; searches beside it scan meanwhile. Where memory is short there is none, and
// filters scan. Columns of few rows have none either.
//
// Threads: any. What was made stays, unchanged, as long as the columns.
#ifndef VECTORD_ATTRIBUTE_SORTED_COLUMNS_H
#define VECTORD_ATTRIBUTE_SORTED_COLUMNS_H

#include <atomic>
#include <cstddef>
#include <memory>
#include <vector>

#include "daemon/attribute/column.h"
#include "daemon/attribute/predicate.h"
#include "daemon/attribute/value_kind.h"
#include "daemon/base/memory_budget.h"
#include "daemon/base/mutex.h"

namespace vectord {

class SortedColumns {
 public:
  // Fewer rows than this are not worth it.
  static constexpr size_t kFewestRows = 4096;

  explicit SortedColumns(size_t columns) : entries_(columns) {}

  // The rows of columns.at(column) in the order of that kind, without those that are NULL; null
  // when there is no such order. budget: what memory is reserved from; must outlive this.
  // REQUIRES: always the same columns.
  const SortedRows* Get(const ColumnSet& columns, size_t column, ValueKind kind,
                        MemoryBudget* budget) const;
  size_t memory_bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  struct Sorted {
    ValueKind kind;
    SortedRows rows;
    MemoryReservation memory;
  };
  struct Entry {
    Mutex mu;  // held while it is made
    std::unique_ptr<const Sorted> made GUARDED_BY(mu);
    std::atomic<const Sorted*> ready{nullptr};  // of made
  };

  void Make(const ColumnSet& columns, size_t column, ValueKind kind, MemoryBudget* budget,
            Entry* entry) const REQUIRES(entry->mu);

  // Making an order changes nothing of what the columns say.
  mutable std::vector<Entry> entries_;
  mutable std::atomic<size_t> bytes_{0};
};

}  // namespace vectord

#endif

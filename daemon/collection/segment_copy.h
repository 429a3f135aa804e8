// segment_copy.h - the live rows of some segments, copied into the parts of a new one.
//
// Pure with regard to its inputs, which are immutable: runs beside searches and writers.
#ifndef VECTORD_COLLECTION_SEGMENT_COPY_H
#define VECTORD_COLLECTION_SEGMENT_COPY_H

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "daemon/attribute/column.h"
#include "daemon/base/memory_budget.h"
#include "daemon/base/status.h"
#include "daemon/collection/segment_set.h"
#include "daemon/index/vector_store.h"

namespace vectord {

// Where a copied row came from: the view's position in the list, the row in its segment.
struct RowOrigin {
  uint32_t view;
  uint32_t row;
};

struct CopiedRows {
  ColumnSet columns;
  std::shared_ptr<VectorStore> vectors;  // null when the views have none
  RowTags tags;                          // one per row, or none
  std::vector<RowOrigin> origins;        // one per row
  MemoryReservation column_memory;       // of the tags too
};

// Copies in the order of the views and their rows. Memory is reserved from budget first.
// REQUIRES: all views have vectors, or none has; there is at least one view.
// CANCELED when *cancelled turned true.
Result<CopiedRows> CopyLiveRows(const std::vector<SegmentView>& views, uint32_t dimensions,
                                MemoryBudget* budget, const std::atomic<bool>* cancelled);

}  // namespace vectord

#endif

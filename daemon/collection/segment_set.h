// segment_set.h - what a collection answers from at one moment.
//
// Immutable. Searches hold a shared_ptr<const SegmentSet> from start to end, so a rebuild or a drop
// beside them neither disturbs them nor frees what they read; the last holder frees it.
#ifndef VECTORD_COLLECTION_SEGMENT_SET_H
#define VECTORD_COLLECTION_SEGMENT_SET_H

#include <cstdint>
#include <memory>
#include <vector>

#include "daemon/collection/definition.h"
#include "daemon/collection/row_bitmap.h"
#include "daemon/collection/segment.h"

namespace vectord {

// A segment and which of its rows exist: rows that were deleted stay in the segment until it is
// merged, and are left out here.
struct SegmentView {
  std::shared_ptr<const Segment> segment;
  std::shared_ptr<const RowBitmap> live;  // null: all rows
  size_t live_rows = 0;

  // All rows live. Implicit on purpose, also from a shared_ptr<Segment>.
  template <typename S>
  SegmentView(std::shared_ptr<S> s)  // NOLINT
      : segment(std::move(s)), live_rows(segment->rows()) {}
  SegmentView(std::shared_ptr<const Segment> s, std::shared_ptr<const RowBitmap> l)
      : segment(std::move(s)),
        live(std::move(l)),
        live_rows(live ? live->Count() : segment->rows()) {}

  const Segment* operator->() const { return segment.get(); }
  const Segment& operator*() const { return *segment; }
  bool IsLive(uint32_t row) const { return live == nullptr || live->Has(row); }
};

// Unique in this process, and in all likelihood never used by an earlier one: a client that
// resumes a search of before a restart must not find a set of the same number.
uint64_t NextGeneration();

struct SegmentSet {
  std::shared_ptr<MemoryBudget> budget;  // first, so that it outlives the segments' reservations
  std::shared_ptr<const Definition> definition;  // by which it was built
  uint64_t generation = 0;                       // unique among the sets of this process
  uint64_t as_of = 0;                            // LSN up to which the table's changes are in it
  uint32_t dimensions = 0;                       // 0: no row has had a vector yet
  uint64_t rejected_rows = 0;
  std::vector<SegmentView> segments;  // by first_version, ascending

  uint64_t rows = 0;          // that exist, in all segments
  uint64_t vector_rows = 0;   // of those, with a vector
  uint64_t deleted_rows = 0;  // still in segments, in no answer
  size_t memory_bytes = 0;

  // Fills the sums above from segments.
  void CountRows();
};

}  // namespace vectord

#endif

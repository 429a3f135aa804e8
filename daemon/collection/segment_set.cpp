// segment_set.cpp - see segment_set.h.
#include "daemon/collection/segment_set.h"

#include <atomic>
#include <chrono>

namespace vectord {

uint64_t NextGeneration() {
  static std::atomic<uint64_t> next{
      static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(
                                std::chrono::system_clock::now().time_since_epoch())
                                .count())};
  return next.fetch_add(1);
}

void SegmentSet::CountRows() {
  rows = vector_rows = deleted_rows = 0;
  memory_bytes = 0;
  for (const SegmentView& view : segments) {
    rows += view.live_rows;
    if (view->has_vectors()) vector_rows += view.live_rows;
    deleted_rows += view->rows() - view.live_rows;
    memory_bytes += view->memory_bytes() + (view.live ? view.live->memory_bytes() : 0);
  }
}

}  // namespace vectord

// segment_set.cpp - see segment_set.h.
#include "daemon/collection/segment_set.h"

namespace vectord {

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

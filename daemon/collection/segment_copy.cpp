// segment_copy.cpp - see segment_copy.h.
#include "daemon/collection/segment_copy.h"

#include <algorithm>
#include <cassert>

namespace vectord {
namespace {

constexpr uint32_t kRowsBetweenChecks = 4096;

bool IsCancelled(const std::atomic<bool>* cancelled) {
  return cancelled != nullptr && cancelled->load(std::memory_order_relaxed);
}

Status CopyView(const SegmentView& view, uint32_t position, bool with_tags,
                const std::atomic<bool>* cancelled, CopiedRows* out) {
  const Segment& segment = *view;
  for (uint32_t row = 0; row < segment.rows(); row++) {
    if (row % kRowsBetweenChecks == 0 && IsCancelled(cancelled))
      return Status(ErrorCode::CANCELED, "the merge of segments was canceled");
    if (!view.IsLive(row)) continue;
    if (out->vectors)
      VFDW_RETURN_IF_ERROR(out->vectors->AppendBatch(segment.vectors().row(row), 1).status());
    out->columns.AppendRow(segment.columns(), row);
    if (with_tags) out->tags.push_back(segment.tags().empty() ? RowTag() : segment.tags()[row]);
    out->origins.push_back({position, row});
  }
  return {};
}

}  // namespace

Result<CopiedRows> CopyLiveRows(const std::vector<SegmentView>& views, uint32_t dimensions,
                                MemoryBudget* budget, const std::atomic<bool>* cancelled) {
  assert(!views.empty());
  const bool with_vectors = views[0]->has_vectors();
  const bool with_tags = std::any_of(views.begin(), views.end(),
                                     [](const auto& view) { return !view->tags().empty(); });
  size_t rows = 0, column_bytes = 0;
  for (const SegmentView& view : views) {
    assert(view->has_vectors() == with_vectors);
    rows += view.live_rows;
    column_bytes += view->columns().plain_bytes();
  }
  const size_t tag_bytes = with_tags ? rows * sizeof(RowTag) : 0;
  column_bytes += tag_bytes;
  CopiedRows copied;
  VFDW_ASSIGN_OR_RETURN(copied.column_memory,
                        budget->Reserve(column_bytes, "the columns of a merged segment"));
  if (with_vectors) {
    VFDW_ASSIGN_OR_RETURN(MemoryReservation memory,
                          budget->Reserve(VectorStore::BytesFor(rows, dimensions),
                                          "the vectors of a merged segment"));
    VFDW_ASSIGN_OR_RETURN(copied.vectors, VectorStore::Create(dimensions, rows, std::move(memory)));
  }
  copied.columns = views[0]->columns().EmptyCopy();
  copied.origins.reserve(rows);
  if (with_tags) copied.tags.reserve(rows);
  for (uint32_t i = 0; i < views.size(); i++)
    VFDW_RETURN_IF_ERROR(CopyView(views[i], i, with_tags, cancelled, &copied));
  VFDW_RETURN_IF_ERROR(copied.column_memory.Resize(copied.columns.memory_bytes() + tag_bytes));
  return copied;
}

}  // namespace vectord

// batch.cpp - see batch.h.
#include "daemon/service/batch.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/index/index.h"
#include "shared/limits.h"

namespace vectord {
namespace {

constexpr size_t kDefaultBatchRows = 10000;

void DescribeSearch(const ResultStream& stream, vfdw::SearchReply* reply) {
  const SegmentSet& set = stream.set();
  reply->complete = stream.complete();
  reply->generation = set.generation;
  reply->as_of = set.as_of;
  reply->candidates = stream.stats().candidates;
  reply->strategy = stream.stats().strategy;
  reply->effort = stream.stats().effort;
  reply->collection_rows = set.rows;
  reply->metric = static_cast<uint8_t>(set.definition->index.metric);
  reply->index = IndexKindName(set.definition->index.kind);
}

// Why the request was stopped, if that is what ended the search.
Status StatusOf(const Status& found, const RequestContext& context) {
  return found.code() == ErrorCode::CANCELED && context.cancelled ? context.StopStatus() : found;
}

}  // namespace

Result<Batch> NextBatch(Service& service, const RequestContext& context, uint32_t batch_rows,
                        Cursor* cursor) {
  ResultStream& stream = cursor->stream;
  const RowEncoder encoder(stream.set(), cursor->columns, !stream.query().vector.empty());
  const size_t fit_at_most = VFDW_REPLY_TARGET_BYTES / encoder.least_bytes_per_row() + 1;
  const size_t max_rows =
      std::min(batch_rows == 0 ? kDefaultBatchRows : size_t{batch_rows}, fit_at_most);

  const uint64_t candidates_before = stream.stats().candidates;
  const int64_t began_us = SteadyNowUs();
  std::vector<RowRef> rows;
  const Status found = stream.Next(max_rows, &context.cancelled, &rows);
  if (!found.ok()) return StatusOf(found, context);
  const size_t taken = encoder.RowsWithin(rows, VFDW_REPLY_TARGET_BYTES);
  if (taken < rows.size()) {
    stream.PutBack(rows.size() - taken);
    rows.resize(taken);
  }
  Batch batch;
  batch.reply.engine_us = static_cast<uint64_t>(SteadyNowUs() - began_us);
  service.metrics->candidates.Add(stream.stats().candidates - candidates_before);
  DescribeSearch(stream, &batch.reply);
  batch.more_to_fetch = !stream.complete() && (cursor->hold || !stream.batch_reached());
  VFDW_ASSIGN_OR_RETURN(batch.raw, encoder.Encode(rows, service.budget, &batch.reply));
  return batch;
}

Result<Batch> CountRows(Service& service, const RequestContext& context, Cursor* cursor) {
  ResultStream& stream = cursor->stream;
  const int64_t began_us = SteadyNowUs();
  const Result<uint64_t> count = stream.Count(&context.cancelled);
  if (!count.ok()) return StatusOf(count.status(), context);
  Batch batch;
  DescribeSearch(stream, &batch.reply);
  batch.reply.engine_us = static_cast<uint64_t>(SteadyNowUs() - began_us);
  batch.reply.complete = true;
  batch.reply.matching_rows = *count;
  service.metrics->candidates.Add(stream.stats().candidates);
  return batch;
}

bool IsLongContinuation(const ResultStream& stream) {
  if (stream.pending() > 0 || stream.query().vector.empty()) return false;
  return stream.set().vector_rows * stream.set().dimensions >= kLongSearchElements;
}

}  // namespace vectord

// result_stream.h - the rows of a collection in the order of their distance, for as long as the
// reader asks.
//
// The first k rows come from the index, however approximate it is; whatever the reader wants beyond
// them comes from exact scans that start after the last row given, twice as far each time. So the
// order never breaks, no row comes twice, and a reader that goes on to the end has had each row
// once, except those that the index missed among the first k. Rows without a vector come last.
//
// A filter is evaluated once, for all segments, before the first row is looked for. A range ends
// the stream at its distance; if the index found fewer rows within it than were wanted, they are
// looked for exactly, so that none is missing.
//
// Not thread-safe: one reader. Holds the segment set, hence sees one state of the collection.
#ifndef VECTORD_COLLECTION_RESULT_STREAM_H
#define VECTORD_COLLECTION_RESULT_STREAM_H

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/attribute/filter.h"
#include "daemon/base/status.h"
#include "daemon/collection/segment_set.h"
#include "shared/metric.h"

namespace vectord {

// A row of the answer. distance is meaningless in rows without a vector and in unordered streams.
struct RowRef {
  double distance;
  uint32_t segment;  // index into SegmentSet::segments
  uint32_t row;      // within the segment
};

// Where a stream goes on: after this row, in the exact order of (distance, version).
struct StreamPosition {
  double distance = 0;
  bool distance_is_null = false;
  vfdw::RowVersionId version = 0;
};

struct Query {
  std::vector<float> vector;  // empty: all rows in no particular order
  vfdw_metric metric = VFDW_METRIC_L2;
  uint64_t k = 0;  // rows wanted at first; 0: all
  bool exact = false;
  uint32_t ef_search = 0, nprobe = 0;  // 0: what target_recall needs
  double target_recall = 0;            // 0: the index's default
  double oversample = 0;               // the definition's
  std::optional<StreamPosition> after;
  uint64_t sample_rows = 0;  // unordered only: as many rows by chance
  uint64_t sample_seed = 0;
  std::shared_ptr<const Filter> filter;              // null: all rows
  vfdw::RangeBound range = vfdw::RangeBound::kNone;  // of max_distance; only with a vector
  double max_distance = 0;
};

struct StreamStats {
  uint64_t candidates = 0;  // distances computed
  std::string strategy;     // "graph", "lists", "exact", "scan"
  uint32_t effort = 0;
};

class ResultStream {
 public:
  // REQUIRES: the query's dimensions are the set's, if it has any vectors (CheckQuery).
  ResultStream(std::shared_ptr<const SegmentSet> set, Query query);

  // Appends up to max_rows rows to *out. Fewer only when the batch of k was reached (then the
  // caller may ask again for more) or the collection is exhausted (complete()). CANCELED when
  // *cancelled turned true.
  Status Next(size_t max_rows, const std::atomic<bool>* cancelled, std::vector<RowRef>* out);

  // How many rows the stream has in all, found without it. REQUIRES: no sample, no position.
  Result<uint64_t> Count(const std::atomic<bool>* cancelled);

  // The last n rows handed out come again, first. REQUIRES: n <= rows of the last Next().
  void PutBack(size_t n);

  // True once every row has been handed out.
  bool complete() const { return pending_next_ == pending_.size() && exhausted_; }
  // False while rows of the current batch (at first: the k wanted) are still to be handed out.
  bool batch_reached() const { return batch_left_ == 0; }
  // Rows that were found already and wait to be asked for.
  size_t pending() const { return pending_.size() - pending_next_; }
  // What is held for the continuation, beside the set.
  size_t memory_bytes() const;
  const SegmentSet& set() const { return *set_; }
  const std::shared_ptr<const SegmentSet>& shared_set() const { return set_; }
  const Query& query() const { return query_; }
  const StreamStats& stats() const { return stats_; }
  bool IsVectorless(const RowRef& ref) const { return !set_->segments[ref.segment]->has_vectors(); }

 private:
  // The rows of a segment that may be in the answer.
  struct Allowed {
    std::shared_ptr<const std::vector<uint64_t>> words;  // null: those that live
    uint64_t rows = 0;
  };

  void StartBatch();
  Status ApplyFilter(const std::atomic<bool>* cancelled);
  void CountMatching();
  const uint64_t* AllowedRows(uint32_t segment) const;
  bool IsWithinRange(double distance) const;
  Status Refill(const std::atomic<bool>* cancelled);
  Status RefillOrdered(const std::atomic<bool>* cancelled);
  void RefillInStoredOrder(bool vectorless_only);
  void RefillSample();
  void SkipToPosition(const StreamPosition& position);
  Status SearchSegments(size_t wanted, bool approximately, const std::atomic<bool>* cancelled,
                        std::vector<RowRef>* found);
  SearchParams ParamsFor(uint32_t segment, size_t wanted, bool approximately,
                         const std::atomic<bool>* cancelled) const;

  const std::shared_ptr<const SegmentSet> set_;
  Query query_;
  StreamStats stats_;
  std::vector<Allowed> allowed_;  // of each segment
  bool filter_applied_ = false;   // or there is none
  uint64_t matching_rows_ = 0;    // in allowed_
  uint64_t matching_vector_rows_ = 0;
  std::vector<RowRef> pending_;
  size_t pending_next_ = 0;
  uint64_t batch_rows_ = 0;  // of the current batch, 0 before the first
  uint64_t batch_left_ = 0;  // of those, not yet handed out
  // A reader of all rows gets them in steps: each costs an exact scan, and what was found and not
  // yet read costs 16 bytes a row.
  uint64_t step_of_all_ = 16384;
  bool index_asked_ = false;                  // from now on only exact continuations
  bool vectors_exhausted_ = false;            // all rows with a vector have been found
  bool exhausted_ = false;                    // nothing comes after what is pending
  std::optional<StreamPosition> last_;        // of the last row found, for the continuation
  uint32_t scan_segment_ = 0, scan_row_ = 0;  // where rows in stored order go on
};

// Checks a query against what the collection holds: dimensions, finite elements.
Status CheckQuery(const SegmentSet& set, const Query& query);

}  // namespace vectord

#endif

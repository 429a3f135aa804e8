// collection_writer.h - applies the changes of a table to its collection.
//
// Searches never see it: they read SegmentSets, which are immutable. The writer holds the current
// segments, which rows of them live, where each key stands, and the rows applied since the last
// set; MakeSet() turns all that into a new set. So a search sees a transaction whole or not at
// all, and never waits for the writer.
//
//   Insert, Update, Delete, Truncate --> pending rows, live bits --MakeSet--> small flat segments
//   small segments (equal sizes are merged as in a binary counter, so there are O(log n) of them)
//       --PlanMerge, build beside, FinishMerge or AbandonMerge--> sealed segments with an index
//
// Memory is reserved from the collection's budget. After an error of any call but PlanMerge the
// writer is of no more use: rows of a transaction may be missing in it.
//
// Threads: one at a time. The caller's mutex covers each call; PlanMerge and FinishMerge are
// short, and what lies between them runs without it.
#ifndef VECTORD_COLLECTION_COLLECTION_WRITER_H
#define VECTORD_COLLECTION_COLLECTION_WRITER_H

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "daemon/base/memory_budget.h"
#include "daemon/base/status.h"
#include "daemon/collection/key_index.h"
#include "daemon/collection/pending_rows.h"
#include "daemon/collection/segment_copy.h"
#include "daemon/collection/segment_set.h"

namespace vectord {

enum class VectorChange : uint8_t {
  kNull,       // the row has no vector
  kValue,      // this one
  kUnchanged,  // that of the row's old version (not sent, because it is stored out of line)
  kRejected    // one that cannot be searched: NaN, other dimensions, ...
};

// A row as the stream brings it. Views, valid during the call.
struct IncomingRow {
  // All columns but the vector, in the definition's order, key columns first. NULL: data() is null.
  std::vector<std::string_view> values;
  // Columns that were not sent because they are stored out of line and did not change.
  std::vector<bool> unchanged;  // empty: none
  VectorChange vector_change = VectorChange::kNull;
  const float* vector = nullptr;
  uint32_t dimensions = 0;
  std::string_view reject_reason;
  RowTag tag;
};

// Segments to be merged into one; made and finished under the caller's mutex. Until then they take
// part in no other merge.
struct MergePlan {
  std::vector<SegmentView> views;  // as they were when the plan was made
  std::vector<uint32_t> segment_numbers;
  bool build_index = false;  // with the collection's index, else flat
  // Only the index is missing: one segment, whose rows may stay where they are.
  bool keeps_rows = false;
};

class CollectionWriter {
 public:
  CollectionWriter(std::shared_ptr<const Definition> definition,
                   std::shared_ptr<MemoryBudget> budget);

  // Takes over the rows of a copy or of the disk. REQUIRES: nothing was applied yet.
  Status Seed(const SegmentSet& set, const std::vector<KeyHash>& rejected_keys,
              const std::string& first_rejection = {});

  // An insert of a key that is there replaces its row: a change that is applied again after a
  // restart must not double it.
  Status Insert(const IncomingRow& row);
  // old_key: when the key changed; else empty. SOURCE_FAILED when the row was rejected before and
  // is not sent whole: nothing but a new copy has its values.
  Status Update(const std::vector<std::string_view>& old_key, const IncomingRow& row);
  Status Delete(const std::vector<std::string_view>& key);
  Status Truncate();

  bool dirty() const { return dirty_; }
  // The set of all that was applied, true as of that LSN.
  Result<std::shared_ptr<SegmentSet>> MakeSet(uint64_t as_of);

  // What should be merged now, if anything, of no more live rows than that. A second plan may be
  // made before the first is finished.
  // REQUIRES: !dirty(), MakeSet() was just called.
  std::optional<MergePlan> PlanMerge(size_t most_rows);
  // Whether PlanMerge() would return something, without the bound.
  bool WantsMerge() const;
  // The largest segment that still lacks the collection's index, however few rows it has: right
  // after a copy, the copied rows.
  std::optional<MergePlan> PlanFirstIndex();
  // Puts the merged segment, with row i from rows[i] of the plan's views, in their place; null when
  // no row was alive. Rows that died meanwhile are dead in it too.
  Status FinishMerge(const MergePlan& plan, std::shared_ptr<const Segment> merged,
                     const std::vector<RowOrigin>& origins);
  // The same for a plan that keeps_rows: indexed is the plan's segment with its new index.
  void FinishIndex(const MergePlan& plan, std::shared_ptr<const Segment> indexed);
  void AbandonMerge(const MergePlan& plan);
  // To be the first_version of a merged segment.
  vfdw::RowVersionId TakeVersions(size_t rows);

  size_t keys() const { return keys_.size(); }
  uint32_t dimensions() const { return dimensions_; }
  // What is wrong with one of the rows that are rejected now, the last one if that is known; else
  // empty.
  std::string_view reject_reason() const {
    return rejected_.count(explained_key_) > 0 ? std::string_view(reject_reason_) : "";
  }
  uint64_t rejected_rows() const { return rejected_.size(); }
  std::vector<KeyHash> rejected_keys() const { return {rejected_.begin(), rejected_.end()}; }
  const Definition& definition() const { return *definition_; }

 private:
  struct LiveSegment {
    uint32_t number;
    SegmentView view;
    std::unique_ptr<RowBitmap> changed;  // live bits since the last set; null: as in view
    bool is_merging = false;             // in a plan that is not finished
  };
  using Choice = std::vector<const LiveSegment*>;

  size_t key_columns() const { return key_columns_; }
  KeyHash HashOf(const IncomingRow& row) const;
  LiveSegment* FindSegment(uint32_t number);
  PendingRows* PendingOf(uint32_t number);
  Status Append(const KeyHash& key, const IncomingRow& row, const std::optional<RowLocation>& old);
  void AppendValues(const IncomingRow& row, const std::optional<RowLocation>& old,
                    ColumnSet* columns);
  bool SameAsStored(const IncomingRow& row, RowLocation old);
  const float* VectorAt(RowLocation location);  // null when that row has none
  const ColumnSet& ColumnsAt(RowLocation location);
  void Kill(RowLocation location);
  void Reject(const KeyHash& key, const IncomingRow& row);
  void StartPending();
  Status FlushPending(PendingRows* pending, uint32_t number);
  Status MergeSmallSegments();
  Status ReservePending(size_t columns_bytes);
  Status ReserveKeys();
  Choice ChooseMerge(size_t most_rows) const;
  bool LacksIndex(const LiveSegment& segment) const;
  MergePlan PlanOf(const Choice& chosen, bool first_index);
  Result<std::shared_ptr<const Segment>> FlatSegment(CopiedRows rows);

  const std::shared_ptr<const Definition> definition_;
  const std::shared_ptr<MemoryBudget> budget_;
  const size_t key_columns_;
  ColumnSet template_columns_;
  uint32_t dimensions_;
  KeyIndex keys_;
  std::vector<LiveSegment> segments_;  // by first version
  std::unique_ptr<PendingRows> pending_vectors_, pending_vectorless_;
  uint32_t pending_vectors_number_ = 0, pending_vectorless_number_ = 0;
  uint32_t next_number_ = 1;
  vfdw::RowVersionId next_version_ = 1;
  struct LowBits {
    size_t operator()(const KeyHash& key) const { return key.low; }
  };
  std::unordered_set<KeyHash, LowBits> rejected_;
  KeyHash explained_key_{};  // whose reason the next is
  std::string reject_reason_;
  MemoryReservation key_memory_, pending_memory_;
  bool dirty_ = false;
};

}  // namespace vectord

#endif

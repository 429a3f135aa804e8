// collection_store.h - a collection on disk: written by checkpoints, read after a start.
//
// Segments and live bitmaps are immutable, so each is written once: the store remembers which of
// them stand in which file, and a checkpoint writes only what is new since the last one.
//
// Threads: one at a time. What Load() returns is shared with others at once.
#ifndef VECTORD_COLLECTION_COLLECTION_STORE_H
#define VECTORD_COLLECTION_COLLECTION_STORE_H

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "daemon/base/memory_budget.h"
#include "daemon/base/status.h"
#include "daemon/collection/definition.h"
#include "daemon/collection/segment_io.h"
#include "daemon/collection/segment_set.h"
#include "daemon/storage/collection_dir.h"

namespace vectord {

// What a collection is, apart from its set.
struct CollectionCounters {
  // Hashes of the keys whose rows were rejected, two words each.
  std::vector<uint64_t> rejected_keys;
  uint64_t builds = 0;
};

class CollectionStore {
 public:
  // placement: where the vectors of what is loaded and written are.
  CollectionStore(std::unique_ptr<CollectionDir> dir, VectorPlacement placement)
      : dir_(std::move(dir)), placement_(placement) {}

  struct UnsettledFile {
    FileRef file;
    std::shared_ptr<const UnsettledVectors> vectors;
  };
  struct Loaded {
    std::shared_ptr<SegmentSet> set;  // its generation is for the caller to give
    CollectionCounters counters;
    std::vector<UnsettledFile> unsettled;
  };
  // True when there is something to load.
  bool has_content() const { return dir_->manifest().has_value(); }
  // CORRUPT when the files are damaged, or by their stamps a copy of something else: then they are
  // discarded, and the collection is to be built anew. Other errors (OUT_OF_MEMORY, IO) leave them.
  // REQUIRES: has_content(); nothing was loaded or written yet.
  Result<Loaded> Load(std::shared_ptr<const Definition> definition, const SourceStamps& expected,
                      std::shared_ptr<MemoryBudget> budget);

  // Makes the set durable as of set.as_of, which may only be confirmed to the slot when this
  // returned OK. After an error the old state is still on disk; try again later. With kDisk the
  // memory of vectors that are now in a file is given back.
  Status Checkpoint(const SegmentSet& set, const CollectionCounters& counters,
                    const SourceStamps& stamps);

  // Throws the files away, for a reason found outside: a slot that was lost (culprit null), vectors
  // that Settle() found damaged.
  Status Discard(const Status& why, const FileRef* culprit);

  CollectionDir& dir() { return *dir_; }
  const CollectionDir& dir() const { return *dir_; }

 private:
  struct StoredSegment {
    FileRef file;
    std::weak_ptr<const RowBitmap> live_rows;  // that `live` holds
    std::optional<FileRef> live;
    bool vectors_moved = false;  // nothing is left to be moved to disk
  };
  // By identity. A weak pointer keeps the identity from being given to another object.
  using StoredSegments = std::map<std::weak_ptr<const Segment>, StoredSegment, std::owner_less<>>;

  Result<Loaded> LoadFiles(std::shared_ptr<const Definition> definition,
                           std::shared_ptr<MemoryBudget> budget, const FileRef** culprit);
  Result<SegmentView> LoadView(const SegmentRecord& record, const Definition& definition,
                               MemoryBudget* budget, Loaded* loaded, const FileRef** culprit);
  Status MakeRoom(const SegmentSet& set);
  void KeepOnly(const SegmentSet& set);
  void MoveVectorsToDisk(const SegmentSet& set);
  Result<SegmentRecord> StoreView(const SegmentView& view);
  Result<std::optional<FileRef>> StoreRejectedKeys(const std::vector<uint64_t>& keys);

  const std::unique_ptr<CollectionDir> dir_;
  const VectorPlacement placement_;
  StoredSegments stored_;
  std::optional<FileRef> rejected_file_;
  uint64_t rejected_checksum_ = 0;  // of the words in it
  bool left_orphans_ = false;       // the last checkpoint failed
};

}  // namespace vectord

#endif

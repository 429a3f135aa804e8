// collection_store.cpp - see collection_store.h.
#include "daemon/collection/collection_store.h"

#include <utility>

#include "daemon/base/byte_stream.h"
#include "daemon/base/checksum.h"
#include "daemon/base/log.h"
#include "daemon/storage/word_file.h"

namespace vectord {
namespace {

uint64_t ChecksumOfWords(const std::vector<uint64_t>& words) {
  return Checksum(BytesOf(words.data(), words.size()));
}

}  // namespace

// ---- reading
// --------------------------------------------------------------------------------------

Result<CollectionStore::Loaded> CollectionStore::Load(std::shared_ptr<const Definition> definition,
                                                      const SourceStamps& expected,
                                                      std::shared_ptr<MemoryBudget> budget) {
  const std::string difference = DescribeDifference(dir_->manifest()->stamps, expected);
  const FileRef* culprit = nullptr;
  Result<Loaded> loaded =
      difference.empty()
          ? LoadFiles(std::move(definition), std::move(budget), &culprit)
          : Status(ErrorCode::CORRUPT, "the files are a copy of something else", difference);
  if (loaded.ok()) return loaded;
  stored_.clear();
  rejected_file_.reset();
  if (loaded.status().code() == ErrorCode::CORRUPT) {
    const std::optional<FileRef> bad = culprit ? std::optional(*culprit) : std::nullopt;
    // The files are not used again either way; what is left of them the next start finds.
    if (const Status discarded = dir_->Discard(loaded.status(), bad ? &*bad : nullptr);
        !discarded.ok())
      LogStatus({}, discarded);
    left_orphans_ = true;
  }
  return loaded;
}

Result<CollectionStore::Loaded> CollectionStore::LoadFiles(
    std::shared_ptr<const Definition> definition, std::shared_ptr<MemoryBudget> budget,
    const FileRef** culprit) {
  const Manifest& manifest = *dir_->manifest();
  Loaded loaded;
  loaded.set = std::make_shared<SegmentSet>();
  loaded.set->budget = budget;
  loaded.set->definition = definition;
  loaded.set->as_of = manifest.durable_lsn;
  loaded.set->dimensions = manifest.dimensions;
  loaded.set->rejected_rows = manifest.rejected_rows;
  for (const SegmentRecord& record : manifest.segments) {
    VFDW_ASSIGN_OR_RETURN(SegmentView view,
                          LoadView(record, *definition, budget.get(), &loaded, culprit));
    loaded.set->segments.push_back(std::move(view));
  }
  if (manifest.rejected_keys) {
    *culprit = &*manifest.rejected_keys;
    VFDW_ASSIGN_OR_RETURN(const auto file, dir_->OpenFile(*manifest.rejected_keys));
    VFDW_ASSIGN_OR_RETURN(loaded.counters.rejected_keys, ReadWords(*file));
    rejected_file_ = manifest.rejected_keys;
    rejected_checksum_ = ChecksumOfWords(loaded.counters.rejected_keys);
  }
  loaded.counters.builds = manifest.builds;
  loaded.set->CountRows();
  return loaded;
}

Result<SegmentView> CollectionStore::LoadView(const SegmentRecord& record,
                                              const Definition& definition, MemoryBudget* budget,
                                              Loaded* loaded, const FileRef** culprit) {
  *culprit = &record.file;
  VFDW_ASSIGN_OR_RETURN(std::unique_ptr<SectionFile> opened, dir_->OpenFile(record.file));
  const std::shared_ptr<const SectionFile> file = std::move(opened);
  VFDW_ASSIGN_OR_RETURN(OpenedSegment segment, ReadSegment(file, dir_->PathOf(record.file),
                                                           definition, placement_, budget));
  if (segment.segment->rows() != record.rows ||
      (segment.segment->has_vectors() &&
       segment.segment->vectors().dimensions() != loaded->set->dimensions))
    return Status(ErrorCode::CORRUPT, "a segment does not fit its manifest");
  std::shared_ptr<const RowBitmap> live;
  if (record.live) {
    *culprit = &*record.live;
    VFDW_ASSIGN_OR_RETURN(const auto live_file, dir_->OpenFile(*record.live));
    VFDW_ASSIGN_OR_RETURN(std::vector<uint64_t> words,
                          ReadLiveRows(*live_file, record.rows, record.live_rows));
    live = std::make_shared<const RowBitmap>(std::move(words));
  }
  if (segment.unsettled) loaded->unsettled.push_back({record.file, std::move(segment.unsettled)});
  stored_[segment.segment] = {record.file, live, record.live, /*vectors_moved=*/true};
  return SegmentView(std::move(segment.segment), std::move(live));
}

// ---- writing
// --------------------------------------------------------------------------------------

Status CollectionStore::Checkpoint(const SegmentSet& set, const CollectionCounters& counters,
                                   const SourceStamps& stamps) {
  if (left_orphans_) VFDW_RETURN_IF_ERROR(MakeRoom(set));
  left_orphans_ = true;
  Manifest manifest;
  manifest.stamps = stamps;
  manifest.durable_lsn = set.as_of;
  manifest.dimensions = set.dimensions;
  manifest.rejected_rows = set.rejected_rows;
  manifest.builds = counters.builds;
  for (const SegmentView& view : set.segments) {
    VFDW_ASSIGN_OR_RETURN(SegmentRecord record, StoreView(view));
    manifest.segments.push_back(std::move(record));
  }
  VFDW_ASSIGN_OR_RETURN(manifest.rejected_keys, StoreRejectedKeys(counters.rejected_keys));
  VFDW_RETURN_IF_ERROR(dir_->Commit(std::move(manifest)));
  left_orphans_ = false;
  KeepOnly(set);
  if (placement_ == VectorPlacement::kDisk) MoveVectorsToDisk(set);
  return {};
}

void CollectionStore::MoveVectorsToDisk(const SegmentSet& set) {
  for (const SegmentView& view : set.segments) {
    StoredSegment& stored = stored_[view.segment];
    if (stored.vectors_moved) continue;
    const auto move = [&]() -> Status {
      VFDW_ASSIGN_OR_RETURN(const auto file, dir_->OpenFile(stored.file));
      return MoveVectorsToFile(*view.segment, *file, dir_->PathOf(stored.file));
    };
    // Failing costs memory, nothing else; the next checkpoint tries again.
    const Status moved = move();
    stored.vectors_moved = moved.ok();
    if (!moved.ok()) LogStatus({}, moved);
  }
}

// Files of an unfinished checkpoint are used by the next one, if it still has what is in them.
Status CollectionStore::MakeRoom(const SegmentSet& set) {
  KeepOnly(set);
  std::vector<FileRef> needed;
  for (const auto& [segment, stored] : stored_) {
    needed.push_back(stored.file);
    if (stored.live) needed.push_back(*stored.live);
  }
  if (rejected_file_) needed.push_back(*rejected_file_);
  return dir_->RemoveOrphans(needed);
}

// Segments of other sets may still be searched, but need no file any more.
void CollectionStore::KeepOnly(const SegmentSet& set) {
  StoredSegments kept;
  for (const SegmentView& view : set.segments) kept.insert(stored_.extract(view.segment));
  stored_ = std::move(kept);
}

Result<SegmentRecord> CollectionStore::StoreView(const SegmentView& view) {
  auto found = stored_.find(view.segment);
  if (found == stored_.end()) {
    VFDW_ASSIGN_OR_RETURN(std::unique_ptr<SectionFileWriter> writer,
                          dir_->Create(FileKind::kSegment));
    VFDW_RETURN_IF_ERROR(WriteSegment(*view.segment, writer.get()));
    VFDW_ASSIGN_OR_RETURN(const FileRef file, writer->Finish());
    found = stored_.insert({view.segment, {file, {}, {}, false}}).first;
  }
  StoredSegment& stored = found->second;
  if (view.live == nullptr) {
    stored.live.reset();
  } else if (!stored.live || stored.live_rows.lock() != view.live) {
    VFDW_ASSIGN_OR_RETURN(std::unique_ptr<SectionFileWriter> writer,
                          dir_->Create(FileKind::kLiveRows));
    VFDW_ASSIGN_OR_RETURN(
        stored.live, WriteWords(std::move(writer), view.live->words(), view.live->word_count()));
    stored.live_rows = view.live;
  }
  SegmentRecord record;
  record.file = stored.file;
  record.live = stored.live;
  record.rows = view->rows();
  record.live_rows = view.live_rows;
  return record;
}

Result<std::optional<FileRef>> CollectionStore::StoreRejectedKeys(
    const std::vector<uint64_t>& keys) {
  const uint64_t checksum = ChecksumOfWords(keys);
  if (keys.empty()) {
    rejected_file_.reset();
  } else if (!rejected_file_ || checksum != rejected_checksum_) {
    VFDW_ASSIGN_OR_RETURN(std::unique_ptr<SectionFileWriter> writer,
                          dir_->Create(FileKind::kRejectedKeys));
    VFDW_ASSIGN_OR_RETURN(rejected_file_, WriteWords(std::move(writer), keys.data(), keys.size()));
    rejected_checksum_ = checksum;
  }
  return rejected_file_;
}

Status CollectionStore::Discard(const Status& why, const FileRef* culprit) {
  stored_.clear();
  rejected_file_.reset();
  left_orphans_ = true;
  return dir_->Discard(why, culprit);
}

}  // namespace vectord

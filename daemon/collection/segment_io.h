// segment_io.h - a segment as the sections of a file, and back.
//
// Columns, norms and the index are read and checked when a segment is opened. Vectors, by far the
// most, are not: the file is mapped, and they come from the disk as searches touch them. Before
// they can be relied upon they are to be settled, which reads all of them once:
//
//   ReadSegment -> mapped, unchecked --Settle()--> checked; with kMemory also moved to memory
//
// Until then searches answer from the mapping. What settling finds damaged is CORRUPT, and its
// caller drops the segment. Vectors of few bytes are read at once, and need no settling.
#ifndef VECTORD_COLLECTION_SEGMENT_IO_H
#define VECTORD_COLLECTION_SEGMENT_IO_H

#include <atomic>
#include <memory>
#include <string>

#include "daemon/base/mapped_file.h"
#include "daemon/base/memory_budget.h"
#include "daemon/base/status.h"
#include "daemon/collection/definition.h"
#include "daemon/collection/segment.h"
#include "daemon/storage/section_file.h"

namespace vectord {

// Of placement kDisk vectors are page cache and reserve nothing.

// Vectors that were mapped and not checked yet. Holds the file open, not the mapping.
class UnsettledVectors {
 public:
  UnsettledVectors(std::shared_ptr<const SectionFile> file, SectionEntry section,
                   const std::shared_ptr<MappedFile>& mapping, VectorPlacement placement)
      : file_(std::move(file)), section_(section), mapping_(mapping), placement_(placement) {}

  // Reads the vectors. OK also when nobody holds the segment any more, and when there was no memory
  // to move them to but they are sound. Searches may run meanwhile. One thread; again only after an
  // error. cancelled may be null.
  Status Settle(const std::atomic<bool>* cancelled) const;
  uint64_t bytes() const { return section_.size; }

 private:
  const std::shared_ptr<const SectionFile> file_;
  const SectionEntry section_;
  const std::weak_ptr<MappedFile> mapping_;
  const VectorPlacement placement_;
};

struct OpenedSegment {
  std::shared_ptr<const Segment> segment;
  std::shared_ptr<const UnsettledVectors> unsettled;  // null: nothing is to be done
};

// The caller finishes the file. REQUIRES: the segment has rows.
Status WriteSegment(const Segment& segment, SectionFileWriter* writer);

// Has the vectors, which the file holds as well, be read from there, and gives their memory back.
// Nothing is done for few vectors. Searches may run meanwhile. path: of that file.
Status MoveVectorsToFile(const Segment& segment, const SectionFile& file, const std::string& path);

// path: of that file. CORRUPT when it is no segment by this definition; OUT_OF_MEMORY, before
// anything large is read, when the budget has no room for it.
Result<OpenedSegment> ReadSegment(const std::shared_ptr<const SectionFile>& file,
                                  const std::string& path, const Definition& definition,
                                  VectorPlacement placement, MemoryBudget* budget);

}  // namespace vectord

#endif

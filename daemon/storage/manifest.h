// manifest.h - what a collection's directory holds, and of what it is a copy.
//
// A directory's files mean nothing without its manifest, which names them with their checksums; it
// is replaced as a whole, by a rename. Reading is a function of the bytes alone.
#ifndef VECTOR_FDW_DAEMON_STORAGE_MANIFEST_H
#define VECTOR_FDW_DAEMON_STORAGE_MANIFEST_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/status.h"
#include "daemon/storage/file_names.h"
#include "daemon/storage/section_file.h"

namespace vectord {

// Of which table, in which state of its cluster, by which definition. Files are a copy of something
// else as soon as one of these differs.
struct SourceStamps {
  uint64_t system_identifier = 0;
  uint32_t timeline = 0;
  std::string slot_name;
  CollectionKey key;
  uint32_t table_oid = 0;
  uint64_t definition_hash = 0;
};

// What differs, as a sentence for people, or empty when they are the same.
std::string DescribeDifference(const SourceStamps& stored, const SourceStamps& expected);

struct SegmentRecord {
  FileRef file;
  std::optional<FileRef> live;  // none: all rows
  uint64_t rows = 0;
  uint64_t live_rows = 0;
};

struct Manifest {
  SourceStamps stamps;
  uint64_t durable_lsn = 0;  // all commits up to here are in the files
  uint32_t dimensions = 0;   // 0: no row has had a vector yet
  uint64_t rejected_rows = 0;
  uint64_t builds = 0;
  int64_t written_at_us = 0;            // wall clock, for people
  std::vector<SegmentRecord> segments;  // in the order of the set
  std::optional<FileRef> rejected_keys;

  uint64_t file_bytes() const;  // of all files it names
};

// The largest that is written or read: some hundred thousand segments.
constexpr size_t kMaxManifestBytes = 64 << 20;

std::string WriteManifest(const Manifest& manifest);
// CORRUPT when the bytes are no manifest of this format version.
Result<Manifest> ReadManifest(std::string_view bytes);

}  // namespace vectord

#endif

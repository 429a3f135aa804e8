// format.h - the numbers that are on disk. FORMAT.md explains them.
//
// Never renumber, never reuse. A change that older or newer code would misread gets a new
// kFormatVersion: files of another version are set aside and rebuilt from the table.
#ifndef VECTOR_FDW_DAEMON_STORAGE_FORMAT_H
#define VECTOR_FDW_DAEMON_STORAGE_FORMAT_H

#include <cstddef>
#include <cstdint>

namespace vectord {

constexpr uint32_t kFormatVersion = 1;

enum class FileKind : uint32_t { kSegment = 1, kLiveRows = 2, kRejectedKeys = 3 };

enum class SectionType : uint32_t {
  kSegmentInfo = 1,
  kColumn = 2,  // one for each column; the ordinal counts them
  kVectors = 3,
  kSquaredNorms = 4,
  kIndex = 5,
  kRowTags = 6,  // the transaction and commit position of each row
  kWords = 7,    // all of a file of 64-bit words
};

constexpr size_t kSectionAlignment = 64;
// Of sections that are mapped: a page, on every CPU that vectord is built for.
constexpr size_t kMappedSectionAlignment = 4096;
// Of one file; a segment has one for each column and a few more.
constexpr uint32_t kMaxSections = 2048;

constexpr char kFileMagic[9] = "VECTRDSF";
constexpr char kTrailerMagic[9] = "FSDRTCEV";
constexpr char kManifestMagic[9] = "VECTRDMF";

// At the start of every file but the manifest.
struct FileHeader {
  char magic[8];
  uint32_t format_version;
  uint32_t kind;
  uint64_t number;
  uint64_t zero[4];
  uint64_t checksum;  // of all before it
};
static_assert(sizeof(FileHeader) == 64);

// One for each section, in the order of the file, behind the last section.
struct SectionEntry {
  uint32_t type;
  uint32_t ordinal;
  uint64_t offset;
  uint64_t size;
  uint64_t checksum;
};
static_assert(sizeof(SectionEntry) == 32);

// The last bytes of the file. Its checksum covers, by those in it and in the table, all that has a
// meaning in the file; the manifest holds it, so that no other file is taken for this one.
struct FileTrailer {
  uint64_t table_offset;
  uint64_t table_checksum;
  uint64_t header_checksum;
  uint64_t file_bytes;
  uint32_t section_count;
  uint32_t format_version;
  char magic[8];
  uint64_t zero;
  uint64_t checksum;  // of all before it
};
static_assert(sizeof(FileTrailer) == 64);

// At the start of the manifest; the body follows.
struct ManifestHeader {
  char magic[8];
  uint32_t format_version;
  uint32_t zero;
  uint64_t body_bytes;
  uint64_t checksum;  // of all before it, then of the body
};
static_assert(sizeof(ManifestHeader) == 32);

}  // namespace vectord

#endif

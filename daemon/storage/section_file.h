// section_file.h - a file of checksummed sections: written once, then only read.
//
// A file is written beside its name, synced and renamed, so that under its name it is whole or not
// there. Whether the name itself survives a crash is the directory's matter (collection_dir.h).
//
// Every byte that means something is under a checksum. Opening checks header, table and trailer;
// a section is checked by whoever reads it to its end.
//
//   writer:  BeginSection(), Append()...  once for each section, then Finish()
#ifndef VECTOR_FDW_DAEMON_STORAGE_SECTION_FILE_H
#define VECTOR_FDW_DAEMON_STORAGE_SECTION_FILE_H

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/byte_stream.h"
#include "daemon/base/checksum.h"
#include "daemon/base/file.h"
#include "daemon/base/status.h"
#include "daemon/storage/format.h"

namespace vectord {

// A file as a manifest names it.
struct FileRef {
  FileKind kind = FileKind::kSegment;
  uint64_t number = 0;  // unique in its directory
  uint64_t bytes = 0;
  uint64_t digest = 0;  // the trailer's checksum

  bool operator==(const FileRef& other) const {
    return kind == other.kind && number == other.number && bytes == other.bytes &&
           digest == other.digest;
  }
};

// One thread. Errors are sticky: after one, all that follows returns it too. What is not finished
// is removed by the destructor.
class SectionFileWriter final : public ByteSink {
 public:
  static Result<std::unique_ptr<SectionFileWriter>> Create(FileSystem* files,
                                                           const std::string& directory,
                                                           FileKind kind, uint64_t number);
  ~SectionFileWriter() override;
  SectionFileWriter(const SectionFileWriter&) = delete;
  SectionFileWriter& operator=(const SectionFileWriter&) = delete;

  // alignment: a multiple of kSectionAlignment.
  Status BeginSection(SectionType type, uint32_t ordinal, size_t alignment = kSectionAlignment);
  // To the section last begun.
  Status Append(std::string_view bytes) override;
  // Syncs, closes and renames. Nothing may be called afterwards.
  Result<FileRef> Finish();

 private:
  SectionFileWriter(FileSystem* files, std::string path, FileRef ref);
  Status Write(std::string_view bytes);
  Status Flush();
  Status PadTo(size_t alignment);
  void EndSection();
  Result<FileRef> FinishOrFail();

  FileSystem* const files_;
  const std::string path_, temporary_path_;
  FileRef ref_;
  uint64_t header_checksum_ = 0;
  std::unique_ptr<AppendFile> file_;
  std::string buffer_;
  uint64_t offset_ = 0;  // of the next byte
  std::vector<SectionEntry> sections_;
  Checksummer checksummer_;
  bool in_section_ = false;
  Status error_;
  bool finished_ = false;
};

class SectionFile;

// The bytes of one section from its start to its end. Must not outlive its file. One thread.
class SectionSource final : public ByteSource {
 public:
  SectionSource(const ReadFile* file, const SectionEntry& entry);
  uint64_t remaining() const override { return entry_.size - position_; }
  Status Read(void* buffer, size_t size) override;
  // CORRUPT unless all was read and has the right checksum. Until then nothing that was made of the
  // bytes may be used.
  Status Finish();

 private:
  Status Fill();

  const ReadFile* const file_;
  const SectionEntry entry_;
  uint64_t position_ = 0;  // of the next byte that Read() returns
  std::string ahead_;      // bytes from position_ - ahead_used_ on, read in advance
  size_t ahead_used_ = 0;
  Checksummer checksummer_;
};

// Any number of threads.
class SectionFile {
 public:
  // CORRUPT when it is not exactly the file that ref names.
  static Result<std::unique_ptr<SectionFile>> Open(FileSystem* files, const std::string& path,
                                                   const FileRef& ref);
  // The same of a file already open; ref may be null: any sound file will do.
  static Result<std::unique_ptr<SectionFile>> FromFile(std::unique_ptr<ReadFile> file,
                                                       const FileRef* ref);

  const std::vector<SectionEntry>& sections() const { return sections_; }
  FileKind kind() const { return kind_; }
  // Null when there is none.
  const SectionEntry* Find(SectionType type, uint32_t ordinal = 0) const;
  // CORRUPT when there is none.
  Result<SectionEntry> Get(SectionType type, uint32_t ordinal = 0) const;

  SectionSource Source(const SectionEntry& entry) const {
    return SectionSource(file_.get(), entry);
  }
  // The whole section, checked, at buffer, which has room for entry.size bytes. CANCELED when
  // *cancelled, which may be null, turned true.
  Status ReadTo(const SectionEntry& entry, char* buffer,
                const std::atomic<bool>* cancelled = nullptr) const;
  // Only checks.
  Status Verify(const SectionEntry& entry, const std::atomic<bool>* cancelled) const;

 private:
  explicit SectionFile(std::unique_ptr<ReadFile> file) : file_(std::move(file)) {}
  Status ReadTable(const FileRef* ref);

  const std::unique_ptr<ReadFile> file_;
  FileKind kind_ = FileKind::kSegment;
  std::vector<SectionEntry> sections_;
};

}  // namespace vectord

#endif

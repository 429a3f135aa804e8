// section_file.cpp - see section_file.h.
#include "daemon/storage/section_file.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

#include "daemon/storage/file_names.h"

namespace vectord {
namespace {

constexpr size_t kBufferBytes = 256 << 10;
constexpr size_t kPieceBytes = 1 << 20;  // between two looks at a flag, and at a time to checksum

template <typename T>
std::string_view StructBytes(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

// The checksum is the last member.
template <typename T>
uint64_t ChecksumOf(const T& value) {
  return Checksum(StructBytes(value).substr(0, sizeof(T) - sizeof(uint64_t)));
}

Status Corrupt(std::string what) {
  return Status(ErrorCode::CORRUPT, "a file of the data directory is damaged", std::move(what));
}

// What the disk cannot deliver is as lost as what it delivers wrongly.
Status AsDamage(const Status& status) {
  if (status.code() != ErrorCode::IO) return status;
  return Corrupt("It cannot be read: " + status.ToString());
}

bool IsCancelled(const std::atomic<bool>* cancelled) {
  return cancelled != nullptr && cancelled->load(std::memory_order_relaxed);
}

Status Canceled() { return Status(ErrorCode::CANCELED, "the check of a file was canceled"); }

Status CheckHeader(const FileHeader& header) {
  if (memcmp(header.magic, kFileMagic, sizeof header.magic) != 0)
    return Corrupt("It does not begin as files of vectord do.");
  if (header.checksum != ChecksumOf(header)) return Corrupt("Its header has a wrong checksum.");
  if (header.format_version != kFormatVersion)
    return Corrupt("It has format version " + std::to_string(header.format_version) + ", not " +
                   std::to_string(kFormatVersion) + ".");
  return {};
}

Status CheckTrailer(const FileTrailer& trailer, const FileHeader& header, uint64_t file_bytes) {
  if (memcmp(trailer.magic, kTrailerMagic, sizeof trailer.magic) != 0)
    return Corrupt("It does not end as files of vectord do.");
  if (trailer.checksum != ChecksumOf(trailer)) return Corrupt("Its trailer has a wrong checksum.");
  if (trailer.format_version != kFormatVersion || trailer.header_checksum != header.checksum ||
      trailer.file_bytes != file_bytes)
    return Corrupt("Its trailer belongs to another file.");
  const uint64_t table_bytes = uint64_t{trailer.section_count} * sizeof(SectionEntry);
  if (trailer.section_count > kMaxSections || trailer.table_offset < sizeof(FileHeader) ||
      trailer.table_offset > file_bytes ||
      trailer.table_offset + table_bytes + sizeof(FileTrailer) != file_bytes)
    return Corrupt("Its table of sections is out of place.");
  return {};
}

// The sections stand in the file in the order of the table, and do not overlap.
Status CheckSections(const std::vector<SectionEntry>& sections, uint64_t table_offset) {
  uint64_t end = sizeof(FileHeader);
  for (const SectionEntry& section : sections) {
    if (section.offset < end || section.offset > table_offset ||
        section.size > table_offset - section.offset || section.offset % kSectionAlignment != 0)
      return Corrupt("A section is out of place.");
    end = section.offset + section.size;
  }
  return {};
}

Status CheckRef(const FileHeader& header, const FileTrailer& trailer, const FileRef& ref) {
  if (header.kind != static_cast<uint32_t>(ref.kind) || header.number != ref.number ||
      trailer.file_bytes != ref.bytes || trailer.checksum != ref.digest)
    return Corrupt("It is not the file that the manifest names.");
  return {};
}

}  // namespace

// ---- writing
// --------------------------------------------------------------------------------------

SectionFileWriter::SectionFileWriter(FileSystem* files, std::string path, FileRef ref)
    : files_(files), path_(std::move(path)), temporary_path_(TemporaryName(path_)), ref_(ref) {}

Result<std::unique_ptr<SectionFileWriter>> SectionFileWriter::Create(FileSystem* files,
                                                                     const std::string& directory,
                                                                     FileKind kind,
                                                                     uint64_t number) {
  FileRef ref;
  ref.kind = kind;
  ref.number = number;
  std::unique_ptr<SectionFileWriter> writer(
      new SectionFileWriter(files, directory + "/" + FileName(kind, number), ref));
  VFDW_ASSIGN_OR_RETURN(writer->file_, files->Create(writer->temporary_path_));
  FileHeader header = {};
  memcpy(header.magic, kFileMagic, sizeof header.magic);
  header.format_version = kFormatVersion;
  header.kind = static_cast<uint32_t>(kind);
  header.number = number;
  header.checksum = ChecksumOf(header);
  writer->header_checksum_ = header.checksum;
  VFDW_RETURN_IF_ERROR(writer->Write(StructBytes(header)));
  return writer;
}

SectionFileWriter::~SectionFileWriter() {
  if (finished_) return;
  file_.reset();
  // One that stays is removed with other orphans, later.
  static_cast<void>(files_->Remove(temporary_path_).ok());
}

Status SectionFileWriter::BeginSection(SectionType type, uint32_t ordinal, size_t alignment) {
  assert(alignment % kSectionAlignment == 0 && sections_.size() < kMaxSections);
  EndSection();
  VFDW_RETURN_IF_ERROR(PadTo(alignment));
  sections_.push_back({static_cast<uint32_t>(type), ordinal, offset_, 0, 0});
  checksummer_.Reset();
  in_section_ = true;
  return {};
}

void SectionFileWriter::EndSection() {
  if (!in_section_) return;
  sections_.back().size = offset_ - sections_.back().offset;
  sections_.back().checksum = checksummer_.Value();
  in_section_ = false;
}

Status SectionFileWriter::Append(std::string_view bytes) {
  assert(in_section_);
  checksummer_.Add(bytes);
  return Write(bytes);
}

Status SectionFileWriter::Write(std::string_view bytes) {
  VFDW_RETURN_IF_ERROR(error_);
  offset_ += bytes.size();
  if (buffer_.size() + bytes.size() < kBufferBytes) {
    buffer_.append(bytes);
    return {};
  }
  VFDW_RETURN_IF_ERROR(Flush());
  if (bytes.size() < kBufferBytes) {
    buffer_.append(bytes);
    return {};
  }
  return error_ = file_->Append(bytes);
}

Status SectionFileWriter::Flush() {
  VFDW_RETURN_IF_ERROR(error_);
  error_ = file_->Append(buffer_);
  buffer_.clear();
  return error_;
}

Status SectionFileWriter::PadTo(size_t alignment) {
  const size_t past = static_cast<size_t>(offset_ % alignment);
  return past == 0 ? error_ : Write(std::string(alignment - past, '\0'));
}

Result<FileRef> SectionFileWriter::Finish() {
  Result<FileRef> finished = FinishOrFail();
  if (!finished.ok()) error_ = finished.status();
  return finished;
}

Result<FileRef> SectionFileWriter::FinishOrFail() {
  EndSection();
  VFDW_RETURN_IF_ERROR(PadTo(kSectionAlignment));
  const std::string_view table(reinterpret_cast<const char*>(sections_.data()),
                               sections_.size() * sizeof(SectionEntry));
  FileTrailer trailer = {};
  trailer.table_offset = offset_;
  trailer.table_checksum = Checksum(table);
  trailer.header_checksum = header_checksum_;
  trailer.file_bytes = offset_ + table.size() + sizeof trailer;
  trailer.section_count = static_cast<uint32_t>(sections_.size());
  trailer.format_version = kFormatVersion;
  memcpy(trailer.magic, kTrailerMagic, sizeof trailer.magic);
  trailer.checksum = ChecksumOf(trailer);
  VFDW_RETURN_IF_ERROR(Write(table));
  VFDW_RETURN_IF_ERROR(Write(StructBytes(trailer)));
  VFDW_RETURN_IF_ERROR(Flush());
  VFDW_RETURN_IF_ERROR(file_->Sync());
  VFDW_RETURN_IF_ERROR(file_->Close());
  VFDW_RETURN_IF_ERROR(files_->Rename(temporary_path_, path_));
  finished_ = true;
  ref_.bytes = trailer.file_bytes;
  ref_.digest = trailer.checksum;
  return ref_;
}

// ---- reading
// --------------------------------------------------------------------------------------

SectionSource::SectionSource(const ReadFile* file, const SectionEntry& entry)
    : file_(file), entry_(entry) {}

Status SectionSource::Fill() {
  const size_t size = static_cast<size_t>(std::min<uint64_t>(remaining(), kBufferBytes));
  ahead_.resize(size);
  ahead_used_ = 0;
  VFDW_RETURN_IF_ERROR(AsDamage(file_->ReadAt(entry_.offset + position_, size, ahead_.data())));
  checksummer_.Add(ahead_);
  return {};
}

Status SectionSource::Read(void* buffer, size_t size) {
  if (size > remaining()) return Corrupt("A section ends early.");
  char* out = static_cast<char*>(buffer);
  while (size > 0) {
    const size_t held = std::min(size, ahead_.size() - ahead_used_);
    if (held > 0) {
      memcpy(out, ahead_.data() + ahead_used_, held);
      ahead_used_ += held;
      position_ += held;
      out += held;
      size -= held;
    } else if (size >= kBufferBytes) {
      const size_t piece = std::min(size, kPieceBytes);
      VFDW_RETURN_IF_ERROR(AsDamage(file_->ReadAt(entry_.offset + position_, piece, out)));
      checksummer_.Add({out, piece});
      position_ += piece;
      out += piece;
      size -= piece;
    } else {
      VFDW_RETURN_IF_ERROR(Fill());
    }
  }
  return {};
}

Status SectionSource::Finish() {
  if (remaining() != 0) return Corrupt("A section is longer than its content.");
  if (checksummer_.Value() != entry_.checksum) return Corrupt("A section has a wrong checksum.");
  return {};
}

Result<std::unique_ptr<SectionFile>> SectionFile::Open(FileSystem* files, const std::string& path,
                                                       const FileRef& ref) {
  VFDW_ASSIGN_OR_RETURN(std::unique_ptr<ReadFile> file, files->Open(path));
  Result<std::unique_ptr<SectionFile>> opened = FromFile(std::move(file), &ref);
  if (opened.ok() || opened.status().code() != ErrorCode::CORRUPT) return opened;
  return Status(ErrorCode::CORRUPT, "file \"" + path + "\" is damaged", opened.status().detail());
}

Result<std::unique_ptr<SectionFile>> SectionFile::FromFile(std::unique_ptr<ReadFile> file,
                                                           const FileRef* ref) {
  std::unique_ptr<SectionFile> opened(new SectionFile(std::move(file)));
  VFDW_RETURN_IF_ERROR(AsDamage(opened->ReadTable(ref)));
  return opened;
}

Status SectionFile::ReadTable(const FileRef* ref) {
  const uint64_t bytes = file_->size();
  if (bytes < sizeof(FileHeader) + sizeof(FileTrailer)) return Corrupt("It is too short.");
  FileHeader header;
  VFDW_RETURN_IF_ERROR(file_->ReadAt(0, sizeof header, reinterpret_cast<char*>(&header)));
  VFDW_RETURN_IF_ERROR(CheckHeader(header));
  FileTrailer trailer;
  VFDW_RETURN_IF_ERROR(
      file_->ReadAt(bytes - sizeof trailer, sizeof trailer, reinterpret_cast<char*>(&trailer)));
  VFDW_RETURN_IF_ERROR(CheckTrailer(trailer, header, bytes));
  if (ref != nullptr) VFDW_RETURN_IF_ERROR(CheckRef(header, trailer, *ref));
  sections_.resize(trailer.section_count);
  const size_t table_bytes = sections_.size() * sizeof(SectionEntry);
  VFDW_RETURN_IF_ERROR(
      file_->ReadAt(trailer.table_offset, table_bytes, reinterpret_cast<char*>(sections_.data())));
  if (Checksum({reinterpret_cast<const char*>(sections_.data()), table_bytes}) !=
      trailer.table_checksum)
    return Corrupt("Its table of sections has a wrong checksum.");
  VFDW_RETURN_IF_ERROR(CheckSections(sections_, trailer.table_offset));
  kind_ = static_cast<FileKind>(header.kind);
  return {};
}

const SectionEntry* SectionFile::Find(SectionType type, uint32_t ordinal) const {
  for (const SectionEntry& section : sections_)
    if (section.type == static_cast<uint32_t>(type) && section.ordinal == ordinal) return &section;
  return nullptr;
}

Result<SectionEntry> SectionFile::Get(SectionType type, uint32_t ordinal) const {
  if (const SectionEntry* section = Find(type, ordinal)) return *section;
  return Corrupt("Section " + std::to_string(static_cast<uint32_t>(type)) + "/" +
                 std::to_string(ordinal) + " is missing.");
}

Status SectionFile::ReadTo(const SectionEntry& entry, char* buffer,
                           const std::atomic<bool>* cancelled) const {
  SectionSource source = Source(entry);
  while (source.remaining() > 0) {
    if (IsCancelled(cancelled)) return Canceled();
    const size_t piece = static_cast<size_t>(std::min<uint64_t>(source.remaining(), kPieceBytes));
    VFDW_RETURN_IF_ERROR(source.Read(buffer, piece));
    buffer += piece;
  }
  return source.Finish();
}

Status SectionFile::Verify(const SectionEntry& entry, const std::atomic<bool>* cancelled) const {
  SectionSource source = Source(entry);
  std::string piece(static_cast<size_t>(std::min<uint64_t>(entry.size, kPieceBytes)), '\0');
  while (source.remaining() > 0) {
    if (IsCancelled(cancelled)) return Canceled();
    VFDW_RETURN_IF_ERROR(source.Read(
        piece.data(), static_cast<size_t>(std::min<uint64_t>(source.remaining(), piece.size()))));
  }
  return source.Finish();
}

}  // namespace vectord

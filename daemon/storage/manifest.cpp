// manifest.cpp - see manifest.h.
#include "daemon/storage/manifest.h"

#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <utility>

#include "daemon/base/byte_stream.h"
#include "daemon/base/checksum.h"

namespace vectord {
namespace {

// Names have a bound of their own (shared/limits.h); this one is against nonsense.
constexpr uint32_t kMaxTextBytes = 64 << 10;
constexpr size_t kSegmentRecordBytes = 2 * 28 + 1 + 2 * 8;

Status Corrupt(std::string what) {
  return Status(ErrorCode::CORRUPT, "the manifest is damaged", std::move(what));
}

uint64_t ChecksumOf(ManifestHeader header, std::string_view body) {
  Checksummer checksummer;
  checksummer.Add({reinterpret_cast<const char*>(&header), offsetof(ManifestHeader, checksum)});
  checksummer.Add(body);
  return checksummer.Value();
}

// Writing and reading are one list of fields, so that they cannot differ in it.
class FieldWriter {
 public:
  template <typename T>
  void Number(const T& value) {
    AppendNumber(value, &bytes_);
  }
  void Text(const std::string& text) {
    AppendNumber(static_cast<uint32_t>(text.size()), &bytes_);
    bytes_ += text;
  }
  void File(const FileRef& ref) {
    AppendNumber(static_cast<uint32_t>(ref.kind), &bytes_);
    AppendNumber(ref.number, &bytes_);
    AppendNumber(ref.bytes, &bytes_);
    AppendNumber(ref.digest, &bytes_);
  }
  void MaybeFile(const std::optional<FileRef>& ref) {
    AppendNumber(static_cast<uint8_t>(ref.has_value()), &bytes_);
    File(ref ? *ref : FileRef());  // of a fixed length either way
  }
  void Count(const std::vector<SegmentRecord>& records) {
    AppendNumber(static_cast<uint64_t>(records.size()), &bytes_);
  }
  std::string Take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

class FieldReader {
 public:
  explicit FieldReader(std::string_view bytes) : source_(bytes) {}

  template <typename T>
  void Number(T& value) {
    if (status_.ok()) Keep(ReadNumber(&source_, &value));
  }
  void Text(std::string& text) {
    uint32_t size = 0;
    Number(size);
    if (status_.ok() && size > kMaxTextBytes) Keep(Corrupt("A name is too long."));
    if (status_.ok()) Keep(ReadItems<char>(&source_, size, &text));
  }
  void File(FileRef& ref) {
    uint32_t kind = 0;
    Number(kind);
    Number(ref.number);
    Number(ref.bytes);
    Number(ref.digest);
    ref.kind = static_cast<FileKind>(kind);
    if (status_.ok() && FileName(ref.kind, ref.number).empty())
      Keep(Corrupt("A file is of an unknown kind."));
  }
  void MaybeFile(std::optional<FileRef>& ref) {
    uint8_t present = 0;
    Number(present);
    FileRef file;
    File(file);
    if (status_.ok() && present > 1) Keep(Corrupt("A flag is neither 0 nor 1."));
    if (status_.ok() && present == 0 && !(file == FileRef()))
      Keep(Corrupt("A file that is absent has a content."));
    ref = present == 1 ? std::optional(file) : std::nullopt;
  }
  void Count(std::vector<SegmentRecord>& records) {
    uint64_t count = 0;
    Number(count);
    if (status_.ok() && count > source_.remaining() / kSegmentRecordBytes)
      Keep(Corrupt("There are fewer segments than it says."));
    if (status_.ok()) records.resize(static_cast<size_t>(count));
  }
  Status Finish() {
    if (status_.ok() && source_.remaining() != 0) Keep(Corrupt("It is longer than its content."));
    return status_;
  }

 private:
  void Keep(Status status) {
    if (status_.ok()) status_ = std::move(status);
  }
  SpanSource source_;
  Status status_;
};

template <typename ManifestOrConst, typename Fields>
void VisitFields(ManifestOrConst& m, Fields* fields) {
  auto& stamps = m.stamps;
  fields->Number(stamps.system_identifier);
  fields->Number(stamps.timeline);
  fields->Text(stamps.slot_name);
  fields->Text(stamps.key.database);
  fields->Text(stamps.key.name);
  fields->Text(stamps.key.definition_id);
  fields->Number(stamps.table_oid);
  fields->Number(stamps.definition_hash);
  fields->Number(m.durable_lsn);
  fields->Number(m.dimensions);
  fields->Number(m.rejected_rows);
  fields->Number(m.builds);
  fields->Number(m.written_at_us);
  fields->MaybeFile(m.rejected_keys);
  fields->Count(m.segments);
  for (auto& segment : m.segments) {
    fields->File(segment.file);
    fields->MaybeFile(segment.live);
    fields->Number(segment.rows);
    fields->Number(segment.live_rows);
  }
}

std::string InHex(uint64_t number) {
  char text[24];
  snprintf(text, sizeof text, "%" PRIX64, number);
  return text;
}

std::string Differs(const char* what, const std::string& stored, const std::string& expected) {
  return std::string("They were made from ") + what + " " + stored + ", the source now has " +
         expected + ".";
}

Status CheckFiles(const Manifest& manifest) {
  for (const SegmentRecord& segment : manifest.segments) {
    if (segment.file.kind != FileKind::kSegment ||
        (segment.live && segment.live->kind != FileKind::kLiveRows))
      return Corrupt("A file of a segment is of the wrong kind.");
    if (segment.live_rows > segment.rows || (!segment.live && segment.live_rows != segment.rows))
      return Corrupt("A segment has more or fewer live rows than rows.");
  }
  if (manifest.rejected_keys && manifest.rejected_keys->kind != FileKind::kRejectedKeys)
    return Corrupt("The file of rejected keys is of the wrong kind.");
  return {};
}

}  // namespace

std::string DescribeDifference(const SourceStamps& stored, const SourceStamps& expected) {
  const auto number = [](uint64_t n) { return std::to_string(n); };
  if (stored.system_identifier != expected.system_identifier)
    return Differs("cluster", number(stored.system_identifier), number(expected.system_identifier));
  if (stored.timeline != expected.timeline)
    return Differs("timeline", number(stored.timeline), number(expected.timeline));
  if (stored.key.database != expected.key.database)
    return Differs("database", stored.key.database, expected.key.database);
  if (stored.key.name != expected.key.name)
    return Differs("collection", stored.key.name, expected.key.name);
  if (stored.table_oid != expected.table_oid)
    return Differs("the table with oid", number(stored.table_oid), number(expected.table_oid));
  if (stored.key.definition_id != expected.key.definition_id)
    return Differs("definition", stored.key.definition_id, expected.key.definition_id);
  if (stored.definition_hash != expected.definition_hash)
    return Differs("columns or options with hash", InHex(stored.definition_hash),
                   InHex(expected.definition_hash));
  if (stored.slot_name != expected.slot_name)
    return Differs("slot", stored.slot_name, expected.slot_name);
  return {};
}

uint64_t Manifest::file_bytes() const {
  uint64_t bytes = rejected_keys ? rejected_keys->bytes : 0;
  for (const SegmentRecord& segment : segments)
    bytes += segment.file.bytes + (segment.live ? segment.live->bytes : 0);
  return bytes;
}

std::string WriteManifest(const Manifest& manifest) {
  FieldWriter fields;
  VisitFields(manifest, &fields);
  const std::string body = fields.Take();
  ManifestHeader header = {};
  memcpy(header.magic, kManifestMagic, sizeof header.magic);
  header.format_version = kFormatVersion;
  header.body_bytes = body.size();
  header.checksum = ChecksumOf(header, body);
  return std::string(reinterpret_cast<const char*>(&header), sizeof header) + body;
}

Result<Manifest> ReadManifest(std::string_view bytes) {
  ManifestHeader header;
  if (bytes.size() < sizeof header) return Corrupt("It is too short.");
  memcpy(&header, bytes.data(), sizeof header);
  const std::string_view body = bytes.substr(sizeof header);
  if (memcmp(header.magic, kManifestMagic, sizeof header.magic) != 0)
    return Corrupt("It does not begin as manifests do.");
  if (header.format_version != kFormatVersion)
    return Corrupt("It has format version " + std::to_string(header.format_version) + ", not " +
                   std::to_string(kFormatVersion) + ".");
  if (header.body_bytes != body.size()) return Corrupt("It has the wrong length.");
  if (header.checksum != ChecksumOf(header, body)) return Corrupt("It has a wrong checksum.");
  Manifest manifest;
  FieldReader fields(body);
  VisitFields(manifest, &fields);
  VFDW_RETURN_IF_ERROR(fields.Finish());
  VFDW_RETURN_IF_ERROR(CheckFiles(manifest));
  return manifest;
}

}  // namespace vectord

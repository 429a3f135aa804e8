// collection_dir.cpp - see collection_dir.h.
#include "daemon/storage/collection_dir.h"

#include <algorithm>
#include <utility>

#include "daemon/base/log.h"

namespace vectord {
namespace {

std::set<std::string> NamesIn(const Manifest& manifest) {
  std::set<std::string> names;
  const auto add = [&names](const FileRef& ref) { names.insert(FileName(ref.kind, ref.number)); };
  for (const SegmentRecord& segment : manifest.segments) {
    add(segment.file);
    if (segment.live) add(*segment.live);
  }
  if (manifest.rejected_keys) add(*manifest.rejected_keys);
  return names;
}

Result<Manifest> ReadManifestFrom(const ReadFile& file) {
  if (file.size() > kMaxManifestBytes)
    return Status(ErrorCode::CORRUPT, "the manifest is damaged", "It is too large.");
  std::string bytes(static_cast<size_t>(file.size()), '\0');
  VFDW_RETURN_IF_ERROR(file.ReadAt(0, bytes.size(), bytes.data()));
  return ReadManifest(bytes);
}

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

CollectionDir::CollectionDir(std::string path, FileSystem* files, const Clock* clock)
    : path_(std::move(path)), files_(files), clock_(clock) {}

Result<std::unique_ptr<CollectionDir>> CollectionDir::Open(std::string path, FileSystem* files,
                                                           const Clock* clock) {
  std::unique_ptr<CollectionDir> dir(new CollectionDir(std::move(path), files, clock));
  VFDW_RETURN_IF_ERROR(files->CreateDirectory(dir->path_));
  VFDW_RETURN_IF_ERROR(dir->Recover());
  return dir;
}

Status CollectionDir::Recover() {
  VFDW_ASSIGN_OR_RETURN(const std::vector<std::string> names, files_->List(path_));
  for (const std::string& name : names)
    if (const auto parsed = ParseFileName(name))
      next_number_ = std::max(next_number_, parsed->number + 1);
  if (Contains(names, kManifestName)) {
    const Status read = ReadManifestFile();
    if (read.code() == ErrorCode::CORRUPT) return Discard(read, nullptr);
    VFDW_RETURN_IF_ERROR(read);
  }
  return RemoveOrphans({});
}

Status CollectionDir::ReadManifestFile() {
  const std::string path = Path(kManifestName);
  // One that cannot be opened may be there later; one that cannot be read is lost.
  VFDW_ASSIGN_OR_RETURN(const std::unique_ptr<ReadFile> file, files_->Open(path));
  Result<Manifest> manifest = ReadManifestFrom(*file);
  if (!manifest.ok())
    return Status(ErrorCode::CORRUPT, "file \"" + path + "\" is damaged",
                  manifest.status().detail());
  manifest_ = std::move(*manifest);
  named_ = NamesIn(*manifest_);
  return {};
}

std::string CollectionDir::PathOf(const FileRef& ref) const {
  return Path(FileName(ref.kind, ref.number));
}

Result<std::unique_ptr<SectionFile>> CollectionDir::OpenFile(const FileRef& ref) const {
  Result<std::unique_ptr<SectionFile>> file = SectionFile::Open(files_, PathOf(ref), ref);
  if (file.ok() || file.status().code() != ErrorCode::IO) return file;
  VFDW_ASSIGN_OR_RETURN(const std::vector<std::string> names, files_->List(path_));
  if (Contains(names, FileName(ref.kind, ref.number))) return file;
  return Status(ErrorCode::CORRUPT, "file \"" + PathOf(ref) + "\" is missing",
                "The manifest names it.");
}

Result<std::unique_ptr<SectionFileWriter>> CollectionDir::Create(FileKind kind) {
  return SectionFileWriter::Create(files_, path_, kind, next_number_++);
}

Status CollectionDir::Commit(Manifest manifest) {
  manifest.written_at_us = clock_->WallUs();
  const std::string bytes = WriteManifest(manifest);
  if (bytes.size() > kMaxManifestBytes)
    return Status(ErrorCode::LIMIT_EXCEEDED, "the manifest of a collection is too large",
                  "It would have " + std::to_string(bytes.size()) + " bytes.");
  // A manifest must not survive a crash that a name in it does not survive.
  VFDW_RETURN_IF_ERROR(files_->SyncDirectory(path_));
  std::set<std::string> names = NamesIn(manifest);
  named_.insert(names.begin(), names.end());
  VFDW_RETURN_IF_ERROR(ReplaceManifest(bytes));
  manifest_ = std::move(manifest);
  named_ = std::move(names);
  problem_ = Status();
  // What is left behind costs space until the next time, nothing else.
  if (const Status removed = RemoveOrphans({}); !removed.ok()) LogStatus({}, removed);
  return {};
}

Status CollectionDir::ReplaceManifest(const std::string& bytes) {
  const std::string temporary = Path(TemporaryName(kManifestName));
  const auto write = [&]() -> Status {
    VFDW_ASSIGN_OR_RETURN(std::unique_ptr<AppendFile> file, files_->Create(temporary));
    VFDW_RETURN_IF_ERROR(file->Append(bytes));
    VFDW_RETURN_IF_ERROR(file->Sync());
    VFDW_RETURN_IF_ERROR(file->Close());
    return files_->Rename(temporary, Path(kManifestName));
  };
  if (const Status written = write(); !written.ok()) {
    static_cast<void>(files_->Remove(temporary).ok());  // else the next RemoveOrphans() does it
    return written;
  }
  return files_->SyncDirectory(path_);
}

Status CollectionDir::RemoveOrphans(const std::vector<FileRef>& needed) {
  std::set<std::string> kept = named_;
  for (const FileRef& ref : needed) kept.insert(FileName(ref.kind, ref.number));
  VFDW_ASSIGN_OR_RETURN(const std::vector<std::string> names, files_->List(path_));
  for (const std::string& name : names) {
    const bool ours = IsTemporaryName(name) || ParseFileName(name).has_value();
    if (ours && kept.count(name) == 0) VFDW_RETURN_IF_ERROR(files_->Remove(Path(name)));
  }
  return {};
}

Status CollectionDir::SetAside(const std::string& name) {
  const std::string aside = SetAsideName(name, clock_->WallUs());
  VFDW_RETURN_IF_ERROR(files_->Rename(Path(name), Path(aside)));
  LogWarning({}, "file \"{}\" was set aside as \"{}\"", Path(name), aside);
  return TrimSetAside(kMaxSetAside);
}

Status CollectionDir::TrimSetAside(size_t kept) {
  VFDW_ASSIGN_OR_RETURN(std::vector<std::string> names, files_->List(path_));
  names.erase(std::remove_if(names.begin(), names.end(),
                             [](const std::string& name) { return SetAsideTime(name).empty(); }),
              names.end());
  std::sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
    return SetAsideTime(a) < SetAsideTime(b);
  });
  for (size_t i = 0; i + kept < names.size(); i++)
    VFDW_RETURN_IF_ERROR(files_->Remove(Path(names[i])));
  return {};
}

Status CollectionDir::RemoveSetAside() { return TrimSetAside(0); }

Status CollectionDir::Discard(const Status& why, const FileRef* culprit) {
  LogWarning({}, "the files in \"{}\" are not used: {}", path_, why.ToString());
  problem_ = why;
  manifest_.reset();
  named_.clear();
  VFDW_ASSIGN_OR_RETURN(const std::vector<std::string> names, files_->List(path_));
  const std::string bad =
      culprit == nullptr ? kManifestName : FileName(culprit->kind, culprit->number);
  if (Contains(names, bad)) VFDW_RETURN_IF_ERROR(SetAside(bad));
  VFDW_RETURN_IF_ERROR(files_->Remove(Path(kManifestName)));
  // The files go only when the manifest is gone for good: one that comes back after a crash would
  // find them missing, and be set aside for it, but there is no need to get there.
  VFDW_RETURN_IF_ERROR(files_->SyncDirectory(path_));
  return RemoveOrphans({});
}

}  // namespace vectord

// collection_dir.h - the directory of one incarnation of a collection.
//
// The manifest says what is there; all else is an orphan, of a checkpoint that a crash or a full
// disk ended. A checkpoint writes new files beside the old ones, then replaces the manifest:
//
//   Create() ... Finish()   for each new file      a crash here: the old manifest, orphans
//   Commit(manifest)        names synced; rename   a crash here: the old manifest or the new one
//                           names synced           from here on: the new one
//                           orphans removed
//
// Files are never changed, only replaced. What cannot be trusted is set aside: the file in question
// is renamed to *.corrupt-<time> (the last kMaxSetAside are kept), the rest, worthless without it,
// removed; then the directory is as good as new.
//
// Threads: one at a time. Files that were opened outlive this object and their removal.
#ifndef VECTOR_FDW_DAEMON_STORAGE_COLLECTION_DIR_H
#define VECTOR_FDW_DAEMON_STORAGE_COLLECTION_DIR_H

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/file.h"
#include "daemon/base/status.h"
#include "daemon/storage/file_names.h"
#include "daemon/storage/manifest.h"
#include "daemon/storage/section_file.h"

namespace vectord {

class CollectionDir {
 public:
  static constexpr size_t kMaxSetAside = 2;

  // Creates the directory when it is missing. A manifest that is damaged is set aside, and orphans
  // are removed: none of that is an error. IO and DISK_FULL are, and change nothing.
  static Result<std::unique_ptr<CollectionDir>> Open(std::string path, FileSystem* files,
                                                     const Clock* clock);

  const std::string& path() const { return path_; }
  // The manifest last read or committed; none: there is nothing to start from.
  const std::optional<Manifest>& manifest() const { return manifest_; }
  // Why there is no manifest although there was one. OK: there was none.
  const Status& problem() const { return problem_; }
  // Of the files that the manifest names.
  uint64_t disk_bytes() const { return manifest_ ? manifest_->file_bytes() : 0; }

  std::string PathOf(const FileRef& ref) const;
  // CORRUPT when the file is missing or is not the one that ref names.
  Result<std::unique_ptr<SectionFile>> OpenFile(const FileRef& ref) const;

  // A new file, under a number that no file of this directory has had since Open().
  Result<std::unique_ptr<SectionFileWriter>> Create(FileKind kind);
  // On error the old manifest is still valid on disk, or, when the error was in syncing the last
  // rename, possibly the new one; either is whole, and Commit() may be tried again.
  Status Commit(Manifest manifest);
  // Removes every file that no manifest needs, which could be on disk, nor the caller. Done by
  // Open() and Commit() too; on its own it makes room when a checkpoint could not be finished.
  Status RemoveOrphans(const std::vector<FileRef>& needed);

  // Sets the culprit aside (null: the manifest), removes the rest. Afterwards there is no manifest
  // and problem() is why. The error, if any, is what kept it from being done as a whole; then the
  // next Open() finds what is left, and the files are not used again in any case.
  Status Discard(const Status& why, const FileRef* culprit);
  // Removes files that were set aside, for the sake of their space.
  Status RemoveSetAside();

 private:
  CollectionDir(std::string path, FileSystem* files, const Clock* clock);

  std::string Path(const std::string& name) const { return path_ + "/" + name; }
  Status Recover();
  Status ReadManifestFile();
  Status SetAside(const std::string& name);
  Status TrimSetAside(size_t kept);
  Status ReplaceManifest(const std::string& bytes);

  const std::string path_;
  FileSystem* const files_;
  const Clock* const clock_;
  std::optional<Manifest> manifest_;
  Status problem_;
  // Of every manifest that could be the one on disk.
  std::set<std::string> named_;
  uint64_t next_number_ = 1;
};

}  // namespace vectord

#endif

// data_dir.h - the [data] directory: one process owns it, a directory for each collection.
//
// What stands in it is a cache. Names that vectord would not give are left alone.
//
// Threads: any; the mutex covers what is done to the directory itself, not to those in it.
#ifndef VECTOR_FDW_DAEMON_STORAGE_DATA_DIR_H
#define VECTOR_FDW_DAEMON_STORAGE_DATA_DIR_H

#include <memory>
#include <string>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/file.h"
#include "daemon/base/mutex.h"
#include "daemon/base/status.h"
#include "daemon/storage/collection_dir.h"
#include "daemon/storage/file_names.h"

namespace vectord {

class DataDir {
 public:
  // Creates the directory when it is missing (not its parents) and locks it. BAD_CONFIG, naming the
  // other process, when that has it.
  static Result<std::unique_ptr<DataDir>> Open(std::string path, FileSystem* files,
                                               const Clock* clock);

  // The collections on disk that have a sound manifest. Damaged manifests are set aside, orphans
  // removed, directories with nothing in them removed; what cannot be read now is left out, with a
  // line in the log.
  Result<std::vector<Manifest>> Recover();

  // The directory of a collection, created when it is missing. If what it holds belongs to another
  // collection (names too long for a file system share one by accident), it is discarded.
  // REQUIRES: nobody has it open.
  Result<std::unique_ptr<CollectionDir>> OpenCollection(const CollectionKey& key);
  // With all files in it, those set aside too. One that does not exist is no error.
  // REQUIRES: nobody has it open.
  Status RemoveCollection(const CollectionKey& key);

  // Removes every directory whose name begins so (DirectoryPrefix()), but those of `kept`. The
  // first error, after all were tried. REQUIRES: nobody has one of them open.
  Status RemoveOthers(const std::string& prefix, const std::vector<CollectionKey>& kept);

  const std::string& path() const { return path_; }

 private:
  DataDir(std::string path, FileSystem* files, const Clock* clock)
      : path_(std::move(path)), files_(files), clock_(clock) {}
  std::string PathOf(const std::string& name) const { return path_ + "/" + name; }
  Status RemoveDirectory(const std::string& path) REQUIRES(mu_);

  const std::string path_;
  FileSystem* const files_;
  const Clock* const clock_;
  FileLock lock_;
  Mutex mu_;
};

}  // namespace vectord

#endif

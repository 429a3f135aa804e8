// data_dir.cpp - see data_dir.h.
#include "daemon/storage/data_dir.h"

#include <algorithm>
#include <utility>

#include "daemon/base/log.h"

namespace vectord {

Result<std::unique_ptr<DataDir>> DataDir::Open(std::string path, FileSystem* files,
                                               const Clock* clock) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  VFDW_RETURN_IF_ERROR(files->CreateDirectory(path));
  std::unique_ptr<DataDir> dir(new DataDir(std::move(path), files, clock));
  VFDW_ASSIGN_OR_RETURN(dir->lock_, files->Lock(dir->PathOf(kLockName)));
  return dir;
}

Result<std::vector<Manifest>> DataDir::Recover() {
  MutexLock lock(mu_);
  VFDW_ASSIGN_OR_RETURN(const std::vector<std::string> names, files_->List(path_));
  std::vector<Manifest> manifests;
  for (const std::string& name : names) {
    if (!IsDirectoryName(name)) continue;
    const std::string path = PathOf(name);
    if (!files_->List(path).ok()) continue;  // no directory
    const Result<std::unique_ptr<CollectionDir>> dir = CollectionDir::Open(path, files_, clock_);
    if (!dir.ok()) {
      LogStatus({}, dir.status());
      continue;
    }
    if ((*dir)->manifest()) {
      manifests.push_back(*(*dir)->manifest());
    } else if (const auto left = files_->List(path); left.ok() && left->empty()) {
      VFDW_RETURN_IF_ERROR(files_->Remove(path));
    }
  }
  return manifests;
}

Result<std::unique_ptr<CollectionDir>> DataDir::OpenCollection(const CollectionKey& key) {
  MutexLock lock(mu_);
  if (!files_->List(path_).ok()) {
    // Somebody has removed the directory, and with it the file that says that it is ours.
    VFDW_RETURN_IF_ERROR(files_->CreateDirectory(path_));
    lock_.Release();
    VFDW_ASSIGN_OR_RETURN(lock_, files_->Lock(PathOf(kLockName)));
  }
  VFDW_ASSIGN_OR_RETURN(std::unique_ptr<CollectionDir> dir,
                        CollectionDir::Open(PathOf(DirectoryName(key)), files_, clock_));
  // The directory may be new, and a manifest in it is worth nothing without its name here.
  VFDW_RETURN_IF_ERROR(files_->SyncDirectory(path_));
  if (dir->manifest() && !(dir->manifest()->stamps.key == key)) {
    const Status foreign(ErrorCode::CORRUPT,
                         "the files in \"" + dir->path() + "\" are of another collection");
    VFDW_RETURN_IF_ERROR(dir->Discard(foreign, nullptr));
  }
  return dir;
}

Status DataDir::RemoveCollection(const CollectionKey& key) {
  MutexLock lock(mu_);
  const std::string name = DirectoryName(key);
  VFDW_ASSIGN_OR_RETURN(const std::vector<std::string> names, files_->List(path_));
  if (!std::binary_search(names.begin(), names.end(), name)) return {};
  return RemoveDirectory(PathOf(name));
}

Status DataDir::RemoveOthers(const std::string& prefix, const std::vector<CollectionKey>& kept) {
  MutexLock lock(mu_);
  VFDW_ASSIGN_OR_RETURN(const std::vector<std::string> names, files_->List(path_));
  Status first_error;
  for (const std::string& name : names) {
    const bool is_kept = std::any_of(kept.begin(), kept.end(), [&](const CollectionKey& key) {
      return DirectoryName(key) == name;
    });
    if (name.rfind(prefix, 0) != 0 || is_kept || !IsDirectoryName(name) ||
        !files_->List(PathOf(name)).ok())
      continue;
    const Status removed = RemoveDirectory(PathOf(name));
    if (first_error.ok()) first_error = removed;
  }
  return first_error;
}

// The manifest first: without it the rest are orphans, should this be interrupted.
Status DataDir::RemoveDirectory(const std::string& path) {
  VFDW_RETURN_IF_ERROR(files_->Remove(path + "/" + kManifestName));
  VFDW_RETURN_IF_ERROR(files_->SyncDirectory(path));
  VFDW_ASSIGN_OR_RETURN(const std::vector<std::string> names, files_->List(path));
  for (const std::string& name : names) VFDW_RETURN_IF_ERROR(files_->Remove(path + "/" + name));
  VFDW_RETURN_IF_ERROR(files_->Remove(path));
  return files_->SyncDirectory(path_);
}

}  // namespace vectord

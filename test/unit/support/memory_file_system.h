// memory_file_system.h - a file system that forgets in a crash what was not synced.
//
// It holds what processes see, and beside it what is on the disk: the content of a file as of its
// last Sync(), the names of a directory as of its last SyncDirectory(). Operations are counted; one
// of them can be made to fail, alone (a full disk that has room again) or with all after it (the
// end of the process).
#ifndef VECTOR_FDW_TEST_UNIT_SUPPORT_MEMORY_FILE_SYSTEM_H
#define VECTOR_FDW_TEST_UNIT_SUPPORT_MEMORY_FILE_SYSTEM_H

#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "daemon/base/file.h"

namespace vectord {

class MemoryFileSystem final : public FileSystem {
 public:
  enum class Crash {
    kOfProcess,    // kill -9: the system writes everything later
    kAllUnsynced,  // power failure: what was not synced is gone
    kContentsOnly  // power failure: names are there, contents that were not synced are not
  };
  static constexpr Crash kCrashes[] = {Crash::kOfProcess, Crash::kAllUnsynced,
                                       Crash::kContentsOnly};

  MemoryFileSystem() { directories_[""]; }
  MemoryFileSystem(const MemoryFileSystem& other) { *this = other; }
  // A copy shares no content.
  MemoryFileSystem& operator=(const MemoryFileSystem& other) {
    std::map<const Inode*, std::shared_ptr<Inode>> copies;
    const auto copy = [&copies](const Names& names) {
      Names copied;
      for (const auto& [name, inode] : names) {
        auto& made = copies[inode.get()];
        if (made == nullptr) made = std::make_shared<Inode>(*inode);
        copied[name] = made;
      }
      return copied;
    };
    directories_.clear();
    for (const auto& [path, directory] : other.directories_)
      directories_[path] = {copy(directory.names), copy(directory.durable_names),
                            directory.durable};
    operations_ = 0;
    fail_at_ = SIZE_MAX;
    return *this;
  }

  // The operation of that number, counted from 0 and from now on, fails; and if fatal all after it.
  void FailAt(size_t operation, int error, bool fatal) {
    operations_ = 0;
    fail_at_ = operation;
    error_ = error;
    fatal_ = fatal;
  }
  void StopFailing() { fail_at_ = SIZE_MAX; }
  size_t operations() const { return operations_; }

  void CrashNow(Crash how) {
    StopFailing();
    if (how == Crash::kOfProcess) return;
    std::map<std::string, Directory> left;
    for (auto& [path, directory] : directories_) {
      if (how == Crash::kAllUnsynced && !directory.durable && !path.empty()) continue;
      if (how == Crash::kAllUnsynced) directory.names = directory.durable_names;
      for (auto& [name, inode] : directory.names) inode->content = inode->synced;
      left[path] = directory;
    }
    directories_ = std::move(left);
  }

  // The content of a file, to look at or to damage.
  std::string* Content(const std::string& path) {
    const auto inode = Find(path);
    return inode ? &inode->content : nullptr;
  }

  Result<std::unique_ptr<AppendFile>> Create(const std::string& path) override {
    VFDW_RETURN_IF_ERROR(Count("create", path));
    const auto [directory, name] = Split(path);
    const auto found = directories_.find(directory);
    if (found == directories_.end())
      return ErrnoStatus(ENOENT, "could not create \"" + path + "\"");
    std::shared_ptr<Inode>& inode = found->second.names[name];
    // As truncation does it: what was synced before is not there any more either.
    inode = std::make_shared<Inode>();
    return std::unique_ptr<AppendFile>(std::make_unique<Writer>(this, inode, path));
  }
  Result<std::unique_ptr<ReadFile>> Open(const std::string& path) override {
    VFDW_RETURN_IF_ERROR(Count("open", path));
    const auto inode = Find(path);
    if (inode == nullptr) return ErrnoStatus(ENOENT, "could not open \"" + path + "\"");
    return std::unique_ptr<ReadFile>(std::make_unique<Reader>(this, inode, path));
  }
  Status Rename(const std::string& from, const std::string& to) override {
    VFDW_RETURN_IF_ERROR(Count("rename", from));
    const auto inode = Find(from);
    if (inode == nullptr) return ErrnoStatus(ENOENT, "could not rename \"" + from + "\"");
    const auto [old_directory, old_name] = Split(from);
    const auto [new_directory, new_name] = Split(to);
    directories_[old_directory].names.erase(old_name);
    directories_[new_directory].names[new_name] = inode;
    return {};
  }
  Status SyncDirectory(const std::string& path) override {
    VFDW_RETURN_IF_ERROR(Count("sync", path));
    const auto found = directories_.find(path);
    if (found == directories_.end()) return ErrnoStatus(ENOENT, "could not sync \"" + path + "\"");
    found->second.durable_names = found->second.names;
    for (auto& [other, directory] : directories_)
      if (Split(other).first == path) directory.durable = true;
    return {};
  }
  Result<std::vector<std::string>> List(const std::string& path) override {
    VFDW_RETURN_IF_ERROR(Count("list", path));
    const auto found = directories_.find(path);
    if (found == directories_.end()) return ErrnoStatus(ENOENT, "could not list \"" + path + "\"");
    std::map<std::string, bool> sorted;
    for (const auto& [name, inode] : found->second.names) sorted[name];
    for (const auto& [other, directory] : directories_)
      if (!other.empty() && Split(other).first == path) sorted[Split(other).second];
    std::vector<std::string> names;
    for (const auto& [name, unused] : sorted) names.push_back(name);
    return names;
  }
  Status Remove(const std::string& path) override {
    VFDW_RETURN_IF_ERROR(Count("remove", path));
    const auto [directory, name] = Split(path);
    if (directories_.count(path) > 0) {
      if (!directories_[path].names.empty())
        return ErrnoStatus(ENOTEMPTY, "could not remove \"" + path + "\"");
      directories_.erase(path);
    } else if (const auto found = directories_.find(directory); found != directories_.end()) {
      found->second.names.erase(name);
    }
    return {};
  }
  Status CreateDirectory(const std::string& path) override {
    VFDW_RETURN_IF_ERROR(Count("create directory", path));
    directories_[path];
    return {};
  }
  Result<FileLock> Lock(const std::string&) override { return FileLock(); }

 private:
  struct Inode {
    std::string content, synced;
  };
  using Names = std::map<std::string, std::shared_ptr<Inode>>;
  struct Directory {
    Names names, durable_names;
    bool durable = false;  // its own name is
  };

  class Writer final : public AppendFile {
   public:
    Writer(MemoryFileSystem* files, std::shared_ptr<Inode> inode, std::string path)
        : files_(files), inode_(std::move(inode)), path_(std::move(path)) {}
    Status Append(std::string_view bytes) override {
      const Status failed = files_->Count("write to", path_);
      // A disk that becomes full takes a part.
      inode_->content.append(failed.ok() ? bytes : bytes.substr(0, bytes.size() / 2));
      return failed;
    }
    Status Sync() override {
      VFDW_RETURN_IF_ERROR(files_->Count("sync", path_));
      inode_->synced = inode_->content;
      return {};
    }
    Status Close() override { return files_->Count("close", path_); }
    uint64_t size() const override { return inode_->content.size(); }

   private:
    MemoryFileSystem* const files_;
    const std::shared_ptr<Inode> inode_;
    const std::string path_;
  };

  class Reader final : public ReadFile {
   public:
    Reader(MemoryFileSystem* files, std::shared_ptr<Inode> inode, std::string path)
        : files_(files), inode_(std::move(inode)), path_(std::move(path)) {}
    Status ReadAt(uint64_t offset, size_t size, char* buffer) const override {
      VFDW_RETURN_IF_ERROR(files_->Count("read", path_));
      if (offset > inode_->content.size() || size > inode_->content.size() - offset)
        return Status(ErrorCode::CORRUPT, "file \"" + path_ + "\" ends early");
      if (size > 0) memcpy(buffer, inode_->content.data() + offset, size);
      return {};
    }
    uint64_t size() const override { return inode_->content.size(); }

   private:
    MemoryFileSystem* const files_;
    const std::shared_ptr<Inode> inode_;
    const std::string path_;
  };

  Status Count(const char* verb, const std::string& path) {
    const size_t operation = operations_++;
    if (operation != fail_at_ && !(fatal_ && operation > fail_at_)) return {};
    return ErrnoStatus(error_, std::string("could not ") + verb + " \"" + path + "\"");
  }
  static std::pair<std::string, std::string> Split(const std::string& path) {
    const size_t slash = path.rfind('/');
    return {path.substr(0, slash), path.substr(slash + 1)};
  }
  std::shared_ptr<Inode> Find(const std::string& path) {
    const auto [directory, name] = Split(path);
    const auto found = directories_.find(directory);
    if (found == directories_.end()) return nullptr;
    const auto file = found->second.names.find(name);
    return file == found->second.names.end() ? nullptr : file->second;
  }

  std::map<std::string, Directory> directories_;
  size_t operations_ = 0;
  size_t fail_at_ = SIZE_MAX;
  int error_ = 0;
  bool fatal_ = false;
};

}  // namespace vectord

#endif

// file.h - the file system, as an interface that a test can make fail.
//
// Every error is a Status: DISK_FULL when the disk or the quota has no room, IO otherwise, with
// the path and the system's reason. Nothing here throws.
//
// Durability is the caller's protocol: Append, Sync, Close, Rename, SyncDirectory. After a failed
// Sync the content of the file is unknown (Linux may have dropped the dirty pages): discard it,
// never sync it again.
#ifndef VECTOR_FDW_DAEMON_BASE_FILE_H
#define VECTOR_FDW_DAEMON_BASE_FILE_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/base/status.h"

namespace vectord {

// A Status for errno. message says what could not be done: `could not open file "x"`.
Status ErrnoStatus(int error, std::string message);

// A new file being written, from its start to its end. One thread at a time.
class AppendFile {
 public:
  virtual ~AppendFile() = default;  // closes; an error at that point is lost, so call Close()
  virtual Status Append(std::string_view bytes) = 0;
  virtual Status Sync() = 0;
  virtual Status Close() = 0;
  virtual uint64_t size() const = 0;
};

// A file that does not change any more. Any number of threads.
class ReadFile {
 public:
  virtual ~ReadFile() = default;
  // All of the bytes or an error: CORRUPT when the file ends before offset + size.
  virtual Status ReadAt(uint64_t offset, size_t size, char* buffer) const = 0;
  virtual uint64_t size() const = 0;  // when it was opened
};

// Exclusive ownership of a path among processes, by flock: gone when the process is, however it
// ends. The file holds the owner's process id and a newline; a graceful release removes it.
class FileLock {
 public:
  FileLock() = default;  // owns nothing
  // BAD_CONFIG, naming the other process, when the path is owned already.
  static Result<FileLock> Acquire(const std::string& path);
  FileLock(FileLock&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}
  FileLock& operator=(FileLock&& other) noexcept;
  ~FileLock() { Release(); }
  void Release();
  bool held() const { return fd_ >= 0; }

 private:
  FileLock(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  int fd_ = -1;
  std::string path_;
};

// Thread safe.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  // Mode 0600. An existing file is replaced by an empty one.
  virtual Result<std::unique_ptr<AppendFile>> Create(const std::string& path) = 0;
  virtual Result<std::unique_ptr<ReadFile>> Open(const std::string& path) = 0;  // a regular file
  virtual Status Rename(const std::string& from, const std::string& to) = 0;
  virtual Status SyncDirectory(const std::string& path) = 0;
  // Names without "." and "..", sorted.
  virtual Result<std::vector<std::string>> List(const std::string& directory) = 0;
  // A file or an empty directory. One that does not exist is no error.
  virtual Status Remove(const std::string& path) = 0;
  // Mode 0700. One that exists is no error; its parent must exist.
  virtual Status CreateDirectory(const std::string& path) = 0;
  virtual Result<FileLock> Lock(const std::string& path) = 0;
};

class PosixFileSystem final : public FileSystem {
 public:
  Result<std::unique_ptr<AppendFile>> Create(const std::string& path) override;
  Result<std::unique_ptr<ReadFile>> Open(const std::string& path) override;
  Status Rename(const std::string& from, const std::string& to) override;
  Status SyncDirectory(const std::string& path) override;
  Result<std::vector<std::string>> List(const std::string& directory) override;
  Status Remove(const std::string& path) override;
  Status CreateDirectory(const std::string& path) override;
  Result<FileLock> Lock(const std::string& path) override;
};

// The whole of a small file; LIMIT_EXCEEDED, before reading, when it is larger than max_bytes.
Result<std::string> ReadWholeFile(FileSystem& files, const std::string& path, size_t max_bytes);

}  // namespace vectord

#endif

// file.cpp - the file system by POSIX calls.
#include "daemon/base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <limits>
#include <system_error>

namespace vectord {
namespace {

std::string Quoted(const std::string& path) { return "\"" + path + "\""; }

Status FileError(const char* verb, const std::string& path) {
  return ErrnoStatus(errno, std::string("could not ") + verb + " " + Quoted(path));
}

class PosixAppendFile final : public AppendFile {
 public:
  PosixAppendFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  ~PosixAppendFile() override {
    if (fd_ >= 0) close(fd_);
  }

  Status Append(std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t written = write(fd_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return FileError("write to file", path_);
      bytes.remove_prefix(static_cast<size_t>(written));
      size_ += static_cast<uint64_t>(written);
    }
    return Status::Ok();
  }

  Status Sync() override {
    if (fdatasync(fd_) != 0) return FileError("sync file", path_);
    return Status::Ok();
  }

  Status Close() override {
    // Linux closes the descriptor even when close() reports an error, so never twice.
    if (close(std::exchange(fd_, -1)) != 0) return FileError("close file", path_);
    return Status::Ok();
  }

  uint64_t size() const override { return size_; }

 private:
  int fd_;
  const std::string path_;
  uint64_t size_ = 0;
};

class PosixReadFile final : public ReadFile {
 public:
  PosixReadFile(int fd, std::string path, uint64_t size)
      : fd_(fd), path_(std::move(path)), size_(size) {}
  ~PosixReadFile() override { close(fd_); }

  Status ReadAt(uint64_t offset, size_t size, char* buffer) const override {
    if (offset > static_cast<uint64_t>(std::numeric_limits<off_t>::max()) - size)
      return EndsEarly(offset, size);
    while (size > 0) {
      const ssize_t bytes = pread(fd_, buffer, size, static_cast<off_t>(offset));
      if (bytes < 0 && errno == EINTR) continue;
      if (bytes < 0) return FileError("read file", path_);
      if (bytes == 0) return EndsEarly(offset, size);
      buffer += bytes;
      offset += static_cast<uint64_t>(bytes);
      size -= static_cast<size_t>(bytes);
    }
    return Status::Ok();
  }

  uint64_t size() const override { return size_; }

 private:
  Status EndsEarly(uint64_t offset, size_t size) const {
    return Status(ErrorCode::CORRUPT, "file " + Quoted(path_) + " ends early",
                  "Expected " + std::to_string(size) + " more bytes at offset " +
                      std::to_string(offset) + " of " + std::to_string(size_) + ".");
  }

  const int fd_;
  const std::string path_;
  const uint64_t size_;
};

Status AlreadyOwned(int fd, const std::string& path) {
  char pid[32] = "";
  const ssize_t bytes = pread(fd, pid, sizeof(pid) - 1, 0);
  std::string owner(pid, static_cast<size_t>(std::max<ssize_t>(bytes, 0)));
  owner = owner.substr(0, owner.find_first_not_of("0123456789"));
  return Status(ErrorCode::BAD_CONFIG, "another process owns " + Quoted(path),
                owner.empty() ? "Its process id is not known yet."
                              : "Process " + owner + " holds the lock on it.",
                "Stop that process, or configure another path for this one.");
}

// A graceful owner unlinks its file while it holds the lock, so what we locked may be a file that
// no longer has the name; locking that one would exclude nobody.
bool IsStillNamed(int fd, const std::string& path) {
  struct stat opened, named;
  return fstat(fd, &opened) == 0 && stat(path.c_str(), &named) == 0 &&
         opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

Status WritePid(int fd, const std::string& path) {
  const std::string pid = std::to_string(getpid()) + "\n";
  if (ftruncate(fd, 0) != 0 ||
      pwrite(fd, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size()))
    return FileError("write to lock file", path);
  return Status::Ok();
}

}  // namespace

Status ErrnoStatus(int error, std::string message) {
  const bool full = error == ENOSPC || error == EDQUOT;
  // message() is strerror without its shared buffer.
  return Status(full ? ErrorCode::DISK_FULL : ErrorCode::IO, std::move(message),
                std::generic_category().message(error) + ".");
}

Result<FileLock> FileLock::Acquire(const std::string& path) {
  for (;;) {
    const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) return FileError("open lock file", path);
    FileLock lock(fd, path);
    int locked;
    do locked = flock(fd, LOCK_EX | LOCK_NB);
    while (locked != 0 && errno == EINTR);
    if (locked != 0) {
      Status status = errno == EWOULDBLOCK ? AlreadyOwned(fd, path) : FileError("lock file", path);
      lock.path_.clear();  // not ours to remove
      return status;
    }
    if (!IsStillNamed(fd, path)) {
      lock.path_.clear();
      continue;
    }
    VFDW_RETURN_IF_ERROR(WritePid(fd, path));
    return lock;
  }
}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  if (this == &other) return *this;
  Release();
  fd_ = std::exchange(other.fd_, -1);
  path_ = std::move(other.path_);
  return *this;
}

void FileLock::Release() {
  if (fd_ < 0) return;
  // Somebody may have moved the file away and another process may own a new one.
  if (!path_.empty() && IsStillNamed(fd_, path_)) unlink(path_.c_str());
  close(std::exchange(fd_, -1));
}

Result<std::unique_ptr<AppendFile>> PosixFileSystem::Create(const std::string& path) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return FileError("create file", path);
  return std::unique_ptr<AppendFile>(std::make_unique<PosixAppendFile>(fd, path));
}

Result<std::unique_ptr<ReadFile>> PosixFileSystem::Open(const std::string& path) {
  // O_NONBLOCK, or a FIFO would be waited for here.
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return FileError("open file", path);
  struct stat found;
  const int error = fstat(fd, &found) != 0 ? errno : 0;
  if (error != 0 || !S_ISREG(found.st_mode)) {
    close(fd);
    if (error != 0) return ErrnoStatus(error, "could not look at file " + Quoted(path));
    // The size that is asked for says nothing about others: a pipe would be read as empty.
    return Status(ErrorCode::IO, "could not open file " + Quoted(path),
                  "It is not a regular file.");
  }
  return std::unique_ptr<ReadFile>(
      std::make_unique<PosixReadFile>(fd, path, static_cast<uint64_t>(found.st_size)));
}

Status PosixFileSystem::Rename(const std::string& from, const std::string& to) {
  if (rename(from.c_str(), to.c_str()) != 0)
    return ErrnoStatus(errno, "could not rename " + Quoted(from) + " to " + Quoted(to));
  return Status::Ok();
}

Status PosixFileSystem::SyncDirectory(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return FileError("open directory", path);
  Status status = fsync(fd) == 0 ? Status::Ok() : FileError("sync directory", path);
  close(fd);
  return status;
}

Result<std::vector<std::string>> PosixFileSystem::List(const std::string& directory) {
  DIR* stream = opendir(directory.c_str());
  if (stream == nullptr) return FileError("open directory", directory);
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = readdir(stream)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
    errno = 0;
  }
  Status status = errno == 0 ? Status::Ok() : FileError("read directory", directory);
  closedir(stream);
  VFDW_RETURN_IF_ERROR(status);
  std::sort(names.begin(), names.end());
  return names;
}

Status PosixFileSystem::Remove(const std::string& path) {
  if (remove(path.c_str()) != 0 && errno != ENOENT) return FileError("remove", path);
  return Status::Ok();
}

Status PosixFileSystem::CreateDirectory(const std::string& path) {
  if (mkdir(path.c_str(), 0700) == 0) return Status::Ok();
  struct stat found;
  const int error = errno;
  if (error == EEXIST && stat(path.c_str(), &found) == 0 && S_ISDIR(found.st_mode))
    return Status::Ok();
  return ErrnoStatus(error, "could not create directory " + Quoted(path));
}

Result<FileLock> PosixFileSystem::Lock(const std::string& path) { return FileLock::Acquire(path); }

Result<std::string> ReadWholeFile(FileSystem& files, const std::string& path, size_t max_bytes) {
  VFDW_ASSIGN_OR_RETURN(std::unique_ptr<ReadFile> file, files.Open(path));
  if (file->size() > max_bytes)
    return Status(ErrorCode::LIMIT_EXCEEDED, "file " + Quoted(path) + " is too large",
                  "It has " + std::to_string(file->size()) + " bytes, at most " +
                      std::to_string(max_bytes) + " are allowed.");
  std::string bytes(static_cast<size_t>(file->size()), '\0');
  VFDW_RETURN_IF_ERROR(file->ReadAt(0, bytes.size(), bytes.data()));
  return bytes;
}

}  // namespace vectord

// mapped_file.cpp - mmap and mremap behind mapped_file.h.
#include "daemon/base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cassert>
#include <cerrno>
#include <utility>

#include "daemon/base/file.h"

namespace vectord {
namespace {

constexpr size_t kHugePage = 2 << 20;

size_t RoundUp(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

Status MemoryError(size_t bytes) {
  Status status = ErrnoStatus(errno, "could not map " + std::to_string(bytes) + " bytes");
  return Status(ErrorCode::OUT_OF_MEMORY, status.message(), status.detail());
}

// Address space that nothing else will take, whose address is a multiple of the huge page when it
// is large, so that memory moved there later stays on huge pages. Nothing may be touched in it.
Result<char*> ReserveAddresses(size_t bytes) {
  const size_t mapped = bytes >= kHugePage ? bytes + kHugePage : bytes;
  void* const base =
      mmap(nullptr, mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) return MemoryError(mapped);
  char* begin = static_cast<char*>(base);
  if (mapped == bytes) return begin;
  const uintptr_t address = reinterpret_cast<uintptr_t>(base);
  const size_t head = RoundUp(address, kHugePage) - address;
  if (head > 0) munmap(begin, head);
  begin += head;
  if (const size_t tail = mapped - head - bytes; tail > 0) munmap(begin + bytes, tail);
  return begin;
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

// Maps the range over what is at `where`.
Status MapOver(void* where, const std::string& path, uint64_t offset, size_t size) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return ErrnoStatus(errno, "could not open file \"" + path + "\"");
  struct stat found;
  if (fstat(file.get(), &found) != 0)
    return ErrnoStatus(errno, "could not look at file \"" + path + "\"");
  const uint64_t bytes = static_cast<uint64_t>(found.st_size);
  if (offset > bytes || size > bytes - offset)
    return Status(ErrorCode::CORRUPT, "file \"" + path + "\" ends early",
                  "Expected " + std::to_string(size) + " bytes at offset " +
                      std::to_string(offset) + " of " + std::to_string(bytes) + ".");
  // In one step for other threads: they find what was there or what is there now.
  if (mmap(where, RoundUp(size, MappedFile::kPageBytes), PROT_READ, MAP_PRIVATE | MAP_FIXED,
           file.get(), static_cast<off_t>(offset)) == MAP_FAILED)
    return ErrnoStatus(errno, "could not map file \"" + path + "\"");
  return {};
}

}  // namespace

Result<std::shared_ptr<MappedFile>> MappedFile::Open(const std::string& path, uint64_t offset,
                                                     size_t size) {
  assert(size > 0 && offset % kPageBytes == 0);
  const size_t mapped = RoundUp(size, kPageBytes);
  VFDW_ASSIGN_OR_RETURN(char* const begin, ReserveAddresses(mapped));
  if (const Status status = MapOver(begin, path, offset, size); !status.ok()) {
    munmap(begin, mapped);
    return status;
  }
  return std::shared_ptr<MappedFile>(new MappedFile(begin, size));
}

Status MoveMemoryToFile(const void* memory, size_t size, const std::string& path, uint64_t offset) {
  assert(reinterpret_cast<uintptr_t>(memory) % MappedFile::kPageBytes == 0 &&
         offset % MappedFile::kPageBytes == 0);
  return size == 0 ? Status() : MapOver(const_cast<void*>(memory), path, offset, size);
}

MappedFile::~MappedFile() { munmap(data_, RoundUp(size_, kPageBytes)); }

Status MappedFile::MoveToMemory(const std::function<Status(char* memory)>& fill) {
  const size_t bytes = RoundUp(size_, kPageBytes);
  VFDW_ASSIGN_OR_RETURN(char* const memory, ReserveAddresses(bytes));
  Status status;
  if (mprotect(memory, bytes, PROT_READ | PROT_WRITE) != 0) {
    status = MemoryError(bytes);
  } else {
    if (bytes >= kHugePage) madvise(memory, bytes, MADV_HUGEPAGE);  // a hint
    status = fill(memory);
  }
  // The kernel takes the old pages away and puts the new ones there under one lock, for which a
  // reader that misses a page waits: no reader finds nothing.
  if (status.ok() &&
      (mprotect(memory, bytes, PROT_READ) != 0 ||
       mremap(memory, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, data_) == MAP_FAILED))
    status = MemoryError(bytes);
  if (!status.ok()) munmap(memory, bytes);
  return status;
}

}  // namespace vectord

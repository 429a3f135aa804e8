// mapped_file.h - a range of a file as memory that is only read.
//
// Pages come from the disk when they are first touched, and the kernel may drop them again: a
// mapping costs no memory of ours. The file must not be shortened while it is mapped, and a page
// that the disk cannot deliver raises SIGBUS in the thread that touches it; so only what is too
// large to be read is mapped, and what can be read is.
//
// MoveToMemory() puts memory of ours in the place of the mapping, and MoveMemoryToFile() a mapping
// in the place of memory, at the same addresses, while others read: they see the same bytes before
// and after.
//
// Threads: any number may read; one at a time may move.
#ifndef VECTOR_FDW_DAEMON_BASE_MAPPED_FILE_H
#define VECTOR_FDW_DAEMON_BASE_MAPPED_FILE_H

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "daemon/base/status.h"

namespace vectord {

class MappedFile {
 public:
  // What offsets must be multiples of.
  static constexpr size_t kPageBytes = 4096;

  // CORRUPT when the file is shorter than offset + size. REQUIRES: size > 0.
  static Result<std::shared_ptr<MappedFile>> Open(const std::string& path, uint64_t offset,
                                                  size_t size);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const char* data() const { return static_cast<const char*>(data_); }
  size_t size() const { return size_; }

  // Has fill() write the same bytes to memory that it is given, and when it succeeds puts that
  // memory, on huge pages where it can be, in the place of the mapping. On error, also that of
  // fill(), the mapping stays. The caller accounts for size() bytes.
  Status MoveToMemory(const std::function<Status(char* memory)>& fill);

 private:
  MappedFile(void* data, size_t size) : data_(data), size_(size) {}

  void* const data_;
  const size_t size_;
};

// Has the whole pages at memory, which are private and anonymous, be read from the file from now
// on, and gives the memory back. The file holds the same bytes at offset. On error the memory
// stays. REQUIRES: memory and offset are multiples of kPageBytes.
Status MoveMemoryToFile(const void* memory, size_t size, const std::string& path, uint64_t offset);

}  // namespace vectord

#endif

// page_buffer.cpp - mmap and munmap behind page_buffer.h.
#include "daemon/index/page_buffer.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstring>
#include <string>

namespace vectord {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kHugePage = 2 << 20;

size_t RoundUp(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

}  // namespace

size_t PageBuffer::RoundedUp(size_t bytes) { return RoundUp(bytes, kPage); }

Result<PageBuffer> PageBuffer::Create(size_t bytes) {
  PageBuffer buffer;
  const size_t wanted = RoundedUp(bytes);
  if (wanted == 0) return buffer;
  // The kernel aligns to small pages, so more is mapped and both ends are given back.
  const size_t mapped = wanted >= kHugePage ? wanted + kHugePage : wanted;
  void* const base =
      mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (base == MAP_FAILED) {
    return Status(ErrorCode::OUT_OF_MEMORY,
                  "could not allocate " + std::to_string(wanted) + " bytes",
                  std::string("The operating system says: ") + strerror(errno) + ".");
  }
  char* begin = static_cast<char*>(base);
  if (mapped != wanted) {
    const uintptr_t address = reinterpret_cast<uintptr_t>(base);
    const size_t head = RoundUp(address, kHugePage) - address;
    if (head > 0) munmap(begin, head);
    begin += head;
    if (const size_t tail = mapped - head - wanted; tail > 0) munmap(begin + wanted, tail);
    madvise(begin, wanted, MADV_HUGEPAGE);  // a hint: small pages are slower, not wrong
  }
  buffer.data_ = begin;
  buffer.bytes_ = wanted;
  return buffer;
}

void PageBuffer::Shrink(size_t bytes) {
  const size_t kept = RoundedUp(bytes);
  if (kept >= bytes_) return;
  munmap(static_cast<char*>(data_) + kept, bytes_ - kept);
  bytes_ = kept;
  if (kept == 0) data_ = nullptr;
}

void PageBuffer::Release() {
  if (data_ != nullptr) munmap(data_, bytes_);
  data_ = nullptr;
  bytes_ = 0;
}

}  // namespace vectord

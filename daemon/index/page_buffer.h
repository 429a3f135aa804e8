// page_buffer.h - one large array straight from the kernel, on huge pages where it can be.
//
// Vectors and graphs are read at random, a cache line here and there; with 4 kB pages nearly
// every such read also misses the TLB. The memory is zeroed, aligned to 2 MB when it is at least
// that large (otherwise to 4 kB), and its tail can be given back.
//
// Not here: accounting. Whoever creates a buffer has reserved its bytes before.
#ifndef VECTOR_FDW_DAEMON_INDEX_PAGE_BUFFER_H
#define VECTOR_FDW_DAEMON_INDEX_PAGE_BUFFER_H

#include <cstddef>
#include <utility>

#include "daemon/base/status.h"

namespace vectord {

class PageBuffer {
 public:
  PageBuffer() = default;
  ~PageBuffer() { Release(); }
  PageBuffer(PageBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  PageBuffer& operator=(PageBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }

  // bytes may be 0. What bytes() will be is RoundedUp(bytes).
  static Result<PageBuffer> Create(size_t bytes);
  static size_t RoundedUp(size_t bytes);

  template <typename T>
  T* as() {
    return static_cast<T*>(data_);
  }
  template <typename T>
  const T* as() const {
    return static_cast<const T*>(data_);
  }
  size_t bytes() const { return bytes_; }

  // Gives back the pages behind the first `bytes`. Nobody may be reading them.
  void Shrink(size_t bytes);

 private:
  void Release();

  void* data_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace vectord

#endif

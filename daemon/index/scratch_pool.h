// scratch_pool.h - scratch memory that searches borrow and give back.
//
// As many are kept as searches ever ran at once. The pool dies with its index, so that memory
// sized for a large index does not outlive it in some thread.
#ifndef VECTOR_FDW_DAEMON_INDEX_SCRATCH_POOL_H
#define VECTOR_FDW_DAEMON_INDEX_SCRATCH_POOL_H

#include <cstddef>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "daemon/base/mutex.h"

namespace vectord {

// T has memory_bytes().
template <class T>
class ScratchPool {
 public:
  class Lease {
   public:
    Lease(ScratchPool* pool, std::unique_ptr<T> scratch)
        : pool_(pool), scratch_(std::move(scratch)) {}
    ~Lease() { pool_->GiveBack(std::move(scratch_)); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    T* get() const { return scratch_.get(); }

   private:
    ScratchPool* const pool_;
    std::unique_ptr<T> scratch_;
  };

  Lease Borrow() {
    {
      MutexLock lock(mu_);
      if (!idle_.empty()) {
        std::unique_ptr<T> scratch = std::move(idle_.back());
        idle_.pop_back();
        return Lease(this, std::move(scratch));
      }
    }
    return Lease(this, std::make_unique<T>());
  }

  // Of those not borrowed at this moment.
  size_t memory_bytes() const {
    MutexLock lock(mu_);
    size_t bytes = 0;
    for (const auto& scratch : idle_) bytes += scratch->memory_bytes();
    return bytes;
  }

 private:
  void GiveBack(std::unique_ptr<T> scratch) noexcept {
    MutexLock lock(mu_);
    try {
      idle_.push_back(std::move(scratch));
    } catch (const std::bad_alloc&) {
      // Then it is freed here, and the next search allocates its own.
    }
  }

  mutable Mutex mu_;
  std::vector<std::unique_ptr<T>> idle_ GUARDED_BY(mu_);
};

}  // namespace vectord

#endif

// filter_cache.h - the rows of one segment that pass filters which are asked for again and again.
//
// Searches of an application mostly come with few different filters beside many different vectors:
// a language, a category, what is for sale. What a filter lets pass depends on the columns only,
// which never change, so it is kept, an eighth of a byte a row, from the second time on that it is
// asked for; the first time nothing is kept of it but a hash. Those used longest ago make room.
// Where memory is short none are kept.
//
// Rows that were deleted are among those kept: who asks takes them out.
//
// Threads: any.
#ifndef VECTORD_ATTRIBUTE_FILTER_CACHE_H
#define VECTORD_ATTRIBUTE_FILTER_CACHE_H

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "daemon/base/memory_budget.h"
#include "daemon/base/mutex.h"

namespace vectord {

class FilterCache {
 public:
  // Bit i of word i / 64: row i passes.
  using Rows = std::shared_ptr<const std::vector<uint64_t>>;

  static constexpr size_t kMostFilters = 32;

  // Null when they are not kept. filter: all that tells filters apart.
  Rows Find(const std::string& filter) const;
  // Whether it was asked for before, not long ago; now it was.
  bool AskedBefore(const std::string& filter) const;
  // budget: must outlive this.
  void Keep(const std::string& filter, const std::vector<uint64_t>& rows,
            MemoryBudget* budget) const;

  size_t memory_bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  struct Kept {
    std::string filter;
    Rows rows;
    MemoryReservation memory;
  };
  void Drop(size_t i) const REQUIRES(mu_);

  // What is remembered changes nothing of what the columns say.
  mutable Mutex mu_;
  mutable std::vector<Kept> kept_ GUARDED_BY(mu_);  // the one used last comes last
  mutable std::array<uint64_t, 4 * kMostFilters> asked_ GUARDED_BY(mu_){};  // hashes, a ring
  mutable size_t next_ GUARDED_BY(mu_) = 0;                                 // of the ring
  mutable std::atomic<size_t> bytes_{0};
};

}  // namespace vectord

#endif

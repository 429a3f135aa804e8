// filter_cache.cpp - see filter_cache.h.
#include "daemon/attribute/filter_cache.h"

#include <algorithm>
#include <utility>

#include "daemon/base/checksum.h"

namespace vectord {

FilterCache::Rows FilterCache::Find(const std::string& filter) const {
  MutexLock lock(mu_);
  const auto found = std::find_if(kept_.begin(), kept_.end(),
                                  [&](const Kept& kept) { return kept.filter == filter; });
  if (found == kept_.end()) return nullptr;
  std::rotate(found, found + 1, kept_.end());
  return kept_.back().rows;
}

bool FilterCache::AskedBefore(const std::string& filter) const {
  const uint64_t hash = Checksum(filter) | 1;  // 0 stands for none
  MutexLock lock(mu_);
  if (std::find(asked_.begin(), asked_.end(), hash) != asked_.end()) return true;
  asked_[next_++ % asked_.size()] = hash;
  return false;
}

void FilterCache::Keep(const std::string& filter, const std::vector<uint64_t>& rows,
                       MemoryBudget* budget) const {
  const size_t bytes = sizeof(Kept) + filter.size() + sizeof(rows) + rows.size() * sizeof(uint64_t);
  MutexLock lock(mu_);
  if (std::any_of(kept_.begin(), kept_.end(),
                  [&](const Kept& kept) { return kept.filter == filter; }))
    return;  // another search was first
  if (kept_.size() == kMostFilters) Drop(0);
  Result<MemoryReservation> memory = budget->ReserveSpare(bytes, "the rows of a filter");
  while (!memory.ok() && !kept_.empty()) {
    Drop(0);
    memory = budget->ReserveSpare(bytes, "the rows of a filter");
  }
  if (!memory.ok()) return;
  kept_.push_back(
      {filter, std::make_shared<const std::vector<uint64_t>>(rows), std::move(memory).value()});
  bytes_.fetch_add(bytes, std::memory_order_relaxed);
}

void FilterCache::Drop(size_t i) const {
  bytes_.fetch_sub(kept_[i].memory.bytes(), std::memory_order_relaxed);
  kept_.erase(kept_.begin() + static_cast<std::ptrdiff_t>(i));
}

}  // namespace vectord

// beam.h - the nearest rows that a walk has met, and which of them it goes on from.
//
// Two of one shape, which walks are compiled for: SortedBeam, and HeapBeam, whose Row(i) are in no
// order. They borrow the vectors of a WalkScratch.
//
// Threads: one at a time.
#ifndef VECTOR_FDW_DAEMON_INDEX_BEAM_H
#define VECTOR_FDW_DAEMON_INDEX_BEAM_H

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "daemon/index/hnsw_walk.h"

namespace vectord {

// The nearest rows so far, sorted, those not yet expanded marked. For a beam of 2,000 rows an
// insertion into a sorted array is cheaper than two heaps, and it does the same as they: a row
// that has left the beam would never be expanded.
class SortedBeam {
 public:
  static constexpr bool kIsSorted = true;
  static constexpr uint32_t kLargestSize = 2048;

  SortedBeam(uint32_t size, WalkScratch* scratch) : size_(size), rows_(scratch->nearest) {
    rows_.clear();
    rows_.reserve(size + 1);
  }

  bool Accepts(float key) const { return rows_.size() < size_ || key < rows_.back().key; }

  // REQUIRES: Accepts(key).
  void Insert(float key, uint32_t row, bool) {
    if (rows_.size() == size_) rows_.pop_back();
    const auto position =
        std::upper_bound(rows_.begin(), rows_.end(), key,
                         [](float wanted, const KeyedRow& held) { return wanted < held.key; });
    next_ = std::min(next_, static_cast<size_t>(position - rows_.begin()));
    rows_.insert(position, {key, row | kUnexpanded});
  }

  // The nearest row not yet expanded, now marked as such; false when there is none.
  bool Next(uint32_t* row) {
    while (next_ < rows_.size() && (rows_[next_].row & kUnexpanded) == 0) next_++;
    if (next_ == rows_.size()) return false;
    *row = rows_[next_++].row &= ~kUnexpanded;
    return true;
  }

  size_t found() const { return rows_.size(); }
  // The best `count` rows are the first so many of Row(). REQUIRES: count <= found().
  void PutFirst(size_t) {}
  uint32_t Row(size_t i) const { return rows_[i].row & ~kUnexpanded; }
  KeyedRow KeyedAt(size_t i) const { return {rows_[i].key, Row(i)}; }

 private:
  static constexpr uint32_t kUnexpanded = 0x80000000;
  const uint32_t size_;
  std::vector<KeyedRow>& rows_;
  size_t next_ = 0;  // nothing before this is unexpanded
};

// The nearest rows so far, and those not yet expanded, by two heaps: for large beams, and when not
// every row on the way may be returned.
class HeapBeam {
 public:
  static constexpr bool kIsSorted = false;

  HeapBeam(uint32_t size, WalkScratch* scratch)
      : size_(size), nearest_(scratch->nearest), frontier_(scratch->frontier) {
    Clear();
  }

  void Clear() {
    nearest_.clear();
    frontier_.clear();
  }

  bool Accepts(float key) const { return nearest_.size() < size_ || key < nearest_.front().key; }

  void Insert(float key, uint32_t row, bool may_be_returned) {
    frontier_.push_back({key, row});
    std::push_heap(frontier_.begin(), frontier_.end(), Farther);
    if (!may_be_returned) return;
    if (nearest_.size() == size_) {
      std::pop_heap(nearest_.begin(), nearest_.end(), Nearer);
      nearest_.pop_back();
    }
    nearest_.push_back({key, row});
    std::push_heap(nearest_.begin(), nearest_.end(), Nearer);
  }

  bool Next(uint32_t* row) {
    if (frontier_.empty()) return false;
    const KeyedRow best = frontier_.front();
    if (nearest_.size() == size_ && best.key > nearest_.front().key) return false;
    std::pop_heap(frontier_.begin(), frontier_.end(), Farther);
    frontier_.pop_back();
    *row = best.row;
    return true;
  }

  size_t found() const { return nearest_.size(); }
  void PutFirst(size_t count) {
    if (count < nearest_.size())
      std::nth_element(nearest_.begin(), nearest_.begin() + static_cast<std::ptrdiff_t>(count),
                       nearest_.end(), Nearer);
  }
  uint32_t Row(size_t i) const { return nearest_[i].row; }

 private:
  static bool Nearer(const KeyedRow& a, const KeyedRow& b) { return a.key < b.key; }
  static bool Farther(const KeyedRow& a, const KeyedRow& b) { return a.key > b.key; }
  const uint32_t size_;
  std::vector<KeyedRow>& nearest_;
  std::vector<KeyedRow>& frontier_;
};

}  // namespace vectord

#endif

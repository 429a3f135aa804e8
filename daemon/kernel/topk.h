// topk.h - the k best of any number of candidates, in one total order.
//
// Order: distance as PostgreSQL orders float8 (NaN last and equal to NaN), then row number. The
// order is total, so the answer does not depend on the order of the pushes.
//
// Candidates are collected in a buffer of at most 2k + 64; when it is full, the better k are
// kept (nth_element) and the worst of them becomes the bar for what follows. That costs O(1) per
// candidate for every k, where a heap degrades to O(log k) just when k is large.
//
// Cancelling: cutting and sorting large buffers takes long, so the comparisons look at the flag.
//
// Threads: one at a time.
#ifndef VECTOR_FDW_DAEMON_KERNEL_TOPK_H
#define VECTOR_FDW_DAEMON_KERNEL_TOPK_H

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "shared/metric.h"

namespace vectord {

struct Candidate {
  double distance;  // exactly as shared/metric.h
  uint32_t row;
};

inline bool operator==(const Candidate& a, const Candidate& b) {
  return vfdw_compare_distances(a.distance, b.distance) == 0 && a.row == b.row;
}

// The total order of results.
inline bool ComesBefore(const Candidate& a, const Candidate& b) {
  if (a.distance < b.distance) return true;
  if (a.distance > b.distance) return false;
  const int order = vfdw_compare_distances(a.distance, b.distance);
  return order != 0 ? order < 0 : a.row < b.row;
}

class TopK {
 public:
  // k may be 0 and may exceed the number of pushes. cancelled may be null.
  explicit TopK(size_t k, const std::atomic<bool>* cancelled = nullptr)
      : k_(k), cancelled_(cancelled) {
    constexpr size_t kReservedAtOnce = 4096;
    kept_.reserve(std::min(Capacity(), kReservedAtOnce));
  }

  void Push(double distance, uint32_t row) {
    const Candidate candidate{distance, row};
    if (has_bar_ && !ComesBefore(candidate, bar_)) return;
    if (k_ == 0) return;
    entered_++;
    kept_.push_back(candidate);
    if (kept_.size() >= Capacity()) Cut();
  }

  // A distance above this cannot enter any more; +infinity as long as anything can.
  double Bound() const {
    return has_bar_ && bar_.distance == bar_.distance ? bar_.distance
                                                      : std::numeric_limits<double>::infinity();
  }

  // Raises the bar to the k-th best so far, if there are as many. Returns how many pushed since the
  // last time got over the bar.
  size_t RaiseBar() {
    if (k_ > 0 && kept_.size() >= k_) Cut();
    return std::exchange(entered_, 0);
  }

  // Moves the best k, sorted, into *out and leaves this empty. False: cancelled, *out is empty.
  [[nodiscard]] bool Take(std::vector<Candidate>* out) {
    out->clear();
    try {
      if (kept_.size() > k_) Keep(k_);
      std::sort(kept_.begin(), kept_.end(), Order{cancelled_, &comparisons_});
    } catch (const Stop&) {
      stopped_ = true;
    }
    if (!stopped_) out->swap(kept_);
    kept_.clear();
    has_bar_ = false;
    return !stopped_;
  }

 private:
  struct Stop {};
  // Throwing is the one way to leave std::sort early; the elements are plain data.
  struct Order {
    const std::atomic<bool>* cancelled;
    uint32_t* comparisons;  // not a member value: std::sort copies its comparison freely
    bool operator()(const Candidate& a, const Candidate& b) {
      constexpr uint32_t kComparisonsBetweenLooks = 1 << 13;
      if (++*comparisons % kComparisonsBetweenLooks == 0 && cancelled != nullptr &&
          cancelled->load(std::memory_order_relaxed))
        throw Stop();
      return ComesBefore(a, b);
    }
  };

  size_t Capacity() const {
    constexpr size_t kSlack = 64;
    return k_ > (std::numeric_limits<size_t>::max() - kSlack) / 2
               ? std::numeric_limits<size_t>::max()
               : 2 * k_ + kSlack;
  }
  // REQUIRES: k <= kept_.size().
  void Keep(size_t k) {
    if (k == 0) return kept_.clear();
    std::nth_element(kept_.begin(), kept_.begin() + (k - 1), kept_.end(),
                     Order{cancelled_, &comparisons_});
    kept_.resize(k);
  }
  void Cut() {
    try {
      Keep(k_);
      bar_ = kept_[k_ - 1];
      has_bar_ = true;
    } catch (const Stop&) {
      stopped_ = true;
      kept_.clear();
    }
  }

  const size_t k_;
  const std::atomic<bool>* const cancelled_;
  std::vector<Candidate> kept_;
  Candidate bar_{};  // the worst of the best k so far, once has_bar_
  bool has_bar_ = false;
  size_t entered_ = 0;  // since the bar was last raised from outside
  uint32_t comparisons_ = 0;
  bool stopped_ = false;  // cancelled in a Cut(): Take() reports it
};

}  // namespace vectord

#endif

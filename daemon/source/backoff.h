// backoff.h - how long to wait before the next try: longer each time, and never in step with
// others.
#ifndef VECTORD_SOURCE_BACKOFF_H
#define VECTORD_SOURCE_BACKOFF_H

#include <algorithm>
#include <chrono>
#include <random>

namespace vectord {

class Backoff {
 public:
  // From first, doubling up to longest; each wait is shortened by up to a half, by chance.
  Backoff(std::chrono::milliseconds first, std::chrono::milliseconds longest)
      : first_(first), longest_(longest), next_(first), random_(std::random_device()()) {}

  std::chrono::milliseconds Next() {
    const auto wait = next_;
    next_ = std::min(longest_, next_ * 2);
    std::uniform_int_distribution<std::chrono::milliseconds::rep> shorter(0, wait.count() / 2);
    return wait - std::chrono::milliseconds(shorter(random_));
  }
  void Reset() { next_ = first_; }

 private:
  const std::chrono::milliseconds first_, longest_;
  std::chrono::milliseconds next_;
  std::minstd_rand random_;
};

}  // namespace vectord

#endif

// dataset.cpp - see dataset.h.
#include "test/bench/dataset.h"

#include <cmath>

#include "test/bench/parallel.h"

namespace bench {
namespace {

constexpr size_t kLatent = 16;
constexpr size_t kClusters = 200;
constexpr float kBetweenClusters = 1.2f, kWithinCluster = 0.75f, kBlur = 0.3f;

// SplitMix64 (Steele, Lea and Flood 2014): any state is a good one to begin with.
class Random {
 public:
  explicit Random(uint64_t state) : state_(state) {}
  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  // Nearly normal: the sum of four uniform numbers, which is the same on every machine and fast.
  float Normal() {
    constexpr float kMean = 2 * 65535.0f, kDeviation = 37837.0f;  // 65536 * sqrt(4 / 12)
    const uint64_t bits = Next();
    const uint32_t sum = (bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) +
                         static_cast<uint32_t>(bits >> 48);
    return (static_cast<float>(sum) - kMean) / kDeviation;
  }

 private:
  uint64_t state_;
};

std::vector<float> Normals(uint64_t seed, size_t count) {
  Random random(seed);
  std::vector<float> numbers(count);
  for (float& x : numbers) x = random.Normal();
  return numbers;
}

}  // namespace

Dataset::Dataset(size_t dimensions)
    : dimensions_(dimensions),
      axes_(Normals(1, kLatent * dimensions)),
      centers_(Normals(2, kClusters * kLatent)) {}

void Dataset::FillOne(Series series, uint64_t number, float* out) const {
  // Numbered states lie side by side; the first draw sends them apart.
  Random random(Random(static_cast<uint64_t>(series) << 56 | number).Next());
  const float* const center = centers_.data() + random.Next() % kClusters * kLatent;
  for (size_t d = 0; d < dimensions_; d++) out[d] = kBlur * random.Normal();
  for (size_t l = 0; l < kLatent; l++) {
    const float z = kBetweenClusters * center[l] + kWithinCluster * random.Normal();
    const float* const axis = axes_.data() + l * dimensions_;
    for (size_t d = 0; d < dimensions_; d++) out[d] += z * axis[d];
  }
  float squares = 0;
  for (size_t d = 0; d < dimensions_; d++) squares += out[d] * out[d];
  const float scale = squares > 0 ? 1 / std::sqrt(squares) : 0;
  for (size_t d = 0; d < dimensions_; d++) out[d] *= scale;
}

void Dataset::Fill(Series series, uint64_t first, size_t count, float* out, int threads) const {
  InParallel(threads, count, [&](size_t begin, size_t end, int) {
    for (size_t i = begin; i < end; i++) FillOne(series, first + i, out + i * dimensions_);
  });
}

std::vector<float> Dataset::Make(Series series, uint64_t first, size_t count, int threads) const {
  std::vector<float> vectors(count * dimensions_);
  Fill(series, first, count, vectors.data(), threads);
  return vectors;
}

}  // namespace bench

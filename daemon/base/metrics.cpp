// metrics.cpp - buckets of the histogram, and the text for Prometheus.
#include "daemon/base/metrics.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstdio>

namespace vectord {
namespace {

constexpr uint64_t kSubBuckets = uint64_t{1} << LatencyHistogram::kSubBits;

// Bounds that Prometheus is given: 8 us to 17 s. Powers of two are exact bucket limits here.
constexpr int kFirstShownPower = 13;
constexpr int kLastShownPower = 34;

std::string Number(double value) {
  char text[32];
  snprintf(text, sizeof(text), "%.12g", value);
  return text;
}

void Header(const std::string& name, const char* type, const char* help, std::string* out) {
  *out += "# HELP " + name + " " + help + "\n# TYPE " + name + " " + type + "\n";
}

void Write(const std::string& name, const char* help, const Counter& counter, std::string* out) {
  Header(name, "counter", help, out);
  *out += name + " " + std::to_string(counter.value()) + "\n";
}

void Write(const std::string& name, const char* help, const Gauge& gauge, std::string* out) {
  Header(name, "gauge", help, out);
  *out += name + " " + std::to_string(gauge.value()) + "\n";
}

void Write(const std::string& name, const char* help, const LatencyHistogram& histogram,
           std::string* out) {
  Header(name, "histogram", help, out);
  uint64_t shown = 0;  // Prometheus wants counts that never fall, also while others record
  for (int power = kFirstShownPower; power <= kLastShownPower; power++) {
    shown = std::max(shown, histogram.CountBelowPowerOfTwo(power));
    *out += name + "_bucket{le=\"" + Number(std::ldexp(1e-9, power)) + "\"} " +
            std::to_string(shown) + "\n";
  }
  const std::string total = std::to_string(std::max(shown, histogram.count()));
  *out += name + "_bucket{le=\"+Inf\"} " + total + "\n";
  *out += name + "_sum " + Number(static_cast<double>(histogram.sum_ns()) * 1e-9) + "\n";
  *out += name + "_count " + total + "\n";
}

}  // namespace

// The first two octaves' worth of buckets are one nanosecond wide each; from there on the top
// kSubBits + 1 bits of the value name the bucket.
size_t LatencyHistogram::BucketOf(uint64_t nanoseconds) {
  if (nanoseconds < kSubBuckets) return static_cast<size_t>(nanoseconds);
  const int octave = 63 - __builtin_clzll(nanoseconds);
  const int shift = octave - kSubBits;
  return static_cast<size_t>((static_cast<uint64_t>(shift) << kSubBits) + (nanoseconds >> shift));
}

double LatencyHistogram::MiddleNs(size_t bucket) {
  if (bucket < 2 * kSubBuckets) return static_cast<double>(bucket);
  const uint64_t shift = (bucket >> kSubBits) - 1;
  const uint64_t low = ((bucket & (kSubBuckets - 1)) + kSubBuckets) << shift;
  return static_cast<double>(low) + static_cast<double>((uint64_t{1} << shift) - 1) / 2;
}

void LatencyHistogram::Record(int64_t nanoseconds) {
  const uint64_t longest = (uint64_t{1} << kMaxPower) - 1;
  const uint64_t ns = std::min(static_cast<uint64_t>(std::max<int64_t>(nanoseconds, 0)), longest);
  buckets_[BucketOf(ns)].fetch_add(1, std::memory_order_relaxed);
  sum_ns_.fetch_add(ns, std::memory_order_relaxed);
}

uint64_t LatencyHistogram::count() const { return CountBelowPowerOfTwo(kMaxPower); }

uint64_t LatencyHistogram::CountBelowPowerOfTwo(int power) const {
  assert(power >= kSubBits && power <= kMaxPower);
  const size_t end = BucketOf((uint64_t{1} << power) - 1) + 1;
  uint64_t sum = 0;
  for (size_t i = 0; i < end; i++) sum += buckets_[i].load(std::memory_order_relaxed);
  return sum;
}

double LatencyHistogram::PercentileUs(double fraction) const {
  std::array<uint64_t, kBuckets> counts;
  uint64_t total = 0;
  for (size_t i = 0; i < kBuckets; i++)
    total += counts[i] = buckets_[i].load(std::memory_order_relaxed);
  if (total == 0) return 0;
  const double exact_rank = std::ceil(fraction * static_cast<double>(total));
  const uint64_t rank = std::clamp<uint64_t>(static_cast<uint64_t>(exact_rank), 1, total);
  uint64_t seen = 0;
  for (size_t i = 0; i < kBuckets; i++) {
    seen += counts[i];
    if (seen >= rank) return MiddleNs(i) / 1000;
  }
  return 0;  // not reached: seen ends at total
}

std::string PrometheusText(const Metrics& metrics) {
  std::string out;
#define VECTORD_METRIC_WRITE_(type, member, name, help) \
  Write("vectord_" name, help, metrics.member, &out);
  VECTORD_METRICS(VECTORD_METRIC_WRITE_)
#undef VECTORD_METRIC_WRITE_
  return out;
}

}  // namespace vectord

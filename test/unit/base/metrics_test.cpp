// metrics_test.cpp - percentiles against exact ones, and the text for Prometheus.
#include "daemon/base/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <thread>
#include <vector>

namespace vectord {
namespace {

using testing::HasSubstr;

TEST(LatencyHistogram, HasNoPercentileWithoutRecords) {
  const LatencyHistogram histogram;
  EXPECT_EQ(histogram.PercentileUs(0.5), 0);
  EXPECT_EQ(histogram.count(), 0u);
}

TEST(LatencyHistogram, OneRecordIsEveryPercentile) {
  for (const int64_t ns : {0, 1, 31, 32, 63, 64, 1000, 123456, 1000000007}) {
    LatencyHistogram histogram;
    histogram.Record(ns);
    for (const double fraction : {0.0, 0.5, 1.0})
      EXPECT_NEAR(histogram.PercentileUs(fraction) * 1000, static_cast<double>(ns),
                  static_cast<double>(ns) / 64);
    EXPECT_EQ(histogram.sum_ns(), static_cast<uint64_t>(ns));
  }
}

TEST(LatencyHistogram, PercentilesAreWithinThreePercentOfExactOnes) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  std::lognormal_distribution<double> times(11, 2);  // about 60 us, with a long tail
  LatencyHistogram histogram;
  std::vector<int64_t> exact;
  for (int i = 0; i < 20000; i++) {
    exact.push_back(std::min<int64_t>(static_cast<int64_t>(times(random)), int64_t{1} << 39));
    histogram.Record(exact.back());
  }
  std::sort(exact.begin(), exact.end());
  for (const double fraction : {0.01, 0.5, 0.9, 0.99, 0.999}) {
    const size_t rank = static_cast<size_t>(std::ceil(fraction * 20000));
    const double expected = static_cast<double>(exact[rank - 1]);
    EXPECT_NEAR(histogram.PercentileUs(fraction) * 1000, expected, expected * 0.03) << fraction;
  }
}

TEST(LatencyHistogram, TimesOutOfRangeCountAtTheEdges) {
  LatencyHistogram histogram;
  histogram.Record(-5);
  histogram.Record(INT64_MAX);
  EXPECT_EQ(histogram.count(), 2u);
  EXPECT_EQ(histogram.PercentileUs(0.5), 0);
  EXPECT_NEAR(histogram.PercentileUs(1), std::ldexp(1e-3, 40), std::ldexp(1e-3, 34));
}

TEST(LatencyHistogram, CountsBelowAPowerOfTwoAreExact) {
  LatencyHistogram histogram;
  histogram.Record(8191);
  histogram.Record(8192);
  EXPECT_EQ(histogram.CountBelowPowerOfTwo(12), 0u);
  EXPECT_EQ(histogram.CountBelowPowerOfTwo(13), 1u);
  EXPECT_EQ(histogram.CountBelowPowerOfTwo(14), 2u);
}

TEST(LatencyHistogram, RecordsOfAllThreadsCount) {
  LatencyHistogram histogram;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; i++)
    threads.emplace_back([&] {
      for (int j = 0; j < 5000; j++) histogram.Record(j);
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(histogram.count(), 20000u);
}

TEST(Metrics, TheTextHasEachMetricWithHelpAndType) {
  auto metrics = std::make_unique<Metrics>();
  metrics->requests.Add();
  metrics->requests.Add(2);
  metrics->connections.Set(5);
  metrics->connections.Add(-1);
  metrics->search_time.Record(50000);
  metrics->search_time.Record(20000000);
  const std::string text = PrometheusText(*metrics);
  EXPECT_THAT(text, HasSubstr("# HELP vectord_requests_total Requests received, of any kind.\n"
                              "# TYPE vectord_requests_total counter\n"
                              "vectord_requests_total 3\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE vectord_connections gauge\nvectord_connections 4\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE vectord_search_seconds histogram\n"
                              "vectord_search_seconds_bucket{le=\"8.192e-06\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("vectord_search_seconds_bucket{le=\"6.5536e-05\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("vectord_search_seconds_bucket{le=\"+Inf\"} 2\n"
                              "vectord_search_seconds_sum 0.02005\n"
                              "vectord_search_seconds_count 2\n"));
}

}  // namespace
}  // namespace vectord

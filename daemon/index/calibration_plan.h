// calibration_plan.h - what is measured alike of every kind of index: calibration.h does so by
// searches, list_calibration.h without them.
#ifndef VECTOR_FDW_DAEMON_INDEX_CALIBRATION_PLAN_H
#define VECTOR_FDW_DAEMON_INDEX_CALIBRATION_PLAN_H

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace vectord {

// A k to be measured, and with how many queries: many neighbours of one query say more than few.
struct KnownK {
  uint32_t k;
  size_t queries;
};
constexpr KnownK kMeasuredK[] = {{1, 800},   {10, 800},  {30, 300},
                                 {100, 200}, {300, 100}, {1000, 60}};

// Of small tables so many rows are no neighbours, and a scan gives them.
inline bool AreNeighbours(uint32_t k, size_t rows) { return size_t{k} * 4 <= rows; }

// A curve ends where so much is found.
constexpr double kEnoughRecall = 0.9985;

// A mean and its standard error.
struct Sample {
  explicit Sample(const std::vector<double>& values) {
    const double n = static_cast<double>(values.size());
    for (const double value : values) mean += value / n;
    double squares = 0;
    for (const double value : values) squares += (value - mean) * (value - mean);
    error = std::sqrt(squares) / n;
  }
  double mean = 0, error = 0;
};

// The least standard error of a recall at k: that no row was missed in so many does not mean that
// none ever is.
inline double LeastError(size_t queries, size_t k) {
  return 0.5 / (static_cast<double>(queries) * static_cast<double>(k));
}

}  // namespace vectord

#endif

// recall_curve.h - which effort a search needs for a recall, as measured when the index was built.
//
// A curve says what share of the k nearest rows searches with some efforts found. Between two
// efforts the share of rows missed is taken to fall as a power of the effort, as it does. A target
// counts as met where the recall less kErrorsBelow standard errors of its measurement is at least
// the target, since those queries were a sample, too.
//
// Values: copied freely, read by any thread.
#ifndef VECTOR_FDW_DAEMON_INDEX_RECALL_CURVE_H
#define VECTOR_FDW_DAEMON_INDEX_RECALL_CURVE_H

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "daemon/base/byte_stream.h"
#include "daemon/base/status.h"

namespace vectord {

struct RecallPoint {
  uint32_t effort = 0;
  float recall = 0;
  float error = 0;  // standard error of recall; more than 0
};

class RecallCurve {
 public:
  RecallCurve() = default;
  // REQUIRES: efforts rise, from 1 on; recalls never fall.
  explicit RecallCurve(std::vector<RecallPoint> points) : points_(std::move(points)) {}

  const std::vector<RecallPoint>& points() const { return points_; }
  // The least effort that meets the target, at least the first measured; none: even the last
  // measured misses it.
  std::optional<double> EffortFor(double target) const;
  // The recall to be expected; that of the first or last point beyond the ends. REQUIRES: points.
  double RecallAt(double effort) const;
  // The largest target that this effort meets. REQUIRES: points.
  double TargetMetAt(double effort) const;

 private:
  double Interpolate(double effort, double errors_below) const;
  std::vector<RecallPoint> points_;
};

// The curves of one index: for several k over all rows, and at some of these for filters that let
// pass some share of the rows by chance.
class RecallCurves {
 public:
  static constexpr uint32_t kMainK = 10;

  struct Measured {
    uint32_t k = 0;
    float share = 1;  // of the rows that may be found
    RecallCurve curve;
  };

  // In the order of k, then of falling shares. REQUIRES: each k has a curve of share 1.
  void Add(Measured measured) { measured_.push_back(std::move(measured)); }

  // Nothing was measured: the index is small, or its effort was given.
  bool empty() const { return Main() == nullptr; }
  const std::vector<Measured>& measured() const { return measured_; }
  size_t memory_bytes() const;

  // For the k nearest of all rows. None: no effort measured is enough. k need not be measured, nor
  // be an integer. REQUIRES: !empty().
  std::optional<double> EffortFor(double target, double k) const;
  // How many times the unfiltered effort a filter needs that lets pass this share; 1 where none was
  // measured. None: no effort is enough. k as above. REQUIRES: !empty().
  std::optional<double> FactorFor(double target, double share, double k) const;
  // The curve at k = kMainK over all rows, or null.
  const RecallCurve* Main() const { return Unfiltered(kMainK); }

  Status Write(ByteSink* sink) const;
  // CORRUPT unless the bytes are curves as REQUIRED above.
  static Result<RecallCurves> Read(ByteSource* source);

 private:
  const RecallCurve* Unfiltered(uint32_t k) const;
  std::optional<double> FactorAt(uint32_t k, double target, double share, bool unmet_too) const;
  std::vector<Measured> measured_;
};

// What an index aims at when nobody names a target: kDefaultTarget at least, and
// kDefaultTargetIfCheap where that takes no more than kCheapTimes the effort. Where no measured
// effort is enough the index scans all rows if that, costing as `scan_effort` would, is as cheap.
constexpr double kDefaultTarget = 0.95, kDefaultTargetIfCheap = 0.98, kCheapTimes = 4;

// The target in force then; 1 stands for a scan of all rows. REQUIRES: !curves.empty().
double DefaultTarget(const RecallCurves& curves, double scan_effort);

}  // namespace vectord

#endif

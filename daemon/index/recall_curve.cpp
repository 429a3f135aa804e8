// recall_curve.cpp - see recall_curve.h.
#include "daemon/index/recall_curve.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace vectord {
namespace {

// One and a half: measured on other queries, the recall then lies around the target plus what the
// tolerance of 0.01 below and 0.03 above it has in its middle.
constexpr double kErrorsBelow = 1.5;

double Lowered(const RecallPoint& point, double errors_below) {
  return std::max(0.0, double{point.recall} - errors_below * double{point.error});
}

// Where x lies between x0 and x1 on a logarithmic scale: 0 to 1.
double LogPosition(double x, double x0, double x1) { return std::log(x / x0) / std::log(x1 / x0); }

double LogInterpolate(double position, double y0, double y1) {
  return y0 * std::pow(y1 / y0, position);
}

// What is missed at `after` for the interpolation: recalls of 1 have no logarithm of their misses,
// and where all lists were scanned it falls to nothing at once.
double MissedAfter(double missed_before, double recall_after) {
  constexpr double kMostFall = 4;
  return std::max({1e-6, 1 - recall_after, missed_before / kMostFall});
}

// Graphs are measured up to what takes half as long as a scan; if more is needed, then rather more
// than a scan.
double BeyondMeasured(const RecallCurve& curve) {
  constexpr double kBeyond = 3;
  return kBeyond * curve.points().back().effort;
}

}  // namespace

std::optional<double> RecallCurve::EffortFor(double target) const {
  if (points_.empty()) return std::nullopt;
  if (Lowered(points_.front(), kErrorsBelow) >= target) return points_.front().effort;
  for (size_t i = 1; i < points_.size(); i++) {
    const double upper = Lowered(points_[i], kErrorsBelow);
    if (upper < target) continue;
    const double lower = Lowered(points_[i - 1], kErrorsBelow);
    // All points before miss the target, so lower < target <= upper.
    const double missed = MissedAfter(1 - lower, upper);
    const double position = std::log((1 - lower) / (1 - target)) / std::log((1 - lower) / missed);
    return LogInterpolate(std::clamp(position, 0.0, 1.0), points_[i - 1].effort, points_[i].effort);
  }
  return std::nullopt;
}

double RecallCurve::Interpolate(double effort, double errors_below) const {
  if (effort <= points_.front().effort) return Lowered(points_.front(), errors_below);
  for (size_t i = 1; i < points_.size(); i++) {
    if (effort > points_[i].effort) continue;
    const double position = LogPosition(effort, points_[i - 1].effort, points_[i].effort);
    const double before = std::max(1e-6, 1 - Lowered(points_[i - 1], errors_below));
    const double after = MissedAfter(before, Lowered(points_[i], errors_below));
    return 1 - LogInterpolate(position, before, after);
  }
  return Lowered(points_.back(), errors_below);
}

double RecallCurve::RecallAt(double effort) const { return Interpolate(effort, 0); }

double RecallCurve::TargetMetAt(double effort) const { return Interpolate(effort, kErrorsBelow); }

size_t RecallCurves::memory_bytes() const {
  size_t bytes = measured_.capacity() * sizeof(Measured);
  for (const Measured& measured : measured_)
    bytes += measured.curve.points().capacity() * sizeof(RecallPoint);
  return bytes;
}

const RecallCurve* RecallCurves::Unfiltered(uint32_t k) const {
  for (const Measured& measured : measured_)
    if (measured.k == k && measured.share == 1) return &measured.curve;
  return nullptr;
}

std::optional<double> RecallCurves::EffortFor(double target, double k) const {
  // Efforts rise with k in a bow rather than a straight line: between two that were measured, texts
  // need up to so much more.
  constexpr double kMostAboveLine = 0.08;
  double below_k = 0, below = 0;  // the measured k below, and its effort
  double before_k = 0, before = 0;
  bool is_met = false;  // at the largest k
  for (const Measured& measured : measured_) {
    if (measured.share < 1) continue;
    const std::optional<double> effort = measured.curve.EffortFor(target);
    if (k <= measured.k) {
      if (below_k == 0 || (k == measured.k && effort)) return effort;
      const double above = effort ? *effort : BeyondMeasured(measured.curve);
      const double position = LogPosition(k, below_k, measured.k);
      return LogInterpolate(position, below, std::max(below, above)) *
             (1 + 4 * kMostAboveLine * position * (1 - position));
    }
    is_met = effort.has_value();
    // Few neighbours of each query make for large errors, so more may meet a target that fewer
    // miss.
    if (!is_met) continue;
    before_k = below_k;
    before = below;
    below_k = measured.k;
    below = *effort;
  }
  if (!is_met) return std::nullopt;
  // Beyond the largest k measured as it rose up to there, or in proportion.
  constexpr double kLeastSlope = 0.5;
  double slope = 1;
  if (before_k > 0)
    slope = std::clamp(std::log(below / before) / std::log(below_k / before_k), kLeastSlope, 1.0);
  return below * std::pow(k / below_k, slope);
}

// An effort that no measured one reaches counts as one beyond what was measured where it is only to
// be interpolated with, between shares or, with unmet_too, by the caller.
std::optional<double> RecallCurves::FactorAt(uint32_t k, double target, double share,
                                             bool unmet_too) const {
  const auto effort_of = [&](const RecallCurve& curve, bool unmet_counts) {
    const std::optional<double> effort = curve.EffortFor(target);
    return !effort && unmet_counts ? BeyondMeasured(curve) : effort;
  };
  const std::optional<double> unfiltered = effort_of(*Unfiltered(k), unmet_too);
  if (!unfiltered) return std::nullopt;
  const Measured* larger = nullptr;  // the next larger share
  double larger_factor = 1;
  for (const Measured& measured : measured_) {
    if (measured.k != k || measured.share == 1) continue;
    const bool is_between = larger != nullptr && share > double{measured.share};
    const std::optional<double> effort = effort_of(measured.curve, unmet_too || is_between);
    if (!effort) return std::nullopt;
    const double factor = *effort / *unfiltered;
    if (is_between) {
      const double position = LogPosition(share, larger->share, measured.share);
      return LogInterpolate(position, larger_factor, factor);
    }
    if (share >= double{measured.share}) return factor;
    larger = &measured;
    larger_factor = factor;
  }
  return larger_factor;
}

std::optional<double> RecallCurves::FactorFor(double target, double share, double k) const {
  uint32_t below_k = 0;  // the last k that filters were measured at
  double below = 1;
  for (const Measured& measured : measured_) {
    if (measured.share == 1 || measured.k == below_k) continue;
    if (below_k > 0 && k < measured.k) {
      const double above = *FactorAt(measured.k, target, share, /*unmet_too=*/true);
      return LogInterpolate(LogPosition(k, below_k, measured.k), below, above);
    }
    const std::optional<double> factor = FactorAt(measured.k, target, share, /*unmet_too=*/false);
    if (!factor || k <= measured.k) return factor;
    below_k = measured.k;
    below = *factor;
  }
  // A filtered walk begins with the allowed rows that it met around the query, whatever the effort.
  // Beyond the largest limit measured, those are a smaller part of what is wanted.
  return std::max(1.0, below);
}

namespace {

Status Corrupt(std::string what) {
  return Status(ErrorCode::CORRUPT, "the data are no index", std::move(what));
}

// More are never measured.
constexpr uint32_t kMostCurves = 64, kMostPoints = 1024;

bool ArePoints(const std::vector<RecallPoint>& points) {
  for (size_t i = 0; i < points.size(); i++) {
    const RecallPoint& point = points[i];
    if (!(point.recall >= 0 && point.recall <= 1 && point.error > 0 && point.error <= 1))
      return false;
    if (i == 0 ? point.effort < 1
               : point.effort <= points[i - 1].effort || point.recall < points[i - 1].recall)
      return false;
  }
  return !points.empty();
}

}  // namespace

Status RecallCurves::Write(ByteSink* sink) const {
  const uint32_t count = static_cast<uint32_t>(measured_.size());
  VFDW_RETURN_IF_ERROR(sink->Append(BytesOf(&count, 1)));
  for (const Measured& measured : measured_) {
    const std::vector<RecallPoint>& points = measured.curve.points();
    const uint32_t size = static_cast<uint32_t>(points.size());
    VFDW_RETURN_IF_ERROR(sink->Append(BytesOf(&measured.k, 1)));
    VFDW_RETURN_IF_ERROR(sink->Append(BytesOf(&measured.share, 1)));
    VFDW_RETURN_IF_ERROR(sink->Append(BytesOf(&size, 1)));
    for (const RecallPoint& point : points) {
      VFDW_RETURN_IF_ERROR(sink->Append(BytesOf(&point.effort, 1)));
      VFDW_RETURN_IF_ERROR(sink->Append(BytesOf(&point.recall, 1)));
      VFDW_RETURN_IF_ERROR(sink->Append(BytesOf(&point.error, 1)));
    }
  }
  return {};
}

Result<RecallCurves> RecallCurves::Read(ByteSource* source) {
  RecallCurves curves;
  uint32_t count = 0;
  VFDW_RETURN_IF_ERROR(ReadNumber(source, &count));
  if (count > kMostCurves) return Corrupt("There are too many curves of recall.");
  for (uint32_t i = 0; i < count; i++) {
    Measured measured;
    uint32_t size = 0;
    VFDW_RETURN_IF_ERROR(ReadNumber(source, &measured.k));
    VFDW_RETURN_IF_ERROR(ReadNumber(source, &measured.share));
    VFDW_RETURN_IF_ERROR(ReadNumber(source, &size));
    if (size > kMostPoints) return Corrupt("A curve of recall has too many points.");
    std::vector<RecallPoint> points(size);
    for (RecallPoint& point : points) {
      VFDW_RETURN_IF_ERROR(ReadNumber(source, &point.effort));
      VFDW_RETURN_IF_ERROR(ReadNumber(source, &point.recall));
      VFDW_RETURN_IF_ERROR(ReadNumber(source, &point.error));
    }
    const bool ordered =
        i == 0 || measured.k > curves.measured_.back().k ||
        (measured.k == curves.measured_.back().k && measured.share < curves.measured_.back().share);
    if (!ordered || measured.k < 1 || !(measured.share > 0 && measured.share <= 1) ||
        (measured.share < 1 && curves.Unfiltered(measured.k) == nullptr) || !ArePoints(points))
      return Corrupt("A curve of recall is none.");
    measured.curve = RecallCurve(std::move(points));
    curves.Add(std::move(measured));
  }
  if (count > 0 && curves.empty()) return Corrupt("The main curve of recall is missing.");
  return curves;
}

double DefaultTarget(const RecallCurves& curves, double scan_effort) {
  const RecallCurve& main = *curves.Main();
  const std::optional<double> least = main.EffortFor(kDefaultTarget);
  if (!least) return 1;
  const std::optional<double> wanted = main.EffortFor(kDefaultTargetIfCheap);
  const double most = kCheapTimes * *least;
  if (wanted && *wanted <= most) return kDefaultTargetIfCheap;
  if (!wanted && scan_effort <= most) return 1;
  return std::clamp(main.TargetMetAt(most), kDefaultTarget, kDefaultTargetIfCheap);
}

}  // namespace vectord

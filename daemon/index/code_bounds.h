// code_bounds.h - what the key of a row by 8-bit codes proves about its distance.
//
// A code is off by half a number at most where the row is not cut off (Sq8Codes::IsCutOff), so the
// triangle inequality and that of Cauchy and Schwarz bound the distance from below. Under l2 a
// query that lies within the reach of codes is no nearer to any row than to what is left of the row
// when it is cut off, so then the bounds hold for those rows, too. That a scan may go by
// approximations and yet be exact is the idea of the VA-file (Weber, Schek, Blott, "A quantitative
// analysis and performance study for similarity-search methods in high-dimensional spaces", VLDB
// 1998).
//
// The bounds hold for distances as shared/metric.h computes them, rounding included.
#ifndef VECTOR_FDW_DAEMON_INDEX_CODE_BOUNDS_H
#define VECTOR_FDW_DAEMON_INDEX_CODE_BOUNDS_H

#include <limits>

#include "daemon/index/sq8_codes.h"

namespace vectord {

class CodeBounds {
 public:
  // Under l1 nothing is proved: what is cut off of a query would have to be added.
  static bool ArePossible(vfdw_metric metric) { return metric != VFDW_METRIC_L1; }

  // keys: of the query. REQUIRES: ArePossible(codes.metric()).
  CodeBounds(const Sq8Codes& codes, const Sq8Codes::Query& keys, const float* query);

  // A row is farther than `distance` if its key is above this and it is not cut off, or this is for
  // those, too. +infinity where nothing is proved.
  float LargestKey(double distance) const;
  bool AreForCutOffRows() const { return for_cut_off_rows_; }

 private:
  void BoundSquares(const Sq8Codes& codes, const Sq8Codes::Query& keys, const float* query);
  void BoundProducts(const Sq8Codes& codes, const Sq8Codes::Query& keys, const float* query);

  const bool of_squares_;
  bool for_cut_off_rows_ = false;
  // Of a key. 0: nothing is proved.
  double unit_ = 0;
  // ip, cosine: a row at a distance has a key of at most factor_ * distance + offset_ units.
  // l2: at a distance d, (factor_ * d + offset_)^2 - length_^2 units, and what was rounded.
  double factor_ = 1, offset_ = 0, length_ = 0;
  double shift_ = 0;                                           // in all keys, not in units
  double farthest_ = std::numeric_limits<double>::infinity();  // no distance exceeds it
};

}  // namespace vectord

#endif

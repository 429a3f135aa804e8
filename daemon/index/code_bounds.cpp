// code_bounds.cpp - see code_bounds.h.
//
// Notation: x a row, m the mean row, q the query; a is x - m, or x / |x| - m under cosine; A what
// the codes of a stand for, Q what those of q do (under l2, of q - m).
#include "daemon/index/code_bounds.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace vectord {
namespace {

constexpr double kRounding = 0x1p-24;  // of one operation of float32, relative

// Of the elements less those of `origin`, which may be null.
struct Coded {
  double length, largest;
  double error;  // the length of what codes lose
};

Coded Measure(const Sq8Codes::Query& keys, const float* elements, const float* origin,
              size_t dimensions) {
  double length2 = 0, largest = 0, error2 = 0;
  for (size_t i = 0; i < dimensions; i++) {
    const double element = origin != nullptr ? double{elements[i]} - origin[i] : elements[i];
    const double lost = element - (keys.code()[i] - int32_t{kZeroCode}) / double{keys.scale()};
    length2 += element * element;
    largest = std::max(largest, std::abs(element));
    error2 += lost * lost;
  }
  return {std::sqrt(length2), largest, std::sqrt(error2)};
}

// Sums of float32 squares and products of queries outside of these lose more than their last bits.
bool IsUsual(double length) { return length > 1e-10 && length < 1e15; }

// A sum by lanes rounds each term so often at most: its difference and square, the additions of a
// lane, the folds.
double RoundingOfSums(size_t dimensions) {
  return (static_cast<double>(dimensions) / VFDW_LANES + 8) * kRounding;
}

// |a - A| of a row that is not cut off: half a number for each element, and what is rounded before.
double ErrorOfRows(const Sq8Codes& codes, double mean_length) {
  constexpr double kHalf = 0.5 + 1e-4;
  const double error =
      kHalf * std::sqrt(static_cast<double>(codes.mean().size())) / double{codes.scale()};
  if (codes.metric() != VFDW_METRIC_COSINE) return error;
  return error + 8 * kRounding * (2 + mean_length);  // the length, the division, the difference
}

}  // namespace

CodeBounds::CodeBounds(const Sq8Codes& codes, const Sq8Codes::Query& keys, const float* query)
    : of_squares_(codes.metric() == VFDW_METRIC_L2) {
  // code_product.h: what is added to the product of two rows of codes, whichever the row.
  double sum = 0;
  for (const uint8_t code : keys.code()) sum += code - int32_t{kZeroCode};
  shift_ = double{keys.factor()} * kZeroCode * sum;
  if (of_squares_)
    BoundSquares(codes, keys, query);
  else
    BoundProducts(codes, keys, query);
}

// |x - q| = |a - (q - m)| >= |A - Q| - |a - A| - |q - m - Q|, and a key is, in units, |A - Q|^2 -
// |Q|^2.
void CodeBounds::BoundSquares(const Sq8Codes& codes, const Sq8Codes::Query& keys,
                              const float* query) {
  const size_t dimensions = codes.mean().size();
  const Coded coded = Measure(keys, query, codes.mean().data(), dimensions);
  const double scale = codes.scale();
  // Where scales differ more, Query caps the factor between them.
  if (!(coded.length < 1e15) || !(scale / double{keys.scale()} < 1e26)) return;
  double length2 = 0;
  for (size_t i = 0; i < dimensions; i++) {
    const double number = keys.code()[i] - int32_t{kZeroCode};
    length2 += number * number;
  }
  for_cut_off_rows_ = coded.largest * scale <= kLargestCodeNumber;
  unit_ = scale * scale;
  length_ = std::sqrt(length2) / double{keys.scale()};
  factor_ = 1 + RoundingOfSums(dimensions);
  constexpr double kOfTinySquares = 1e-17;  // a square below the least float32 is lost
  offset_ = ErrorOfRows(codes, /*mean_length=*/0) + coded.error * (1 + 1e-6) +
            2 * kRounding * coded.length + kOfTinySquares;
}

// -q x = -q m - q a, and |q a - Q A| <= |q| |a - A| + |q - Q| |A|. A key is -Q A in units.
void CodeBounds::BoundProducts(const Sq8Codes& codes, const Sq8Codes::Query& keys,
                               const float* query) {
  const size_t dimensions = codes.mean().size();
  const Coded coded = Measure(keys, query, /*origin=*/nullptr, dimensions);
  if (!IsUsual(coded.length)) return;
  double along_mean = 0, mean2 = 0;
  for (size_t i = 0; i < dimensions; i++) {
    along_mean += double{query[i]} * codes.mean()[i];
    mean2 += double{codes.mean()[i]} * codes.mean()[i];
  }
  const double mean_length = std::sqrt(mean2);
  const double error_of_rows = ErrorOfRows(codes, mean_length);
  const double longest = std::sqrt(double{codes.largest_square()}) / double{codes.scale()};  // |A|
  unit_ = double{codes.scale()} * double{keys.scale()};
  offset_ = along_mean + coded.length * error_of_rows + coded.error * (1 + 1e-6) * longest +
            2 * kRounding * (coded.length + coded.error) * longest;
  const double rounding = RoundingOfSums(dimensions);
  if (codes.metric() == VFDW_METRIC_IP) {
    offset_ += rounding * coded.length * (mean_length + longest + error_of_rows);
  } else {
    // A distance is 1 - q x / (|q| |x|), of which |q| is rounded besides, and 2 at most.
    factor_ = coded.length;
    offset_ -= coded.length * (1 - 4 * rounding);
    farthest_ = 2;
  }
}

float CodeBounds::LargestKey(double distance) const {
  constexpr float kNothing = std::numeric_limits<float>::infinity();
  if (unit_ == 0 || distance >= farthest_) return kNothing;
  double largest = factor_ * distance + offset_;
  if (of_squares_) {
    if (largest < 0) return kNothing;          // no distance is negative
    const double longest = length_ + largest;  // |A| of rows that near
    largest = largest * largest - length_ * length_;
    largest += 32 * kRounding * longest * longest;
  }
  largest = largest * unit_ + shift_ + 8 * kRounding * std::abs(shift_);
  constexpr double kMost = std::numeric_limits<float>::max();
  if (!(largest < kMost)) return kNothing;
  return std::nextafter(static_cast<float>(std::max(largest, -kMost)), kNothing);
}

}  // namespace vectord

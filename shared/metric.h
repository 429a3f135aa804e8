/*
 * metric.h - what each distance means, to the last bit. Valid C and C++.
 *
 * This is the only definition of truth: the SQL operators call these functions,
 * and every kernel of the daemon must return the same bits, so that a distance
 * is the same number whether PostgreSQL or vectord computed it.
 *
 * To make that possible with SIMD, sums are defined by lanes: element i is
 * added, in float32 and without fused multiply-add, to lane i mod 32; then the
 * 32 lanes are folded in halves (16, 8, 4, 2, 1). One AVX-512 kernel holds the
 * lanes in two registers, one AVX2 kernel in four, SSE in eight; all of them
 * round exactly as the loops below. Padding a vector with zeros changes
 * nothing, because x + 0 == x for every lane value that can occur.
 *
 * Files that include this must be compiled with -ffp-contract=off: on CPUs
 * where FMA is part of the baseline a compiler may otherwise fuse.
 *
 * The last step is double precision:
 *   l2      sqrt(sum (a-b)^2)          ip   -(sum a*b)
 *   cosine  1 - clamp(sum a*b / sqrt(sum a*a * sum b*b), -1, 1); NaN when a or b is zero
 *   l1      sum |a-b|
 * The order of results is float8's in PostgreSQL: NaN equals NaN and comes
 * after every number.
 */
#ifndef VECTOR_FDW_SHARED_METRIC_H
#define VECTOR_FDW_SHARED_METRIC_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

/* On the wire and on disk: never renumber. */
enum vfdw_metric {
  VFDW_METRIC_L2 = 1,
  VFDW_METRIC_IP = 2,
  VFDW_METRIC_COSINE = 3,
  VFDW_METRIC_L1 = 4
};

/*    value                name      operator */
#define VFDW_METRICS(X)                  \
  X(VFDW_METRIC_L2, "l2", "<->")         \
  X(VFDW_METRIC_IP, "ip", "<#>")         \
  X(VFDW_METRIC_COSINE, "cosine", "<=>") \
  X(VFDW_METRIC_L1, "l1", "<+>")

#define VFDW_LANES 32

#define VFDW_ALWAYS_INLINE static inline __attribute__((always_inline, unused))

/* Folds the lanes in halves. Destroys the array. */
VFDW_ALWAYS_INLINE float vfdw_fold_lanes(float* lane) {
  for (int width = VFDW_LANES / 2; width > 0; width /= 2)
    for (int i = 0; i < width; i++) lane[i] += lane[i + width];
  return lane[0];
}

/* The loop over whole blocks of lanes and the tail are one body, so that both round alike. */
#define VFDW_SUM_BY_LANES_(term)                                  \
  do {                                                            \
    float lane[VFDW_LANES] = {0};                                 \
    size_t block = 0;                                             \
    for (; block + VFDW_LANES <= dimensions; block += VFDW_LANES) \
      for (int l = 0; l < VFDW_LANES; l++) {                      \
        const float x = a[block + l], y = b[block + l];           \
        lane[l] += (term);                                        \
      }                                                           \
    for (size_t i = block; i < dimensions; i++) {                 \
      const float x = a[i], y = b[i];                             \
      lane[i - block] += (term);                                  \
    }                                                             \
    return vfdw_fold_lanes(lane);                                 \
  } while (0)

/* Sum of squared differences. */
VFDW_ALWAYS_INLINE float vfdw_sum_l2(const float* a, const float* b, size_t dimensions) {
  VFDW_SUM_BY_LANES_((x - y) * (x - y));
}

/* Inner product; with a == b, the squared norm. */
VFDW_ALWAYS_INLINE float vfdw_sum_ip(const float* a, const float* b, size_t dimensions) {
  VFDW_SUM_BY_LANES_(x * y);
}

/* Sum of absolute differences. */
VFDW_ALWAYS_INLINE float vfdw_sum_l1(const float* a, const float* b, size_t dimensions) {
  VFDW_SUM_BY_LANES_(fabsf(x - y));
}

VFDW_ALWAYS_INLINE double vfdw_finish_l2(float sum) { return sqrt((double)sum); }
VFDW_ALWAYS_INLINE double vfdw_finish_ip(float sum) { return -(double)sum; }
VFDW_ALWAYS_INLINE double vfdw_finish_l1(float sum) { return (double)sum; }

/* norm2 are squared norms by vfdw_sum_ip(a, a). A zero vector gives 0/0 = NaN. */
VFDW_ALWAYS_INLINE double vfdw_finish_cosine(float dot, float a_norm2, float b_norm2) {
  double similarity;
  if (a_norm2 == 0 || b_norm2 == 0) return (double)NAN;
  similarity = (double)dot / sqrt((double)a_norm2 * (double)b_norm2);
  if (similarity > 1) similarity = 1;
  if (similarity < -1) similarity = -1;
  return 1 - similarity;
}

/* The distance as the SQL operator returns it. */
VFDW_ALWAYS_INLINE double vfdw_distance(enum vfdw_metric metric, const float* a, const float* b,
                                        size_t dimensions) {
  switch (metric) {
    case VFDW_METRIC_L2:
      return vfdw_finish_l2(vfdw_sum_l2(a, b, dimensions));
    case VFDW_METRIC_IP:
      return vfdw_finish_ip(vfdw_sum_ip(a, b, dimensions));
    case VFDW_METRIC_COSINE:
      return vfdw_finish_cosine(vfdw_sum_ip(a, b, dimensions), vfdw_sum_ip(a, a, dimensions),
                                vfdw_sum_ip(b, b, dimensions));
    case VFDW_METRIC_L1:
      return vfdw_finish_l1(vfdw_sum_l1(a, b, dimensions));
  }
  return (double)NAN;
}

/* Order of two distances as PostgreSQL orders float8: <0, 0, >0; NaN last and equal to NaN. */
VFDW_ALWAYS_INLINE int vfdw_compare_distances(double a, double b) {
  if (isnan(a)) return isnan(b) ? 0 : 1;
  if (isnan(b)) return -1;
  return (a > b) - (a < b);
}

#endif

// code_product_scalar.cpp - products of codes for any CPU; what the other files are tested against.
#include "daemon/kernel/code_product.h"

namespace vectord {
namespace {

void Products(const uint8_t* a, const uint8_t* codes, size_t bytes, const uint32_t* ids,
              size_t count, int32_t* out) {
  for (size_t i = 0; i < count; i++) {
    const uint8_t* const row = codes + ids[i] * bytes;
    int32_t sum = 0;
    for (size_t j = 0; j < bytes; j++) sum += (a[j] - kZeroCode) * row[j];
    out[i] = sum;
  }
}

void Differences(const uint8_t* a, const uint8_t* codes, size_t bytes, const uint32_t* ids,
                 size_t count, int32_t* out) {
  for (size_t i = 0; i < count; i++) {
    const uint8_t* const row = codes + ids[i] * bytes;
    int32_t sum = 0;
    for (size_t j = 0; j < bytes; j++) sum += a[j] < row[j] ? row[j] - a[j] : a[j] - row[j];
    out[i] = sum;
  }
}

}  // namespace

CodeProducts code_products::Scalar() { return &Products; }
CodeDifferences code_products::ScalarDifferences() { return &Differences; }

}  // namespace vectord

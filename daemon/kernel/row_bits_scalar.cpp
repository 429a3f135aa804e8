// row_bits_scalar.cpp - bits of rows as the language says; what the others are compared with.
#include <cstring>
#include <type_traits>

#include "daemon/kernel/ordered_key.h"
#include "daemon/kernel/row_bits.h"
#include "daemon/kernel/row_bits_loops.h"

namespace vectord {
namespace {

// Unsigned: the integer of the number's size.
template <typename Number, typename Unsigned>
struct One {
  static constexpr size_t kAtOnce = 1, kBytes = sizeof(Number);
  static Unsigned All(uint64_t x) { return static_cast<Unsigned>(x); }
  static uint64_t Within(const char* at, Unsigned low, Unsigned span) {
    Number number;
    memcpy(&number, at, sizeof number);
    return static_cast<Unsigned>(KeyOf(number) - low) <= span;
  }
  static Unsigned KeyOf(Number number) {
    if constexpr (std::is_integral_v<Number>)
      return number;
    else
      return static_cast<Unsigned>(OrderedKey<Number, std::make_signed_t<Unsigned>>(number));
  }
};

size_t Select(const uint64_t* set, const uint32_t* rows, size_t count, uint32_t* out) {
  size_t selected = 0;
  for (size_t i = 0; i < count && rows[i] != kNoRow; i++)
    if ((set[rows[i] / 64] >> rows[i] % 64 & 1) != 0) out[selected++] = rows[i];
  return selected;
}

constexpr RowBitsKernels kKernels = {Range<One<uint8_t, uint8_t>>,
                                     Range<One<uint16_t, uint16_t>>,
                                     Range<One<uint32_t, uint32_t>>,
                                     Range<One<uint64_t, uint64_t>>,
                                     Range<One<float, uint32_t>>,
                                     Range<One<double, uint64_t>>,
                                     Count,
                                     Select};

}  // namespace

const RowBitsKernels* row_bits::Scalar() { return &kKernels; }

}  // namespace vectord

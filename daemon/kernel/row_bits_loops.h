// row_bits_loops.h - the loops of row_bits.h, for row_bits_<isa>.cpp to fill in.
//
// A Type has kAtOnce and kBytes: how many numbers it tests at a time, of how many bytes each;
// Operand All(x): the number x as its test wants it; and uint64_t Within(numbers, low, span): bit i
// for number i.
//
// Everything here has internal linkage: each file has its own copy, of its own instruction set.
#ifndef VECTOR_FDW_DAEMON_KERNEL_ROW_BITS_LOOPS_H
#define VECTOR_FDW_DAEMON_KERNEL_ROW_BITS_LOOPS_H

#include <cstddef>
#include <cstdint>

namespace vectord {
namespace {

template <typename Type>
void Range(const char* numbers, size_t words, uint64_t low, uint64_t span, uint64_t* out) {
  const auto least = Type::All(low), width = Type::All(span);
  for (size_t word = 0; word < words; word++) {
    uint64_t bits = 0;
    for (size_t i = 0; i < 64; i += Type::kAtOnce, numbers += Type::kAtOnce * Type::kBytes)
      bits |= Type::Within(numbers, least, width) << i;
    out[word] = bits;
  }
}

size_t Count(const uint64_t* words, size_t count) {
  size_t set = 0;
  for (size_t i = 0; i < count; i++) set += static_cast<size_t>(__builtin_popcountll(words[i]));
  return set;
}

}  // namespace
}  // namespace vectord

#endif

// row_bits.h - sets of rows as bits, 64 to a word: which numbers lie in a range, how many bits are
// set, which of some rows are in a set, as fast as the CPU allows.
//
// A range test reads a column once, in order: what it should take is the time to read that memory.
// Every function gives the same bits on every CPU.
//
// Files: row_bits_<isa>.cpp one instruction set each, compiled with that set's flags; row_bits.cpp
// chooses.
//
// Threads: the tables are constants.
#ifndef VECTOR_FDW_DAEMON_KERNEL_ROW_BITS_H
#define VECTOR_FDW_DAEMON_KERNEL_ROW_BITS_H

#include <cstddef>
#include <cstdint>

namespace vectord {

// Bit i of out[i / 64] says whether low <= number i <= low + span, for 64 * words numbers of a type
// that stand one after the other, anyhow aligned. Signs make no difference: all is modulo 2 to the
// power of the type's bits, and what low and span have beyond them does not count. Of floats their
// OrderedKey() is compared (ordered_key.h).
using RangeBits = void (*)(const char* numbers, size_t words, uint64_t low, uint64_t span,
                           uint64_t* out);

// Copies those of count rows to out that are in the set, bit i of word i / 64 for row i, in their
// order, and returns how many these are. The rows end before the first kNoRow, if there is one. out
// has room for count + kSelectSlack rows.
using SelectRows = size_t (*)(const uint64_t* set, const uint32_t* rows, size_t count,
                              uint32_t* out);
inline constexpr uint32_t kNoRow = 0xffffffff;
inline constexpr size_t kSelectSlack = 16;

struct RowBitsKernels {
  RangeBits of_8, of_16, of_32, of_64;  // integers of so many bits
  RangeBits of_float32, of_float64;
  // Bits that are set.
  size_t (*count)(const uint64_t* words, size_t count);
  SelectRows select;
};

// For the level in force (cpu.h).
const RowBitsKernels& ActiveRowBits();

// Defined by the files of one instruction set each; nullptr on other CPU families.
namespace row_bits {
const RowBitsKernels* Scalar();
const RowBitsKernels* Avx2();
const RowBitsKernels* Avx512();
}  // namespace row_bits

}  // namespace vectord

#endif

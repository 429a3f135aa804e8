// code_product.h - inner products and sums of differences of vectors of 8-bit codes, as fast as the
// CPU allows.
//
// A code c from 1 to 255 stands for the number c - 128. What the CPUs multiply is a signed byte by
// an unsigned one, so the products here are those of (a - 128) and b; the caller, who knows the sum
// of a's numbers, subtracts 128 times that.
//
// All arithmetic is of integers: every function returns the same number on every CPU. 32 bits
// suffice for VFDW_MAX_DIMENSIONS.
//
// Threads: the tables are constants.
#ifndef VECTOR_FDW_DAEMON_KERNEL_CODE_PRODUCT_H
#define VECTOR_FDW_DAEMON_KERNEL_CODE_PRODUCT_H

#include <cstddef>
#include <cstdint>

namespace vectord {

// Vectors of codes are padded to whole blocks with kZeroCode.
constexpr size_t kCodeBlock = 64;
constexpr uint8_t kZeroCode = 128;
constexpr int kLargestCodeNumber = 127;

// out[i] = sum of (a[j] - 128) * row[j] over the row at codes + ids[i] * bytes, for i < count.
// bytes: a multiple of kCodeBlock.
using CodeProducts = void (*)(const uint8_t* a, const uint8_t* codes, size_t bytes,
                              const uint32_t* ids, size_t count, int32_t* out);

// The same with the sum of |a[j] - row[j]|.
using CodeDifferences = CodeProducts;

// The functions for the level in force (cpu.h).
CodeProducts ActiveCodeProducts();
CodeDifferences ActiveCodeDifferences();

// Defined by the files of one instruction set each; nullptr on other CPU families.
namespace code_products {
CodeProducts Scalar();
CodeProducts Avx2();
CodeProducts Avx512Vnni();  // asks for more than Isa::kAvx512: see HasAvx512Vnni()
CodeDifferences ScalarDifferences();
CodeDifferences Avx2Differences();
CodeDifferences Avx512Differences();  // asks for HasAvx512Vnni() too
}  // namespace code_products

}  // namespace vectord

#endif

// row_bits.cpp - the choice among the functions of row_bits_<isa>.cpp.
#include "daemon/kernel/row_bits.h"

#include "daemon/kernel/cpu.h"

namespace vectord {

const RowBitsKernels& ActiveRowBits() {
  const Isa isa = ActiveIsa();
  const RowBitsKernels* kernels = nullptr;
  if (isa >= Isa::kAvx512)
    kernels = row_bits::Avx512();
  else if (isa >= Isa::kAvx2)
    kernels = row_bits::Avx2();
  return kernels != nullptr ? *kernels : *row_bits::Scalar();
}

}  // namespace vectord

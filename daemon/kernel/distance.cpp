// distance.cpp - the choice among the kernels of distance_<isa>.cpp, see distance.h.
#include "daemon/kernel/distance.h"

namespace vectord {

const DistanceKernels* KernelsOf(Isa isa) {
  switch (isa) {
    case Isa::kScalar:
      return kernel_tables::Scalar();
    case Isa::kAvx2:
      return kernel_tables::Avx2();
    case Isa::kAvx512:
      return kernel_tables::Avx512();
  }
  return nullptr;
}

const DistanceKernels& ActiveKernels() {
  const DistanceKernels* kernels = KernelsOf(ActiveIsa());
  return kernels != nullptr ? *kernels : *kernel_tables::Scalar();
}

}  // namespace vectord

// code_product.cpp - the choice among the functions of code_product_<isa>.cpp.
#include "daemon/kernel/code_product.h"

#include "daemon/kernel/cpu.h"

namespace vectord {

CodeProducts ActiveCodeProducts() {
  const Isa isa = ActiveIsa();
  CodeProducts products = nullptr;
  if (isa >= Isa::kAvx512 && HasAvx512Vnni())
    products = code_products::Avx512Vnni();
  else if (isa >= Isa::kAvx2)
    products = code_products::Avx2();
  return products != nullptr ? products : code_products::Scalar();
}

CodeDifferences ActiveCodeDifferences() {
  const Isa isa = ActiveIsa();
  CodeDifferences differences = nullptr;
  if (isa >= Isa::kAvx512 && HasAvx512Vnni())
    differences = code_products::Avx512Differences();
  else if (isa >= Isa::kAvx2)
    differences = code_products::Avx2Differences();
  return differences != nullptr ? differences : code_products::ScalarDifferences();
}

}  // namespace vectord

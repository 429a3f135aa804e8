// distance_test.cpp - every kernel of every instruction set returns the bits of metric.h.
#include "daemon/kernel/distance.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace vectord {
namespace {

using Reference = float (*)(const float*, const float*, size_t);

struct Sum {
  const char* name;
  const SumKernels DistanceKernels::*kernels;
  Reference reference;
};

const Sum kSums[] = {
    {"l2", &DistanceKernels::l2,
     [](const float* a, const float* b, size_t n) { return vfdw_sum_l2(a, b, n); }},
    {"ip", &DistanceKernels::ip,
     [](const float* a, const float* b, size_t n) { return vfdw_sum_ip(a, b, n); }},
    {"l1", &DistanceKernels::l1,
     [](const float* a, const float* b, size_t n) { return vfdw_sum_l1(a, b, n); }},
};

std::vector<const DistanceKernels*> KernelsOfThisCpu() {
  std::vector<const DistanceKernels*> all;
  for (const Isa isa : {Isa::kScalar, Isa::kAvx2, Isa::kAvx512})
    if (isa <= DetectedIsa() && KernelsOf(isa) != nullptr) all.push_back(KernelsOf(isa));
  return all;
}

std::vector<size_t> Lengths() {
  std::vector<size_t> lengths;
  for (size_t n = 1; n <= 200; n++) lengths.push_back(n);
  for (const size_t n : {384, 768, 1536, 1537}) lengths.push_back(n);
  return lengths;
}

// Same bits; of NaN any, since payloads depend on the order of operands.
bool Same(float a, float b) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  return memcmp(&a, &b, sizeof(a)) == 0;
}

constexpr size_t kRows = 11;  // groups of 4 and of 2, and rows left over

// Compares all shapes of all kernels on one query and kRows rows, both starting one float behind
// an aligned address, and rows `gap` floats apart.
void ExpectSameBits(const std::vector<float>& query, const std::vector<float>& rows, size_t n,
                    size_t gap) {
  const size_t stride = n + gap;
  std::vector<uint32_t> ids = {7, 0, 10, 3, 3, 9, 1, 2, 8, 4, 6};
  for (const DistanceKernels* kernels : KernelsOfThisCpu()) {
    for (const Sum& sum : kSums) {
      SCOPED_TRACE(std::string(IsaName(kernels->isa)) + " " + sum.name + " of " +
                   std::to_string(n) + " dimensions");
      const SumKernels& kernel = kernels->*sum.kernels;
      float batch[kRows], gathered[kRows];
      kernel.batch(query.data(), rows.data(), stride, kRows, n, batch);
      kernel.gather(query.data(), rows.data(), stride, ids.data(), kRows, n, gathered);
      for (size_t i = 0; i < kRows; i++) {
        const float expected = sum.reference(query.data(), rows.data() + i * stride, n);
        const float gather_expected = sum.reference(query.data(), rows.data() + ids[i] * stride, n);
        ASSERT_TRUE(Same(kernel.one(query.data(), rows.data() + i * stride, n), expected));
        ASSERT_TRUE(Same(batch[i], expected)) << "row " << i;
        ASSERT_TRUE(Same(gathered[i], gather_expected)) << "row " << i;
      }
    }
  }
}

template <class Draw>
void ExpectSameBitsOnAllLengths(Draw draw) {
  for (const size_t n : Lengths()) {
    for (const size_t gap : {size_t{0}, size_t{1}, size_t{16}}) {
      std::vector<float> query(n), rows(kRows * (n + gap));
      for (float& x : query) x = draw();
      for (float& x : rows) x = draw();
      ExpectSameBits(query, rows, n, gap);
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

TEST(Distance, RandomVectorsOfAllLengthsGiveTheReferencesBits) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  ExpectSameBitsOnAllLengths([&] { return normal(random); });
}

TEST(Distance, IntegerVectorsOfAllLengthsGiveTheReferencesBits) {
  std::mt19937 random(2);
  ExpectSameBitsOnAllLengths([&] { return static_cast<float>(random() % 41) - 20; });
}

TEST(Distance, DenormalAndHugeElementsGiveTheReferencesBits) {
  std::mt19937 random(3);
  ExpectSameBitsOnAllLengths([&] {
    const float choices[] = {0.0f, -0.0f, 1e-45f, -3e-40f, 1e-20f, 3e38f, -3e38f, 1.0f};
    return choices[random() % 8];
  });
}

TEST(Distance, InfinityAndNanGiveWhatTheReferenceGives) {
  std::mt19937 random(4);
  const float infinity = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  ExpectSameBitsOnAllLengths([&] {
    const uint32_t pick = random() % 200;
    return pick == 0 ? infinity : pick == 1 ? -infinity : pick == 2 ? nan : 0.5f;
  });
}

TEST(Distance, NothingBehindTheLastElementIsRead) {
  // Given a vector that ends where a NaN begins
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (size_t n = 1; n <= 70; n++) {
    std::vector<float> a(n + 64, nan), b(n + 64, nan);
    for (size_t i = 0; i < n; i++) a[i] = b[i] = 1;
    for (const DistanceKernels* kernels : KernelsOfThisCpu()) {
      EXPECT_EQ(kernels->ip.one(a.data(), b.data(), n), static_cast<float>(n));
      EXPECT_EQ(kernels->l2.one(a.data(), b.data(), n), 0);
    }
  }
}

TEST(Distance, ZerosBehindAVectorChangeNoBit) {
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  for (size_t n = 1; n <= 100; n++) {
    std::vector<float> a(160, 0), b(160, 0);
    for (size_t i = 0; i < n; i++) {
      a[i] = normal(random);
      b[i] = normal(random);
    }
    for (const DistanceKernels* kernels : KernelsOfThisCpu())
      for (const Sum& sum : kSums)
        EXPECT_TRUE(Same((kernels->*sum.kernels).one(a.data(), b.data(), 160),
                         sum.reference(a.data(), b.data(), n)));
  }
}

TEST(Distance, TheForcedLevelIsTheOneInUse) {
  for (const DistanceKernels* kernels : KernelsOfThisCpu()) {
    ASSERT_TRUE(ForceIsa(kernels->isa).ok());
    EXPECT_EQ(ActiveKernels().isa, kernels->isa);
  }
  ASSERT_TRUE(ForceIsa(std::nullopt).ok());
}

}  // namespace
}  // namespace vectord

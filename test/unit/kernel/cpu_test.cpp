// cpu_test.cpp - detection and forcing of instruction sets.
#include "daemon/kernel/cpu.h"

#include <gtest/gtest.h>

namespace vectord {
namespace {

TEST(Cpu, EveryLevelIsKnownByItsName) {
  for (const Isa isa : {Isa::kScalar, Isa::kAvx2, Isa::kAvx512})
    EXPECT_EQ(IsaFromName(IsaName(isa)), isa);
  EXPECT_EQ(IsaFromName("mmx"), std::nullopt);
}

TEST(Cpu, ALevelThatTheCpuHasCanBeForcedAndReleased) {
  ASSERT_TRUE(ForceIsa(Isa::kScalar).ok());
  EXPECT_EQ(ActiveIsa(), Isa::kScalar);
  ASSERT_TRUE(ForceIsa(std::nullopt).ok());
  EXPECT_EQ(ActiveIsa(), DetectedIsa());
}

TEST(Cpu, ALevelThatTheCpuLacksIsRefusedAndNothingChanges) {
  if (DetectedIsa() == Isa::kAvx512) GTEST_SKIP() << "this CPU has every level";
  const Status refused = ForceIsa(Isa::kAvx512);
  EXPECT_EQ(refused.code(), ErrorCode::BAD_CONFIG);
  EXPECT_NE(refused.detail(), "");
  EXPECT_EQ(ActiveIsa(), DetectedIsa());
}

TEST(Cpu, VnniIsOnlyReportedTogetherWithAvx512) {
  EXPECT_TRUE(DetectedIsa() == Isa::kAvx512 || !HasAvx512Vnni());
}

}  // namespace
}  // namespace vectord

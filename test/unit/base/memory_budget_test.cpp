// memory_budget_test.cpp - granting, refusing and giving back.
#include "daemon/base/memory_budget.h"

#include <gtest/gtest.h>

#include <limits>
#include <thread>
#include <vector>

namespace vectord {
namespace {

TEST(MemoryBudget, AReservationCountsUntilItIsGone) {
  MemoryBudget budget(1000, "test");
  {
    Result<MemoryReservation> reservation = budget.Reserve(600, "rows");
    ASSERT_TRUE(reservation.ok());
    EXPECT_EQ(reservation->bytes(), 600u);
    EXPECT_EQ(budget.used(), 600u);
    EXPECT_EQ(budget.available(), 400u);
  }
  EXPECT_EQ(budget.used(), 0u);
  EXPECT_EQ(budget.peak(), 600u);
}

TEST(MemoryBudget, ARefusalSaysAskedUsedAndLimit) {
  MemoryBudget budget(size_t{3} << 20, "vectord");
  Result<MemoryReservation> first = budget.Reserve(size_t{2} << 20, "rows");
  ASSERT_TRUE(first.ok());
  const Result<MemoryReservation> second = budget.Reserve(size_t{3} << 19, "the index of \"docs\"");
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), ErrorCode::OUT_OF_MEMORY);
  EXPECT_EQ(second.status().message(), "not enough memory for the index of \"docs\"");
  EXPECT_EQ(second.status().detail(),
            "Asked for 1.50 MB when 2 MB of the limit of 3 MB (vectord) were in use.");
  EXPECT_EQ(budget.used(), size_t{2} << 20);
}

TEST(MemoryBudget, AllOfTheLimitMayBeUsedAndNoMore) {
  MemoryBudget budget(100, "test");
  Result<MemoryReservation> all = budget.Reserve(100, "x");
  EXPECT_TRUE(all.ok());
  EXPECT_FALSE(budget.Reserve(1, "x").ok());
  EXPECT_TRUE(budget.Reserve(0, "x").ok());
}

TEST(MemoryBudget, HugeRequestsDoNotOverflow) {
  MemoryBudget budget(100, "test");
  Result<MemoryReservation> some = budget.Reserve(10, "x");
  EXPECT_FALSE(budget.Reserve(std::numeric_limits<size_t>::max(), "x").ok());
  EXPECT_FALSE(budget.Reserve(std::numeric_limits<size_t>::max() - 5, "x").ok());
  EXPECT_EQ(budget.used(), 10u);
}

TEST(MemoryBudget, AReservationResizesOrStaysAsItWas) {
  MemoryBudget budget(1000, "test");
  Result<MemoryReservation> reservation = budget.Reserve(100, "rows");
  ASSERT_TRUE(reservation->Resize(900).ok());
  EXPECT_EQ(budget.used(), 900u);
  EXPECT_EQ(reservation->Resize(1001).code(), ErrorCode::OUT_OF_MEMORY);
  EXPECT_EQ(reservation->bytes(), 900u);
  ASSERT_TRUE(reservation->Resize(50).ok());
  EXPECT_EQ(budget.used(), 50u);
}

TEST(MemoryBudget, AMovedReservationIsReleasedOnce) {
  MemoryBudget budget(1000, "test");
  Result<MemoryReservation> a = budget.Reserve(100, "a");
  MemoryReservation b = std::move(*a);
  EXPECT_EQ(a->bytes(), 0u);
  Result<MemoryReservation> c = budget.Reserve(200, "c");
  b = std::move(*c);
  EXPECT_EQ(budget.used(), 200u);
  b.Release();
  b.Release();
  EXPECT_EQ(budget.used(), 0u);
}

TEST(MemoryBudget, ALimitLoweredBelowItsUseOnlyRefuses) {
  MemoryBudget budget(1000, "test");
  Result<MemoryReservation> reservation = budget.Reserve(800, "x");
  budget.SetLimit(500);
  EXPECT_EQ(budget.used(), 800u);
  EXPECT_EQ(budget.available(), 0u);
  EXPECT_FALSE(budget.Reserve(1, "x").ok());
  EXPECT_TRUE(reservation->Resize(700).ok()) << "shrinking never fails";
}

TEST(MemoryBudget, AChildNeedsTheConsentOfItsParent) {
  MemoryBudget parent(1000, "vectord");
  MemoryBudget one(800, "collection one", &parent), two(800, "collection two", &parent);
  Result<MemoryReservation> a = one.Reserve(700, "rows");
  ASSERT_TRUE(a.ok());
  EXPECT_EQ(parent.used(), 700u);
  EXPECT_EQ(two.available(), 300u);
  const Result<MemoryReservation> b = two.Reserve(400, "rows");
  ASSERT_FALSE(b.ok());
  EXPECT_NE(b.status().detail().find("(vectord)"), std::string::npos);
  EXPECT_EQ(two.used(), 0u) << "nothing stays of a refused request";
  a->Release();
  EXPECT_EQ(parent.used(), 0u);
  EXPECT_TRUE(two.Reserve(400, "rows").ok());
}

TEST(MemoryBudget, WhatIsSpareLeavesAnEighthOfEachLimit) {
  MemoryBudget parent(800, "vectord");
  MemoryBudget child(1600, "collection docs", &parent);
  Result<MemoryReservation> spare = child.ReserveSpare(700, "the order of a column");
  ASSERT_TRUE(spare.ok());
  EXPECT_FALSE(child.ReserveSpare(1, "the order of a column").ok());
  EXPECT_EQ(parent.used(), 700u);
  EXPECT_TRUE(child.Reserve(100, "rows").ok());
  EXPECT_FALSE(child.ReserveSpare(std::numeric_limits<size_t>::max(), "all").ok());
}

TEST(MemoryBudget, ThreadsTogetherNeverExceedTheLimit) {
  MemoryBudget parent(1000, "vectord");
  MemoryBudget child(900, "child", &parent);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; i++)
    threads.emplace_back([&child] {
      for (int j = 0; j < 20000; j++) {
        Result<MemoryReservation> reservation = child.Reserve(static_cast<size_t>(j % 400), "x");
        if (reservation.ok() && j % 3 == 0) (void)reservation->Resize(300);
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(child.used(), 0u);
  EXPECT_EQ(parent.used(), 0u);
  EXPECT_LE(child.peak(), 900u);
}

}  // namespace
}  // namespace vectord

// cursor_table_test.cpp - who may use a cursor, and when it goes.
#include "daemon/service/cursor_table.h"

#include <gtest/gtest.h>

#include "test/unit/service/small_collection.h"

namespace vectord {
namespace {

using std::chrono::seconds;

struct CursorTableTest : testing::Test {
  std::unique_ptr<Cursor> NewCursor() { return std::make_unique<Cursor>(set, Query(), columns); }
  uint64_t Keep(const RequestContext& owner) { return table.Keep(owner, NewCursor()); }
  bool Has(const RequestContext& owner, uint64_t id) {
    auto taken = table.Take(owner, id);
    return taken.ok() && table.Return(id, std::move(taken).value());
  }

  CursorTableTest() {
    alice.client = "alice";
    alice.connection = 1;
    bob.client = "bob";
    bob.connection = 2;
  }
  ManualClock clock{1};
  Metrics metrics;
  MemoryBudget budget{1 << 20, "test"};
  std::shared_ptr<const SegmentSet> set = SmallCollection().MakeSet();
  std::vector<OutputColumn> columns;
  RequestContext alice, bob;
  CursorTable table{3, 10 * 1000000000LL, &clock, &budget, &metrics};
};

TEST_F(CursorTableTest, BelongsToItsClient) {
  const uint64_t id = Keep(alice);
  ASSERT_NE(id, 0u);
  EXPECT_TRUE(Has(alice, id));
  EXPECT_EQ(table.Take(bob, id).status().code(), ErrorCode::SNAPSHOT_TOO_OLD);
  EXPECT_EQ(table.Take(alice, id + 1).status().code(), ErrorCode::SNAPSHOT_TOO_OLD);
  table.Close(bob, id);
  EXPECT_TRUE(Has(alice, id));
  table.Close(alice, id);
  EXPECT_FALSE(Has(alice, id));
}

TEST_F(CursorTableTest, IsUsedByOneRequestAtATime) {
  const uint64_t id = Keep(alice);
  auto first = table.Take(alice, id);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(table.Take(alice, id).status().code(), ErrorCode::INVALID_PARAMETER);
  EXPECT_TRUE(table.Return(id, std::move(first).value()));
  EXPECT_TRUE(Has(alice, id));
}

TEST_F(CursorTableTest, GoesAfterItsIdleTimeButNotWhileInUse) {
  const uint64_t idle = Keep(alice);
  const uint64_t used = Keep(alice);
  auto cursor = table.Take(alice, used);
  clock.Advance(seconds(11));
  table.Expire();
  EXPECT_FALSE(Has(alice, idle));
  EXPECT_TRUE(table.Return(used, std::move(cursor).value()));
  clock.Advance(seconds(9));
  table.Expire();
  EXPECT_TRUE(Has(alice, used));
  clock.Advance(seconds(11));
  table.Expire();
  EXPECT_EQ(table.size(), 0u);
  EXPECT_EQ(metrics.cursors_expired.value(), 2u);
  EXPECT_EQ(budget.used(), 0u);
}

TEST_F(CursorTableTest, AFullTableGivesUpTheOneIdleLongest) {
  const uint64_t first = Keep(alice);
  clock.Advance(seconds(1));
  const uint64_t second = Keep(bob);
  clock.Advance(seconds(1));
  EXPECT_TRUE(Has(alice, first));  // used just now
  Keep(alice);
  clock.Advance(seconds(1));
  EXPECT_NE(Keep(alice), 0u);
  EXPECT_EQ(table.size(), 3u);
  EXPECT_TRUE(Has(alice, first));
  EXPECT_FALSE(Has(bob, second));
}

TEST_F(CursorTableTest, KeepsNoneWhenAllAreInUseOrMemoryIsShort) {
  std::vector<std::unique_ptr<Cursor>> used;
  for (int i = 0; i < 3; i++) used.push_back(table.Take(alice, Keep(alice)).value());
  EXPECT_EQ(Keep(alice), 0u);
  table.SetLimits(100, 1);
  budget.SetLimit(budget.used());
  EXPECT_EQ(Keep(alice), 0u);
}

TEST_F(CursorTableTest, ClosedWhileInUseItIsGoneOnReturn) {
  const uint64_t id = Keep(alice);
  auto cursor = table.Take(alice, id);
  table.Close(alice, id);
  EXPECT_FALSE(table.Return(id, std::move(cursor).value()));
  EXPECT_EQ(budget.used(), 0u);
}

TEST_F(CursorTableTest, GoesWithItsClientWhateverConnectionItWasTakenFor) {
  alice.connection = bob.connection;
  Keep(alice);
  const uint64_t kept = Keep(bob);
  table.CloseClient(alice.client);
  EXPECT_EQ(table.size(), 1u);
  EXPECT_TRUE(Has(bob, kept));
}

TEST_F(CursorTableTest, OfARequestThatWasStoppedNoneIsKeptNorGivenUpForIt) {
  const uint64_t kept[] = {Keep(bob), Keep(bob), Keep(bob)};
  const long before = set.use_count();
  alice.Stop(StopReason::kGone);
  table.CloseConnection(alice.connection);
  EXPECT_EQ(Keep(alice), 0u);
  EXPECT_EQ(set.use_count(), before);
  for (const uint64_t id : kept) EXPECT_TRUE(Has(bob, id));
}

TEST_F(CursorTableTest, GoesWithItsConnectionAndFreesTheSet) {
  Keep(alice);
  const uint64_t kept = Keep(bob);
  const long before = set.use_count();
  table.CloseConnection(alice.connection);
  EXPECT_EQ(set.use_count(), before - 1);
  EXPECT_TRUE(Has(bob, kept));
  EXPECT_EQ(table.size(), 1u);
}

}  // namespace
}  // namespace vectord

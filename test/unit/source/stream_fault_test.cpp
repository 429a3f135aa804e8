// stream_fault_test.cpp - which server and which slot may go on from where.
#include "daemon/source/stream_fault.h"

#include <gtest/gtest.h>

namespace vectord {
namespace {

SystemIdentity Server() {
  SystemIdentity identity;
  identity.system_identifier = 7000;
  identity.timeline = 2;
  identity.flushed_lsn = Lsn{5000};
  identity.database = "app";
  return identity;
}

SlotStatus GoodSlot() {
  SlotStatus slot;
  slot.plugin = "pgoutput";
  slot.database = "app";
  slot.confirmed_flush_lsn = Lsn{3000};
  return slot;
}

StreamFault SourceFault(const ExpectedSource& expected, Lsn start) {
  const StreamProblem problem = CheckSource(expected, Server(), start);
  EXPECT_EQ(problem.status.ok(), problem.fault == StreamFault::kNone);
  return problem.fault;
}

StreamFault SlotFault(const std::optional<SlotStatus>& slot, Lsn start) {
  const StreamProblem problem = CheckSlot("s", slot, "app", start);
  EXPECT_EQ(problem.status.ok(), problem.fault == StreamFault::kNone);
  return problem.fault;
}

TEST(CheckSource, OnlyTheServerOfBeforeMayGoOn) {
  EXPECT_EQ(SourceFault({7000, 2}, Lsn{5000}), StreamFault::kNone);
  EXPECT_EQ(SourceFault({}, Lsn::kNone), StreamFault::kNone);
  EXPECT_EQ(SourceFault({7001, 2}, Lsn{5000}), StreamFault::kOtherSystem);
  EXPECT_EQ(SourceFault({7000, 1}, Lsn{5000}), StreamFault::kOtherTimeline);
  EXPECT_EQ(SourceFault({7000, 2}, Lsn{5001}), StreamFault::kServerBehind);
}

// A server that recovers from a backup shows its old timeline and an early end of WAL at first.
TEST(CheckSource, AServerInRecoveryIsAskedAgainBeforeAnythingIsGivenUp) {
  SystemIdentity server = Server();
  server.is_in_recovery = true;
  const StreamProblem problem = CheckSource({7000, 2}, server, Lsn{5001});
  EXPECT_EQ(problem.fault, StreamFault::kInRecovery);
  EXPECT_TRUE(MayPass(problem.fault));
  EXPECT_FALSE(problem.status.ok());
  EXPECT_EQ(CheckSource({7000, 2}, server, Lsn{5000}).fault, StreamFault::kNone);
  EXPECT_EQ(CheckSource({7001, 2}, server, Lsn{5001}).fault, StreamFault::kOtherSystem);
}

TEST(CheckSlot, OnlyASlotThatKeepsAllWeNeedMayGoOn) {
  EXPECT_EQ(SlotFault(GoodSlot(), Lsn{3000}), StreamFault::kNone);
  EXPECT_EQ(SlotFault(GoodSlot(), Lsn{4000}), StreamFault::kNone);
  EXPECT_EQ(SlotFault(GoodSlot(), Lsn{2999}), StreamFault::kSlotAhead);
  EXPECT_EQ(SlotFault(GoodSlot(), Lsn::kNone), StreamFault::kNone) << "nothing is held";
  EXPECT_EQ(SlotFault(std::nullopt, Lsn{3000}), StreamFault::kSlotMissing);
  SlotStatus slot = GoodSlot();
  slot.wal_status = WalStatus::kLost;
  EXPECT_EQ(SlotFault(slot, Lsn{3000}), StreamFault::kSlotLost);
  slot = GoodSlot();
  slot.wal_status = WalStatus::kUnreserved;
  EXPECT_EQ(SlotFault(slot, Lsn{3000}), StreamFault::kNone) << "still there";
  slot = GoodSlot();
  slot.active_pid = 99;
  EXPECT_EQ(SlotFault(slot, Lsn{3000}), StreamFault::kSlotBusy);
  slot = GoodSlot();
  slot.database = "other";
  EXPECT_EQ(SlotFault(slot, Lsn{3000}), StreamFault::kOtherDatabase);
  slot = GoodSlot();
  slot.plugin = "test_decoding";
  EXPECT_EQ(SlotFault(slot, Lsn{3000}), StreamFault::kOtherDatabase);
}

TEST(StreamFault, OnlyWhatPassesByItselfIsTriedAgain) {
  EXPECT_TRUE(MayPass(StreamFault::kUnreachable));
  EXPECT_TRUE(MayPass(StreamFault::kSlotBusy));
  EXPECT_TRUE(MayPass(StreamFault::kSinkFailed));
  EXPECT_FALSE(MayPass(StreamFault::kSlotMissing));
  EXPECT_FALSE(MayPass(StreamFault::kSlotAhead));
  EXPECT_FALSE(MayPass(StreamFault::kOtherTimeline));
  EXPECT_STREQ(StreamFaultName(StreamFault::kSlotLost), "slot lost");
}

TEST(Slot, NamesAreThoseThatPostgreSQLTakes) {
  EXPECT_TRUE(RequireSlotName("vectord_1").ok());
  EXPECT_TRUE(RequireSlotName(std::string(63, 'a')).ok());
  for (const std::string& name : {std::string(), std::string("A"), std::string("a-b"),
                                  std::string("a'b"), std::string(64, 'a')})
    EXPECT_EQ(RequireSlotName(name).code(), ErrorCode::BAD_CONFIG) << name;
}

TEST(Slot, TheStreamIsAskedForInBinaryWithMessages) {
  EXPECT_EQ(StartReplicationCommand("s", Lsn{0x16B374D848}, {"a", "b\"c'd"}),
            "START_REPLICATION SLOT \"s\" LOGICAL 16/B374D848 (\"proto_version\" '1', "
            "\"publication_names\" '\"a\",\"b\"\"c''d\"', \"binary\" 'true', \"messages\" 'true')");
}

}  // namespace
}  // namespace vectord

// replication_frame_test.cpp - frames of the replication protocol, byte by byte.
#include "daemon/source/replication_frame.h"

#include <gtest/gtest.h>

#include "daemon/base/lsn_text.h"
#include "daemon/source/full_xid.h"
#include "test/unit/source/pgoutput_writer.h"

namespace vectord {
namespace {

TEST(ReplicationFrame, DataCarriesAMessageAndItsPosition) {
  const std::string bytes = FromHex("77 0000000001587ed8 0000000001587f00 000303c43926812a") + "B!";
  ReplicationFrame frame;
  ASSERT_TRUE(ParseReplicationFrame(bytes, &frame).ok());
  EXPECT_EQ(frame.kind, ReplicationFrame::Kind::kData);
  EXPECT_EQ(frame.data_start, Lsn{0x1587ed8});
  EXPECT_EQ(frame.wal_end, Lsn{0x1587f00});
  EXPECT_EQ(frame.sent_at_us, 0x000303c43926812a);
  EXPECT_EQ(frame.data, "B!");
}

TEST(ReplicationFrame, KeepaliveMayAskForAReply) {
  const std::string bytes = FromHex("6b 0000000001587f00 000303c43926812a 01");
  ReplicationFrame frame;
  ASSERT_TRUE(ParseReplicationFrame(bytes, &frame).ok());
  EXPECT_EQ(frame.kind, ReplicationFrame::Kind::kKeepalive);
  EXPECT_EQ(frame.wal_end, Lsn{0x1587f00});
  EXPECT_TRUE(frame.reply_requested);
  EXPECT_TRUE(frame.data.empty());
}

TEST(ReplicationFrame, CutFramesAreRefused) {
  ReplicationFrame frame;
  const std::string keepalive = FromHex("6b 0000000001587f00 000303c43926812a 00");
  for (size_t length = 0; length < keepalive.size(); length++)
    EXPECT_FALSE(ParseReplicationFrame(keepalive.substr(0, length), &frame).ok()) << length;
  EXPECT_FALSE(ParseReplicationFrame(keepalive + "x", &frame).ok());
  const std::string data = FromHex("77 0000000001587ed8 0000000001587f00 000303c43926812a");
  for (size_t length = 0; length < data.size(); length++)
    EXPECT_FALSE(ParseReplicationFrame(data.substr(0, length), &frame).ok()) << length;
  EXPECT_TRUE(ParseReplicationFrame(data, &frame).ok());
  EXPECT_FALSE(ParseReplicationFrame("p", &frame).ok());
}

TEST(ReplicationFrame, StatusUpdateIsWrittenAsTheServerReadsIt) {
  StandbyStatus status;
  status.written = Lsn{0x1587f00};
  status.flushed = Lsn{0x1587ed8};
  status.applied = Lsn{0x1587ee0};
  status.sent_at_us = 0x000303c43926812a;
  status.reply_requested = true;
  EXPECT_EQ(EncodeStandbyStatus(status),
            FromHex("72 0000000001587f00 0000000001587ed8 0000000001587ee0 000303c43926812a 01"));
}

TEST(LsnText, IsReadAndWrittenAsByPostgreSQL) {
  EXPECT_EQ(LsnText(Lsn{0x16B374D848}), "16/B374D848");
  EXPECT_EQ(ParseLsn("16/B374D848"), Lsn{0x16B374D848});
  EXPECT_EQ(ParseLsn("0/0"), Lsn::kNone);
  EXPECT_EQ(ParseLsn("FFFFFFFF/FFFFFFFF"), Lsn{UINT64_MAX});
  for (const char* wrong :
       {"", "/", "1/", "/1", "1", "1/2/3", "1/x", " 1/2", "1/123456789", "-1/2"})
    EXPECT_FALSE(ParseLsn(wrong)) << wrong;
}

TEST(FullXid, TheNearestEpochIsTaken) {
  const uint64_t epoch = uint64_t{1} << 32;
  EXPECT_EQ(ExtendXid(731, FullXid{740}), FullXid{731});
  EXPECT_EQ(ExtendXid(800, FullXid{740}), FullXid{800});
  EXPECT_EQ(ExtendXid(5, FullXid{epoch * 3 - 10}), FullXid{epoch * 3 + 5}) << "wrapped since";
  EXPECT_EQ(ExtendXid(UINT32_MAX, FullXid{epoch * 3 + 10}), FullXid{epoch * 3 - 1})
      << "from before the wrap";
}

}  // namespace
}  // namespace vectord

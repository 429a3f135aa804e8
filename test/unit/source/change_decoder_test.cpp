// change_decoder_test.cpp - from messages to what the sink sees, without any server.
#include "daemon/source/change_decoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "test/unit/source/pgoutput_writer.h"

namespace vectord {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Writes down what it is told.
class Notes final : public ChangeSink {
 public:
  Status Apply(const Transaction& transaction) override {
    if (!next_apply.ok()) return next_apply;
    std::string line = "xid " + std::to_string(static_cast<uint64_t>(transaction.info().xid));
    VFDW_RETURN_IF_ERROR(transaction.ForEach([&](const Change& change) {
      line += " " + Words(change);
      return Status();
    }));
    lines.push_back(line);
    return {};
  }
  void Progress(Lsn applied_end) override { progress = applied_end; }
  Lsn DurableLsn() override { return Lsn::kNone; }
  Status OnRelation(const Relation& relation, const Relation* previous) override {
    lines.push_back((previous ? "changed " : "new ") + relation.name);
    return {};
  }
  Status OnMessage(const LogicalMessage& message) override {
    lines.push_back("message " + std::string(message.content));
    return {};
  }

  std::vector<std::string> lines;
  Lsn progress = Lsn::kNone;
  Status next_apply;

 private:
  static std::string Words(const Change& change) {
    switch (change.kind) {
      case ChangeKind::kInsert:
        return "+" + std::string((*change.new_tuple)[0].bytes);
      case ChangeKind::kUpdate:
        return "=" + std::string(ValueAfter(change, 0, *change.relation).bytes);
      case ChangeKind::kDelete:
        return "-" + std::string((*change.old_tuple)[0].bytes);
      case ChangeKind::kTruncate:
        return "0" + change.relation->name;
      case ChangeKind::kMessage:
        return "!" + std::string(change.content);
    }
    return "?";
  }
};

class ChangeDecoderTest : public testing::Test {
 protected:
  ChangeDecoderTest() { decoder_.BeginSession(Lsn{1000}, FullXid{(uint64_t{5} << 32) + 100}); }

  void Feed(const std::string& message) {
    const Status status = decoder_.Decode(message);
    EXPECT_TRUE(status.ok()) << status.ToString();
  }
  std::string Refused(const std::string& message) {
    const Status status = decoder_.Decode(message);
    EXPECT_EQ(status.code(), ErrorCode::SOURCE_FAILED);
    EXPECT_FALSE(decoder_.sink_failed());
    return status.detail();
  }
  static std::string Table(uint32_t id = 7, const std::string& name = "t") {
    return RelationBytes(id, name, {{"id", 23, true}, {"v", 1021, false}});
  }

  Notes notes_;
  MemoryBudget budget_{1 << 20, "test"};
  PosixFileSystem files_;
  ChangeDecoder decoder_{&notes_, &budget_, &files_, TxnBufferOptions(), [] { return Status(); }};
};

TEST_F(ChangeDecoderTest, ATransactionIsAppliedWholeAtItsCommit) {
  Feed(BeginBytes(1100, 90));
  Feed(Table());
  Feed(InsertBytes(7, {"b1", "n"}));
  Feed(Wire("U").I32(7).Raw("N").Raw(TupleBytes({"b1", "u"})).bytes);
  Feed(Wire("D").I32(7).Raw("K").Raw(TupleBytes({"b1", "n"})).bytes);
  EXPECT_THAT(notes_.lines, ElementsAre("new t"));
  EXPECT_TRUE(decoder_.in_transaction());
  Feed(CommitBytes(1100, 1150));
  EXPECT_THAT(notes_.lines, ElementsAre("new t", "xid 21474836570 +1 =1 -1"));
  EXPECT_EQ(decoder_.position(), Lsn{1150});
  EXPECT_EQ(notes_.progress, Lsn{1150});
  EXPECT_EQ(decoder_.counters().changes, 3u);
}

TEST_F(ChangeDecoderTest, WhatWasAppliedIsNotAppliedAgain) {
  const auto transaction = [&] {
    Feed(BeginBytes(1100, 90));
    Feed(Table());
    Feed(InsertBytes(7, {"b1", "n"}));
    Feed(Wire("T").I32(1).I8(0).I32(7).bytes);
    Feed(Wire("M").I8(1).I64(9).CString("p").I32(2).Raw("hi").bytes);
    Feed(CommitBytes(1100, 1150));
  };
  transaction();
  decoder_.BeginSession(Lsn{1000}, FullXid{100});
  EXPECT_EQ(decoder_.position(), Lsn{1150});
  transaction();
  EXPECT_EQ(decoder_.counters().transactions, 1u);
}

TEST_F(ChangeDecoderTest, ALostConnectionForgetsTheOpenTransaction) {
  Feed(BeginBytes(1100, 90));
  Feed(Table());
  Feed(InsertBytes(7, {"blost", "n"}));
  decoder_.BeginSession(Lsn{1000}, FullXid{100});
  EXPECT_THAT(Refused(InsertBytes(7, {"b1", "n"})), HasSubstr("outside of any transaction"));
  decoder_.BeginSession(Lsn{1000}, FullXid{100});
  Feed(BeginBytes(1100, 90));
  EXPECT_THAT(Refused(InsertBytes(7, {"b1", "n"})), HasSubstr("has not been described"));
  decoder_.BeginSession(Lsn{1000}, FullXid{100});
  Feed(BeginBytes(1100, 90));
  Feed(Table());
  Feed(InsertBytes(7, {"b1", "n"}));
  Feed(CommitBytes(1100, 1150));
  EXPECT_THAT(notes_.lines, ElementsAre("new t", "xid 90 +1"));
}

TEST_F(ChangeDecoderTest, ATransactionThatCouldNotBeAppliedComesAgain) {
  notes_.next_apply = Status(ErrorCode::OUT_OF_MEMORY, "no");
  Feed(BeginBytes(1100, 90));
  Feed(Table());
  Feed(InsertBytes(7, {"b1", "n"}));
  EXPECT_EQ(decoder_.Decode(CommitBytes(1100, 1150)).code(), ErrorCode::OUT_OF_MEMORY);
  EXPECT_TRUE(decoder_.sink_failed());
  EXPECT_EQ(decoder_.position(), Lsn{1000});
}

TEST_F(ChangeDecoderTest, ServerPositionsCountOnlyBetweenTransactions) {
  decoder_.NoteServerPosition(Lsn{1050});
  EXPECT_EQ(decoder_.position(), Lsn{1050});
  decoder_.NoteServerPosition(Lsn{1040});
  EXPECT_EQ(decoder_.position(), Lsn{1050});
  Feed(BeginBytes(1100, 90));
  decoder_.NoteServerPosition(Lsn{1200});
  EXPECT_EQ(decoder_.position(), Lsn{1050});
  Feed(CommitBytes(1100, 1150));
  EXPECT_EQ(decoder_.position(), Lsn{1150});
}

TEST_F(ChangeDecoderTest, EmptyTransactionsAndHeartbeatsOnlyMoveOn) {
  Feed(BeginBytes(1100, 90));
  Feed(Wire("M").I8(1).I64(9).CString(kHeartbeatPrefix).I32(0).bytes);
  Feed(CommitBytes(1100, 1150));
  EXPECT_THAT(notes_.lines, IsEmpty());
  EXPECT_EQ(notes_.progress, Lsn{1150});
}

TEST_F(ChangeDecoderTest, MessagesOutsideOfTransactionsComeAtOnce) {
  Feed(Wire("M").I8(0).I64(9).CString("p").I32(3).Raw("now").bytes);
  EXPECT_THAT(notes_.lines, ElementsAre("message now"));
  EXPECT_THAT(Refused(Wire("M").I8(1).I64(9).CString("p").I32(0).bytes),
              HasSubstr("outside of any transaction"));
}

TEST_F(ChangeDecoderTest, ATruncateIsOneChangePerTable) {
  Feed(BeginBytes(1100, 90));
  Feed(Table(7, "a"));
  Feed(Table(8, "b"));
  Feed(Wire("T").I32(2).I8(1).I32(7).I32(8).bytes);
  Feed(CommitBytes(1100, 1150));
  EXPECT_THAT(notes_.lines, ElementsAre("new a", "new b", "xid 21474836570 0a 0b"));
}

TEST_F(ChangeDecoderTest, AnAlterTableInTheMidstIsNoticedAndKeptApart) {
  Feed(BeginBytes(1100, 90));
  Feed(Table());
  Feed(InsertBytes(7, {"b1", "n"}));
  Feed(RelationBytes(7, "t", {{"id", 23, true}}));
  EXPECT_THAT(Refused(InsertBytes(7, {"b2", "n"})), HasSubstr("number of columns"));
  EXPECT_THAT(notes_.lines, ElementsAre("new t", "changed t"));
}

TEST_F(ChangeDecoderTest, AKeyThatWasNotSentComesFromTheOldTuple) {
  Feed(BeginBytes(1100, 90));
  Feed(Table());
  Feed(Wire("U")
           .I32(7)
           .Raw("K")
           .Raw(TupleBytes({"bkey", "n"}))
           .Raw("N")
           .Raw(TupleBytes({"u", "n"}))
           .bytes);
  Feed(CommitBytes(1100, 1150));
  EXPECT_THAT(notes_.lines, ElementsAre("new t", "xid 21474836570 =key"));
}

TEST_F(ChangeDecoderTest, TransactionsOutOfOrderAreRefused) {
  EXPECT_THAT(Refused(CommitBytes(1100, 1150)), HasSubstr("outside of any transaction"));
  Feed(BeginBytes(1100, 90));
  EXPECT_THAT(Refused(BeginBytes(1200, 91)), HasSubstr("before the last one was committed"));
  decoder_.BeginSession(Lsn{1000}, FullXid{100});
  Feed(BeginBytes(1100, 90));
  EXPECT_THAT(Refused(CommitBytes(1101, 1150)), HasSubstr("was to be committed at"));
  decoder_.BeginSession(Lsn{1000}, FullXid{100});
  Feed(BeginBytes(1100, 90));
  EXPECT_THAT(Refused(CommitBytes(1100, 1100)), HasSubstr("before it starts"));
}

}  // namespace
}  // namespace vectord

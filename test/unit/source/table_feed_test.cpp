// table_feed_test.cpp - from messages of pgoutput to the rows of collections, without any server.
#include "daemon/source/table_feed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "test/unit/source/table_stream.h"

namespace vectord {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

using TableFeedTest = TableStreamTest;

TEST_F(TableFeedTest, TransactionsBeforeTheSnapshotAreInTheCopyAndLaterOnesAreApplied) {
  const auto feed = AddFeed();
  Commit(100, {InsertBytes(kTable, {"bone", Id(1), Array({1, 1})})});
  Commit(200, {InsertBytes(kTable, {"btwo", Id(2), Array({2, 2})})});
  feed->SetStart(static_cast<Lsn>(150), static_cast<Lsn>(150));
  Commit(140, {});  // nothing: the decoder leaves out what is older than what came
  Commit(300, {UpdateBytes(kTable, {}, {"bTWO", Id(2), "u"})});
  ASSERT_TRUE(feed->Seed(SegmentSet(), {}, "").ok());
  ASSERT_TRUE(feed->CatchUp([] { return Status(); }).ok());
  ASSERT_TRUE(applier_.Serve(feed).ok());
  EXPECT_THAT(Rows(*feed), ElementsAre("2 TWO 2"));
  Commit(400, {InsertBytes(kTable, {"bthree", Id(3), "n"})});
  EXPECT_THAT(Rows(*feed), ElementsAre("2 TWO 2", "3 three"));
  EXPECT_EQ(feed->incarnation()->collection()->applied_lsn(), 401u);
}

// An empty table copied as of 500, while the stream is behind that.
class TableFeedBehindTest : public TableStreamTest {
 protected:
  TableFeedBehindTest() : feed_(AddFeed()) {
    feed_->SetStart(static_cast<Lsn>(500), static_cast<Lsn>(500));
    EXPECT_TRUE(feed_->Seed(SegmentSet(), {}, "").ok());
    EXPECT_TRUE(feed_->CatchUp([] { return Status(); }).ok());
    EXPECT_TRUE(applier_.Serve(feed_).ok());
  }
  const std::shared_ptr<TableFeed> feed_;
};

TEST_F(TableFeedBehindTest, AStreamThatIsBehindTheSnapshotSkipsWhatTheCopyHas) {
  Commit(400, {InsertBytes(kTable, {"bold", Id(1), Array({1, 1})})});
  Commit(500, {InsertBytes(kTable, {"bnew", Id(2), Array({2, 2})})});
  EXPECT_THAT(Rows(*feed_), ElementsAre("2 new 2"));
}

// Else a checkpoint would say less than its rows have, and after a restart those transactions would
// be applied again, to newer rows.
TEST_F(TableFeedBehindTest, WhatACopyHoldsIsNeverSaidToBeOlderWhenTheStreamIsBehindIt) {
  Commit(400, {InsertBytes(kTable, {"bold", Id(1), Array({1, 1})})});
  auto frozen = feed_->Freeze();
  ASSERT_TRUE(frozen.ok());
  EXPECT_EQ(frozen->rows->as_of, 500u);
  Commit(600, {InsertBytes(kTable, {"bnew", Id(2), Array({2, 2})})});
  frozen = feed_->Freeze();
  ASSERT_TRUE(frozen.ok());
  EXPECT_EQ(frozen->rows->as_of, 601u);
}

TEST_F(TableFeedTest, ABacklogThatDoesNotFitInMemoryComesBackFromItsFile) {
  const auto feed = AddFeed();
  feed->SetStart(static_cast<Lsn>(1), static_cast<Lsn>(1));
  const std::string large(1 << 20, 'x');
  for (uint64_t i = 1; i <= 40; i++)
    Commit(i * 10, {InsertBytes(kTable, {"b" + large, Id(i), Array({1, 1})}),
                    UpdateBytes(kTable, {}, {"btitle", Id(i), "u"})});
  ASSERT_TRUE(feed->failure().ok()) << feed->failure().ToString();
  ASSERT_TRUE(feed->Seed(SegmentSet(), {}, "").ok());
  ASSERT_TRUE(feed->CatchUp([] { return Status(); }).ok());
  ASSERT_TRUE(applier_.Serve(feed).ok());
  EXPECT_EQ(Rows(*feed).size(), 40u);
  EXPECT_EQ(Rows(*feed)[7], "8 title 1");
}

TEST_F(TableFeedTest, AnUnchangedVectorStaysWithItsRowAlsoWhenTheKeyChanges) {
  const auto feed = AddServingFeed();
  Commit(10, {InsertBytes(kTable, {"ba", Id(1), Array({7, 8})})});
  Commit(20, {UpdateBytes(kTable, {}, {"bb", Id(1), "u"})});
  EXPECT_THAT(Rows(*feed), ElementsAre("1 b 7"));
  Commit(30, {UpdateBytes(kTable, {"n", Id(1), "n"}, {"u", Id(5), "u"})});
  EXPECT_THAT(Rows(*feed), ElementsAre("5 b 7"));
  Commit(40, {DeleteBytes(kTable, {"n", Id(5), "n"})});
  EXPECT_THAT(Rows(*feed), ElementsAre());
}

TEST_F(TableFeedTest, ATransactionIsSeenWhenItIsCommittedAndNotBefore) {
  const auto feed = AddServingFeed();
  Take(BeginBytes(10, 7));
  Take(InsertBytes(kTable, {"ba", Id(1), Array({1, 1})}));
  applier_.BeforeWait();
  EXPECT_THAT(Rows(*feed), ElementsAre());
  Take(InsertBytes(kTable, {"bb", Id(2), Array({2, 2})}));
  Take(CommitBytes(10, 11));
  applier_.BeforeWait();
  EXPECT_THAT(Rows(*feed), ElementsAre("1 a 1", "2 b 2"));
}

TEST_F(TableFeedTest, ChangesOfOtherTablesMoveTheAppliedPositionOn) {
  const auto feed = AddServingFeed();
  Commit(10, {InsertBytes(kTable, {"ba", Id(1), Array({1, 1})})});
  const auto set = feed->incarnation()->collection()->current();
  decoder_.NoteServerPosition(static_cast<Lsn>(1000));
  applier_.BeforeWait();
  EXPECT_EQ(feed->incarnation()->collection()->applied_lsn(), 1000u);
  EXPECT_EQ(feed->incarnation()->collection()->current(), set);
  EXPECT_TRUE(
      feed->incarnation()->collection()->WaitUntilApplied(1000, std::chrono::milliseconds(0)));
}

TEST_F(TableFeedTest, RowsAreTaggedWithTheirTransactionAlsoWhenTheyWereKept) {
  const auto feed = AddFeed();
  const auto tags = [&] {
    std::map<uint64_t, RowTag> found;
    for (const SegmentView& view : feed->incarnation()->collection()->current()->segments)
      for (uint32_t row = 0; row < view->rows(); row++) {
        uint64_t id;
        memcpy(&id, view->columns().at(0).Value(row).data(), sizeof id);
        if (view.IsLive(row)) found[id] = view->tags().at(row);
      }
    return found;
  };
  Commit(100, {InsertBytes(kTable, {"bbefore", Id(9), Array({9, 9})})});
  feed->SetStart(static_cast<Lsn>(150), static_cast<Lsn>(150));
  Commit(200, {InsertBytes(kTable, {"ba", Id(1), Array({1, 1})}),
               InsertBytes(kTable, {"bb", Id(2), Array({2, 2})})});
  Commit(300, {UpdateBytes(kTable, {}, {"bB", Id(2), "u"})});
  ASSERT_TRUE(feed->Seed(SegmentSet(), {}, "").ok());
  ASSERT_TRUE(feed->CatchUp([] { return Status(); }).ok());
  ASSERT_TRUE(applier_.Serve(feed).ok());
  Commit(400, {InsertBytes(kTable, {"bc", Id(3), "n"})});
  using Tags = std::map<uint64_t, RowTag>;
  EXPECT_EQ(tags(), (Tags{{1, {7, 200}}, {2, {7, 300}}, {3, {7, 400}}}));
}

TEST_F(TableFeedTest, ARowThatIsRejectedNoMoreIsNotNamed) {
  const auto feed = AddServingFeed();
  const Collection& collection = *feed->incarnation()->collection();
  Commit(10, {InsertBytes(kTable, {"ba", Id(1), Array({1, 1})}),
              InsertBytes(kTable, {"bb", Id(2), Array({1, 2, 3})}),
              InsertBytes(kTable, {"bc", Id(3), Array({1, 2, 3})})});
  EXPECT_THAT(collection.GetStatus().last_error,
              HasSubstr("2 rows were rejected, one of them: row with key (3)"));
  Commit(20, {UpdateBytes(kTable, {}, {"bc", Id(3), Array({3, 3})})});
  EXPECT_EQ(collection.GetStatus().last_error, "1 row was rejected");
  Commit(30, {UpdateBytes(kTable, {}, {"bb", Id(2), Array({2, 2})})});
  EXPECT_EQ(collection.GetStatus().last_error, "");
}

TEST_F(TableFeedTest, RejectedRowsAreCountedWithTheirReasonAndComeBackWhenTheyAreRight) {
  const auto feed = AddServingFeed();
  const auto& collection = *feed->incarnation()->collection();
  Commit(10, {InsertBytes(kTable, {"ba", Id(1), Array({1, 1})}),
              InsertBytes(kTable, {"bb", Id(2), Array({1, 2, 3})})});
  EXPECT_THAT(Rows(*feed), ElementsAre("1 a 1"));
  EXPECT_EQ(collection.GetStatus().rejected_rows, 1u);
  EXPECT_THAT(collection.GetStatus().last_error, HasSubstr("key (2)"));
  Commit(20, {UpdateBytes(kTable, {}, {"bb", Id(2), Array({2, 2})})});
  EXPECT_THAT(Rows(*feed), ElementsAre("1 a 1", "2 b 2"));
  EXPECT_EQ(collection.GetStatus().rejected_rows, 0u);
  EXPECT_EQ(collection.GetStatus().last_error, "");
}

// Its title, stored out of line, is not sent again, and of a rejected row nothing was kept.
TEST_F(TableFeedTest, ARejectedRowThatComesBackWithoutAllItsValuesNeedsACopy) {
  const auto with_vector = AddServingFeed();
  Commit(10, {InsertBytes(kTable, {"bb", Id(2), Array({NAN, 2})})});
  Commit(20, {UpdateBytes(kTable, {}, {"u", Id(2), Array({NAN, 3})})});
  EXPECT_TRUE(with_vector->failure().ok());  // still rejected
  Commit(30, {UpdateBytes(kTable, {}, {"u", Id(2), Array({2, 2})})});
  EXPECT_EQ(with_vector->failure().code(), ErrorCode::SOURCE_FAILED);
  EXPECT_THAT(Rows(*with_vector), ElementsAre());

  const auto without = AddServingFeed();
  Commit(40, {InsertBytes(kTable, {"bc", Id(3), Array({NAN, 2})})});
  Commit(50, {UpdateBytes(kTable, {}, {"u", Id(3), "n"})});
  EXPECT_EQ(without->failure().code(), ErrorCode::SOURCE_FAILED);
}

TEST_F(TableFeedTest, TruncateEmptiesTheTableButOfAPartitionNeedsACopy) {
  const auto feed = AddServingFeed();
  Take(RelationBytes(kPartition, "docs_part", Columns()));
  Commit(10, {InsertBytes(kTable, {"ba", Id(1), Array({1, 1})}),
              InsertBytes(kPartition, {"bb", Id(2), Array({2, 2})})});
  EXPECT_THAT(Rows(*feed), ElementsAre("1 a 1", "2 b 2"));
  Commit(20, {TruncateBytes(kTable), InsertBytes(kTable, {"bc", Id(3), Array({3, 3})})});
  EXPECT_THAT(Rows(*feed), ElementsAre("3 c 3"));
  Commit(30, {TruncateBytes(kPartition)});
  EXPECT_THAT(feed->failure().ToString(), HasSubstr("docs_part, was truncated"));
  EXPECT_THAT(Rows(*feed), ElementsAre("3 c 3"));  // the last that was true
}

TEST_F(TableFeedTest, ChangesOfAPartitionAreNotLostWhenItsTableCannotBeLookedUpAtOnce) {
  const auto feed = AddServingFeed();
  Take(RelationBytes(kPartition, "docs_part", Columns()));
  lookup_fails_ = true;
  Take(BeginBytes(10, 7));
  Take(InsertBytes(kPartition, {"ba", Id(1), Array({1, 1})}));
  EXPECT_FALSE(decoder_.Decode(CommitBytes(10, 11)).ok());
  EXPECT_THAT(Rows(*feed), ElementsAre());
  // The next session: the server describes the partition again, as before.
  lookup_fails_ = false;
  decoder_.BeginSession(decoder_.position(), static_cast<FullXid>(500));
  Take(RelationBytes(kPartition, "docs_part", Columns()));
  Commit(10, {InsertBytes(kPartition, {"ba", Id(1), Array({1, 1})})});
  EXPECT_THAT(Rows(*feed), ElementsAre("1 a 1"));
}

TEST_F(TableFeedTest, AMessageOfDdlEndsTheFeedsOfItsTableOnly) {
  const auto feed = AddServingFeed();
  Commit(10, {ResyncBytes(kTable + 50)});
  EXPECT_TRUE(feed->failure().ok());
  Commit(20, {ResyncBytes(kTable)});
  EXPECT_FALSE(feed->failure().ok());
}

TEST_F(TableFeedTest, DdlBeforeTheSnapshotIsInTheCopyAndDdlAfterItIsNot) {
  const auto before = AddFeed(), after = AddFeed();
  Commit(100, {ResyncBytes(kTable)});
  before->SetStart(static_cast<Lsn>(101), static_cast<Lsn>(101));
  after->SetStart(static_cast<Lsn>(100), static_cast<Lsn>(100));
  EXPECT_TRUE(before->failure().ok());
  EXPECT_FALSE(after->failure().ok());
}

// A transaction that began meanwhile, and ends later, may have values from before the DDL.
TEST_F(TableFeedTest, DdlWhileTheSlotOfTheCopyIsMadeHasItCopiedAgain) {
  const auto seen_before = AddFeed();
  Commit(100, {ResyncBytes(kTable)});
  seen_before->SetStart(static_cast<Lsn>(90), static_cast<Lsn>(150));
  EXPECT_FALSE(seen_before->failure().ok());

  const auto seen_after = AddFeed();
  seen_after->SetStart(static_cast<Lsn>(190), static_cast<Lsn>(250));
  Commit(180, {ResyncBytes(kTable)});
  EXPECT_TRUE(seen_after->failure().ok());
  Commit(200, {ResyncBytes(kTable)});
  EXPECT_FALSE(seen_after->failure().ok());
}

TEST_F(TableFeedTest, AColumnThatIsGoneEndsTheFeedAndNotTheStream) {
  const auto feed = AddServingFeed();
  Take(RelationBytes(kTable, "docs",
                     {{"heading", 25, false}, {"id", 20, true}, {"embedding", 1021, false}}));
  Commit(10, {InsertBytes(kTable, {"ba", Id(1), Array({1, 1})})});
  EXPECT_EQ(feed->failure().code(), ErrorCode::SOURCE_REFUSED);
  EXPECT_THAT(feed->failure().detail(), HasSubstr("\"title\""));
  EXPECT_EQ(decoder_.position(), static_cast<Lsn>(11));
}

TEST_F(TableFeedTest, ACollectionWithoutMemoryEndsAndOthersGoOn) {
  const auto small = AddServingFeed(/*memory_limit=*/4 << 20), large = AddServingFeed();
  const std::string title = "b" + std::string(100000, 'x');
  std::vector<std::string> changes;
  for (uint64_t i = 1; i <= 100; i++)
    changes.push_back(InsertBytes(kTable, {title, Id(i), Array({1, 1})}));
  Commit(10, changes);
  EXPECT_EQ(small->failure().code(), ErrorCode::OUT_OF_MEMORY);
  EXPECT_TRUE(large->failure().ok());
  EXPECT_EQ(Rows(*large).size(), 100u);
  EXPECT_THAT(Rows(*small), ElementsAre());  // nothing of that transaction
}

TEST_F(TableFeedTest, ASecondIncarnationTakesThePlaceOfTheFirst) {
  const auto first = AddServingFeed();
  Commit(10, {InsertBytes(kTable, {"ba", Id(1), Array({1, 1})})});
  const auto& collection = first->incarnation()->collection();
  auto second = std::make_shared<TableFeed>(
      std::make_shared<Incarnation>(collection, collection->definition(), applier_.position()),
      &files_, "/second");
  applier_.Add(second);
  second->SetStart(static_cast<Lsn>(11), static_cast<Lsn>(11));
  ASSERT_TRUE(second->Seed(*collection->current(), {}, "").ok());
  Commit(20, {InsertBytes(kTable, {"bb", Id(2), Array({2, 2})})});
  EXPECT_THAT(Rows(*first), ElementsAre("1 a 1", "2 b 2"));
  ASSERT_TRUE(second->CatchUp([] { return Status(); }).ok());
  ASSERT_TRUE(applier_.Serve(second).ok());
  EXPECT_FALSE(first->failure().ok());
  Commit(30, {DeleteBytes(kTable, {"n", Id(1), "n"})});
  EXPECT_THAT(Rows(*second), ElementsAre("2 b 2"));
  EXPECT_EQ(collection->GetStatus().builds, 2u);
}

}  // namespace
}  // namespace vectord

// table_feed_test.cpp - from messages of pgoutput to the rows of collections, without any server.
#include "daemon/source/table_feed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <optional>

#include "daemon/source/change_applier.h"
#include "daemon/source/change_decoder.h"
#include "shared/source_names.h"
#include "test/unit/source/pgoutput_writer.h"
#include "test/unit/support/memory_file_system.h"

namespace vectord {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr uint32_t kTable = 100, kPartition = 101;

std::string Id(uint64_t id) { return Wire("b").I64(id).bytes; }

std::string Array(const std::vector<float>& elements) {
  Wire wire("b");
  wire.I32(1).I32(0).I32(700).I32(elements.size()).I32(1);
  for (const float element : elements) {
    uint32_t bits;
    memcpy(&bits, &element, sizeof bits);
    wire.I32(4).I32(bits);
  }
  return wire.bytes;
}

std::string UpdateBytes(uint32_t relation, const std::vector<std::string>& old_key,
                        const std::vector<std::string>& values) {
  Wire wire("U");
  wire.I32(relation);
  if (!old_key.empty()) wire.Raw("K").Raw(TupleBytes(old_key));
  return wire.Raw("N").Raw(TupleBytes(values)).bytes;
}

std::string DeleteBytes(uint32_t relation, const std::vector<std::string>& key) {
  return Wire("D").I32(relation).Raw("K").Raw(TupleBytes(key)).bytes;
}

std::string TruncateBytes(uint32_t relation) { return Wire("T").I32(1).I8(0).I32(relation).bytes; }

std::string ResyncBytes(uint32_t table) {
  const std::string content = std::to_string(table);
  return Wire("M").I8(1).I64(1).CString(VFDW_RESYNC_PREFIX).I32(content.size()).Raw(content).bytes;
}

Definition MakeDefinition(uint64_t memory_limit) {
  Definition definition;
  definition.name = "docs_vec";
  definition.schema = "public";
  definition.table = "docs";
  definition.table_oid = kTable;
  definition.vector_column = "embedding";
  definition.index.kind = IndexKind::kFlat;
  definition.memory_limit = memory_limit;
  const auto column = [](const char* name, uint32_t type, ColumnRole role, ValueEncoding encoding) {
    ColumnDefinition c;
    c.name = name;
    c.type_oid = type;
    c.role = role;
    c.encoding = encoding;
    return c;
  };
  definition.columns = {
      column("id", 20, ColumnRole::kKey, ValueEncoding::kInt64),
      column("embedding", 1021, ColumnRole::kVector, ValueEncoding::kFloat32Vector),
      column("title", 25, ColumnRole::kIncluded, ValueEncoding::kText)};
  return definition;
}

// A stream into any number of collections over one table.
class TableFeedTest : public testing::Test {
 protected:
  TableFeedTest() {
    decoder_.BeginSession(Lsn::kNone, static_cast<FullXid>(500));
    Take(RelationBytes(kTable, "docs", Columns()));
  }

  static std::vector<ColumnBytes> Columns() {
    return {{"title", 25, false}, {"id", 20, true}, {"embedding", 1021, false}};
  }

  void Take(const std::string& message) {
    const Status status = decoder_.Decode(message);
    ASSERT_TRUE(status.ok()) << status.ToString();
  }
  void Commit(uint64_t lsn, const std::vector<std::string>& changes) {
    Take(BeginBytes(lsn, 7));
    for (const std::string& change : changes) Take(change);
    Take(CommitBytes(lsn, lsn + 1));
    applier_.BeforeWait();
  }

  std::shared_ptr<TableFeed> AddFeed(uint64_t memory_limit = 0) {
    auto collection = std::make_shared<Collection>(MakeDefinition(memory_limit), &budget_);
    auto feed = std::make_shared<TableFeed>(
        std::make_shared<Incarnation>(collection, collection->definition(), applier_.position()),
        &files_, "/backlog" + std::to_string(collections_++));
    applier_.Add(feed);
    return feed;
  }
  // As after the copy of an empty table.
  std::shared_ptr<TableFeed> AddServingFeed(uint64_t memory_limit = 0) {
    auto feed = AddFeed(memory_limit);
    feed->SetStart(static_cast<Lsn>(1));
    EXPECT_TRUE(feed->Seed(SegmentSet(), {}, "").ok());
    EXPECT_TRUE(feed->CatchUp([] { return Status(); }).ok());
    EXPECT_TRUE(applier_.Serve(feed).ok());
    return feed;
  }

  // "id title vector" of each row that a search would see, by id.
  static std::vector<std::string> Rows(const TableFeed& feed) {
    std::map<uint64_t, std::string> rows;
    const auto set = feed.incarnation()->collection()->current();
    if (set == nullptr) return {"nothing is served"};
    for (const SegmentView& view : set->segments) {
      for (uint32_t row = 0; row < view->rows(); row++) {
        if (!view.IsLive(row)) continue;
        uint64_t id;
        memcpy(&id, view->columns().at(0).Value(row).data(), sizeof id);
        std::string text = std::to_string(id) + " " + std::string(view->columns().at(1).Value(row));
        if (view->has_vectors())
          text += " " + std::to_string(static_cast<int>(view->vectors().row(row)[0]));
        EXPECT_TRUE(rows.emplace(id, text).second) << "row " << id << " is there twice";
      }
    }
    std::vector<std::string> texts;
    for (const auto& [id, text] : rows) texts.push_back(text);
    return texts;
  }

  MemoryBudget budget_{size_t{1} << 32, "test"};
  MemoryFileSystem files_;
  ChangeApplier applier_{[](uint32_t relation) {
                           std::vector<uint32_t> ancestors{relation};
                           if (relation == kPartition) ancestors.push_back(kTable);
                           return ancestors;
                         },
                         nullptr};
  ChangeDecoder decoder_{&applier_, &budget_, &files_, TxnBufferOptions(), [] { return Status(); }};
  int collections_ = 0;
};

TEST_F(TableFeedTest, TransactionsBeforeTheSnapshotAreInTheCopyAndLaterOnesAreApplied) {
  const auto feed = AddFeed();
  Commit(100, {InsertBytes(kTable, {"bone", Id(1), Array({1, 1})})});
  Commit(200, {InsertBytes(kTable, {"btwo", Id(2), Array({2, 2})})});
  feed->SetStart(static_cast<Lsn>(150));
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

TEST_F(TableFeedTest, AStreamThatIsBehindTheSnapshotSkipsWhatTheCopyHas) {
  const auto feed = AddFeed();
  feed->SetStart(static_cast<Lsn>(500));
  ASSERT_TRUE(feed->Seed(SegmentSet(), {}, "").ok());
  ASSERT_TRUE(feed->CatchUp([] { return Status(); }).ok());
  ASSERT_TRUE(applier_.Serve(feed).ok());
  Commit(400, {InsertBytes(kTable, {"bold", Id(1), Array({1, 1})})});
  Commit(500, {InsertBytes(kTable, {"bnew", Id(2), Array({2, 2})})});
  EXPECT_THAT(Rows(*feed), ElementsAre("2 new 2"));
}

TEST_F(TableFeedTest, ABacklogThatDoesNotFitInMemoryComesBackFromItsFile) {
  const auto feed = AddFeed();
  feed->SetStart(static_cast<Lsn>(1));
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
  before->SetStart(static_cast<Lsn>(101));
  after->SetStart(static_cast<Lsn>(100));
  EXPECT_TRUE(before->failure().ok());
  EXPECT_FALSE(after->failure().ok());
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
  second->SetStart(static_cast<Lsn>(11));
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

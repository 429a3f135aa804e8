// checkpointer_test.cpp - what a collection has applied is there again after a start, whatever
// happened to the files or to the server meanwhile.
#include "daemon/source/checkpointer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "daemon/source/recovery.h"
#include "test/unit/collection/stored_collection.h"
#include "test/unit/source/table_stream.h"
#include "test/unit/support/faulty_file_system.h"

namespace vectord {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kSlot[] = "vectord", kDatabase[] = "app";

class CheckpointerTest : public TableStreamTest {
 protected:
  CheckpointerTest() {
    definition_ = MakeDefinition(0);
    definition_.database = kDatabase;
    definition_.definition_id = "d-1";
    source_.system_identifier = 77;
    source_.timeline = 1;
    source_.flushed_lsn = static_cast<Lsn>(1000000);
    source_.database = kDatabase;
    slot_.plugin = "pgoutput";
    slot_.database = kDatabase;
    data_ = *DataDir::Open(directory_.path() + "/data", &disk_, &clock_);
  }

  std::shared_ptr<TableFeed> Serve() {
    auto collection = std::make_shared<Collection>(definition_, &budget_);
    auto feed = std::make_shared<TableFeed>(
        std::make_shared<Incarnation>(collection, collection->definition(), applier_.position()),
        &files_, "/backlog" + std::to_string(collections_++));
    applier_.Add(feed);
    feed->SetStart(static_cast<Lsn>(1), static_cast<Lsn>(1));
    EXPECT_TRUE(feed->Seed(SegmentSet(), {}, "").ok());
    EXPECT_TRUE(feed->CatchUp([] { return Status(); }).ok());
    EXPECT_TRUE(applier_.Serve(feed).ok());
    applier_.SetSource(source_);
    return feed;
  }

  static void WaitUntil(const std::function<bool()>& condition) {
    const auto deadline = steady_clock::now() + std::chrono::seconds(30);
    while (!condition()) {
      ASSERT_LT(steady_clock::now(), deadline);
      std::this_thread::sleep_for(milliseconds(1));
    }
  }

  std::unique_ptr<Checkpointer> Start() {
    auto checkpointer = std::make_unique<Checkpointer>(data_.get(), kSlot, &interval_, &applier_);
    EXPECT_TRUE(checkpointer->Start().ok());
    return checkpointer;
  }

  // As after a crash: other objects, the same disk.
  struct Restarted {
    explicit Restarted(CheckpointerTest* test)
        : applier([](uint32_t relation) { return std::vector<uint32_t>{relation}; }, nullptr),
          checkpointer(test->data_.get(), kSlot, &test->interval_, &applier),
          decoder(&applier, &test->budget_, &test->files_, TxnBufferOptions(),
                  [] { return Status(); }) {}
    ChangeApplier applier;
    Checkpointer checkpointer;
    ChangeDecoder decoder;
    std::shared_ptr<Collection> collection;
    std::shared_ptr<TableFeed> feed;
    Status refusal;
  };
  std::unique_ptr<Restarted> Restart() {
    auto again = std::make_unique<Restarted>(this);
    again->collection = std::make_shared<Collection>(definition_, &budget_);
    const auto manifests = data_->Recover();
    EXPECT_TRUE(manifests.ok());
    Recovery recovery(kDatabase, kSlot, *manifests, data_.get(), &again->applier,
                      &again->checkpointer);
    EXPECT_TRUE(recovery.UseServer(source_, slot_).ok());
    auto feed = recovery.Restore(again->collection);
    again->refusal = feed.status();
    if (feed.ok()) again->feed = *feed;
    recovery.Finish();
    return again;
  }

  std::vector<std::string> Directories() {
    std::vector<std::string> found;
    const auto names = PosixFileSystem().List(data_->path());
    for (const std::string& name : *names)
      if (IsDirectoryName(name)) found.push_back(name);
    return found;
  }

  Definition definition_;
  SystemIdentity source_;
  SlotStatus slot_;
  TemporaryDirectory directory_;
  FaultyFileSystem disk_;
  SystemClock clock_;
  std::unique_ptr<DataDir> data_;
  std::atomic<milliseconds> interval_{milliseconds(5)};
};

TEST_F(CheckpointerTest, WhatWasAppliedIsThereAfterAStartAndOnlyWhatComesLaterIsApplied) {
  const auto feed = Serve();
  {
    const auto checkpointer = Start();
    Commit(100, {InsertBytes(kTable, {"bone", Id(1), Array({1, 1})}),
                 InsertBytes(kTable, {"btwo", Id(2), Array({2, 2})}),
                 InsertBytes(kTable, {"bbad", Id(3), Array({1, 2, 3})})});
    Commit(200, {UpdateBytes(kTable, {"n", Id(1), "n"}, {"u", Id(9), "u"})});
    WaitUntil([&] { return applier_.DurableLsn() >= static_cast<Lsn>(201); });
  }
  const auto again = Restart();
  ASSERT_NE(again->feed, nullptr);
  EXPECT_THAT(Rows(*again->feed), ElementsAre("2 two 2", "9 one 1"));
  EXPECT_EQ(again->collection->GetStatus().rejected_rows, 1u);
  EXPECT_EQ(again->collection->GetStatus().builds, 1u);
  EXPECT_EQ(again->collection->state(), CollectionState::kReady);
  EXPECT_EQ(again->collection->applied_lsn(), 201u);
  EXPECT_GT(again->collection->GetStatus().disk_bytes, 0u);
  EXPECT_EQ(again->applier.DurableLsn(), static_cast<Lsn>(201));

  // The server sends the last transaction again, which would not do twice.
  const auto take = [&](const std::string& message) {
    ASSERT_TRUE(again->decoder.Decode(message).ok());
  };
  again->decoder.BeginSession(Lsn::kNone, static_cast<FullXid>(500));
  take(RelationBytes(kTable, "docs", Columns()));
  take(BeginBytes(200, 7));
  take(UpdateBytes(kTable, {"n", Id(1), "n"}, {"u", Id(9), "u"}));
  take(CommitBytes(200, 201));
  take(BeginBytes(300, 8));
  take(UpdateBytes(kTable, {}, {"bTWO", Id(2), "u"}));
  take(InsertBytes(kTable, {"bfixed", Id(3), Array({3, 3})}));
  take(CommitBytes(300, 301));
  again->applier.BeforeWait();
  EXPECT_THAT(Rows(*again->feed), ElementsAre("2 TWO 2", "3 fixed 3", "9 one 1"));
  EXPECT_EQ(again->collection->GetStatus().rejected_rows, 0u);
}

TEST_F(CheckpointerTest, StoppingSavesTheLastChange) {
  interval_ = std::chrono::hours(1);
  const auto feed = Serve();
  {
    const auto checkpointer = Start();
    Commit(100, {InsertBytes(kTable, {"bone", Id(1), Array({1, 1})})});
  }
  EXPECT_EQ(applier_.DurableLsn(), static_cast<Lsn>(101));
  EXPECT_THAT(Rows(*Restart()->feed), ElementsAre("1 one 1"));
}

TEST_F(CheckpointerTest, AFullDiskIsReportedKeepsTheWalAndPasses) {
  const auto feed = Serve();
  const Collection& collection = *feed->incarnation()->collection();
  const auto checkpointer = Start();
  Commit(100, {InsertBytes(kTable, {"bone", Id(1), Array({1, 1})})});
  WaitUntil([&] { return applier_.DurableLsn() >= static_cast<Lsn>(101); });
  disk_.FailAt(0, ENOSPC, /*fatal=*/true);
  Commit(200, {InsertBytes(kTable, {"btwo", Id(2), Array({2, 2})})});
  WaitUntil([&] {
    return collection.GetStatus().last_error.find("PostgreSQL keeps its WAL") != std::string::npos;
  });
  EXPECT_EQ(applier_.DurableLsn(), static_cast<Lsn>(101));
  EXPECT_THAT(Rows(*feed), ElementsAre("1 one 1", "2 two 2"));
  disk_.StopFailing();
  WaitUntil([&] { return applier_.DurableLsn() >= static_cast<Lsn>(201); });
  WaitUntil([&] { return collection.GetStatus().last_error.empty(); });
  EXPECT_THAT(Rows(*Restart()->feed), ElementsAre("1 one 1", "2 two 2"));
}

TEST_F(CheckpointerTest, ACrashAtAnyFileOperationLeavesAStateThatWasTrue) {
  for (size_t operation = 0;; operation++) {
    SCOPED_TRACE(operation);
    const auto feed = Serve();
    const uint64_t base = 1000 * (operation + 1);
    {
      const auto checkpointer = Start();
      Commit(base, {InsertBytes(kTable, {"bone", Id(1), Array({1, 1})})});
      WaitUntil([&] { return applier_.DurableLsn() > static_cast<Lsn>(base); });
    }
    disk_.FailAt(operation, EIO, /*fatal=*/true);
    Commit(base + 100, {DeleteBytes(kTable, {"n", Id(1), "n"}),
                        InsertBytes(kTable, {"btwo", Id(2), Array({2, 2})})});
    { const auto checkpointer = Start(); }
    const bool was_reached = disk_.operations() > operation;
    disk_.StopFailing();
    const auto again = Restart();
    ASSERT_NE(again->feed, nullptr);
    if (again->collection->applied_lsn() == base + 1)
      EXPECT_THAT(Rows(*again->feed), ElementsAre("1 one 1"));
    else
      EXPECT_THAT(Rows(*again->feed), ElementsAre("2 two 2"));
    EXPECT_GE(again->collection->applied_lsn(), static_cast<uint64_t>(applier_.DurableLsn()));
    applier_.RemoveCollection(*feed->incarnation()->collection());
    if (!was_reached) break;
  }
}

TEST_F(CheckpointerTest, FilesThatTheServerCannotBringUpToDateAreNotTakenOver) {
  const auto feed = Serve();
  {
    const auto checkpointer = Start();
    Commit(100, {InsertBytes(kTable, {"bone", Id(1), Array({1, 1})})});
  }
  const SystemIdentity source = source_;
  const SlotStatus slot = slot_;
  const auto refused_after = [&](const std::function<void()>& change) {
    // The files as they were before the last refusal.
    { const auto checkpointer = Start(); }
    change();
    const auto again = Restart();
    EXPECT_EQ(again->feed, nullptr);
    EXPECT_FALSE(again->refusal.ok());
    EXPECT_EQ(again->collection->current(), nullptr);
    EXPECT_EQ(again->applier.DurableLsn(), Lsn::kNone);
    source_ = source;
    slot_ = slot;
  };
  refused_after([&] { source_.system_identifier++; });
  refused_after([&] { source_.timeline++; });
  refused_after([&] { source_.flushed_lsn = static_cast<Lsn>(50); });
  refused_after([&] { slot_.confirmed_flush_lsn = static_cast<Lsn>(102); });
  refused_after([&] { slot_.wal_status = WalStatus::kLost; });
  refused_after([&] { slot_.plugin = "other"; });
  refused_after([&] { definition_.table_oid++; });
}

TEST_F(CheckpointerTest, FilesOfDroppedCollectionsAndOfEarlierDefinitionsGo) {
  const auto feed = Serve();
  const auto checkpointer = Start();
  Commit(100, {InsertBytes(kTable, {"bone", Id(1), Array({1, 1})})});
  WaitUntil([&] { return applier_.DurableLsn() >= static_cast<Lsn>(101); });
  EXPECT_THAT(Directories(), ElementsAre(HasSubstr("d-1")));
  definition_.definition_id = "d-2";
  applier_.RemoveCollection(*feed->incarnation()->collection());
  const auto rebuilt = Serve();
  checkpointer->Soon();
  WaitUntil([&] { return Directories() == std::vector<std::string>{"app.docs_vec.d-2"}; });
  applier_.RemoveCollection(*rebuilt->incarnation()->collection());
  checkpointer->Forget(*rebuilt->incarnation()->collection());
  WaitUntil([&] { return Directories().empty(); });
}

TEST_F(CheckpointerTest, WhatWasSetAsideGoesWithItsCollection) {
  const auto set_aside = [&](const char* name) {
    const std::string path = data_->path() + "/" + name;
    PosixFileSystem disk;
    EXPECT_TRUE(disk.CreateDirectory(path).ok());
    EXPECT_TRUE(disk.Create(path + "/MANIFEST.corrupt-20261122T000000Z").ok());
  };
  set_aside("app.docs_vec.d-0");
  set_aside("app.dropped.d-0");
  set_aside("other.docs_vec.d-0");
  const auto again = Restart();
  EXPECT_THAT(Directories(), ElementsAre("other.docs_vec.d-0"));
  set_aside("app.docs_vec.d-0");
  set_aside("app.docs_vec.d-1");
  const auto feed = Serve();
  const auto checkpointer = Start();
  Commit(100, {InsertBytes(kTable, {"bone", Id(1), Array({1, 1})})});
  WaitUntil([&] { return Directories().size() == 2; });
  EXPECT_THAT(Directories(),
              testing::UnorderedElementsAre("app.docs_vec.d-1", "other.docs_vec.d-0"));
  applier_.RemoveCollection(*feed->incarnation()->collection());
  checkpointer->Forget(*feed->incarnation()->collection());
  WaitUntil([&] { return Directories().size() == 1; });
}

// Their index would be built of them, and saved with a checksum that says that they are sound.
TEST_F(CheckpointerTest, RowsFromTheDiskAreNotMergedBeforeTheyWereChecked) {
  const auto insert_rows = [&] {
    std::vector<std::string> changes;
    for (int row = 0; row < 9000; row++)
      changes.push_back(InsertBytes(
          kTable, {"bone", Id(row), Array(std::vector<float>(32, static_cast<float>(row)))}));
    Commit(100, changes);
  };
  definition_.index.kind = IndexKind::kHnsw;
  {
    const auto feed = Serve();
    const auto checkpointer = Start();
    insert_rows();
    WaitUntil([&] { return applier_.DurableLsn() >= static_cast<Lsn>(101); });
  }
  const auto is_held = [](const Restarted& restarted) {
    MutexLock lock(restarted.feed->incarnation()->mu);
    return restarted.feed->incarnation()->merges_held();
  };
  {
    const auto again = Restart();
    ASSERT_NE(again->feed, nullptr);
    EXPECT_TRUE(is_held(*again));
    ASSERT_TRUE(again->checkpointer.Start().ok());
    WaitUntil([&] { return !is_held(*again); });
    EXPECT_EQ(again->collection->state(), CollectionState::kReady);
  }
  for (const auto& entry : std::filesystem::recursive_directory_iterator(data_->path())) {
    if (entry.path().filename().string().rfind("seg-", 0) != 0) continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(entry.file_size() - 100000));  // vectors come last
    file.put(77);
  }
  const auto again = Restart();
  ASSERT_NE(again->feed, nullptr);
  ASSERT_TRUE(again->checkpointer.Start().ok());
  WaitUntil([&] { return !again->feed->failure().ok(); });
  EXPECT_TRUE(is_held(*again));
  again->checkpointer.Stop();
  // The file in question is there for people to look at.
  std::vector<std::string> left;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(data_->path()))
    if (entry.is_regular_file()) left.push_back(entry.path().filename().string());
  EXPECT_THAT(left, testing::Contains(testing::AllOf(HasSubstr("seg-"), HasSubstr(".corrupt-"))));
}

TEST_F(CheckpointerTest, ARemovedDataDirectoryIsMadeAgain) {
  const auto feed = Serve();
  const auto checkpointer = Start();
  Commit(100, {InsertBytes(kTable, {"bone", Id(1), Array({1, 1})})});
  WaitUntil([&] { return applier_.DurableLsn() >= static_cast<Lsn>(101); });
  std::filesystem::remove_all(data_->path());
  Commit(200, {InsertBytes(kTable, {"btwo", Id(2), Array({2, 2})})});
  WaitUntil([&] { return applier_.DurableLsn() >= static_cast<Lsn>(201); });
  EXPECT_THAT(Rows(*Restart()->feed), ElementsAre("1 one 1", "2 two 2"));
}

TEST_F(CheckpointerTest, ACheckpointOfAnEarlierEraConfirmsNothing) {
  const auto feed = Serve();
  Commit(100, {InsertBytes(kTable, {"bone", Id(1), Array({1, 1})})});
  const auto round = applier_.BeginCheckpoint();
  applier_.BreakAll(Status(ErrorCode::SOURCE_FAILED, "the slot was lost"));
  applier_.FinishCheckpoint(round);
  EXPECT_EQ(applier_.DurableLsn(), Lsn::kNone);
  EXPECT_THAT(applier_.BeginCheckpoint().feeds, IsEmpty());
}

}  // namespace
}  // namespace vectord

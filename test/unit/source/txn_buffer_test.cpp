// txn_buffer_test.cpp - what goes in comes out, in order, whatever the memory.
#include "daemon/source/txn_buffer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

#include "test/unit/source/pgoutput_writer.h"

namespace vectord {
namespace {

using testing::ElementsAre;

class TxnBufferTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/vectord_txn_buffer_test_XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    directory_ = name;
  }
  void TearDown() override {
    EXPECT_TRUE(files_.List(directory_)->empty()) << "the file was left behind";
    EXPECT_TRUE(files_.Remove(directory_).ok());
    EXPECT_LE(budget_.peak(), budget_.limit());
  }

  TxnBufferOptions Options(size_t memory_limit_bytes, size_t block_bytes) const {
    TxnBufferOptions options;
    options.memory_limit_bytes = memory_limit_bytes;
    options.block_bytes = block_bytes;
    options.spill_path = directory_ + "/spill";
    return options;
  }
  std::shared_ptr<const Relation> Table(const std::string& name) const {
    auto relation = std::make_shared<Relation>();
    relation->name = name;
    return relation;
  }
  static std::string InsertOf(const std::string& value) { return InsertBytes(7, {"t" + value}); }
  static std::vector<std::string> Contents(const TxnBuffer& buffer) {
    std::vector<std::string> contents;
    const Status status = buffer.ForEach([&](const Change& change) {
      std::string text = change.relation ? change.relation->name + ":" : "";
      if (change.kind == ChangeKind::kTruncate) text += change.cascade ? "truncate+" : "truncate";
      if (change.kind == ChangeKind::kMessage) text += std::string(change.content);
      if (change.new_tuple != nullptr) text += std::string(change.new_tuple->at(0).bytes);
      contents.push_back(text);
      return Status();
    });
    EXPECT_TRUE(status.ok()) << status.ToString();
    return contents;
  }

  PosixFileSystem files_;
  std::string directory_;
  MemoryBudget budget_{1 << 20, "test"};
  const std::function<Status()> alive_ = [] { return Status(); };
};

TEST_F(TxnBufferTest, ChangesComeInOrderWithTheirTables) {
  TxnBuffer buffer(&budget_, &files_, Options(1 << 20, 4096), alive_);
  const auto a = Table("a"), b = Table("b");
  buffer.Begin(FullXid{77}, Lsn{100}, 5);
  buffer.SetOrigin("node_a");
  ASSERT_TRUE(buffer.Append(InsertOf("1"), a).ok());
  ASSERT_TRUE(buffer.Append(InsertOf("2"), b).ok());
  ASSERT_TRUE(
      buffer.Append(Wire("M").I8(1).I64(9).CString("p").I32(2).Raw("hi").bytes, nullptr).ok());
  ASSERT_TRUE(buffer.AppendTruncate(a, true).ok());
  ASSERT_TRUE(buffer.Commit(Lsn{120}).ok());
  EXPECT_THAT(Contents(buffer), ElementsAre("a:1", "b:2", "hi", "a:truncate+"));
  EXPECT_EQ(buffer.info().xid, FullXid{77});
  EXPECT_EQ(buffer.info().commit_lsn, Lsn{100});
  EXPECT_EQ(buffer.info().end_lsn, Lsn{120});
  EXPECT_EQ(buffer.info().origin, "node_a");
  EXPECT_EQ(buffer.info().changes, 4u);
  EXPECT_EQ(buffer.spilled_bytes(), 0u);
}

TEST_F(TxnBufferTest, ATransactionOfAnySizeNeedsOnlyItsLimit) {
  TxnBuffer buffer(&budget_, &files_, Options(64 << 10, 4096), alive_);
  const auto table = Table("t");
  buffer.Begin(FullXid{1}, Lsn{100}, 0);
  constexpr int kChanges = 50000;
  std::vector<std::string> expected;
  for (int i = 0; i < kChanges; i++) {
    const std::string value(static_cast<size_t>(i % 200), static_cast<char>('a' + i % 26));
    expected.push_back("t:" + value);
    ASSERT_TRUE(buffer.Append(InsertOf(value), table).ok());
    ASSERT_LE(buffer.memory_bytes(), size_t{64} << 10);
  }
  ASSERT_TRUE(buffer.Commit(Lsn{120}).ok());
  EXPECT_GT(buffer.spilled_bytes(), uint64_t{4} << 20);
  EXPECT_EQ(Contents(buffer), expected);
  EXPECT_EQ(Contents(buffer), expected) << "may be visited again";
  buffer.Reset();
  EXPECT_LE(buffer.memory_bytes(), 4096u);
}

TEST_F(TxnBufferTest, AChangeLargerThanAllTheMemoryGoesToTheFile) {
  TxnBuffer buffer(&budget_, &files_, Options(8192, 4096), alive_);
  const auto table = Table("t");
  const std::string large(300 << 10, 'x'), small = "s";
  buffer.Begin(FullXid{1}, Lsn{100}, 0);
  for (const std::string& value : {small, large, small, large, small})
    ASSERT_TRUE(buffer.Append(InsertOf(value), table).ok());
  ASSERT_TRUE(buffer.Commit(Lsn{120}).ok());
  EXPECT_THAT(Contents(buffer),
              ElementsAre("t:" + small, "t:" + large, "t:" + small, "t:" + large, "t:" + small));
}

TEST_F(TxnBufferTest, WhenTheBudgetRefusesItGoesOnWithWhatItHas) {
  TxnBuffer buffer(&budget_, &files_, Options(1 << 20, 4096), alive_);
  const auto table = Table("t");
  buffer.Begin(FullXid{1}, Lsn{100}, 0);
  ASSERT_TRUE(buffer.Append(InsertOf("first"), table).ok());
  std::vector<std::string> expected = {"t:first"};
  {
    auto others = budget_.Reserve(budget_.available(), "others");
    ASSERT_TRUE(others.ok());
    for (int i = 0; i < 1000; i++) {
      ASSERT_TRUE(buffer.Append(InsertOf(std::to_string(i)), table).ok());
      expected.push_back("t:" + std::to_string(i));
    }
    ASSERT_TRUE(buffer.Commit(Lsn{120}).ok());
    EXPECT_EQ(buffer.ForEach([](const Change&) { return Status(); }).code(),
              ErrorCode::OUT_OF_MEMORY);
  }
  EXPECT_EQ(Contents(buffer), expected);
}

TEST_F(TxnBufferTest, WithoutAnyMemoryItSaysSo) {
  MemoryBudget nothing(100, "nothing");
  TxnBuffer buffer(&nothing, &files_, Options(1 << 20, 4096), alive_);
  buffer.Begin(FullXid{1}, Lsn{100}, 0);
  EXPECT_EQ(buffer.Append(InsertOf("x"), Table("t")).code(), ErrorCode::OUT_OF_MEMORY);
}

TEST_F(TxnBufferTest, ResetForgetsTheOpenTransactionAndItsFile) {
  TxnBuffer buffer(&budget_, &files_, Options(8192, 4096), alive_);
  const auto table = Table("t");
  buffer.Begin(FullXid{1}, Lsn{100}, 0);
  for (int i = 0; i < 2000; i++) ASSERT_TRUE(buffer.Append(InsertOf("lost"), table).ok());
  EXPECT_GT(buffer.spilled_bytes(), 0u);
  buffer.Reset();
  EXPECT_FALSE(buffer.open());
  buffer.Begin(FullXid{2}, Lsn{200}, 0);
  ASSERT_TRUE(buffer.Append(InsertOf("kept"), table).ok());
  ASSERT_TRUE(buffer.Commit(Lsn{220}).ok());
  EXPECT_THAT(Contents(buffer), ElementsAre("t:kept"));
  EXPECT_EQ(buffer.info().xid, FullXid{2});
}

TEST_F(TxnBufferTest, ADescriptionThatChangesInTheMidstIsKeptWithEachChange) {
  TxnBuffer buffer(&budget_, &files_, Options(8192, 4096), alive_);
  const auto before = Table("before"), after = Table("after");
  buffer.Begin(FullXid{1}, Lsn{100}, 0);
  ASSERT_TRUE(buffer.Append(InsertOf("1"), before).ok());
  ASSERT_TRUE(buffer.Append(InsertOf("2"), after).ok());
  ASSERT_TRUE(buffer.Append(InsertOf("3"), before).ok());
  ASSERT_TRUE(buffer.Commit(Lsn{120}).ok());
  EXPECT_THAT(Contents(buffer), ElementsAre("before:1", "after:2", "before:3"));
}

TEST_F(TxnBufferTest, TheVisitorsErrorAndAStopEndTheVisit) {
  bool is_stopped = false;
  TxnBuffer buffer(&budget_, &files_, Options(1 << 20, 4096),
                   [&] { return is_stopped ? Status(ErrorCode::CANCELED, "stopped") : Status(); });
  buffer.Begin(FullXid{1}, Lsn{100}, 0);
  for (int i = 0; i < 100; i++) ASSERT_TRUE(buffer.Append(InsertOf("x"), Table("t")).ok());
  ASSERT_TRUE(buffer.Commit(Lsn{120}).ok());
  int visited = 0;
  EXPECT_EQ(buffer
                .ForEach([&](const Change&) {
                  return ++visited == 3 ? Status(ErrorCode::INTERNAL, "no") : Status();
                })
                .code(),
            ErrorCode::INTERNAL);
  EXPECT_EQ(visited, 3);
  is_stopped = true;
  EXPECT_EQ(buffer.ForEach([](const Change&) { return Status(); }).code(), ErrorCode::CANCELED);
}

// A disk without room; nothing else is asked of it.
class FullDisk final : public FileSystem {
 public:
  Result<std::unique_ptr<AppendFile>> Create(const std::string&) override { return Full(); }
  Result<std::unique_ptr<ReadFile>> Open(const std::string&) override { return Full(); }
  Status Rename(const std::string&, const std::string&) override { return Full(); }
  Status SyncDirectory(const std::string&) override { return Full(); }
  Result<std::vector<std::string>> List(const std::string&) override { return Full(); }
  Status Remove(const std::string&) override { return Full(); }
  Status CreateDirectory(const std::string&) override { return Full(); }
  Result<FileLock> Lock(const std::string&) override { return Full(); }

 private:
  static Status Full() { return Status(ErrorCode::DISK_FULL, "no room"); }
};

TEST_F(TxnBufferTest, AFullDiskIsAnErrorAfterWhichResetServesTheNextTransaction) {
  FullDisk full;
  TxnBuffer buffer(&budget_, &full, Options(8192, 4096), alive_);
  const auto table = Table("t");
  buffer.Begin(FullXid{1}, Lsn{100}, 0);
  Status status;
  for (int i = 0; i < 2000 && status.ok(); i++) status = buffer.Append(InsertOf("x"), table);
  EXPECT_EQ(status.code(), ErrorCode::DISK_FULL);
  buffer.Reset();
  buffer.Begin(FullXid{2}, Lsn{200}, 0);
  ASSERT_TRUE(buffer.Append(InsertOf("kept"), table).ok());
  ASSERT_TRUE(buffer.Commit(Lsn{220}).ok());
  EXPECT_THAT(Contents(buffer), ElementsAre("t:kept"));
}

}  // namespace
}  // namespace vectord

// file_test.cpp - the file system by POSIX, and ownership of a path.
#include "daemon/base/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace vectord {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class FileTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/vectord_file_test_XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    directory_ = name;
  }
  void TearDown() override {
    const auto names = files_.List(directory_);
    ASSERT_TRUE(names.ok());
    for (const std::string& name : *names) EXPECT_TRUE(files_.Remove(Path(name)).ok());
    EXPECT_TRUE(files_.Remove(directory_).ok());
  }
  std::string Path(const std::string& name) const { return directory_ + "/" + name; }
  void Write(const std::string& name, std::string_view bytes) {
    auto file = files_.Create(Path(name));
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE((*file)->Append(bytes).ok());
    ASSERT_TRUE((*file)->Close().ok());
  }

  PosixFileSystem files_;
  std::string directory_;
};

TEST_F(FileTest, WhatWasAppendedIsRead) {
  auto file = files_.Create(Path("a"));
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE((*file)->Append("hello ").ok());
  ASSERT_TRUE((*file)->Append(std::string_view("wor\0ld", 6)).ok());
  ASSERT_TRUE((*file)->Sync().ok());
  EXPECT_EQ((*file)->size(), 12u);
  ASSERT_TRUE((*file)->Close().ok());

  auto read = files_.Open(Path("a"));
  ASSERT_TRUE(read.ok());
  EXPECT_EQ((*read)->size(), 12u);
  char bytes[6];
  ASSERT_TRUE((*read)->ReadAt(6, 6, bytes).ok());
  EXPECT_EQ(std::string(bytes, 6), std::string("wor\0ld", 6));
}

TEST_F(FileTest, AFileThatEndsEarlyIsCorrupt) {
  Write("a", "12345");
  auto read = files_.Open(Path("a"));
  ASSERT_TRUE(read.ok());
  char bytes[10];
  EXPECT_EQ((*read)->ReadAt(0, 6, bytes).code(), ErrorCode::CORRUPT);
  EXPECT_EQ((*read)->ReadAt(100, 1, bytes).code(), ErrorCode::CORRUPT);
  EXPECT_EQ((*read)->ReadAt(UINT64_MAX, 1, bytes).code(), ErrorCode::CORRUPT);
  EXPECT_TRUE((*read)->ReadAt(5, 0, bytes).ok());
}

TEST_F(FileTest, RenameReplacesAndTheDirectorySyncs) {
  Write("old", "1");
  Write("new", "2");
  ASSERT_TRUE(files_.Rename(Path("new"), Path("old")).ok());
  ASSERT_TRUE(files_.SyncDirectory(directory_).ok());
  const auto names = files_.List(directory_);
  ASSERT_TRUE(names.ok());
  EXPECT_THAT(*names, ElementsAre("old"));
  EXPECT_EQ(*ReadWholeFile(files_, Path("old"), 10), "2");
}

TEST_F(FileTest, ErrorsNameThePathAndTheReason) {
  const auto missing = files_.Open(Path("none"));
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.status().code(), ErrorCode::IO);
  EXPECT_EQ(missing.status().message(), "could not open file \"" + Path("none") + "\"");
  EXPECT_EQ(missing.status().detail(), "No such file or directory.");
  EXPECT_EQ(files_.Create("/nonexistent/a").status().code(), ErrorCode::IO);
  EXPECT_EQ(files_.List("/nonexistent").status().code(), ErrorCode::IO);
  EXPECT_EQ(files_.Rename(Path("none"), Path("b")).code(), ErrorCode::IO);
}

TEST_F(FileTest, ADiskWithoutRoomIsItsOwnError) {
  EXPECT_EQ(ErrnoStatus(ENOSPC, "x").code(), ErrorCode::DISK_FULL);
  EXPECT_EQ(ErrnoStatus(EDQUOT, "x").code(), ErrorCode::DISK_FULL);
  auto full = files_.Create("/dev/full");
  if (!full.ok()) GTEST_SKIP() << "no /dev/full here";
  EXPECT_EQ((*full)->Append("x").code(), ErrorCode::DISK_FULL);
}

TEST_F(FileTest, DoingWhatIsDoneAlreadyIsNoError) {
  EXPECT_TRUE(files_.Remove(Path("none")).ok());
  EXPECT_TRUE(files_.CreateDirectory(Path("d")).ok());
  EXPECT_TRUE(files_.CreateDirectory(Path("d")).ok());
  Write("f", "");
  EXPECT_FALSE(files_.CreateDirectory(Path("f")).ok()) << "a file is in the way";
}

TEST_F(FileTest, AFileThatIsTooLargeIsNotRead) {
  Write("a", "12345");
  EXPECT_EQ(ReadWholeFile(files_, Path("a"), 4).status().code(), ErrorCode::LIMIT_EXCEEDED);
  EXPECT_EQ(*ReadWholeFile(files_, Path("a"), 5), "12345");
}

TEST_F(FileTest, WhatIsNoRegularFileIsRefusedWithoutWaiting) {
  ASSERT_EQ(mkfifo(Path("fifo").c_str(), 0600), 0);
  for (const std::string& path : {Path("fifo"), directory_, std::string("/dev/null")}) {
    const auto bytes = ReadWholeFile(files_, path, 100);
    ASSERT_FALSE(bytes.ok()) << path;
    EXPECT_EQ(bytes.status().detail(), "It is not a regular file.");
  }
}

TEST_F(FileTest, ALockHoldsThePidAndRefusesASecondOwner) {
  Result<FileLock> first = files_.Lock(Path("lock"));
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(*ReadWholeFile(files_, Path("lock"), 100), std::to_string(getpid()) + "\n");
  const Result<FileLock> second = files_.Lock(Path("lock"));
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().message(), "another process owns \"" + Path("lock") + "\"");
  EXPECT_THAT(second.status().detail(), HasSubstr("Process " + std::to_string(getpid()) + " "));
  EXPECT_EQ(access(Path("lock").c_str(), F_OK), 0) << "a refused owner removes nothing";
}

TEST_F(FileTest, AReleasedLockIsFreeAndItsFileGone) {
  Result<FileLock> first = files_.Lock(Path("lock"));
  ASSERT_TRUE(first.ok());
  FileLock moved = std::move(*first);
  EXPECT_FALSE(first->held());
  moved.Release();
  EXPECT_NE(access(Path("lock").c_str(), F_OK), 0);
  EXPECT_TRUE(files_.Lock(Path("lock")).ok());
}

TEST_F(FileTest, ALockOfAProcessThatDiedIsFree) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    Result<FileLock> lock = FileLock::Acquire(Path("lock"));
    _exit(lock.ok() ? 0 : 1);  // without destructors, as if it were killed
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  EXPECT_EQ(*ReadWholeFile(files_, Path("lock"), 100), std::to_string(child) + "\n");
  EXPECT_TRUE(files_.Lock(Path("lock")).ok());
}

TEST_F(FileTest, ALockWhoseFileWasMovedAwayRemovesNothingOfOthers) {
  Result<FileLock> first = files_.Lock(Path("lock"));
  ASSERT_TRUE(files_.Rename(Path("lock"), Path("moved")).ok());
  Result<FileLock> second = files_.Lock(Path("lock"));
  ASSERT_TRUE(second.ok());
  first->Release();
  EXPECT_EQ(access(Path("lock").c_str(), F_OK), 0);
}

}  // namespace
}  // namespace vectord

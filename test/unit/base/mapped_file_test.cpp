// mapped_file_test.cpp - a file as memory, and memory in the place of the file.
#include "daemon/base/mapped_file.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <thread>

#include "daemon/base/file.h"

namespace vectord {
namespace {

class MappedFileTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/vectord_mapped_file_test_XXXXXX";
    const int fd = mkstemp(name);
    ASSERT_GE(fd, 0);
    close(fd);
    path_ = name;
    for (size_t i = 0; i < content_.size(); i++) content_[i] = static_cast<char>(i * 31 + i / 4096);
    auto file = PosixFileSystem().Create(path_);
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE((*file)->Append(content_).ok());
    ASSERT_TRUE((*file)->Close().ok());
  }
  void TearDown() override { unlink(path_.c_str()); }
  std::string_view Part(size_t offset, size_t size) const {
    return std::string_view(content_).substr(offset, size);
  }

  std::string path_;
  std::string content_ = std::string((5 << 20) + 123, '\0');
};

TEST_F(MappedFileTest, ARangeIsReadInPlace) {
  for (const auto& [offset, size] :
       {std::pair<size_t, size_t>{0, 10}, {4096, 4096}, {8192, content_.size() - 8192}}) {
    const auto mapped = MappedFile::Open(path_, offset, size);
    ASSERT_TRUE(mapped.ok()) << mapped.status().ToString();
    EXPECT_EQ(std::string_view((*mapped)->data(), (*mapped)->size()), Part(offset, size));
  }
}

TEST_F(MappedFileTest, AFileThatIsTooShortIsCorrupt) {
  EXPECT_EQ(MappedFile::Open(path_, 0, content_.size() + 1).status().code(), ErrorCode::CORRUPT);
  EXPECT_EQ(MappedFile::Open(path_, uint64_t{1} << 40, 1).status().code(), ErrorCode::CORRUPT);
  EXPECT_EQ(MappedFile::Open(path_ + "x", 0, 1).status().code(), ErrorCode::IO);
}

TEST_F(MappedFileTest, ReadersSeeTheSameBytesWhileTheyMoveToMemory) {
  const size_t size = content_.size() - 4096;
  const auto mapped = MappedFile::Open(path_, 4096, size);
  ASSERT_TRUE(mapped.ok());
  const char* const data = (*mapped)->data();
  std::atomic<bool> stop{false};
  std::atomic<size_t> differences{0}, rounds{0};
  std::thread reader([&] {
    while (!stop) {
      for (size_t i = 0; i < size; i += 509) differences += data[i] != content_[4096 + i];
      rounds++;
    }
  });
  while (rounds < 2) std::this_thread::yield();
  const Status moved = (*mapped)->MoveToMemory([&](char* memory) {
    memcpy(memory, content_.data() + 4096, size);
    return Status();
  });
  const size_t rounds_before = rounds;
  while (rounds < rounds_before + 2) std::this_thread::yield();
  stop = true;
  reader.join();
  EXPECT_TRUE(moved.ok()) << moved.ToString();
  EXPECT_EQ(differences, 0u);
  EXPECT_EQ(data, (*mapped)->data());
  // It is memory now: what happens to the file does not matter.
  ASSERT_EQ(truncate(path_.c_str(), 0), 0);
  EXPECT_EQ(std::string_view(data, size), Part(4096, size));
}

TEST_F(MappedFileTest, AFailureLeavesTheMapping) {
  const auto mapped = MappedFile::Open(path_, 0, content_.size());
  const Status moved = (*mapped)->MoveToMemory([](char* memory) {
    memory[0] = 'x';
    return Status(ErrorCode::CORRUPT, "no");
  });
  EXPECT_EQ(moved.code(), ErrorCode::CORRUPT);
  EXPECT_EQ(std::string_view((*mapped)->data(), content_.size()), content_);
}

}  // namespace
}  // namespace vectord

// section_file_test.cpp - files of sections: whole under their name, or not there.
#include "daemon/storage/section_file.h"

#include <gtest/gtest.h>

#include "daemon/storage/file_names.h"
#include "daemon/storage/word_file.h"
#include "test/unit/support/memory_file_system.h"

namespace vectord {
namespace {

const std::string kDirectory = "/d";
const std::string kPath = kDirectory + "/" + FileName(FileKind::kSegment, 5);

class SectionFileTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(files_.CreateDirectory(kDirectory).ok()); }

  // Sections of 0, 3 and many bytes; the second is aligned to a page.
  Result<FileRef> Write() {
    VFDW_ASSIGN_OR_RETURN(auto writer,
                          SectionFileWriter::Create(&files_, kDirectory, FileKind::kSegment, 5));
    VFDW_RETURN_IF_ERROR(writer->BeginSection(SectionType::kSegmentInfo, 0));
    VFDW_RETURN_IF_ERROR(writer->BeginSection(SectionType::kColumn, 7, kMappedSectionAlignment));
    VFDW_RETURN_IF_ERROR(writer->Append("abc"));
    VFDW_RETURN_IF_ERROR(writer->BeginSection(SectionType::kVectors, 0));
    VFDW_RETURN_IF_ERROR(writer->Append(large_.substr(0, 10)));
    VFDW_RETURN_IF_ERROR(writer->Append(large_.substr(10)));
    return writer->Finish();
  }
  static std::string LargeText() {
    std::string text;
    for (size_t i = 0; text.size() < 700000; i++) text += std::to_string(i);
    return text;
  }
  Result<std::string> Read(const SectionFile& file, SectionType type, uint32_t ordinal) {
    VFDW_ASSIGN_OR_RETURN(const SectionEntry entry, file.Get(type, ordinal));
    std::string bytes(entry.size, '\0');
    VFDW_RETURN_IF_ERROR(file.ReadTo(entry, bytes.data()));
    return bytes;
  }
  // CORRUPT when the file or any section is damaged.
  Status ReadAll(const FileRef& ref) {
    VFDW_ASSIGN_OR_RETURN(const auto file, SectionFile::Open(&files_, kPath, ref));
    for (const SectionEntry& entry : file->sections())
      VFDW_RETURN_IF_ERROR(file->Verify(entry, nullptr));
    return {};
  }

  MemoryFileSystem files_;
  std::string large_ = LargeText();
};

TEST_F(SectionFileTest, SectionsAreReadAsTheyWereWritten) {
  const Result<FileRef> ref = Write();
  ASSERT_TRUE(ref.ok()) << ref.status().ToString();
  EXPECT_EQ(ref->bytes, files_.Content(kPath)->size());
  const auto file = SectionFile::Open(&files_, kPath, *ref);
  ASSERT_TRUE(file.ok()) << file.status().ToString();
  EXPECT_EQ(*Read(**file, SectionType::kSegmentInfo, 0), "");
  EXPECT_EQ(*Read(**file, SectionType::kColumn, 7), "abc");
  EXPECT_EQ(*Read(**file, SectionType::kVectors, 0), large_);
  EXPECT_EQ((*file)->Find(SectionType::kColumn, 7)->offset % kMappedSectionAlignment, 0u);
  EXPECT_EQ((*file)->Find(SectionType::kColumn, 0), nullptr);
  EXPECT_EQ((*file)->Get(SectionType::kIndex).status().code(), ErrorCode::CORRUPT);
}

TEST_F(SectionFileTest, ASourceReadsInPiecesOfAnySize) {
  const FileRef ref = *Write();
  const auto file = SectionFile::Open(&files_, kPath, ref);
  SectionSource source = (*file)->Source(*(*file)->Find(SectionType::kVectors));
  std::string read;
  for (size_t size = 1; source.remaining() > 0; size = size * 7 % 300007 + 1) {
    std::string piece(std::min<size_t>(size, source.remaining()), '\0');
    ASSERT_TRUE(source.Read(piece.data(), piece.size()).ok());
    read += piece;
  }
  EXPECT_EQ(read, large_);
  EXPECT_TRUE(source.Finish().ok());
  char byte;
  EXPECT_EQ(source.Read(&byte, 1).code(), ErrorCode::CORRUPT);
}

TEST_F(SectionFileTest, ASourceThatWasNotReadToItsEndIsNotFinished) {
  const FileRef ref = *Write();
  const auto file = SectionFile::Open(&files_, kPath, ref);
  SectionSource source = (*file)->Source(*(*file)->Find(SectionType::kColumn, 7));
  EXPECT_EQ(source.Finish().code(), ErrorCode::CORRUPT);
}

TEST_F(SectionFileTest, AFlippedByteIsNoticedUnlessItIsPadding) {
  large_ = "0123456789and some more";
  const FileRef ref = *Write();
  const std::string sound = *files_.Content(kPath);
  const auto opened = SectionFile::Open(&files_, kPath, ref);
  ASSERT_TRUE(opened.ok());
  const std::vector<SectionEntry> sections = (*opened)->sections();
  const uint64_t table = sound.size() - sizeof(FileTrailer) - sections.size() * sizeof sections[0];
  for (size_t i = 0; i < sound.size(); i++) {
    std::string damaged = sound;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    *files_.Content(kPath) = damaged;
    bool means_something = i < sizeof(FileHeader) || i >= table;
    for (const SectionEntry& section : sections)
      means_something |= i >= section.offset && i < section.offset + section.size;
    EXPECT_EQ(ReadAll(ref).code(), means_something ? ErrorCode::CORRUPT : ErrorCode::OK) << i;
  }
}

TEST_F(SectionFileTest, EveryOtherLengthIsNoticed) {
  large_ = "0123456789and some more";
  const FileRef ref = *Write();
  const std::string sound = *files_.Content(kPath);
  for (size_t size = 0; size < sound.size(); size++) {
    *files_.Content(kPath) = sound.substr(0, size);
    EXPECT_EQ(ReadAll(ref).code(), ErrorCode::CORRUPT) << size;
  }
  *files_.Content(kPath) = sound + sound;
  EXPECT_EQ(ReadAll(ref).code(), ErrorCode::CORRUPT);
}

TEST_F(SectionFileTest, ASoundFileThatTheManifestDoesNotMeanIsRefused) {
  const FileRef ref = *Write();
  for (int field = 0; field < 4; field++) {
    FileRef other = ref;
    if (field == 0) other.kind = FileKind::kLiveRows;
    if (field == 1) other.number++;
    if (field == 2) other.bytes++;
    if (field == 3) other.digest++;
    EXPECT_EQ(SectionFile::Open(&files_, kPath, other).status().code(), ErrorCode::CORRUPT);
  }
}

TEST_F(SectionFileTest, AFailureLeavesNothingButTheCause) {
  ASSERT_TRUE(Write().ok());
  const size_t operations = files_.operations();
  ASSERT_TRUE(files_.Remove(kPath).ok());
  for (size_t i = 0; i + 1 < operations; i++) {
    files_.FailAt(i, ENOSPC, /*fatal=*/false);
    const Result<FileRef> ref = Write();
    ASSERT_EQ(ref.status().code(), ErrorCode::DISK_FULL) << i;
    EXPECT_TRUE(files_.List(kDirectory)->empty()) << i;
  }
}

TEST_F(SectionFileTest, WhatCannotBeReadIsDamage) {
  const FileRef ref = *Write();
  ASSERT_TRUE(ReadAll(ref).ok());
  files_.FailAt(1, EIO, /*fatal=*/true);  // 0 opens the file
  EXPECT_EQ(ReadAll(ref).code(), ErrorCode::CORRUPT);
}

TEST_F(SectionFileTest, ACheckCanBeCanceled) {
  const FileRef ref = *Write();
  const auto file = SectionFile::Open(&files_, kPath, ref);
  const std::atomic<bool> cancelled{true};
  EXPECT_EQ((*file)->Verify(*(*file)->Find(SectionType::kVectors), &cancelled).code(),
            ErrorCode::CANCELED);
}

TEST_F(SectionFileTest, LiveRowsMustFitTheirSegment) {
  const uint64_t words[] = {0xff, 0x3};
  auto writer = SectionFileWriter::Create(&files_, kDirectory, FileKind::kLiveRows, 9);
  ASSERT_TRUE(writer.ok());
  const Result<FileRef> ref = WriteWords(std::move(*writer), words, 2);
  ASSERT_TRUE(ref.ok());
  const auto file =
      SectionFile::Open(&files_, kDirectory + "/" + FileName(FileKind::kLiveRows, 9), *ref);
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(*ReadLiveRows(**file, 66, 10), std::vector<uint64_t>({0xff, 0x3}));
  EXPECT_EQ(ReadLiveRows(**file, 66, 11).status().code(), ErrorCode::CORRUPT);
  EXPECT_EQ(ReadLiveRows(**file, 65, 10).status().code(), ErrorCode::CORRUPT);
  EXPECT_EQ(ReadLiveRows(**file, 129, 10).status().code(), ErrorCode::CORRUPT);
  EXPECT_EQ(ReadLiveRows(**file, UINT64_MAX, 10).status().code(), ErrorCode::CORRUPT);
}

}  // namespace
}  // namespace vectord

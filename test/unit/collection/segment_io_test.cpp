// segment_io_test.cpp - segments of every kind written to a file and read again.
#include "daemon/collection/segment_io.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "daemon/storage/file_names.h"
#include "test/unit/collection/stored_collection.h"

namespace vectord {
namespace {

class SegmentIoTest : public testing::Test {
 protected:
  Status Write(const Segment& segment) {
    VFDW_ASSIGN_OR_RETURN(
        auto writer, SectionFileWriter::Create(&files_, directory_.path(), FileKind::kSegment, 1));
    VFDW_RETURN_IF_ERROR(WriteSegment(segment, writer.get()));
    VFDW_ASSIGN_OR_RETURN(ref_, writer->Finish());
    return {};
  }
  Result<OpenedSegment> Read(const Definition& definition,
                             VectorPlacement placement = VectorPlacement::kMemory) {
    VFDW_ASSIGN_OR_RETURN(std::shared_ptr<const SectionFile> file,
                          SectionFile::Open(&files_, Path(), ref_));
    return ReadSegment(file, Path(), definition, placement, &budget_);
  }
  std::string Path() const { return directory_.path() + "/" + FileName(FileKind::kSegment, 1); }
  // Flips a bit where it stands; twice is nothing.
  void Damage(uint64_t offset) {
    std::fstream file(Path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(offset));
    const char byte = static_cast<char>(file.get() ^ 0x40);
    file.seekp(static_cast<std::streamoff>(offset));
    file.put(byte);
    ASSERT_TRUE(file.good());
  }
  SectionEntry SectionOf(SectionType type) {
    return *(*SectionFile::Open(&files_, Path(), ref_))->Find(type);
  }

  PosixFileSystem files_;
  TemporaryDirectory directory_;
  MemoryBudget budget_{size_t{1} << 30, "test"};
  FileRef ref_;
};

TEST_F(SegmentIoTest, EveryKindIsReadAsItWasWritten) {
  for (const IndexKind kind : kKinds)
    for (const size_t dimensions : {0, 3, 24, 100})
      for (const VectorPlacement placement : {VectorPlacement::kMemory, VectorPlacement::kDisk}) {
        SCOPED_TRACE(std::string(IndexKindName(kind)) + ", dimensions " +
                     std::to_string(dimensions));
        const Definition definition = DefinitionFor(kind);
        // Of 100 dimensions so many that they are mapped.
        const auto written = SegmentFor(definition, 3000, dimensions, 41);
        ASSERT_TRUE(Write(*written).ok());
        const auto read = Read(definition, placement);
        ASSERT_TRUE(read.ok()) << read.status().ToString();
        ExpectSameSegment(*read->segment, *written);
        ASSERT_EQ(read->unsettled != nullptr, dimensions == 100);
        if (!read->unsettled) continue;
        EXPECT_TRUE(read->unsettled->Settle(nullptr).ok());
        ExpectSameSegment(*read->segment, *written);
      }
  EXPECT_EQ(budget_.used(), 0u);
}

TEST_F(SegmentIoTest, OnDiskVectorsReserveNoMemory) {
  const Definition definition = DefinitionFor(IndexKind::kFlat);
  const auto written = SegmentFor(definition, 20000, 32, 1);
  ASSERT_TRUE(Write(*written).ok());
  const size_t vector_bytes = 20000 * 32 * sizeof(float);
  size_t used[2];
  {
    const auto in_memory = Read(definition, VectorPlacement::kMemory);
    ASSERT_TRUE(in_memory.ok());
    used[0] = budget_.used();
    EXPECT_EQ(in_memory->segment->vectors().memory_bytes(), written->vectors().memory_bytes());
  }
  {
    const auto on_disk = Read(definition, VectorPlacement::kDisk);
    ASSERT_TRUE(on_disk.ok());
    used[1] = budget_.used();
    EXPECT_EQ(written->vectors().memory_bytes() - on_disk->segment->vectors().memory_bytes(),
              vector_bytes);
  }
  EXPECT_EQ(used[0] - used[1], vector_bytes);
  EXPECT_EQ(budget_.used(), 0u);
}

TEST_F(SegmentIoTest, WithoutRoomInTheBudgetNothingIsRead) {
  const Definition definition = DefinitionFor(IndexKind::kFlat);
  ASSERT_TRUE(Write(*SegmentFor(definition, 20000, 32, 1)).ok());
  budget_.SetLimit(1 << 20);
  EXPECT_EQ(Read(definition).status().code(), ErrorCode::OUT_OF_MEMORY);
  EXPECT_EQ(budget_.used(), 0u);
}

TEST_F(SegmentIoTest, SearchesRunWhileVectorsMoveToMemory) {
  const Definition definition = DefinitionFor(IndexKind::kHnsw);
  const auto written = SegmentFor(definition, 5000, 64, 1);
  ASSERT_TRUE(Write(*written).ok());
  const auto read = Read(definition);
  ASSERT_TRUE(read.ok());
  std::atomic<bool> stop{false};
  std::atomic<size_t> rounds{0};
  std::thread searcher([&] {
    while (!stop) {
      ExpectSameSegment(*read->segment, *written);
      rounds++;
    }
  });
  while (rounds < 1) std::this_thread::yield();
  EXPECT_TRUE(read->unsettled->Settle(nullptr).ok());
  for (const size_t before = rounds; rounds < before + 2;) std::this_thread::yield();
  stop = true;
  searcher.join();
  ASSERT_EQ(truncate(Path().c_str(), 0), 0);  // they are in memory
  ExpectSameSegment(*read->segment, *written);
}

TEST_F(SegmentIoTest, DamagedVectorsAreFoundWhenTheySettle) {
  const Definition definition = DefinitionFor(IndexKind::kFlat);
  ASSERT_TRUE(Write(*SegmentFor(definition, 20000, 32, 1)).ok());
  Damage(SectionOf(SectionType::kVectors).offset + 1000000);
  for (const VectorPlacement placement : {VectorPlacement::kMemory, VectorPlacement::kDisk}) {
    const auto read = Read(definition, placement);
    ASSERT_TRUE(read.ok());
    const std::atomic<bool> cancelled{true};
    EXPECT_EQ(read->unsettled->Settle(&cancelled).code(), ErrorCode::CANCELED);
    EXPECT_EQ(read->unsettled->Settle(nullptr).code(), ErrorCode::CORRUPT);
  }
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // which take all addresses
TEST_F(SegmentIoTest, SoundVectorsThatNoMemoryIsLeftForStayWhereTheyAre) {
  const Definition definition = DefinitionFor(IndexKind::kFlat);
  const auto written = SegmentFor(definition, 20000, 32, 1);
  ASSERT_TRUE(Write(*written).ok());
  const auto read = Read(definition);
  ASSERT_TRUE(read.ok());
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_AS, &before), 0);
  const rlimit nothing_more{1 << 20, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_AS, &nothing_more), 0);
  const Status settled = read->unsettled->Settle(nullptr);
  ASSERT_EQ(setrlimit(RLIMIT_AS, &before), 0);
  EXPECT_TRUE(settled.ok()) << settled.ToString();
  ExpectSameSegment(*read->segment, *written);
  Damage(SectionOf(SectionType::kVectors).offset + 1000000);
  ASSERT_EQ(setrlimit(RLIMIT_AS, &nothing_more), 0);
  const Status damaged = read->unsettled->Settle(nullptr);
  ASSERT_EQ(setrlimit(RLIMIT_AS, &before), 0);
  EXPECT_EQ(damaged.code(), ErrorCode::CORRUPT);
}
#endif

TEST_F(SegmentIoTest, SettlingWhatNobodyHoldsIsNothing) {
  const Definition definition = DefinitionFor(IndexKind::kFlat);
  ASSERT_TRUE(Write(*SegmentFor(definition, 20000, 32, 1)).ok());
  Damage(SectionOf(SectionType::kVectors).offset);
  auto read = Read(definition);
  ASSERT_TRUE(read.ok());
  read->segment.reset();
  EXPECT_TRUE(read->unsettled->Settle(nullptr).ok());
}

TEST_F(SegmentIoTest, AnyOtherDamageIsFoundAtOnce) {
  const Definition definition = DefinitionFor(IndexKind::kHnsw);
  ASSERT_TRUE(Write(*SegmentFor(definition, 3000, 100, 1)).ok());
  const std::string sound = *ReadWholeFile(files_, Path(), SIZE_MAX);
  for (const SectionType type : {SectionType::kSegmentInfo, SectionType::kColumn,
                                 SectionType::kSquaredNorms, SectionType::kIndex}) {
    const SectionEntry section = SectionOf(type);
    for (const uint64_t offset :
         {section.offset, section.offset + section.size / 2, section.offset + section.size - 1}) {
      Damage(offset);
      EXPECT_EQ(Read(definition).status().code(), ErrorCode::CORRUPT);
      Damage(offset);  // back
    }
  }
  EXPECT_EQ(*ReadWholeFile(files_, Path(), SIZE_MAX), sound);
  EXPECT_TRUE(Read(definition).ok());
  EXPECT_EQ(budget_.used(), 0u);
}

TEST_F(SegmentIoTest, EveryFlippedByteOfASmallFileIsNoticedOrChangesNothing) {
  for (const IndexKind kind : kKinds) {
    const Definition definition = DefinitionFor(kind);
    const auto written = SegmentFor(definition, 40, 4, 1);
    ASSERT_TRUE(Write(*written).ok());
    const uint64_t bytes = ref_.bytes;
    size_t harmless = 0;
    // Padding takes most of the file; it is looked at here and there.
    const uint64_t vectors = SectionOf(SectionType::kVectors).offset;
    for (uint64_t i = 0; i < bytes; i++) {
      if (i > 2600 && i + 64 < vectors && i % 61 != 0) continue;
      Damage(i);
      const auto read = Read(definition);
      if (read.ok()) {
        harmless++;
        ExpectSameSegment(*read->segment, *written);
      } else {
        EXPECT_EQ(read.status().code(), ErrorCode::CORRUPT) << i;
      }
      Damage(i);
    }
    EXPECT_LT(harmless, bytes / 2);
  }
}

TEST_F(SegmentIoTest, ASegmentOfAnotherDefinitionIsRefused) {
  const Definition definition = DefinitionFor(IndexKind::kFlat);
  ASSERT_TRUE(Write(*SegmentFor(definition, 100, 8, 1)).ok());
  const auto refused = [this, &definition](auto change) {
    Definition other = definition;
    change(&other);
    return Read(other).status().code() == ErrorCode::CORRUPT;
  };
  EXPECT_FALSE(refused([](Definition*) {}));
  EXPECT_TRUE(refused([](Definition* d) { d->columns.pop_back(); }));
  EXPECT_TRUE(refused([](Definition* d) { d->columns[0].encoding = ValueEncoding::kInt32; }));
  EXPECT_TRUE(refused([](Definition* d) { d->columns[0].type_oid++; }));
  EXPECT_TRUE(refused([](Definition* d) { d->index.metric = VFDW_METRIC_L1; }));
  EXPECT_TRUE(refused([](Definition* d) { d->dimensions = 9; }));
}

}  // namespace
}  // namespace vectord

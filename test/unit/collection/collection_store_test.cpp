// collection_store_test.cpp - checkpoints of a collection and what is loaded after them.
#include "daemon/collection/collection_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <thread>

#include "test/unit/collection/stored_collection.h"
#include "test/unit/support/faulty_file_system.h"

namespace vectord {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

class CollectionStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    definition_.dimensions = 8;
    stamps_ = StampsOf(definition_);
  }

  std::unique_ptr<CollectionStore> Open() {
    auto dir = CollectionDir::Open(directory_.path() + "/c", &files_, &clock_);
    EXPECT_TRUE(dir.ok()) << dir.status().ToString();
    return std::make_unique<CollectionStore>(std::move(*dir), placement_);
  }
  Result<CollectionStore::Loaded> Load(CollectionStore* store) {
    return store->Load(std::make_shared<const Definition>(definition_), stamps_, budget_);
  }
  std::shared_ptr<const Segment> MakeSegment(size_t rows, vfdw::RowVersionId first) {
    return SegmentFor(definition_, rows, 8, first, static_cast<uint32_t>(first));
  }
  static SegmentSet SetOf(std::vector<SegmentView> views, uint64_t as_of) {
    SegmentSet set;
    set.as_of = as_of;
    set.dimensions = 8;
    set.rejected_rows = 3;
    set.segments = std::move(views);
    set.CountRows();
    return set;
  }
  static std::shared_ptr<const RowBitmap> Without(size_t rows, std::vector<uint32_t> dead) {
    auto live = std::make_shared<RowBitmap>(rows, /*all=*/true);
    for (const uint32_t row : dead) live->Remove(row);
    return live;
  }
  std::vector<std::string> Names() { return *PosixFileSystem().List(directory_.path() + "/c"); }
  void FlipByte(const std::string& name, size_t offset) {
    PosixFileSystem files;
    const std::string path = directory_.path() + "/c/" + name;
    std::string bytes = *ReadWholeFile(files, path, SIZE_MAX);
    bytes[offset] = static_cast<char>(bytes[offset] ^ 1);
    auto file = files.Create(path);
    ASSERT_TRUE((*file)->Append(bytes).ok());
  }
  static void ExpectSameSet(const SegmentSet& read, const SegmentSet& written) {
    EXPECT_EQ(read.as_of, written.as_of);
    EXPECT_EQ(read.dimensions, written.dimensions);
    EXPECT_EQ(read.rejected_rows, written.rejected_rows);
    EXPECT_EQ(read.rows, written.rows);
    EXPECT_EQ(read.deleted_rows, written.deleted_rows);
    ASSERT_EQ(read.segments.size(), written.segments.size());
    for (size_t i = 0; i < read.segments.size(); i++) {
      ExpectSameSegment(*read.segments[i], *written.segments[i]);
      for (uint32_t row = 0; row < read.segments[i]->rows(); row++)
        ASSERT_EQ(read.segments[i].IsLive(row), written.segments[i].IsLive(row));
    }
  }

  FaultyFileSystem files_;
  VectorPlacement placement_ = VectorPlacement::kMemory;
  TemporaryDirectory directory_;
  const SystemClock clock_{};
  Definition definition_ = DefinitionFor(IndexKind::kHnsw);
  SourceStamps stamps_;
  std::shared_ptr<MemoryBudget> budget_ = std::make_shared<MemoryBudget>(1 << 30, "test");
  const CollectionCounters counters_{{1, 2, 3, 4}, 7};
};

TEST_F(CollectionStoreTest, ASetIsLoadedAsItWasWritten) {
  const SegmentSet written =
      SetOf({SegmentView(MakeSegment(300, 1)),
             SegmentView(MakeSegment(100, 400), Without(100, {0, 63, 64, 99})),
             SegmentView(SegmentFor(definition_, 5, 0, 600))},
            0x1234);
  ASSERT_TRUE(Open()->Checkpoint(written, counters_, stamps_).ok());
  const auto store = Open();
  ASSERT_TRUE(store->has_content());
  const auto loaded = Load(store.get());
  ASSERT_TRUE(loaded.ok()) << loaded.status().ToString();
  ExpectSameSet(*loaded->set, written);
  EXPECT_EQ(loaded->counters.rejected_keys, counters_.rejected_keys);
  EXPECT_EQ(loaded->counters.builds, 7u);
  EXPECT_EQ(loaded->set->budget, budget_);
}

TEST_F(CollectionStoreTest, AnEmptySetIsAState) {
  ASSERT_TRUE(Open()->Checkpoint(SetOf({}, 5), {}, stamps_).ok());
  const auto store = Open();
  const auto loaded = Load(store.get());
  ASSERT_TRUE(loaded.ok());
  EXPECT_EQ(loaded->set->as_of, 5u);
  EXPECT_EQ(loaded->set->rows, 0u);
}

TEST_F(CollectionStoreTest, OnlyWhatIsNewIsWritten) {
  const auto large = MakeSegment(300, 1);
  const auto live = Without(300, {7});
  const auto store = Open();
  ASSERT_TRUE(store->Checkpoint(SetOf({SegmentView(large, live)}, 1), counters_, stamps_).ok());
  const std::vector<std::string> before = Names();
  ASSERT_TRUE(store->Checkpoint(SetOf({SegmentView(large, live)}, 2), counters_, stamps_).ok());
  EXPECT_EQ(Names(), before) << "nothing changed but the LSN";
  ASSERT_TRUE(store
                  ->Checkpoint(SetOf({SegmentView(large, Without(300, {7, 8})),
                                      SegmentView(MakeSegment(10, 301))},
                                     3),
                               counters_, stamps_)
                  .ok());
  size_t kept = 0;
  for (const std::string& name : Names()) kept += testing::Matches(testing::Contains(name))(before);
  EXPECT_THAT(Names(), SizeIs(5));
  EXPECT_EQ(kept, 3u) << "the manifest's name, the large segment, the rejected keys";
  // Also after a start nothing is written twice.
  const auto again = Open();
  const auto loaded = Load(again.get());
  ASSERT_TRUE(loaded.ok());
  const std::vector<std::string> loaded_names = Names();
  ASSERT_TRUE(again->Checkpoint(*loaded->set, loaded->counters, stamps_).ok());
  EXPECT_EQ(Names(), loaded_names);
}

TEST_F(CollectionStoreTest, FilesOfAnotherSourceAreDiscarded) {
  stamps_.timeline = 1;
  ASSERT_TRUE(
      Open()->Checkpoint(SetOf({SegmentView(MakeSegment(50, 1))}, 1), counters_, stamps_).ok());
  stamps_.timeline = 2;
  const auto store = Open();
  const auto loaded = Load(store.get());
  EXPECT_EQ(loaded.status().code(), ErrorCode::CORRUPT);
  EXPECT_THAT(loaded.status().detail(), HasSubstr("timeline 1"));
  EXPECT_FALSE(store->has_content());
  EXPECT_THAT(Names(), SizeIs(1)) << "the manifest that was set aside";
}

TEST_F(CollectionStoreTest, WithoutMemoryTheFilesStay) {
  ASSERT_TRUE(
      Open()->Checkpoint(SetOf({SegmentView(MakeSegment(500, 1))}, 1), counters_, stamps_).ok());
  budget_->SetLimit(1000);
  EXPECT_EQ(Load(Open().get()).status().code(), ErrorCode::OUT_OF_MEMORY);
  budget_->SetLimit(1 << 30);
  EXPECT_TRUE(Load(Open().get()).ok());
}

TEST_F(CollectionStoreTest, DamageInAnyFileDiscardsAllAndKeepsTheCulprit) {
  const SegmentSet set = SetOf({SegmentView(MakeSegment(50, 1), Without(50, {3}))}, 1);
  for (const char* kind : {"seg-", "live-", "rejected-", "MANIFEST"})
    for (const size_t offset : {10, 70}) {
      ASSERT_TRUE(Open()->Checkpoint(set, counters_, stamps_).ok());
      for (const std::string& name : Names())
        if (name.rfind(kind, 0) == 0 && name.find("corrupt") == std::string::npos)
          FlipByte(name, offset);
      const auto store = Open();
      if (kind == std::string("MANIFEST")) {
        EXPECT_EQ(store->dir().problem().code(), ErrorCode::CORRUPT);
      } else {
        EXPECT_EQ(Load(store.get()).status().code(), ErrorCode::CORRUPT) << kind << offset;
      }
      EXPECT_FALSE(store->has_content());
      ASSERT_FALSE(Names().empty());
      EXPECT_LE(Names().size(), CollectionDir::kMaxSetAside);
      // And it goes on.
      ASSERT_TRUE(store->Checkpoint(set, counters_, stamps_).ok());
      EXPECT_TRUE(Load(Open().get()).ok());
    }
}

// Every operation of a checkpoint fails in turn, alone or as the last one of the process.
TEST_F(CollectionStoreTest, AFailureAnywhereLeavesTheOldSetOrTheNew) {
  const auto large = MakeSegment(60, 1);
  const SegmentSet old_set =
      SetOf({SegmentView(large, Without(60, {1})), SegmentView(MakeSegment(4, 100))}, 1);
  const SegmentSet new_set =
      SetOf({SegmentView(large, Without(60, {1, 2})), SegmentView(MakeSegment(8, 200))}, 2);
  const SegmentSet last_set = SetOf({new_set.segments[0], SegmentView(MakeSegment(9, 300))}, 3);
  for (const bool fatal : {true, false}) {
    size_t operations = 1;
    for (size_t i = 0; i < operations; i++) {
      SCOPED_TRACE("operation " + std::to_string(i) + (fatal ? " and all after it" : ""));
      std::filesystem::remove_all(directory_.path() + "/c");
      const auto store = Open();
      ASSERT_TRUE(store->Checkpoint(old_set, counters_, stamps_).ok());
      files_.FailAt(i, ENOSPC, fatal);
      const Status outcome = store->Checkpoint(new_set, {{9, 9}, 8}, stamps_);
      operations = std::max(operations, files_.operations());
      files_.StopFailing();
      EXPECT_TRUE(outcome.ok() || outcome.code() == ErrorCode::DISK_FULL) << outcome.ToString();
      if (fatal) {
        const auto loaded = Load(Open().get());
        ASSERT_TRUE(loaded.ok()) << loaded.status().ToString();
        const bool is_new = loaded->set->as_of == 2;
        EXPECT_TRUE(is_new || !outcome.ok());
        ExpectSameSet(*loaded->set, is_new ? new_set : old_set);
        EXPECT_EQ(loaded->counters.builds, is_new ? 8u : 7u);
      } else {
        ASSERT_TRUE(store->Checkpoint(last_set, counters_, stamps_).ok());
        EXPECT_THAT(Names(), SizeIs(5)) << "no file of the unfinished checkpoint is left";
        const auto loaded = Load(Open().get());
        ASSERT_TRUE(loaded.ok()) << loaded.status().ToString();
        ExpectSameSet(*loaded->set, last_set);
      }
    }
    EXPECT_GT(operations, 12u);
  }
}

TEST_F(CollectionStoreTest, OnDiskVectorsGiveTheirMemoryBackWhileTheyAreSearched) {
  placement_ = VectorPlacement::kDisk;
  const size_t rows = 40000, bytes = VectorStore::BytesFor(rows, 8);
  const Vectors vectors = ClusteredVectors(rows, 8, 3);
  auto memory = budget_->Reserve(bytes, "test");
  std::shared_ptr<VectorStore> vector_store = *VectorStore::Create(8, rows, std::move(*memory));
  ASSERT_TRUE(vector_store->AppendBatch(vectors.elements.data(), rows).ok());
  definition_.index.kind = IndexKind::kFlat;
  const auto segment = std::make_shared<const Segment>(
      ColumnsFor(definition_, rows, 1), vector_store, BuildFrom(definition_.index, vector_store), 1,
      MemoryReservation());
  std::atomic<bool> stop{false};
  std::atomic<size_t> rounds{0};
  std::thread searcher([&] {
    for (; !stop; rounds++)
      for (size_t row = 0; row < rows; row += 7)
        ASSERT_EQ(memcmp(segment->vectors().row(row), vectors[row], 8 * sizeof(float)), 0);
  });
  const auto store = Open();
  ASSERT_TRUE(store->Checkpoint(SetOf({SegmentView(segment)}, 1), counters_, stamps_).ok());
  for (const size_t before = rounds; rounds < before + 2;) std::this_thread::yield();
  stop = true;
  searcher.join();
  EXPECT_EQ(budget_->used(), bytes - PageBuffer::RoundedUp(rows * 8 * sizeof(float)));
  EXPECT_EQ(segment->vectors().memory_bytes(), budget_->used());
  ASSERT_TRUE(store->Checkpoint(SetOf({SegmentView(segment)}, 2), counters_, stamps_).ok());
  // The mapping lives longer than the name of its file.
  ASSERT_TRUE(store->Discard(Status(ErrorCode::CORRUPT, "the slot was lost"), nullptr).ok());
  EXPECT_EQ(memcmp(segment->vectors().row(rows - 1), vectors[rows - 1], 8 * sizeof(float)), 0);
}

TEST_F(CollectionStoreTest, WhatIsFoundWrongLaterIsDiscarded) {
  const auto store = Open();
  const SegmentSet set = SetOf({SegmentView(MakeSegment(50, 1))}, 1);
  ASSERT_TRUE(store->Checkpoint(set, counters_, stamps_).ok());
  ASSERT_TRUE(store->Discard(Status(ErrorCode::CORRUPT, "the slot was lost"), nullptr).ok());
  EXPECT_FALSE(Open()->has_content());
  ASSERT_TRUE(store->Checkpoint(set, counters_, stamps_).ok());
  EXPECT_TRUE(Load(Open().get()).ok());
}

}  // namespace
}  // namespace vectord

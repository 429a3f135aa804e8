// collection_dir_test.cpp - a directory holds the old state or the new one, whatever happens.
#include "daemon/storage/collection_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/storage/word_file.h"
#include "test/unit/support/memory_file_system.h"

namespace vectord {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::ResultOf;
using testing::SizeIs;
using Crash = MemoryFileSystem::Crash;

const std::string kPath = "/c";

class CollectionDirTest : public testing::Test {
 protected:
  std::unique_ptr<CollectionDir> Open() { return OpenIn(&files_); }
  std::unique_ptr<CollectionDir> OpenIn(MemoryFileSystem* files) {
    auto dir = CollectionDir::Open(kPath, files, &clock_);
    EXPECT_TRUE(dir.ok()) << dir.status().ToString();
    return dir.ok() ? std::move(*dir) : nullptr;
  }

  // A state is a number: files whose words are that number, as of that LSN.
  static Status Checkpoint(CollectionDir* dir, uint64_t state, size_t segments) {
    Manifest manifest;
    manifest.durable_lsn = state;
    for (size_t i = 0; i < segments; i++) {
      VFDW_ASSIGN_OR_RETURN(auto writer, dir->Create(FileKind::kSegment));
      SegmentRecord record;
      VFDW_ASSIGN_OR_RETURN(record.file, WriteWords(std::move(writer), &state, 1));
      manifest.segments.push_back(record);
    }
    return dir->Commit(std::move(manifest));
  }
  // The state, found in every file. 0: none.
  static Result<uint64_t> StateOf(const CollectionDir& dir) {
    if (!dir.manifest()) return uint64_t{0};
    for (const SegmentRecord& record : dir.manifest()->segments) {
      VFDW_ASSIGN_OR_RETURN(const auto file, dir.OpenFile(record.file));
      VFDW_ASSIGN_OR_RETURN(const std::vector<uint64_t> words, ReadWords(*file));
      if (words != std::vector<uint64_t>{dir.manifest()->durable_lsn})
        return Status(ErrorCode::CORRUPT, "a file is of another state");
    }
    return dir.manifest()->durable_lsn;
  }
  std::vector<std::string> Names() { return *files_.List(kPath); }

  MemoryFileSystem files_;
  ManualClock clock_{0, 1795250700000000};
};

TEST_F(CollectionDirTest, ANewDirectoryHasNothing) {
  const auto dir = Open();
  EXPECT_FALSE(dir->manifest().has_value());
  EXPECT_TRUE(dir->problem().ok());
  EXPECT_EQ(dir->disk_bytes(), 0u);
}

TEST_F(CollectionDirTest, AStateIsFoundAgain) {
  ASSERT_TRUE(Checkpoint(Open().get(), 7, 2).ok());
  const auto dir = Open();
  EXPECT_EQ(*StateOf(*dir), 7u);
  EXPECT_GT(dir->disk_bytes(), 0u);
  EXPECT_THAT(Names(), SizeIs(3));
}

TEST_F(CollectionDirTest, TheNewStateReplacesTheFilesOfTheOld) {
  const auto dir = Open();
  ASSERT_TRUE(Checkpoint(dir.get(), 1, 3).ok());
  ASSERT_TRUE(Checkpoint(dir.get(), 2, 1).ok());
  EXPECT_EQ(*StateOf(*dir), 2u);
  EXPECT_THAT(Names(), ElementsAre("MANIFEST", "seg-0000000000000004.vseg"));
}

TEST_F(CollectionDirTest, OrphansAreRemovedAndStrangersStay) {
  ASSERT_TRUE(Checkpoint(Open().get(), 1, 1).ok());
  for (const char* name :
       {"seg-00000000000000ff.vseg", "live-0000000000000002.bits", "rejected-0000000000000003.keys",
        "MANIFEST.tmp", "seg-00000000000000fe.vseg.tmp", "notes.txt"})
    ASSERT_TRUE(files_.Create(kPath + "/" + name).ok());
  const auto dir = Open();
  EXPECT_THAT(Names(), ElementsAre("MANIFEST", "notes.txt", "seg-0000000000000001.vseg"));
  // Numbers of what was there are not used again.
  ASSERT_TRUE(Checkpoint(dir.get(), 2, 1).ok());
  EXPECT_THAT(Names(), ElementsAre("MANIFEST", "notes.txt", "seg-0000000000000100.vseg"));
}

// Runs a checkpoint from state 1 to state 2 in a copy of files_, failing at each operation in turn.
// check(outcome, files): the file system as the failure left it.
template <class Check>
void AtEveryFailure(MemoryFileSystem* files, const ManualClock* clock, int error, bool fatal,
                    Check check) {
  for (size_t i = 0;; i++) {
    MemoryFileSystem broken = *files;
    auto dir = CollectionDir::Open(kPath, &broken, clock);
    ASSERT_TRUE(dir.ok());
    broken.FailAt(i, error, fatal);
    SCOPED_TRACE("operation " + std::to_string(i));
    const auto checkpoint = [&] {
      Manifest manifest;
      manifest.durable_lsn = 2;
      for (int n = 0; n < 2; n++) {
        VFDW_ASSIGN_OR_RETURN(auto writer, (*dir)->Create(FileKind::kSegment));
        const uint64_t state = 2;
        SegmentRecord record;
        VFDW_ASSIGN_OR_RETURN(record.file, WriteWords(std::move(writer), &state, 1));
        manifest.segments.push_back(record);
      }
      return (*dir)->Commit(std::move(manifest));
    };
    const Status outcome = checkpoint();
    const bool was_reached = broken.operations() > i;
    broken.StopFailing();
    check(outcome, dir->get(), &broken);
    if (!was_reached) {
      EXPECT_TRUE(outcome.ok());
      EXPECT_GT(i, 10u);
      return;
    }
  }
}

TEST_F(CollectionDirTest, ACrashAtAnyPointLeavesTheOldStateOrTheNew) {
  ASSERT_TRUE(files_.SyncDirectory("").ok());
  ASSERT_TRUE(Checkpoint(Open().get(), 1, 2).ok());
  ASSERT_TRUE(files_.SyncDirectory("").ok());
  for (const Crash how : MemoryFileSystem::kCrashes) {
    size_t old_states = 0, new_states = 0;
    AtEveryFailure(&files_, &clock_, EIO, /*fatal=*/true,
                   [&](const Status& outcome, CollectionDir*, MemoryFileSystem* files) {
                     files->CrashNow(how);
                     const auto dir = OpenIn(files);
                     EXPECT_TRUE(dir->problem().ok()) << dir->problem().ToString();
                     const Result<uint64_t> state = StateOf(*dir);
                     ASSERT_TRUE(state.ok()) << state.status().ToString();
                     if (outcome.ok())
                       EXPECT_EQ(*state, 2u);
                     else
                       EXPECT_TRUE(*state == 1 || *state == 2) << *state;
                     (*state == 1 ? old_states : new_states)++;
                     // What is on disk is what the manifest names, and nothing else.
                     EXPECT_THAT(*files->List(kPath), SizeIs(3));
                   });
    EXPECT_GT(old_states, 10u);
    EXPECT_GT(new_states, 0u);
  }
}

TEST_F(CollectionDirTest, AFullDiskIsSaidAndTheNextCheckpointSucceeds) {
  ASSERT_TRUE(Checkpoint(Open().get(), 1, 2).ok());
  AtEveryFailure(&files_, &clock_, ENOSPC, /*fatal=*/false,
                 [&](const Status& outcome, CollectionDir* dir, MemoryFileSystem* files) {
                   if (!outcome.ok()) {
                     EXPECT_EQ(outcome.code(), ErrorCode::DISK_FULL);
                     EXPECT_EQ(*StateOf(*dir), 1u) << "the files of the old state are still there";
                     EXPECT_THAT(*files->List(kPath), Each(ResultOf(IsTemporaryName, false)));
                     ASSERT_TRUE(dir->RemoveOrphans({}).ok());
                   }
                   MemoryFileSystem unfinished = *files;
                   const Result<uint64_t> state = StateOf(*OpenIn(&unfinished));
                   ASSERT_TRUE(state.ok());
                   EXPECT_TRUE(*state == 1 || *state == 2);
                   ASSERT_TRUE(Checkpoint(dir, 3, 1).ok());
                   EXPECT_EQ(*StateOf(*OpenIn(files)), 3u);
                   EXPECT_THAT(*files->List(kPath), SizeIs(2));
                 });
}

TEST_F(CollectionDirTest, ADamagedManifestIsSetAsideAndTheRestRemoved) {
  ASSERT_TRUE(Checkpoint(Open().get(), 1, 2).ok());
  files_.Content(kPath + "/MANIFEST")->at(40) ^= 1;
  const auto dir = Open();
  EXPECT_FALSE(dir->manifest().has_value());
  EXPECT_EQ(dir->problem().code(), ErrorCode::CORRUPT);
  EXPECT_THAT(Names(), ElementsAre("MANIFEST.corrupt-20261121T084500.000000"));
  ASSERT_TRUE(Checkpoint(dir.get(), 2, 1).ok());
  EXPECT_TRUE(dir->problem().ok());
  EXPECT_EQ(*StateOf(*Open()), 2u);
}

TEST_F(CollectionDirTest, AMissingFileIsDamage) {
  ASSERT_TRUE(Checkpoint(Open().get(), 1, 2).ok());
  ASSERT_TRUE(files_.Remove(kPath + "/seg-0000000000000002.vseg").ok());
  const auto dir = Open();
  EXPECT_EQ(StateOf(*dir).status().code(), ErrorCode::CORRUPT);
}

TEST_F(CollectionDirTest, TheCulpritIsKeptForAWhile) {
  for (int round = 0; round < 4; round++) {
    const auto dir = Open();
    ASSERT_TRUE(Checkpoint(dir.get(), 1, 2).ok());
    const FileRef culprit = dir->manifest()->segments[1].file;
    clock_.Advance(std::chrono::seconds(1));
    ASSERT_TRUE(dir->Discard(Status(ErrorCode::CORRUPT, "damaged"), &culprit).ok());
    EXPECT_FALSE(dir->manifest().has_value());
    EXPECT_EQ(dir->problem().message(), "damaged");
  }
  EXPECT_THAT(Names(), ElementsAre("seg-0000000000000002.vseg.corrupt-20261121T084503.000000",
                                   "seg-0000000000000002.vseg.corrupt-20261121T084504.000000"));
  const auto dir = Open();
  EXPECT_THAT(Names(), SizeIs(2)) << "an opening keeps them";
  ASSERT_TRUE(dir->RemoveSetAside().ok());
  EXPECT_THAT(Names(), IsEmpty());
}

TEST_F(CollectionDirTest, AnInterruptedDiscardIsNeverTakenForAState) {
  ASSERT_TRUE(Checkpoint(Open().get(), 1, 3).ok());
  for (const Crash how : MemoryFileSystem::kCrashes)
    for (size_t i = 0; i < 12; i++) {
      MemoryFileSystem files = files_;
      ASSERT_TRUE(files.SyncDirectory("").ok());
      const auto dir = OpenIn(&files);
      const FileRef culprit = dir->manifest()->segments[0].file;
      files.FailAt(i, EIO, /*fatal=*/true);
      const Status outcome = dir->Discard(Status(ErrorCode::CORRUPT, "damaged"), &culprit);
      EXPECT_FALSE(dir->manifest().has_value());
      files.CrashNow(how);
      const auto again = OpenIn(&files);
      const Result<uint64_t> state = StateOf(*again);
      // All of the old state, which then is found damaged once more, or what is reported damaged.
      ASSERT_TRUE(state.ok() || !outcome.ok()) << i;
      if (!state.ok()) continue;
      EXPECT_TRUE(*state == 0 || (*state == 1 && !outcome.ok())) << i;
    }
}

TEST_F(CollectionDirTest, ADirectoryThatCannotBeReadIsLeftAlone) {
  ASSERT_TRUE(Checkpoint(Open().get(), 1, 2).ok());
  for (size_t i = 0; i < 3; i++) {  // create directory, list, open the manifest
    files_.FailAt(i, EMFILE, /*fatal=*/true);
    EXPECT_EQ(CollectionDir::Open(kPath, &files_, &clock_).status().code(), ErrorCode::IO);
    files_.StopFailing();
    EXPECT_EQ(*StateOf(*Open()), 1u);
  }
}

}  // namespace
}  // namespace vectord

// data_dir_test.cpp - the directory of all collections.
#include "daemon/storage/data_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "test/unit/support/memory_file_system.h"

namespace vectord {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const CollectionKey kDocs{"app", "docs/../vec", "1"};

class DataDirTest : public testing::Test {
 protected:
  std::unique_ptr<DataDir> Open() {
    auto dir = DataDir::Open("/data/", &files_, &clock_);
    EXPECT_TRUE(dir.ok()) << dir.status().ToString();
    return std::move(*dir);
  }
  static void Commit(DataDir* data, const CollectionKey& key, uint64_t lsn) {
    auto dir = data->OpenCollection(key);
    ASSERT_TRUE(dir.ok()) << dir.status().ToString();
    Manifest manifest;
    manifest.stamps.key = key;
    manifest.durable_lsn = lsn;
    ASSERT_TRUE((*dir)->Commit(manifest).ok());
  }

  MemoryFileSystem files_;
  ManualClock clock_{0, 1795250700000000};
};

TEST_F(DataDirTest, CollectionsAreFoundAgain) {
  const CollectionKey other{std::string(300, '"'), "x", "2"};
  {
    const auto data = Open();
    Commit(data.get(), kDocs, 5);
    Commit(data.get(), other, 6);
  }
  const auto data = Open();
  const auto manifests = data->Recover();
  ASSERT_TRUE(manifests.ok());
  ASSERT_THAT(*manifests, SizeIs(2));
  const bool docs_first = (*manifests)[0].stamps.key == kDocs;
  EXPECT_EQ((*manifests)[docs_first ? 0 : 1].durable_lsn, 5u);
  EXPECT_EQ((*manifests)[docs_first ? 1 : 0].stamps.key, other);
  EXPECT_EQ((*data->OpenCollection(other))->manifest()->durable_lsn, 6u);
}

TEST_F(DataDirTest, ADirectoryOfTheSameNameButAnotherCollectionIsDiscarded) {
  const auto data = Open();
  {
    auto dir = data->OpenCollection(kDocs);
    Manifest manifest;
    manifest.stamps.key = {"app", "another", "1"};
    ASSERT_TRUE((*dir)->Commit(manifest).ok());
  }
  const auto dir = data->OpenCollection(kDocs);
  ASSERT_TRUE(dir.ok());
  EXPECT_FALSE((*dir)->manifest().has_value());
  EXPECT_THAT((*dir)->problem().message(), HasSubstr("of another collection"));
}

TEST_F(DataDirTest, DamageInOneCollectionDoesNotTouchAnother) {
  const auto data = Open();
  Commit(data.get(), kDocs, 5);
  Commit(data.get(), {"app", "other", "1"}, 6);
  files_.Content("/data/" + DirectoryName(kDocs) + "/MANIFEST")->at(3) ^= 1;
  const auto manifests = data->Recover();
  ASSERT_TRUE(manifests.ok());
  ASSERT_THAT(*manifests, SizeIs(1));
  EXPECT_EQ((*manifests)[0].durable_lsn, 6u);
}

TEST_F(DataDirTest, RemovedCollectionsLeaveNothing) {
  const auto data = Open();
  Commit(data.get(), kDocs, 5);
  ASSERT_TRUE(files_.Create("/data/" + DirectoryName(kDocs) + "/notes").ok());
  ASSERT_TRUE(data->RemoveCollection(kDocs).ok());
  EXPECT_TRUE(data->RemoveCollection(kDocs).ok());
  EXPECT_THAT(*files_.List("/data"), IsEmpty());
}

TEST_F(DataDirTest, OthersOfADatabaseOrANameAreRemovedAlsoIfOnlySomethingSetAsideIsThere) {
  const auto data = Open();
  const CollectionKey first{"app", "docs", "1"}, second{"app", "docs", "2"},
      near{"app", "docs2", "1"}, elsewhere{"app2", "docs", "1"};
  for (const CollectionKey& key : {second, near, elsewhere}) Commit(data.get(), key, 5);
  const std::string set_aside = "/data/" + DirectoryName(first);
  ASSERT_TRUE(files_.CreateDirectory(set_aside).ok());
  ASSERT_TRUE(files_.Create(set_aside + "/MANIFEST.corrupt-20261122").ok());
  ASSERT_TRUE(data->RemoveOthers(DirectoryPrefix("app", "docs"), {second}).ok());
  EXPECT_THAT(*files_.List("/data"),
              testing::ElementsAre("app.docs.2", "app.docs2.1", "app2.docs.1"));
  ASSERT_TRUE(data->RemoveOthers(DirectoryPrefix("app"), {near}).ok());
  EXPECT_THAT(*files_.List("/data"), testing::ElementsAre("app.docs2.1", "app2.docs.1"));
}

TEST_F(DataDirTest, EmptyDirectoriesAreRemovedAndStrangersStay) {
  const auto data = Open();
  ASSERT_TRUE(data->OpenCollection(kDocs).ok());
  ASSERT_TRUE(files_.CreateDirectory("/data/lost+found").ok());
  ASSERT_TRUE(files_.Create("/data/a.b.c").ok());
  ASSERT_TRUE(data->Recover().ok());
  EXPECT_THAT(*files_.List("/data"), testing::ElementsAre("a.b.c", "lost+found"));
}

TEST(DataDirOnDisk, ASecondProcessIsRefused) {
  char name[] = "/tmp/vectord_data_dir_test_XXXXXX";
  ASSERT_NE(mkdtemp(name), nullptr);
  PosixFileSystem files;
  const SystemClock clock;
  {
    const auto first = DataDir::Open(std::string(name) + "/data", &files, &clock);
    ASSERT_TRUE(first.ok()) << first.status().ToString();
    const auto second = DataDir::Open(std::string(name) + "/data", &files, &clock);
    EXPECT_EQ(second.status().code(), ErrorCode::BAD_CONFIG);
    ASSERT_TRUE((*first)->OpenCollection(kDocs).ok());
    EXPECT_THAT(*(*first)->Recover(), IsEmpty());
  }
  EXPECT_TRUE(DataDir::Open(std::string(name) + "/data", &files, &clock).ok());
  std::filesystem::remove_all(name);
}

}  // namespace
}  // namespace vectord

// file_names_test.cpp - names on disk, also those made of hostile names in SQL.
#include "daemon/storage/file_names.h"

#include <gtest/gtest.h>

#include <set>

namespace vectord {
namespace {

TEST(FileNames, ADirectoryIsReadable) {
  EXPECT_EQ(DirectoryName({"app", "docs_vec", "0b7c-12"}), "app.docs_vec.0b7c-12");
  EXPECT_EQ(DirectoryName({"my db", "Über", "1"}), "my%20db.%C3%9Cber.1");
}

TEST(FileNames, NoNameLeadsOutOfTheDirectoryOrHides) {
  for (const std::string& hostile :
       {std::string(".."), std::string("../../etc"), std::string("/"), std::string("."),
        std::string("a/b"), std::string("LOCK"), std::string("MANIFEST"), std::string("\n"),
        std::string("a\0b", 3), std::string("%2E"), std::string("~")}) {
    const std::string name = DirectoryName({hostile, hostile, hostile});
    EXPECT_EQ(name.find('/'), std::string::npos) << name;
    EXPECT_NE(name[0], '.') << name;
    EXPECT_NE(name, kLockName);
    EXPECT_TRUE(IsDirectoryName(name)) << name;
  }
}

TEST(FileNames, PartsCannotBeMistakenForEachOther) {
  const CollectionKey keys[] = {{"a", "b.c", "d"},   {"a.b", "c", "d"}, {"a", "b", "c.d"},
                                {"a", "b%2Ec", "d"}, {"", "", ""},      {"A", "b.c", "d"}};
  std::set<std::string> names;
  for (const CollectionKey& key : keys) names.insert(DirectoryName(key));
  EXPECT_EQ(names.size(), std::size(keys));
}

TEST(FileNames, LongNamesAreShortenedAndStayDifferent) {
  const CollectionKey one{std::string(1024, 'x'), std::string(1024, '/'), "1"};
  const CollectionKey two{std::string(1024, 'x'), std::string(1024, '/'), "2"};
  EXPECT_LE(DirectoryName(one).size(), 200u);
  EXPECT_NE(DirectoryName(one), DirectoryName(two));
  EXPECT_TRUE(IsDirectoryName(DirectoryName(one)));
}

TEST(FileNames, WhatVectordDoesNotCallADirectoryIsNone) {
  for (const char* name : {"lost+found", "LOCK", "notes", ".hidden.a.b", "a b.c"})
    EXPECT_FALSE(IsDirectoryName(name)) << name;
}

TEST(FileNames, FilesAreParsedAsTheyAreNamed) {
  for (const FileKind kind : {FileKind::kSegment, FileKind::kLiveRows, FileKind::kRejectedKeys})
    for (const uint64_t number : {uint64_t{0}, uint64_t{255}, UINT64_MAX}) {
      const auto parsed = ParseFileName(FileName(kind, number));
      ASSERT_TRUE(parsed.has_value());
      EXPECT_EQ(parsed->kind, kind);
      EXPECT_EQ(parsed->number, number);
    }
  EXPECT_EQ(FileName(FileKind::kSegment, 26), "seg-000000000000001a.vseg");
  for (const char* name : {"seg-1.vseg", "seg-000000000000001A.vseg", "seg-000000000000001a.bits",
                           "seg-000000000000001a.vseg.tmp", "MANIFEST", ""})
    EXPECT_FALSE(ParseFileName(name).has_value()) << name;
  EXPECT_EQ(FileName(static_cast<FileKind>(99), 1), "");
}

TEST(FileNames, TemporaryNamesAreOnlyThoseOfOurFiles) {
  EXPECT_TRUE(IsTemporaryName(TemporaryName(kManifestName)));
  EXPECT_TRUE(IsTemporaryName(TemporaryName(FileName(FileKind::kLiveRows, 1))));
  EXPECT_FALSE(IsTemporaryName("notes.tmp"));
  EXPECT_FALSE(IsTemporaryName(kManifestName));
}

TEST(FileNames, SetAsideNamesSortByTime) {
  const std::string early = SetAsideName(kManifestName, 1795250700000001);
  EXPECT_EQ(early, "MANIFEST.corrupt-20261121T084500.000001");
  EXPECT_EQ(SetAsideTime(early), "20261121T084500.000001");
  EXPECT_LT(SetAsideTime(early),
            SetAsideTime(SetAsideName(FileName(FileKind::kSegment, 1), 1795250701000000)));
  EXPECT_EQ(SetAsideTime("notes.corrupt-1"), "");
  EXPECT_EQ(SetAsideTime(kManifestName), "");
}

}  // namespace
}  // namespace vectord

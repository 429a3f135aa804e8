// catalog_test.cpp - what is said of a collection that is not there.
#include "daemon/collection/catalog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vectord {
namespace {

using testing::HasSubstr;

TEST(Catalog, NothingIsMissingBeforeTheDefinitionsHaveBeenRead) {
  Catalog catalog;
  const auto find = [&](const char* database) {
    return catalog.Find(database, "public", "docs").status();
  };
  EXPECT_EQ(find("app").code(), ErrorCode::NOT_READY);
  catalog.SetDatabases({"app"});
  EXPECT_EQ(find("app").code(), ErrorCode::NOT_READY);
  EXPECT_EQ(find("other").code(), ErrorCode::COLLECTION_MISSING);
  EXPECT_THAT(find("other").detail(), HasSubstr("does not follow"));

  catalog.SetSourceStatus("app", Status(ErrorCode::SOURCE_UNREACHABLE, "nobody answers"));
  EXPECT_EQ(find("app").code(), ErrorCode::NOT_READY);
  EXPECT_THAT(find("app").detail(), HasSubstr("nobody answers"));
  EXPECT_EQ(catalog.CheckRead("app").code(), ErrorCode::NOT_READY);

  catalog.SetSourceStatus("app", Status());
  EXPECT_EQ(find("app").code(), ErrorCode::COLLECTION_MISSING);
  EXPECT_TRUE(catalog.CheckRead("app").ok());
  catalog.SetSourceStatus("app", Status(ErrorCode::SOURCE_UNREACHABLE, "nobody answers"));
  EXPECT_EQ(find("app").code(), ErrorCode::COLLECTION_MISSING);
  EXPECT_THAT(find("app").detail(), HasSubstr("nobody answers"));
}

}  // namespace
}  // namespace vectord

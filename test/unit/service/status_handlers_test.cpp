// status_handlers_test.cpp - descriptions, states and the metrics page.
#include <gtest/gtest.h>
#include <unistd.h>

#include "shared/version.h"
#include "test/unit/service/asking.h"
#include "test/unit/service/small_collection.h"

namespace vectord {
namespace {

using vfdw::Op;

TEST(Describe, ShowsColumnsAndIndex) {
  TestService service;
  const Reply reply =
      Ask(&service.dispatcher, Op::kDescribe, vfdw::DescribeRequest{{"app", "public", "docs_vec"}});
  const auto info = BodyOf<vfdw::CollectionInfo>(reply);
  EXPECT_EQ(info.name, "docs_vec");
  EXPECT_EQ(info.index, "flat");
  EXPECT_EQ(info.rows, 107u);
  ASSERT_EQ(info.columns.size(), 3u);
  EXPECT_EQ(info.columns[1].name, "embedding");
  EXPECT_EQ(info.columns[2].type_name, "text");
  const Reply missing =
      Ask(&service.dispatcher, Op::kDescribe, vfdw::DescribeRequest{{"app", "public", "nothing"}});
  EXPECT_EQ(missing.status.code(), ErrorCode::COLLECTION_MISSING);
}

TEST(Describe, RefusesWhatItHoldsOfAnotherTable) {
  TestService service;
  const auto ask = [&](uint32_t table_oid) {
    return Ask(&service.dispatcher, Op::kDescribe,
               vfdw::DescribeRequest{{"app", "public", "docs_vec", table_oid}});
  };
  EXPECT_EQ(ask(SmallCollection::kTableOid).kind, Reply::Kind::kMessage);
  EXPECT_EQ(ask(SmallCollection::kTableOid + 1).status.code(), ErrorCode::NOT_READY);

  // The new definition has been read; the rows are those of the table before.
  Definition altered = SmallCollection().MakeDefinition();
  altered.table_oid = SmallCollection::kTableOid + 1;
  service.collection->SetDefinition(altered);
  EXPECT_EQ(ask(SmallCollection::kTableOid).status.code(), ErrorCode::NOT_READY);
  EXPECT_EQ(ask(SmallCollection::kTableOid + 1).status.code(), ErrorCode::NOT_READY);
}

TEST(List, ShowsTheCollectionsOfADatabaseAndSchema) {
  TestService service;
  const auto count = [&](const char* database, const char* schema) {
    const Reply reply = Ask(&service.dispatcher, Op::kList, vfdw::ListRequest{database, schema});
    return BodyOf<vfdw::ListReply>(reply).collections.size();
  };
  EXPECT_EQ(count("app", ""), 1u);
  EXPECT_EQ(count("app", "public"), 1u);
  EXPECT_EQ(count("app", "other"), 0u);
  EXPECT_EQ(count("other", ""), 0u);
}

TEST(Status, ShowsWhetherACollectionServes) {
  TestService service;
  const auto ask = [&](const char* name) {
    return BodyOf<vfdw::StatusReply>(
        Ask(&service.dispatcher, Op::kStatus, vfdw::StatusRequest{"app", name}));
  };
  ASSERT_EQ(ask("").collections.size(), 1u);
  EXPECT_EQ(ask("docs_vec").collections[0].state, "ready");
  EXPECT_TRUE(ask("docs_vec").collections[0].serving);
  EXPECT_EQ(ask("nothing").collections.size(), 0u);
}

TEST(DaemonStatus, CountsRequestsAndErrors) {
  TestService service;
  Ask(&service.dispatcher, Op::kSearch, SmallSearch(1), RawVector({1, 2, 3, 4}));
  Ask(&service.dispatcher, Op::kSearch, SmallSearch(1), RawVector({1, 2, 3}));
  const auto status = BodyOf<vfdw::DaemonStatusReply>(
      Ask(&service.dispatcher, Op::kDaemonStatus, vfdw::EmptyMessage()));
  EXPECT_EQ(status.name, "vectord");
  EXPECT_EQ(status.version, VECTOR_FDW_VERSION);
  EXPECT_EQ(status.protocol_version, static_cast<uint32_t>(VFDW_PROTOCOL_VERSION));
  EXPECT_EQ(status.pid, static_cast<uint32_t>(getpid()));
  EXPECT_EQ(status.started_at_us, 1000000);
  EXPECT_EQ(status.requests, 3u);
  EXPECT_EQ(status.errors, 1u);
  EXPECT_EQ(status.memory_limit, size_t{1} << 30);
  EXPECT_GT(status.resident_bytes, 1u << 20);
}

TEST(MetricsPage, HasAGaugePerCollection) {
  TestService service;
  const std::string page = service.dispatcher.MetricsText();
  EXPECT_NE(page.find("vectord_collection_rows{database=\"app\",schema=\"public\","
                      "collection=\"docs_vec\"} 107\n"),
            std::string::npos);
  EXPECT_NE(page.find("\nvectord_collections_ready 1\n"), std::string::npos);
  EXPECT_NE(page.find("# TYPE vectord_collection_serving gauge\n"), std::string::npos);
}

TEST(Readiness, NamesTheCollectionsThatDoNotAnswer) {
  TestService service;
  EXPECT_TRUE(service.dispatcher.Readiness().ok());
  bool synced = false;
  service.dispatcher.SetSourcesSynced([&synced] { return synced; });
  EXPECT_EQ(service.dispatcher.Readiness().code(), ErrorCode::NOT_READY);
  synced = true;
  EXPECT_TRUE(service.dispatcher.Readiness().ok());
  service.collection->Unload();
  EXPECT_TRUE(service.dispatcher.Readiness().ok());
  Definition other = SmallCollection().MakeDefinition();
  other.name = "other_vec";
  service.catalog.Add(std::make_shared<Collection>(other, &service.budget));
  const Status status = service.dispatcher.Readiness();
  EXPECT_EQ(status.code(), ErrorCode::NOT_READY);
  EXPECT_NE(status.ToString().find("other_vec"), std::string::npos);
}

}  // namespace
}  // namespace vectord

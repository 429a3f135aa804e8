// source_manager_test.cpp - sources that are away, or hang, never keep vectord from stopping.
//
// What needs a PostgreSQL is tested with one, by test/t.
#include "daemon/source/source_manager.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

#include "test/unit/collection/stored_collection.h"

namespace vectord {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// A server's socket on which nobody ever answers.
class SilentServer {
 public:
  SilentServer() {
    char pattern[] = "/tmp/silent_server_XXXXXX";
    directory_ = mkdtemp(pattern);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    strncpy(address.sun_path, Path().c_str(), sizeof(address.sun_path) - 1);
    socket_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(listen(socket_, 16), 0);
  }
  ~SilentServer() {
    close(socket_);
    unlink(Path().c_str());
    rmdir(directory_.c_str());
  }
  std::string dsn() const { return "host=" + directory_ + " dbname=app user=x sslmode=disable"; }

 private:
  std::string Path() const { return directory_ + "/.s.PGSQL.5432"; }
  std::string directory_;
  int socket_;
};

// A data directory that goes with the test.
struct TestData {
  TemporaryDirectory directory;
  PosixFileSystem files;
  SystemClock clock;
  std::unique_ptr<DataDir> dir = *DataDir::Open(directory.path() + "/data", &files, &clock);
};

Config ConfigOf(const std::vector<std::string>& dsns) {
  Config config;
  for (const std::string& dsn : dsns) {
    SourceConfig source;
    source.dsn = dsn;
    source.slot = "vectord";
    config.sources.push_back(source);
  }
  return config;
}

void WaitUntil(const std::function<bool()>& condition) {
  const auto deadline = steady_clock::now() + std::chrono::seconds(30);
  while (!condition()) {
    ASSERT_LT(steady_clock::now(), deadline);
    std::this_thread::sleep_for(milliseconds(5));
  }
}

TEST(SourceManager, StopsWhileAServerIsSilent) {
  SilentServer server;
  MemoryBudget budget(1 << 30, "vectord");
  Catalog catalog;
  Metrics metrics;
  TestData data;
  auto manager = SourceManager::Start(ConfigOf({server.dsn()}), &catalog, &budget, data.dir.get(),
                                      &data.files, &metrics);
  ASSERT_TRUE(manager.ok());
  EXPECT_FALSE((*manager)->AllSynced());
  const auto start = steady_clock::now();
  (*manager)->Stop();
  EXPECT_LT(steady_clock::now() - start, milliseconds(1000));
}

TEST(SourceManager, SaysWhyADatabaseCannotBeFollowed) {
  MemoryBudget budget(1 << 30, "vectord");
  Catalog catalog;
  Metrics metrics;
  TestData data;
  auto manager = SourceManager::Start(ConfigOf({"host=/nonexistent dbname=app password=sesame"}),
                                      &catalog, &budget, data.dir.get(), &data.files, &metrics);
  ASSERT_TRUE(manager.ok());
  EXPECT_EQ(metrics.sources.value(), 1);
  std::string detail;
  WaitUntil([&] {
    detail = catalog.Find("app", "public", "docs").status().detail();
    return detail.find("/nonexistent") != std::string::npos;
  });
  EXPECT_EQ(detail.find("sesame"), std::string::npos);
  EXPECT_GE(metrics.source_failures.value(), 1u);
  EXPECT_EQ(metrics.sources_connected.value(), 0);
}

TEST(SourceManager, TwoSourcesOfOneDatabaseAreRefused) {
  MemoryBudget budget(1 << 30, "vectord");
  Catalog catalog;
  Metrics metrics;
  TestData data;
  const auto manager =
      SourceManager::Start(ConfigOf({"host=/a dbname=app", "postgresql://someone@localhost/app"}),
                           &catalog, &budget, data.dir.get(), &data.files, &metrics);
  EXPECT_EQ(manager.status().code(), ErrorCode::BAD_CONFIG);
}

TEST(SourceManager, AConnectionStringThatCannotBeReadIsRefusedAndNotShown) {
  for (const char* dsn :
       {"foo=bar", "password=open sesame", "postgresql://[sesame", "dbname='app"}) {
    const Status status = SourceManager::Check(ConfigOf({"dbname=other", dsn}));
    EXPECT_EQ(status.code(), ErrorCode::BAD_CONFIG) << dsn;
    EXPECT_NE(status.message().find("number 2"), std::string::npos) << status.ToString();
    EXPECT_EQ(status.ToString().find("sesame"), std::string::npos) << status.ToString();
  }
  EXPECT_TRUE(SourceManager::Check(ConfigOf({"dbname=app", "postgresql://h/other"})).ok());
}

TEST(SourceManager, WithoutSourcesAllIsSynced) {
  MemoryBudget budget(1 << 30, "vectord");
  Catalog catalog;
  Metrics metrics;
  TestData data;
  const auto manager =
      SourceManager::Start(Config(), &catalog, &budget, data.dir.get(), &data.files, &metrics);
  ASSERT_TRUE(manager.ok());
  EXPECT_TRUE((*manager)->AllSynced());
}

TEST(BuildQueue, AFailedBuildIsTriedAgainUntilItIsCancelled) {
  MemoryBudget budget(1 << 30, "vectord");
  Definition definition;
  definition.name = "docs";
  auto collection = std::make_shared<Collection>(definition, &budget);
  CopySource source;
  source.dsn = "host=/nonexistent";
  source.definition = collection->definition();
  PosixFileSystem files;
  ChangeApplier applier([](uint32_t) { return std::vector<uint32_t>(); }, nullptr);
  ChangeFeed feed({source.dsn, "vectord", "/tmp/unused", nullptr, nullptr}, &applier, &budget,
                  &files);
  ASSERT_TRUE(feed.Start().ok());
  feed.Need();
  SyncContext context;
  context.feed = &feed;
  context.applier = &applier;
  context.files = &files;
  Metrics metrics;
  context.metrics = &metrics;
  auto queue = BuildQueue::Start();
  ASSERT_TRUE(queue.ok());
  const auto job = std::make_shared<BuildJob>(collection, source, &context);

  (*queue)->Submit(job);
  WaitUntil([&] { return !collection->GetStatus().last_error.empty(); });
  collection->SetLastError("");
  WaitUntil([&] { return !collection->GetStatus().last_error.empty(); });

  (*queue)->Cancel(job);
  collection->SetLastError("mine");
  (*queue)->Stop();
  EXPECT_EQ(collection->GetStatus().last_error, "mine");
}

TEST(DatabaseClaims, BelongToTheFirstUntilReleased) {
  DatabaseClaims claims;
  const int one = 1, two = 2;
  EXPECT_TRUE(claims.Claim("app", &one));
  EXPECT_TRUE(claims.Claim("app", &one));
  EXPECT_FALSE(claims.Claim("app", &two));
  claims.ReleaseAll(&one);
  EXPECT_TRUE(claims.Claim("app", &two));
}

}  // namespace
}  // namespace vectord

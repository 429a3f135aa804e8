// zmq_server_test.cpp - the front under ordinary clients, garbage, crowds and a stop.
#include "daemon/transport/zmq_server.h"

#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "daemon/base/descriptor_limit.h"
#include "shared/limits.h"
#include "test/unit/transport/raw_client.h"

namespace vectord {
namespace {

using vfdw::Op;

const std::string kQuery = RawVector({0.1f, 0.2f, 0.3f, 0.4f});

// A scan of it is long, a few milliseconds.
SmallCollection LargeCollection() {
  SmallCollection large;
  large.dimensions = 256;
  large.vector_rows = 80000;
  large.null_rows = 0;
  return large;
}
const std::string kWideQuery = RawVector(std::vector<float>(256, 0.5f));

TEST(ZmqServer, AnswersASearchAndPagesThroughIt) {
  TestServer test;
  RawClient client = test.NewClient();
  auto search = SmallSearch(0);
  search.batch_rows = 10;
  RawReply reply = client.Ask(Op::kSearch, search, kQuery);
  size_t rows = 0;
  for (;;) {
    ASSERT_EQ(reply.error(), ErrorCode::OK);
    const auto batch = reply.As<vfdw::SearchReply>();
    rows += batch.rows;
    EXPECT_EQ(FixedValues<int64_t>(batch, reply.raw, 0).size(), batch.rows);
    if (batch.cursor == 0) break;
    reply = client.Ask(Op::kFetch, vfdw::FetchRequest{batch.cursor, 10});
  }
  EXPECT_EQ(rows, 107u);
  EXPECT_EQ(test.service.metrics.connections.value(), 1);
  EXPECT_TRUE(Eventually([&] { return test.service.budget.used() < 4096; }));
}

TEST(ZmqServer, ManyClientsAtOnceLoseNoRequest) {
  TestServer test;
  constexpr int kClients = 16, kRequests = 500;
  std::vector<std::thread> threads;
  std::atomic<int> answered{0};
  for (int c = 0; c < kClients; c++)
    threads.emplace_back([&, c] {
      RawClient client = test.NewClient();
      std::mt19937 random(static_cast<unsigned>(c));
      for (int sent = 0, received = 0; received < kRequests;) {
        // Bursts of up to five under way, so that leaders find several messages at once.
        for (unsigned burst = random() % 5 + 1; burst > 0 && sent < kRequests; burst--, sent++)
          client.Send(Op::kSearch, SmallSearch(5), kQuery);
        for (; received < sent; received++) {
          const auto reply = client.Receive();
          ASSERT_TRUE(reply.has_value()) << "client " << c << " waits for ever";
          ASSERT_EQ(reply->error(), ErrorCode::OK);
          answered++;
        }
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(answered, kClients * kRequests);
  EXPECT_TRUE(Eventually([&] { return !test.service.dispatcher.busy(); }));
}

TEST(ZmqServer, DropsGarbageAndGoesOn) {
  TestServer test;
  RawClient client = test.NewClient();
  std::mt19937 random(3);
  for (int i = 0; i < 300; i++) {
    std::vector<std::string> frames(random() % 6 + 1);
    for (std::string& frame : frames) {
      frame.resize(random() % 100);
      for (char& c : frame) c = static_cast<char>(random());
    }
    client.SendFrames(frames);
  }
  client.SendFrames(std::vector<std::string>(20000, ""));
  EXPECT_EQ(client.Ask(Op::kSearch, SmallSearch(1), kQuery).error(), ErrorCode::OK);
  EXPECT_EQ(test.service.metrics.malformed_messages.value(), 301u);
}

TEST(ZmqServer, AnswersBrokenRequestsByErrorsWithTheirId) {
  TestServer test;
  RawClient client = test.NewClient();
  vfdw::Envelope envelope;
  envelope.op = Op::kSearch;
  envelope.request_id = 77;
  const auto header = [&] {
    std::string bytes(vfdw::kEnvelopeBytes, '\0');
    vfdw::WriteEnvelope(envelope, reinterpret_cast<uint8_t*>(bytes.data()));
    return bytes;
  };
  const auto expect = [&](ErrorCode code) {
    const auto reply = client.Receive();
    ASSERT_TRUE(reply.has_value());
    EXPECT_EQ(reply->envelope.request_id, 77u);
    EXPECT_EQ(reply->error(), code);
  };
  envelope.version = VFDW_PROTOCOL_VERSION + 1;
  client.SendFrames({header(), ""});
  expect(ErrorCode::PROTOCOL_MISMATCH);
  envelope.version = VFDW_PROTOCOL_VERSION;
  client.SendFrames({header()});
  expect(ErrorCode::MALFORMED_MESSAGE);
  client.SendFrames({header(), "too long"});
  expect(ErrorCode::MALFORMED_MESSAGE);
  envelope.body_bytes = 3;
  client.SendFrames({header(), "\xff\xff\xff"});
  expect(ErrorCode::MALFORMED_MESSAGE);
  envelope.op = static_cast<Op>(1234);
  client.SendFrames({header(), "abc"});
  expect(ErrorCode::UNKNOWN_OPERATION);
}

TEST(ZmqServer, AFrameBeyondTheLimitEndsTheConnectionNotTheServer) {
  TestServer test;
  {
    RawClient client = test.NewClient();
    client.SendFrames({std::string(VFDW_MAX_REQUEST_BYTES + 1, 'x')});
    client.Receive(200);
  }
  RawClient client = test.NewClient();
  EXPECT_EQ(client.Ask(Op::kSearch, SmallSearch(1), kQuery).error(), ErrorCode::OK);
}

TEST(ZmqServer, CancelAndStatusGetThroughWhileAllSlotsAreBusy) {
  TestServer test(LargeCollection());
  RawClient busy = test.NewClient(), other = test.NewClient();
  auto scan = SmallSearch(0);  // all rows: many scans
  scan.batch_rows = 1;
  constexpr int kScans = 12;
  for (int i = 0; i < kScans; i++) busy.Send(Op::kSearch, scan, kWideQuery);
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(other.Ask(Op::kDaemonStatus, vfdw::EmptyMessage()).error(), ErrorCode::OK);
  const std::chrono::duration<double> waited = std::chrono::steady_clock::now() - began;
  EXPECT_LT(waited.count(), 5.0);
  for (uint64_t id = 1; id <= kScans; id++) busy.Send(Op::kCancel, vfdw::CancelRequest{id});
  for (int i = 0; i < kScans; i++) {
    const auto reply = busy.Receive();
    ASSERT_TRUE(reply.has_value());
    EXPECT_TRUE(reply->error() == ErrorCode::CANCELED || reply->error() == ErrorCode::OK);
  }
  EXPECT_GE(test.service.metrics.requests_canceled.value(), 1u);
}

TEST(ZmqServer, ADeadlineEndsASearchThatWaits) {
  TestServer test(LargeCollection());
  auto set = LargeCollection().MakeSet(2);
  set->as_of = 1;
  test.service.collection->Publish(set);
  RawClient client = test.NewClient();
  auto search = SmallSearch(1);
  search.min_lsn = 2;  // comes never
  client.Send(Op::kSearch, search, kWideQuery, 100);
  const auto reply = client.Receive();
  ASSERT_TRUE(reply.has_value());
  EXPECT_TRUE(reply->error() == ErrorCode::DEADLINE_EXCEEDED ||
              reply->error() == ErrorCode::NOT_READY);
}

TEST(ZmqServer, MoreSearchesThatWaitThanThereAreWorkersLeaveRoomAndGoOn) {
  TestServer test(LargeCollection());
  auto set = LargeCollection().MakeSet(2);
  set->as_of = 1;
  test.service.collection->Publish(set);
  const size_t count = 3 * test.service.dispatcher.worker_threads();
  std::vector<RawClient> waiting;
  auto search = SmallSearch(1);
  search.min_lsn = 2;
  for (size_t i = 0; i < count; i++) {
    waiting.push_back(test.NewClient());
    waiting.back().Send(Op::kSearch, search, kWideQuery);
  }
  EXPECT_TRUE(Eventually([&] { return test.service.metrics.queue_time.count() == count; }));
  RawClient other = test.NewClient();
  for (int i = 0; i < 5; i++)
    EXPECT_EQ(other.Ask(Op::kSearch, SmallSearch(1), kWideQuery).error(), ErrorCode::OK);
  test.service.collection->NoteApplied(2);
  for (RawClient& client : waiting) {
    const auto reply = client.Receive();
    ASSERT_TRUE(reply.has_value());
    EXPECT_EQ(reply->error(), ErrorCode::OK);
  }
}

TEST(ZmqServer, AClientThatLeavesTakesItsSearchAndCursorAlong) {
  TestServer test(LargeCollection());
  auto set = LargeCollection().MakeSet(2);
  set->as_of = 1;
  test.service.collection->Publish(set);
  RawClient stays = test.NewClient();
  auto page = SmallSearch(100);
  page.batch_rows = 10;
  EXPECT_EQ(stays.Ask(Op::kSearch, page, kWideQuery).error(), ErrorCode::OK);
  {
    RawClient leaves = test.NewClient();
    EXPECT_EQ(leaves.Ask(Op::kSearch, page, kWideQuery).error(), ErrorCode::OK);
    EXPECT_EQ(test.service.metrics.cursors.value(), 2);
    auto endless = SmallSearch(1);
    endless.min_lsn = 2;
    leaves.Send(Op::kSearch, endless, kWideQuery);
    EXPECT_TRUE(Eventually([&] { return test.service.metrics.queue_time.count() == 3; }));
  }
  EXPECT_TRUE(Eventually([&] { return !test.service.dispatcher.busy(); }));
  EXPECT_TRUE(Eventually([&] { return test.service.metrics.cursors.value() == 1; }));
  EXPECT_EQ(test.service.metrics.connections.value(), 1);
}

TEST(ZmqServer, AClientIsToldWhenItIsTheOnlyOneThatAsks) {
  TestServer test;
  RawClient first = test.NewClient(), second = test.NewClient();
  const auto told_alone = [](RawClient* client) {
    const RawReply reply = client->Ask(Op::kDaemonStatus, vfdw::EmptyMessage());
    return (reply.envelope.flags & vfdw::kFlagAlone) != 0;
  };
  EXPECT_FALSE(told_alone(&first));
  EXPECT_TRUE(Eventually([&] { return told_alone(&first); }));
  EXPECT_FALSE(told_alone(&second));
  EXPECT_FALSE(told_alone(&first));
  EXPECT_TRUE(Eventually([&] { return told_alone(&first); }));
}

TEST(ZmqServer, AClientIsNotAloneBesideALongSearch) {
  TestServer test(LargeCollection());
  auto set = LargeCollection().MakeSet(2);
  set->as_of = 1;
  test.service.collection->Publish(set);
  RawClient waits = test.NewClient(), asks = test.NewClient();
  auto search = SmallSearch(1);
  search.min_lsn = 2;  // comes never
  waits.Send(Op::kSearch, search, kWideQuery);
  ASSERT_TRUE(Eventually([&] { return test.service.dispatcher.busy(); }));
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(30);
  while (std::chrono::steady_clock::now() < until) {
    const RawReply reply = asks.Ask(Op::kDaemonStatus, vfdw::EmptyMessage());
    ASSERT_EQ(reply.envelope.flags & vfdw::kFlagAlone, 0u);
  }
}

TEST(ZmqServer, ACrowdBeyondTheCapIsTurnedAwayAndRoomComesBack) {
  ASSERT_TRUE(RaiseDescriptorLimit().ok());
  const size_t most = std::min<size_t>(500, DescriptorLimit() / 8);
  Config config = SmallConfig();
  config.listen.max_connections = static_cast<int>(most);
  TestServer test({}, config);
  const Metrics& metrics = test.service.metrics;
  RawClient first = test.NewClient();
  EXPECT_EQ(first.Ask(Op::kSearch, SmallSearch(1), kQuery).error(), ErrorCode::OK);
  std::vector<int> crowd;
  for (size_t i = 0; i < 4 * most; i++)
    crowd.push_back(ConnectTo(test.directory.File("vectord.sock")));
  EXPECT_TRUE(Eventually([&] { return metrics.connections_refused.value() == 3 * most + 1; }));
  EXPECT_EQ(metrics.connections.value(), static_cast<int64_t>(most));
  EXPECT_EQ(first.Ask(Op::kSearch, SmallSearch(1), kQuery).error(), ErrorCode::OK);
  for (const int fd : crowd) close(fd);
  EXPECT_TRUE(Eventually([&] { return metrics.connections.value() == 1; }));
  RawClient late = test.NewClient();
  EXPECT_EQ(late.Ask(Op::kSearch, SmallSearch(1), kQuery).error(), ErrorCode::OK);
}

TEST(ZmqServer, ABurstOfRequestsLosesNoReply) {
  TestServer test;
  RawClient client = test.NewClient();
  auto search = SmallSearch(0);
  search.columns = {"id", "title", "embedding"};
  constexpr int kBurst = 400;  // more than the queue of one client
  for (int i = 0; i < kBurst; i++) client.Send(Op::kSearch, search, kQuery);
  for (int i = 0; i < kBurst; i++) {
    const auto reply = client.Receive();
    ASSERT_TRUE(reply.has_value()) << "after " << i << " replies";
    EXPECT_EQ(reply->error(), ErrorCode::OK);
  }
}

TEST(ZmqServer, RepliesToAClientThatDoesNotReadAreBounded) {
  TestServer test;
  RawClient deaf = test.NewClient();
  // Its own queue holds 1,000 replies; what is more is left to the daemon.
  auto search = SmallSearch(0);
  search.columns = {"id", "title", "embedding"};
  for (int i = 0; i < 3000; i++) deaf.Send(Op::kSearch, search, kQuery);
  RawClient other = test.NewClient();
  EXPECT_EQ(other.Ask(Op::kSearch, SmallSearch(1), kQuery).error(), ErrorCode::OK);
  EXPECT_TRUE(Eventually([&] {
    return test.service.metrics.requests.value() >= 3001 && !test.service.dispatcher.busy();
  }));
  EXPECT_LT(test.service.budget.used(), 16u << 20);
}

TEST(ZmqServer, StopsWhileBusyAndLeavesNothingBehind) {
  auto test = std::make_unique<TestServer>(LargeCollection());
  const std::string path = test->directory.File("vectord.sock");
  std::atomic<bool> stop{false};
  std::atomic<int> refused{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; i++)
    threads.emplace_back([&] {
      RawClient client = test->NewClient();
      while (!stop) {
        client.Send(Op::kSearch, SmallSearch(10), kWideQuery);
        if (const auto reply = client.Receive(300))
          refused += reply->error() == ErrorCode::SHUTTING_DOWN;
      }
    });
  EXPECT_TRUE(Eventually([&] { return test->service.metrics.search_time.count() > 20; }));
  test->server->Stop();
  EXPECT_NE(access(path.c_str(), F_OK), 0);
  EXPECT_NE(access((path + ".lock").c_str(), F_OK), 0);
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(test->service.dispatcher.busy());
  EXPECT_GT(refused, 0);
}

TEST(ZmqServer, ASecondOneOnTheSameSocketIsRefused) {
  TestServer test;
  TestService second({}, test.service.config);
  const auto started = ZmqServer::Start(second.config, &second.dispatcher);
  ASSERT_FALSE(started.ok());
  EXPECT_EQ(started.status().code(), ErrorCode::BAD_CONFIG);
  RawClient client = test.NewClient();
  EXPECT_EQ(client.Ask(Op::kSearch, SmallSearch(1), kQuery).error(), ErrorCode::OK);
}

}  // namespace
}  // namespace vectord

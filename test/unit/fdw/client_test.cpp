// client_test.cpp - one connection to one daemon, whatever the daemon does: by our own wire and by
// the library's, to a socket of the library.
#include "fdw/client.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "fdw/zmtp.h"
#include "shared/limits.h"
#include "test/unit/support/mock_daemon.h"

namespace vfdw {
namespace {

using std::chrono::steady_clock;

// Parameter: over tcp?
class ClientTest : public testing::TestWithParam<bool> {
 protected:
  explicit ClientTest(bool is_tcp = GetParam()) {
    char directory[] = "/tmp/vfdw_client_test_XXXXXX";
    EXPECT_NE(nullptr, mkdtemp(directory));
    directory_ = directory;
    path_ = directory_ + "/sock";
    endpoint_ = is_tcp ? MockDaemon::FreeTcpEndpoint() : "ipc://" + path_;
  }
  ~ClientTest() override {
    vfdw_client_close(client_);
    daemon_.reset();
    unlink(path_.c_str());
    rmdir(directory_.c_str());
  }

  void StartDaemon() { daemon_ = std::make_unique<MockDaemon>(endpoint_); }
  void Open(int64_t max_reply_bytes = 0) {
    vfdw_endpoint endpoint{};
    endpoint.endpoint = endpoint_.c_str();
    endpoint.max_reply_bytes = max_reply_bytes;
    ASSERT_TRUE(vfdw_client_open(&endpoint, &client_, &error_)) << error_.message;
  }
  void Connect() {
    StartDaemon();
    Open();
    ASSERT_TRUE(Until([&] { return vfdw_client_poll(client_); }));
  }

  // As the backend waits: never longer on the descriptor than it is right to.
  bool Until(const std::function<bool()>& condition) {
    const auto deadline = steady_clock::now() + std::chrono::seconds(5);
    while (!condition()) {
      if (steady_clock::now() > deadline) return false;
      const bool has_unsent = client_ != nullptr && vfdw_client_has_unsent(client_);
      pollfd watched{vfdw_client_descriptor(client_),
                     static_cast<short>(has_unsent ? POLLIN | POLLOUT : POLLIN), 0};
      poll(&watched, 1, watched.fd < 0 ? 5 : 100);
    }
    return true;
  }

  vfdw_outcome Await(uint64_t id) {
    vfdw_outcome outcome = VFDW_PENDING;
    Until([&] {
      vfdw_client_poll(client_);
      vfdw_reply* reply = nullptr;
      outcome = vfdw_client_take(client_, id, &reply, &error_);
      if (outcome == VFDW_ARRIVED) reply_.reset(reply);
      return outcome != VFDW_PENDING;
    });
    return outcome;
  }

  uint64_t SendSearch(const std::vector<const char*>& columns, const std::vector<float>& query,
                      uint32_t batch_rows = 100) {
    vfdw_search search{};
    search.collection = {"app", "public", "docs", 16385};
    search.vector_column = "embedding";
    search.metric = 3;
    search.query = query.data();
    search.dimensions = query.size();
    search.k = 10;
    search.columns = columns.data();
    search.column_count = columns.size();
    search.batch_rows = batch_rows;
    search.timeout_ms = 1234;
    return vfdw_client_send_search(client_, &search, &error_);
  }
  uint64_t SendStatus() { return vfdw_client_send_daemon_status(client_, 0, &error_); }
  // A search that the daemon keeps a cursor for.
  void OpenCursor(uint64_t cursor) {
    const uint64_t search = SendSearch({}, {1});
    SearchReply answer;
    answer.cursor = cursor;
    daemon_->Reply(daemon_->Receive(), answer);
    ASSERT_EQ(VFDW_ARRIVED, Await(search));
  }

  struct FreeReply {
    void operator()(vfdw_reply* reply) const { vfdw_reply_free(reply); }
  };

  std::string directory_, path_, endpoint_;
  std::unique_ptr<MockDaemon> daemon_;
  vfdw_client* client_ = nullptr;
  vfdw_error error_{};
  std::unique_ptr<vfdw_reply, FreeReply> reply_;
};

TEST_P(ClientTest, SearchGoesOverAndItsRowsComeBack) {
  Connect();
  const uint64_t id = SendSearch({"id"}, {1, 2, 3});
  ASSERT_NE(0u, id) << error_.message;
  const MockDaemon::Request request = daemon_->Receive();
  EXPECT_EQ(Op::kSearch, request.envelope.op);
  EXPECT_EQ(id, request.envelope.request_id);
  EXPECT_EQ(1234u, request.envelope.timeout_ms);
  EXPECT_EQ(static_cast<uint32_t>(getpid()), request.envelope.client_pid);
  SearchRequest search;
  ASSERT_TRUE(Decode(request.body, &search).ok());
  EXPECT_EQ("app", search.collection.database);
  EXPECT_EQ("public", search.collection.schema);
  EXPECT_EQ("docs", search.collection.name);
  EXPECT_EQ(16385u, search.collection.table_oid);
  EXPECT_EQ(std::vector<std::string>{"id"}, search.columns);
  ASSERT_EQ(12u, request.raw.size());
  float query[3];
  memcpy(query, request.raw.data(), sizeof(query));
  EXPECT_EQ(3.0f, query[2]);

  SearchReply answer;
  answer.rows = answer.ordered_rows = 2;
  answer.columns.resize(1);
  answer.columns[0].encoding = static_cast<uint8_t>(ValueEncoding::kInt64);
  answer.columns[0].values_offset = 16;
  answer.columns[0].values_bytes = 16;
  answer.strategy = "graph";
  std::string raw(32, '\0');
  const double distances[] = {0.5, 1.5};
  const int64_t keys[] = {7, -8};
  memcpy(raw.data(), distances, 16);
  memcpy(raw.data() + 16, keys, 16);
  daemon_->Reply(request, answer, raw);

  ASSERT_EQ(VFDW_ARRIVED, Await(id)) << error_.detail;
  const vfdw_rows* rows = vfdw_reply_rows(reply_.get());
  ASSERT_NE(nullptr, rows);
  EXPECT_EQ(2u, rows->rows);
  EXPECT_EQ(1.5, rows->distances[1]);
  EXPECT_EQ(-8, static_cast<const int64_t*>(rows->columns[0].values)[1]);
  EXPECT_STREQ("graph", rows->strategy);
  EXPECT_EQ(nullptr, vfdw_reply_daemon(reply_.get()));
}

TEST_P(ClientTest, FilterRangeAndCountGoOverByteForByte) {
  Connect();
  const char zero_inside[] = {'a', '\0', 'b'};
  const vfdw_bytes values[] = {{zero_inside, sizeof(zero_inside)}, {"", 0}};
  vfdw_filter_node filter[3] = {};
  filter[0].kind = VFDW_FILTER_IN;
  filter[0].column = "title";
  filter[0].values = values;
  filter[0].value_count = 2;
  filter[0].has_null = true;
  filter[0].type_oid = 25;
  filter[1].kind = VFDW_FILTER_ARRAY_OVERLAPS;
  filter[1].column = "tags";
  filter[1].element = VFDW_ENCODING_TEXT;
  filter[2].kind = VFDW_FILTER_AND;
  filter[2].arity = 2;
  vfdw_search search{};
  search.filter = filter;
  search.filter_count = 3;
  search.range = VFDW_RANGE_LESS_EQUAL;
  search.max_distance = 0.5;
  search.count_only = true;
  const uint64_t id = vfdw_client_send_search(client_, &search, &error_);
  ASSERT_NE(0u, id) << error_.message;

  const MockDaemon::Request request = daemon_->Receive();
  SearchRequest got;
  ASSERT_TRUE(Decode(request.body, &got).ok());
  ASSERT_EQ(3u, got.filter.size());
  EXPECT_EQ(static_cast<uint8_t>(FilterKind::kIn), got.filter[0].kind);
  EXPECT_EQ("title", got.filter[0].column);
  EXPECT_EQ((std::vector<std::string>{std::string("a\0b", 3), ""}), got.filter[0].values);
  EXPECT_TRUE(got.filter[0].has_null);
  EXPECT_EQ(25u, got.filter[0].type_oid);
  EXPECT_EQ(static_cast<uint8_t>(ValueEncoding::kText), got.filter[1].element);
  EXPECT_EQ(2u, got.filter[2].arity);
  EXPECT_EQ(static_cast<uint8_t>(RangeBound::kLessEqual), got.range);
  EXPECT_EQ(0.5, got.max_distance);
  EXPECT_TRUE(got.count_only);

  SearchReply answer;
  answer.complete = true;
  answer.matching_rows = 4711;
  daemon_->Reply(request, answer);
  ASSERT_EQ(VFDW_ARRIVED, Await(id));
  EXPECT_EQ(4711u, vfdw_reply_rows(reply_.get())->matching_rows);
}

TEST_P(ClientTest, TwoRequestsUnderWayGetTheirOwnRepliesInAnyOrder) {
  Connect();
  const uint64_t first = SendStatus(), second = SendStatus();
  const MockDaemon::Request a = daemon_->Receive(), b = daemon_->Receive();
  DaemonStatusReply status;
  status.name = "second";
  daemon_->Reply(b, status);
  status.name = "first";
  daemon_->Reply(a, status);
  ASSERT_EQ(VFDW_ARRIVED, Await(first));
  EXPECT_STREQ("first", vfdw_reply_daemon(reply_.get())->name);
  ASSERT_EQ(VFDW_ARRIVED, Await(second));
  EXPECT_STREQ("second", vfdw_reply_daemon(reply_.get())->name);
}

TEST_P(ClientTest, ForgottenRequestIsCancelledAndItsLateReplyAndCursorAreDropped) {
  Connect();
  const uint64_t forgotten = SendSearch({}, {1}), other = SendStatus();
  const MockDaemon::Request request = daemon_->Receive(), beside = daemon_->Receive();
  vfdw_client_forget(client_, forgotten);
  const MockDaemon::Request cancel = daemon_->Receive();
  EXPECT_EQ(Op::kCancel, cancel.envelope.op);
  CancelRequest body;
  ASSERT_TRUE(Decode(cancel.body, &body).ok());
  EXPECT_EQ(forgotten, body.request_id);

  SearchReply late;
  late.cursor = 77;
  daemon_->Reply(request, late);
  daemon_->Reply(beside, DaemonStatusReply{});
  ASSERT_EQ(VFDW_ARRIVED, Await(other));
  const MockDaemon::Request close = daemon_->Receive();
  EXPECT_EQ(Op::kCloseCursor, close.envelope.op);
  vfdw_reply* reply = nullptr;
  EXPECT_EQ(VFDW_FAILED, vfdw_client_take(client_, forgotten, &reply, &error_));
}

// Else a large reply would lie in the daemon for as long as the session is idle.
TEST_P(ClientTest, HangsUpWhenOnlyLateRepliesCouldCome) {
  Connect();
  OpenCursor(5);
  const uint64_t connects = vfdw_client_connects(client_);
  const uint64_t forgotten = SendStatus();
  daemon_->Receive();
  vfdw_client_forget(client_, forgotten);
  EXPECT_TRUE(vfdw_client_poll(client_)) << "the cursor is of use to somebody";
  vfdw_client_close_cursor(client_, 5);
  EXPECT_FALSE(vfdw_client_poll(client_));
  EXPECT_EQ(0u, SendStatus());
  ASSERT_TRUE(vfdw_client_reconnect(client_, &error_));
  EXPECT_EQ(connects + 1, vfdw_client_connects(client_));
  ASSERT_TRUE(Until([&] { return vfdw_client_poll(client_); }));
  const uint64_t next = SendStatus();
  MockDaemon::Request request = daemon_->Receive();
  while (request.envelope.op != Op::kDaemonStatus) request = daemon_->Receive();  // a cancel
  daemon_->Reply(request, DaemonStatusReply{});
  EXPECT_EQ(VFDW_ARRIVED, Await(next)) << error_.detail;
}

TEST_P(ClientTest, CursorsThatAreReadToTheirEndAreKnownNoMore) {
  Connect();
  OpenCursor(5);
  SearchReply answer;
  answer.cursor = 5;
  const uint64_t more = vfdw_client_send_fetch(client_, 5, 10, 0, &error_);
  daemon_->Reply(daemon_->Receive(), answer);
  ASSERT_EQ(VFDW_ARRIVED, Await(more));
  answer.cursor = 0;
  const uint64_t last = vfdw_client_send_fetch(client_, 5, 10, 0, &error_);
  daemon_->Reply(daemon_->Receive(), answer);
  ASSERT_EQ(VFDW_ARRIVED, Await(last));
  EXPECT_EQ(0u, vfdw_client_send_fetch(client_, 5, 10, 0, &error_));
}

TEST_P(ClientTest, KnowsFromTheLastReplyWhetherItIsAlone) {
  Connect();
  EXPECT_FALSE(vfdw_client_is_alone(client_));
  for (const uint32_t flag : {uint32_t{kFlagAlone}, uint32_t{0}, uint32_t{kFlagAlone}}) {
    const uint64_t id = SendStatus();
    const MockDaemon::Request request = daemon_->Receive();
    const std::string body = Encode(DaemonStatusReply());
    Envelope envelope = MockDaemon::HeaderFor(request, body, {});
    envelope.flags |= flag;
    daemon_->Send({request.peer, MockDaemon::Header(envelope), body});
    ASSERT_EQ(VFDW_ARRIVED, Await(id)) << error_.message;
    EXPECT_EQ(flag != 0, vfdw_client_is_alone(client_));
  }
  ASSERT_TRUE(vfdw_client_reconnect(client_, &error_)) << error_.message;
  EXPECT_FALSE(vfdw_client_is_alone(client_));
}

TEST_P(ClientTest, DaemonsErrorArrivesWithSqlstateAndHint) {
  Connect();
  const uint64_t id = SendStatus();
  daemon_->ReplyError(daemon_->Receive(),
                      Status(ErrorCode::NOT_READY, "collection \"x\" is being built"));
  ASSERT_EQ(VFDW_FAILED, Await(id));
  EXPECT_EQ(VFDW_ERR_NOT_READY, error_.code);
  EXPECT_STREQ("57P03", error_.sqlstate);
  EXPECT_STREQ("collection \"x\" is being built", error_.message);
  EXPECT_NE('\0', error_.hint[0]);
}

TEST_P(ClientTest, LostConnectionFailsAllThatIsUnderWayAtOnce) {
  Connect();
  const uint64_t first = SendStatus(), second = SendStatus();
  daemon_->Receive();
  const auto lost_at = steady_clock::now();
  daemon_.reset();
  EXPECT_EQ(VFDW_FAILED, Await(first));
  EXPECT_EQ(VFDW_ERR_CONNECTION_LOST, error_.code);
  EXPECT_STREQ("08006", error_.sqlstate);
  EXPECT_EQ(VFDW_FAILED, Await(second));
  EXPECT_LT(steady_clock::now() - lost_at, std::chrono::seconds(1));
  EXPECT_EQ(0u, SendStatus());
}

TEST_P(ClientTest, LossIsNoticedEvenIfAnotherDaemonListensBeforeTheNextPoll) {
  Connect();
  const uint64_t id = SendStatus();
  daemon_->Receive();
  daemon_.reset();
  StartDaemon();
  EXPECT_EQ(VFDW_FAILED, Await(id));
  EXPECT_FALSE(vfdw_client_poll(client_));
  ASSERT_TRUE(vfdw_client_reconnect(client_, &error_)) << error_.detail;
  ASSERT_TRUE(Until([&] { return vfdw_client_poll(client_); }));
  const uint64_t again = SendStatus();
  daemon_->Reply(daemon_->Receive(), DaemonStatusReply{});
  EXPECT_EQ(VFDW_ARRIVED, Await(again)) << error_.detail;
}

TEST_P(ClientTest, CursorOfALostConnectionIsNotFetchedFromTheNextDaemon) {
  Connect();
  OpenCursor(5);
  EXPECT_NE(0u, vfdw_client_send_fetch(client_, 5, 10, 0, &error_));
  ASSERT_TRUE(vfdw_client_reconnect(client_, &error_));
  ASSERT_TRUE(Until([&] { return vfdw_client_poll(client_); }));
  EXPECT_EQ(0u, vfdw_client_send_fetch(client_, 5, 10, 0, &error_));
  EXPECT_EQ(VFDW_ERR_CONNECTION_LOST, error_.code);
}

TEST_P(ClientTest, UnusableEndpointOrKeyIsRefusedWithItsReason) {
  vfdw_endpoint endpoint{};
  endpoint.endpoint = "nonsense";
  EXPECT_FALSE(vfdw_client_open(&endpoint, &client_, &error_));
  EXPECT_EQ(VFDW_ERR_INVALID_PARAMETER, error_.code);
  endpoint.endpoint = "tcp://127.0.0.1:5970";
  endpoint.server_public_key = "short";
  EXPECT_FALSE(vfdw_client_open(&endpoint, &client_, &error_));
  EXPECT_EQ(VFDW_ERR_INVALID_PARAMETER, error_.code);
}

TEST_P(ClientTest, ForeignBytesInsteadOfAHeaderFailWhatIsUnderWay) {
  for (const std::string& header : {std::string("HTTP/1.1 400 Bad Request"), std::string(),
                                    std::string(kEnvelopeBytes, '\xff')}) {
    if (client_ == nullptr) Connect();
    const uint64_t id = SendStatus();
    daemon_->Send({daemon_->Receive().peer, header, "x"});
    ASSERT_EQ(VFDW_FAILED, Await(id));
    EXPECT_EQ(VFDW_ERR_MALFORMED_MESSAGE, error_.code);
  }
}

TEST_P(ClientTest, GarbageBehindAGoodHeaderFailsThatRequestOnly) {
  Connect();
  using Change = std::function<void(Envelope*, std::vector<std::string>*)>;
  const std::vector<Change> changes = {
      [](Envelope* e, auto*) { e->op = Op::kList; },
      [](Envelope* e, auto*) { e->body_bytes++; },
      [](Envelope* e, auto*) { e->flags |= kFlagRaw; },
      [](Envelope*, auto* body) { body->push_back("surplus"); },
      [](Envelope*, auto* body) {
        for (int i = 0; i < 50; i++) body->push_back("surplus");
      },
      [](Envelope*, auto* body) { body->clear(); },
      [](Envelope* e, auto* body) {
        body->at(0) = std::string(100, '\xc1');
        e->body_bytes = 100;
      },
      [](Envelope* e, auto* body) {  // claims four thousand million elements
        body->at(0) = std::string("\xdd\xff\xff\xff\xff", 5);
        e->body_bytes = 5;
      },
      [](Envelope* e, auto*) { e->flags |= kFlagError; },
      [](Envelope* e, auto*) { e->version = 99; },
  };
  for (size_t i = 0; i < changes.size(); i++) {
    const uint64_t id = SendStatus(), other = SendStatus();
    const MockDaemon::Request request = daemon_->Receive(), next = daemon_->Receive();
    DaemonStatusReply status;
    status.pid = 1;
    std::vector<std::string> body = {Encode(status)};
    Envelope envelope = MockDaemon::HeaderFor(request, body[0], {});
    changes[i](&envelope, &body);
    std::vector<std::string> frames = {request.peer, MockDaemon::Header(envelope)};
    frames.insert(frames.end(), body.begin(), body.end());
    daemon_->Send(frames);
    ASSERT_EQ(VFDW_FAILED, Await(id)) << "change " << i;
    daemon_->Reply(next, status);
    EXPECT_EQ(VFDW_ARRIVED, Await(other)) << "change " << i << ": " << error_.detail;
  }
}

TEST_P(ClientTest, ReplyBeyondTheLimitBreaksTheConnectionInsteadOfTakingMemory) {
  StartDaemon();
  Open(/*max_reply_bytes=*/1000);
  ASSERT_TRUE(Until([&] { return vfdw_client_poll(client_); }));
  const uint64_t id = SendStatus();
  DaemonStatusReply status;
  status.name = std::string(5000, 'x');
  daemon_->Reply(daemon_->Receive(), status);
  EXPECT_EQ(VFDW_FAILED, Await(id));
  EXPECT_EQ(VFDW_ERR_CONNECTION_LOST, error_.code);
}

TEST_P(ClientTest, RequestBeyondTheLimitIsRefusedHere) {
  Connect();
  EXPECT_EQ(0u, SendSearch({}, std::vector<float>(VFDW_MAX_REQUEST_BYTES / 4 + 1)));
  EXPECT_EQ(VFDW_ERR_LIMIT_EXCEEDED, error_.code);
  EXPECT_STREQ("53400", error_.sqlstate);
}

TEST_P(ClientTest, ChildProcessDoesNotTouchItsParentsConnection) {
  Connect();
  const pid_t child = fork();
  if (child == 0) {
    vfdw_client* own = nullptr;
    vfdw_endpoint endpoint{};
    endpoint.endpoint = endpoint_.c_str();
    const bool refused = !vfdw_client_poll(client_) && SendStatus() == 0;
    vfdw_client_close(client_);
    const bool opened = vfdw_client_open(&endpoint, &own, &error_);
    _exit(refused && opened ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(child, waitpid(child, &status, 0));
  EXPECT_EQ(0, status);
  const uint64_t id = SendStatus();
  daemon_->Reply(daemon_->Receive(), DaemonStatusReply{});
  EXPECT_EQ(VFDW_ARRIVED, Await(id));
}

TEST_P(ClientTest, LongRequestsAndRepliesComeWhole) {
  Connect();
  std::vector<float> query(VFDW_MAX_REQUEST_BYTES / 4);
  for (size_t i = 0; i < query.size(); i++) query[i] = static_cast<float>(i);
  const uint64_t id = SendSearch({}, query, 600000), next = SendStatus();
  ASSERT_NE(0u, id) << error_.message;
  MockDaemon::Request request;
  std::thread daemon([&] { request = daemon_->Receive(); });
  Until([&] {
    vfdw_client_poll(client_);
    return !vfdw_client_has_unsent(client_);
  });
  daemon.join();
  ASSERT_EQ(query.size() * 4, request.raw.size());
  EXPECT_EQ(0, memcmp(query.data(), request.raw.data(), request.raw.size()));

  SearchReply answer;
  answer.rows = answer.ordered_rows = 600000;
  std::vector<double> distances(answer.rows);
  for (size_t i = 0; i < distances.size(); i++) distances[i] = static_cast<double>(i);
  daemon_->Reply(request, answer,
                 {reinterpret_cast<const char*>(distances.data()), distances.size() * 8});
  daemon_->Reply(daemon_->Receive(), DaemonStatusReply{});
  ASSERT_EQ(VFDW_ARRIVED, Await(next)) << error_.detail;
  ASSERT_EQ(VFDW_ARRIVED, Await(id)) << error_.detail;
  const vfdw_rows* rows = vfdw_reply_rows(reply_.get());
  ASSERT_NE(nullptr, rows);
  EXPECT_EQ(0, memcmp(rows->distances, distances.data(), distances.size() * 8));
}

INSTANTIATE_TEST_SUITE_P(Wires, ClientTest, testing::Bool(),
                         [](const auto& info) { return std::string(info.param ? "Tcp" : "Unix"); });

// What only a wire of our own can tell, and at once.
class UnixClientTest : public ClientTest {
 protected:
  UnixClientTest() : ClientTest(false) {}
  ~UnixClientTest() override {
    for (const int fd : descriptors_) close(fd);
  }
  int Keep(int fd) {
    descriptors_.push_back(fd);
    return fd;
  }
  // Somebody who listens and is no ZeroMQ.
  int Listen(int backlog) {
    const int fd = Keep(socket(AF_UNIX, SOCK_STREAM, 0));
    EXPECT_EQ(0, bind(fd, Address(), sizeof(sockaddr_un)));
    EXPECT_EQ(0, listen(fd, backlog));
    return fd;
  }
  const sockaddr* Address() {
    address_.sun_family = AF_UNIX;
    strcpy(address_.sun_path, path_.c_str());
    return reinterpret_cast<const sockaddr*>(&address_);
  }
  bool UntilItFails() {
    return Until(
        [&] { return !vfdw_client_poll(client_) && vfdw_client_has_failed(client_, &error_); });
  }
  sockaddr_un address_{};
  std::vector<int> descriptors_;
};

TEST_F(UnixClientTest, WhyNobodyListensIsSaidAtOnce) {
  vfdw_endpoint endpoint{};
  endpoint.endpoint = endpoint_.c_str();
  EXPECT_FALSE(vfdw_client_open(&endpoint, &client_, &error_));
  EXPECT_EQ(VFDW_ERR_UNAVAILABLE, error_.code);
  EXPECT_NE(nullptr, strstr(error_.detail, "There is no socket")) << error_.detail;

  StartDaemon();
  Open();
  ASSERT_TRUE(Until([&] { return vfdw_client_poll(client_); }));
  daemon_.reset();
  EXPECT_TRUE(UntilItFails());
  EXPECT_FALSE(vfdw_client_reconnect(client_, &error_));
  EXPECT_FALSE(vfdw_client_poll(client_));
  EXPECT_EQ(0u, SendStatus());

  const std::string too_long = "ipc:///" + std::string(200, 'x');
  endpoint.endpoint = too_long.c_str();
  vfdw_client* other = nullptr;
  EXPECT_FALSE(vfdw_client_open(&endpoint, &other, &error_));
  EXPECT_NE(nullptr, strstr(error_.detail, "longer than")) << error_.detail;
}

TEST_F(UnixClientTest, TheEndIsSeenBehindALateReply) {
  Connect();
  OpenCursor(5);
  const uint64_t forgotten = SendStatus();
  const MockDaemon::Request request = daemon_->Receive();
  vfdw_client_forget(client_, forgotten);
  EXPECT_EQ(Op::kCancel, daemon_->Receive().envelope.op);
  daemon_->Reply(request, DaemonStatusReply{});
  daemon_->Linger();
  daemon_.reset();
  EXPECT_FALSE(vfdw_client_poll(client_));
}

TEST_F(UnixClientTest, NothingIsSentBeforeTheHandshakeIsOver) {
  Listen(5);
  Open();
  EXPECT_FALSE(vfdw_client_poll(client_));
  EXPECT_FALSE(vfdw_client_has_failed(client_, &error_));
  EXPECT_EQ(0u, SendStatus());
  EXPECT_EQ(VFDW_ERR_UNAVAILABLE, error_.code);
}

TEST_F(UnixClientTest, WhoeverHangsUpOrSpeaksSomethingElseIsNotWaitedFor) {
  const int listener = Listen(5);
  Open();
  close(accept(listener, nullptr, nullptr));
  EXPECT_TRUE(UntilItFails());
  EXPECT_NE(nullptr, strstr(error_.detail, "closed the connection at once")) << error_.detail;
  EXPECT_EQ(-1, vfdw_client_descriptor(client_));

  ASSERT_TRUE(vfdw_client_reconnect(client_, &error_));
  const int peer = Keep(accept(listener, nullptr, nullptr));
  const std::string other = "SSH-2.0-OpenSSH_9.2\r\n";
  EXPECT_EQ(static_cast<ssize_t>(other.size()), write(peer, other.data(), other.size()));
  EXPECT_TRUE(UntilItFails());
  EXPECT_NE(nullptr, strstr(error_.detail, "does not speak")) << error_.detail;
}

TEST_F(UnixClientTest, AFullBacklogIsDialledAgainUntilThereIsRoom) {
  const int listener = Listen(0);
  int refused = 0;
  while (refused == 0) {
    const int fd = Keep(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
    if (connect(fd, Address(), sizeof(sockaddr_un)) != 0) refused = errno;
  }
  ASSERT_EQ(EAGAIN, refused);
  Open();
  EXPECT_FALSE(vfdw_client_poll(client_));
  EXPECT_EQ(-1, vfdw_client_descriptor(client_));
  EXPECT_FALSE(vfdw_client_has_failed(client_, &error_));
  Keep(accept(listener, nullptr, nullptr));
  EXPECT_TRUE(Until([&] {
    vfdw_client_poll(client_);
    return vfdw_client_descriptor(client_) >= 0;
  }));
}

// A peer that knows ZeroMQ's protocol and never stops talking.
class TalkativePeer {
 public:
  TalkativePeer(int listener, const std::string& talk) : fd_(accept(listener, nullptr, nullptr)) {
    const std::string opening = ZmtpGreeting() + ZmtpReady();
    thread_ = std::thread([this, opening, talk] {
      if (!Write(opening)) return;
      while (Write(talk)) continue;
    });
  }
  ~TalkativePeer() {
    shutdown(fd_, SHUT_RDWR);
    thread_.join();
    close(fd_);
  }

 private:
  bool Write(const std::string& bytes) {
    return send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(bytes.size());
  }
  const int fd_;
  std::thread thread_;
};

TEST_F(UnixClientTest, APeerThatNeverStopsDoesNotKeepUsFromReturning) {
  const std::string ping("\4\7\4PING\0\1", 9);
  std::string pings, frames;
  for (int i = 0; i < 1000; i++) pings += ping;
  for (int i = 0; i < 1000; i++) frames += std::string("\1\1x", 3);  // of one message
  for (const std::string& talk : {pings, frames}) {
    const int listener = Listen(5);
    Open();
    {
      const TalkativePeer peer(listener, talk);
      ASSERT_TRUE(Until([&] { return vfdw_client_poll(client_); }));
      for (int i = 0; i < 100; i++) EXPECT_TRUE(vfdw_client_poll(client_));
    }
    vfdw_client_close(client_);
    client_ = nullptr;
    unlink(path_.c_str());
  }
}

TEST_F(UnixClientTest, RepliesThatNobodyAskedForEndTheConnection) {
  const int listener = Listen(5);
  Open();
  Envelope envelope;
  envelope.version = VFDW_PROTOCOL_VERSION;
  envelope.op = Op::kSearch;
  envelope.flags = kFlagReply;
  envelope.request_id = 1;
  const std::string header = MockDaemon::Header(envelope);
  const TalkativePeer peer(listener, std::string{0, static_cast<char>(header.size())} + header);
  EXPECT_TRUE(UntilItFails());
  EXPECT_NE(nullptr, strstr(error_.detail, "nobody had asked")) << error_.detail;
}

}  // namespace
}  // namespace vfdw

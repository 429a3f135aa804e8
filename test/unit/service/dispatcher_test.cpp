// dispatcher_test.cpp - the table of operations, limits, cancelling and stopping.
#include "daemon/service/dispatcher.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "test/unit/service/asking.h"
#include "test/unit/service/small_collection.h"

namespace vectord {
namespace {

using vfdw::Op;

// Large enough for an exact scan to be long, and to be caught while it runs.
SmallCollection LongCollection() {
  SmallCollection large;
  large.dimensions = 256;
  large.vector_rows = 80000;
  large.null_rows = 0;
  return large;
}

// Searches for so many rows with a scan that only sorting them takes long.
std::unique_ptr<OwnedRequest> LongSearch(uint64_t id, const std::string& client = "client") {
  return MakeRequest(Op::kSearch, id, vfdw::Encode(SmallSearch(10)),
                     RawVector(std::vector<float>(256, 0.5f)), client);
}

// What the transport does between messages.
void TickAndResume(Dispatcher* dispatcher, CollectingSink* sink) {
  dispatcher->Tick();
  while (auto resumed = dispatcher->TakeResumed()) dispatcher->Handle(std::move(resumed), sink);
}

// A service whose collection has applied position 1 and is asked for later ones.
struct StandingService : TestService {
  StandingService() : TestService(LongCollection()) {
    auto set = LongCollection().MakeSet(2);
    set->as_of = 1;
    collection->Publish(set);
  }
  void AskFor(uint64_t lsn, uint64_t id, uint32_t timeout_ms = 30000) {
    auto search = SmallSearch(10);
    search.min_lsn = lsn;
    auto request = MakeRequest(Op::kSearch, id, vfdw::Encode(search),
                               RawVector(std::vector<float>(256, 0.5f)));
    request->envelope.timeout_ms = timeout_ms;
    request->Arrived(clock.SteadyNs());
    dispatcher.Accept(request.get());
    dispatcher.Handle(std::move(request), &sink);
  }
  CollectingSink sink;
};

TEST(Handlers, EveryOperationHasOneHandler) {
  std::set<Op> ops;
  for (const Handler& handler : kHandlers) {
    EXPECT_TRUE(ops.insert(handler.op).second);
    EXPECT_NE(handler.function, nullptr);
    EXPECT_EQ(FindHandler(handler.op), &handler);
  }
  for (uint16_t op = 1; op <= static_cast<uint16_t>(Op::kDaemonStatus); op++)
    EXPECT_EQ(ops.count(static_cast<Op>(op)), 1u) << "operation " << op;
  EXPECT_EQ(FindHandler(Op::kNone), nullptr);
  EXPECT_EQ(FindHandler(static_cast<Op>(9)), nullptr);
}

TEST(Dispatcher, HasMoreWorkersThanLongRequests) {
  TestService service;
  EXPECT_EQ(service.dispatcher.worker_threads(), 4u);
  Config config = SmallConfig();
  config.search.threads = 16;
  TestService larger({}, config);
  EXPECT_EQ(larger.dispatcher.worker_threads(), 17u);
}

TEST(Dispatcher, AnswersUnknownOperationsAndGarbageByErrors) {
  TestService service;
  const Reply unknown = Ask(&service.dispatcher, MakeRequest(static_cast<Op>(99), 1, ""));
  EXPECT_EQ(unknown.status.code(), ErrorCode::UNKNOWN_OPERATION);
  for (const Handler& handler : kHandlers) {
    for (const std::string& garbage : {std::string("\xc1"), std::string("\x81"), std::string(),
                                       std::string("\xdf\xff\xff\xff\xff", 5)}) {
      const Reply reply = Ask(&service.dispatcher, MakeRequest(handler.op, 1, garbage));
      EXPECT_EQ(reply.kind, Reply::Kind::kError);
      EXPECT_EQ(reply.status.code(), ErrorCode::MALFORMED_MESSAGE);
    }
  }
  EXPECT_EQ(service.metrics.malformed_messages.value(), 4 * std::size(kHandlers));
  EXPECT_FALSE(service.dispatcher.busy());
}

TEST(Dispatcher, RefusesWhatIsTooMuchAtOnce) {
  Config config = SmallConfig();
  config.listen.requests_in_flight = 1;
  SmallCollection large = LongCollection();
  TestService service(large, config);
  auto set = large.MakeSet(2);
  set->as_of = 1;  // a search for a later LSN waits until it is stopped
  service.collection->Publish(set);
  auto search = SmallSearch(10);
  search.min_lsn = 2;
  auto waiting =
      MakeRequest(Op::kSearch, 1, vfdw::Encode(search), RawVector(std::vector<float>(256, 0.5f)));
  CollectingSink sink;
  service.dispatcher.Accept(waiting.get());
  service.dispatcher.Handle(std::move(waiting), &sink);
  EXPECT_EQ(sink.count(), 0u);
  EXPECT_EQ(Ask(&service.dispatcher, LongSearch(2)).status.code(), ErrorCode::OVERLOADED);
  EXPECT_EQ(Ask(&service.dispatcher, Op::kDaemonStatus, vfdw::EmptyMessage()).kind,
            Reply::Kind::kMessage);
  Ask(&service.dispatcher, Op::kCancel, vfdw::CancelRequest{1});
  TickAndResume(&service.dispatcher, &sink);
  EXPECT_EQ(sink.Take(1).status.code(), ErrorCode::CANCELED);
  EXPECT_EQ(Ask(&service.dispatcher, LongSearch(3)).kind, Reply::Kind::kMessage);
  EXPECT_EQ(service.metrics.requests_overloaded.value(), 1u);
  EXPECT_EQ(service.metrics.requests_in_flight.value(), 0);
}

TEST(Dispatcher, CancelStopsARunningScanOfItsClientOnly) {
  TestService service(LongCollection());
  // Ends by itself only after as many scans as it has batches.
  auto endless = SmallSearch(0);
  endless.exact = true;
  auto request =
      MakeRequest(Op::kSearch, 7, vfdw::Encode(endless), RawVector(std::vector<float>(256, 0.5f)));
  CollectingSink sink;
  service.dispatcher.Accept(request.get());
  Ask(&service.dispatcher,
      MakeRequest(Op::kCancel, 1, vfdw::Encode(vfdw::CancelRequest{7}), "", "somebody else"));
  EXPECT_FALSE(request->cancelled);
  Ask(&service.dispatcher, Op::kCancel, vfdw::CancelRequest{8});
  EXPECT_FALSE(request->cancelled);
  Ask(&service.dispatcher, Op::kCancel, vfdw::CancelRequest{7});
  EXPECT_TRUE(request->cancelled);
  const uint64_t before = service.metrics.candidates.value();
  service.dispatcher.Handle(std::move(request), &sink);
  EXPECT_EQ(sink.Take(7).status.code(), ErrorCode::CANCELED);
  EXPECT_EQ(service.metrics.candidates.value(), before);
  EXPECT_EQ(service.metrics.requests_canceled.value(), 1u);
}

TEST(Dispatcher, AScanUnderWayIsStoppedInItsMiddle) {
  TestService service(LongCollection());
  CollectingSink sink;
  bool stopped = false;
  for (int attempt = 0; attempt < 200 && !stopped; attempt++) {
    auto request = LongSearch(1);
    service.dispatcher.Accept(request.get());
    std::thread worker([&] { service.dispatcher.Handle(std::move(request), &sink); });
    std::this_thread::sleep_for(std::chrono::microseconds(100 * attempt));
    Ask(&service.dispatcher, Op::kCancel, vfdw::CancelRequest{1});
    worker.join();
    const Reply reply = sink.Take(1);
    stopped = reply.kind == Reply::Kind::kError;
    if (stopped) {
      EXPECT_EQ(reply.status.code(), ErrorCode::CANCELED);
    }
  }
  EXPECT_TRUE(stopped);
}

TEST(Dispatcher, LongSearchesBeyondTheSlotsWaitAndAreAllAnswered) {
  TestService service(LongCollection());
  CollectingSink sink;
  std::vector<std::thread> workers;
  constexpr uint64_t kRequests = 8;
  for (uint64_t id = 1; id <= kRequests; id++) {
    auto request = LongSearch(id, "client " + std::to_string(id));
    service.dispatcher.Accept(request.get());
    workers.emplace_back([&service, &sink, r = std::move(request)]() mutable {
      service.dispatcher.Handle(std::move(r), &sink);
    });
  }
  for (uint64_t id = 1; id <= kRequests; id++) EXPECT_EQ(sink.Take(id).kind, Reply::Kind::kMessage);
  for (std::thread& worker : workers) worker.join();
  EXPECT_FALSE(service.dispatcher.busy());
}

TEST(Dispatcher, SearchesThatWaitForChangesHoldNoThreadAndNoSlot) {
  StandingService service;
  for (uint64_t id = 1; id <= 20; id++) service.AskFor(id <= 10 ? 5 : 9, id);
  EXPECT_EQ(service.sink.count(), 0u);
  EXPECT_EQ(Ask(&service.dispatcher, LongSearch(99)).kind, Reply::Kind::kMessage);
  TickAndResume(&service.dispatcher, &service.sink);
  EXPECT_EQ(service.sink.count(), 0u);
  service.collection->NoteApplied(5);
  TickAndResume(&service.dispatcher, &service.sink);
  for (uint64_t id = 1; id <= 10; id++)
    EXPECT_EQ(service.sink.Take(id).kind, Reply::Kind::kMessage) << id;
  EXPECT_EQ(service.sink.count(), 0u);
  service.dispatcher.BeginStop(&service.sink);
  for (uint64_t id = 11; id <= 20; id++)
    EXPECT_EQ(service.sink.Take(id).status.code(), ErrorCode::SHUTTING_DOWN) << id;
  EXPECT_FALSE(service.dispatcher.busy());
}

TEST(Dispatcher, ASearchThatWaitsIsToldHowFarItsCollectionIsBeforeItsClientGivesUp) {
  StandingService service;
  service.AskFor(5, 1, /*timeout_ms=*/10000);
  service.clock.shift_ns = 9400000000;
  TickAndResume(&service.dispatcher, &service.sink);
  EXPECT_EQ(service.sink.count(), 0u);
  service.clock.shift_ns = 9600000000;
  TickAndResume(&service.dispatcher, &service.sink);
  const Reply reply = service.sink.Take(1);
  EXPECT_EQ(reply.status.code(), ErrorCode::NOT_READY);
  EXPECT_NE(reply.status.detail().find("All commits before 0/5 are asked for, those before 0/1 "
                                       "have been applied."),
            std::string::npos)
      << reply.status.ToString();
}

TEST(Dispatcher, ASearchDoesNotWaitForACollectionThatHasFailed) {
  StandingService service;
  service.collection->Fail(Status(ErrorCode::SOURCE_REFUSED, "the table has no key any more"),
                           /*needs_user=*/false);
  service.AskFor(5, 1);
  TickAndResume(&service.dispatcher, &service.sink);
  EXPECT_EQ(service.sink.count(), 0u);  // it may still be followed by what it was before
  service.clock.shift_ns = 1100000000;
  TickAndResume(&service.dispatcher, &service.sink);
  const Reply reply = service.sink.Take(1);
  EXPECT_EQ(reply.status.code(), ErrorCode::NOT_READY);
  EXPECT_NE(reply.status.detail().find("no key any more"), std::string::npos);
}

TEST(Dispatcher, ASearchThatWaitsIsToldWhenItsCollectionIsUnloaded) {
  StandingService service;
  service.AskFor(5, 1);
  service.collection->Unload();
  TickAndResume(&service.dispatcher, &service.sink);
  EXPECT_EQ(service.sink.Take(1).status.code(), ErrorCode::UNLOADED);
}

TEST(Dispatcher, AConnectionThatEndsTakesItsRequestsAndCursorsAlong) {
  TestService service;
  auto search = SmallSearch(50);
  search.batch_rows = 5;
  const Reply first = Ask(&service.dispatcher, Op::kSearch, search, RawVector({1, 2, 3, 4}));
  EXPECT_NE(BodyOf<vfdw::SearchReply>(first).cursor, 0u);
  EXPECT_EQ(service.metrics.cursors.value(), 1);
  auto running = MakeRequest(Op::kSearch, 9, vfdw::Encode(search), RawVector({1, 2, 3, 4}));
  service.dispatcher.Accept(running.get());
  service.dispatcher.ConnectionGone(2);
  EXPECT_FALSE(running->cancelled);
  service.dispatcher.ConnectionGone(1);
  EXPECT_TRUE(running->cancelled);
  EXPECT_EQ(service.metrics.cursors.value(), 0);
  CollectingSink sink;
  service.dispatcher.Handle(std::move(running), &sink);
}

TEST(Dispatcher, StoppingRefusesSearchesAndStillTellsItsStatus) {
  TestService service;
  CollectingSink sink;
  service.dispatcher.BeginStop(&sink);
  EXPECT_EQ(
      Ask(&service.dispatcher, Op::kSearch, SmallSearch(1), RawVector({1, 2, 3, 4})).status.code(),
      ErrorCode::SHUTTING_DOWN);
  EXPECT_EQ(Ask(&service.dispatcher, Op::kDaemonStatus, vfdw::EmptyMessage()).kind,
            Reply::Kind::kMessage);
  EXPECT_EQ(service.dispatcher.Readiness().code(), ErrorCode::SHUTTING_DOWN);
}

TEST(Dispatcher, ALimitedNumberOfCursorsAfterAReload) {
  TestService service;
  auto search = SmallSearch(50);
  search.batch_rows = 5;
  Config config = SmallConfig();
  config.cursor.max = 2;
  service.dispatcher.Reconfigure(config);
  for (int i = 0; i < 5; i++)
    Ask(&service.dispatcher, Op::kSearch, search, RawVector({1, 2, 3, 4}));
  EXPECT_EQ(service.metrics.cursors.value(), 2);
  EXPECT_EQ(service.metrics.cursors_expired.value(), 3u);
}

}  // namespace
}  // namespace vectord

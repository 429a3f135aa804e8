// search_handler_test.cpp - answers of searches, and the error of each wrong request.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <thread>

#include "shared/limits.h"
#include "shared/metric.h"
#include "test/unit/service/asking.h"
#include "test/unit/service/small_collection.h"

namespace vectord {
namespace {

using vfdw::Op;
using vfdw::SearchReply;
using vfdw::SearchRequest;

const std::vector<float> kQuery = {0.1f, -0.2f, 0.3f, 0.4f};

struct SearchTest : testing::Test {
  SearchReply Search(const SearchRequest& request, bool ordered = true) {
    last = Ask(&service.dispatcher, Op::kSearch, request, ordered ? RawVector(kQuery) : "");
    return BodyOf<SearchReply>(last);
  }
  ErrorCode ErrorOf(const SearchRequest& request, std::string raw = RawVector(kQuery)) {
    last = Ask(&service.dispatcher, Op::kSearch, request, std::move(raw));
    EXPECT_EQ(last.kind, Reply::Kind::kError);
    EXPECT_FALSE(last.status.message().empty());
    return last.status.code();
  }
  std::vector<int64_t> Ids(const SearchReply& reply) {
    return FixedValues<int64_t>(reply, RawOf(last), 0);
  }
  // Ids by exact distance, then the rows without a vector.
  std::vector<int64_t> Expected() const {
    const VectorStore& store = service.collection->current()->segments[0]->vectors();
    std::vector<std::pair<double, int64_t>> order;
    for (size_t i = 0; i < store.size(); i++)
      order.emplace_back(vfdw_distance(VFDW_METRIC_L2, kQuery.data(), store.row(i), 4), i);
    std::sort(order.begin(), order.end());
    std::vector<int64_t> ids;
    for (const auto& entry : order) ids.push_back(entry.second);
    for (int64_t i = 100; i < 107; i++) ids.push_back(i);
    return ids;
  }
  TestService service;
  Reply last;
};

TEST_F(SearchTest, GivesTheNearestRowsAndNoCursor) {
  const SearchReply reply = Search(SmallSearch(10));
  const auto expected = Expected();
  EXPECT_EQ(Ids(reply), std::vector<int64_t>(expected.begin(), expected.begin() + 10));
  EXPECT_EQ(reply.ordered_rows, 10u);
  EXPECT_FALSE(reply.complete);
  EXPECT_EQ(reply.cursor, 0u);
  EXPECT_EQ(reply.last_row, static_cast<uint64_t>(expected[9]) + 1);
  EXPECT_EQ(reply.generation, 1u);
  EXPECT_EQ(reply.collection_rows, 107u);
  EXPECT_EQ(reply.index, "flat");
  EXPECT_EQ(reply.metric, VFDW_METRIC_L2);
  EXPECT_EQ(reply.candidates, 100u);
  EXPECT_EQ(service.metrics.search_time.count(), 1u);
}

TEST_F(SearchTest, RowsOfAnotherTableAreRefused) {
  SearchRequest request = SmallSearch(10);
  request.collection.table_oid = SmallCollection::kTableOid;
  EXPECT_EQ(Search(request).rows, 10u);
  request.collection.table_oid++;
  EXPECT_EQ(ErrorOf(request), ErrorCode::NOT_READY);
  request.count_only = true;
  EXPECT_EQ(ErrorOf(request), ErrorCode::NOT_READY);

  // What counts is the table that the rows are of, not the one that the name has been given to.
  Definition altered = SmallCollection().MakeDefinition();
  altered.table_oid = SmallCollection::kTableOid + 1;
  service.collection->SetDefinition(altered);
  EXPECT_EQ(ErrorOf(request), ErrorCode::NOT_READY);
  request.collection.table_oid = SmallCollection::kTableOid;
  EXPECT_EQ(Search(request).matching_rows, 107u);
}

TEST_F(SearchTest, ACursorOfTheTableBeforeGoesOn) {
  SearchRequest request = SmallSearch(0);
  request.collection.table_oid = SmallCollection::kTableOid;
  request.batch_rows = 50;
  SearchReply reply = Search(request);
  ASSERT_NE(reply.cursor, 0u);
  SmallCollection other;
  auto set = other.MakeSet(2);
  Definition altered = other.MakeDefinition();
  altered.table_oid++;
  set->definition = std::make_shared<const Definition>(altered);
  service.collection->SetDefinition(altered);
  service.collection->Publish(set);
  EXPECT_EQ(ErrorOf(request), ErrorCode::NOT_READY);
  last = Ask(&service.dispatcher, Op::kFetch, vfdw::FetchRequest{reply.cursor, 50});
  EXPECT_EQ(BodyOf<SearchReply>(last).rows, 50u);
}

TEST_F(SearchTest, PagesGiveEveryRowOnce) {
  for (const uint64_t k : {uint64_t{0}, uint64_t{50}, uint64_t{107}, uint64_t{500}}) {
    SearchRequest request = SmallSearch(k);
    request.batch_rows = 7;
    SearchReply reply = Search(request);
    std::vector<int64_t> ids = Ids(reply);
    while (reply.cursor != 0) {
      last = Ask(&service.dispatcher, Op::kFetch, vfdw::FetchRequest{reply.cursor, 7});
      reply = BodyOf<SearchReply>(last);
      const auto more = Ids(reply);
      ids.insert(ids.end(), more.begin(), more.end());
    }
    const auto expected = Expected();
    const size_t rows = k == 0 ? 107 : std::min<size_t>(k, 107);
    EXPECT_EQ(ids, std::vector<int64_t>(expected.begin(), expected.begin() + rows)) << "k " << k;
    if (rows == 107) {
      EXPECT_TRUE(reply.complete) << "k " << k;
    }
    EXPECT_EQ(service.metrics.cursors.value(), 0);
  }
}

TEST_F(SearchTest, ResumesExactlyAfterARow) {
  const auto expected = Expected();
  SearchReply reply = Search(SmallSearch(10));
  std::vector<int64_t> ids = Ids(reply);
  for (int i = 0; i < 50 && !reply.complete; i++) {
    SearchRequest next = SmallSearch(10);
    next.resume.generation = reply.generation;
    next.resume.as_of = reply.as_of;
    next.resume.row = reply.last_row;
    next.resume.distance_is_null = reply.ordered_rows < reply.rows;
    if (!next.resume.distance_is_null)
      memcpy(&next.resume.distance,
             RawOf(last).data() + reply.distances_offset + 8 * (reply.rows - 1), 8);
    reply = Search(next);
    const auto more = Ids(reply);
    ids.insert(ids.end(), more.begin(), more.end());
  }
  EXPECT_EQ(ids, expected);
}

TEST_F(SearchTest, ResumesInTheContentOfTheFirstBatchOrNotAtAll) {
  auto held = service.collection->current();
  service.collection->Publish(SmallCollection().MakeSet(2));
  SearchRequest request = SmallSearch(5);
  request.resume.generation = 1;
  EXPECT_EQ(Search(request).generation, 1u);
  held = nullptr;
  EXPECT_EQ(ErrorOf(request), ErrorCode::SNAPSHOT_TOO_OLD);
  // The generation alone does not say which of the two it was.
  EXPECT_NE(last.status.detail().find("or vectord was restarted"), std::string::npos);
}

TEST_F(SearchTest, WithoutAVectorGivesAllRowsInNoOrderAndNoDistances) {
  const SearchReply reply = Search(SmallSearch(0), false);
  EXPECT_EQ(reply.rows, 107u);
  EXPECT_EQ(reply.ordered_rows, 0u);
  EXPECT_TRUE(reply.complete);
  auto ids = Ids(reply);
  std::sort(ids.begin(), ids.end());
  for (int64_t i = 0; i < 107; i++) EXPECT_EQ(ids[i], i);
}

TEST_F(SearchTest, ASampleIsAsLargeAsAsked) {
  SearchRequest request = SmallSearch(0);
  request.sample_rows = 20;
  request.sample_seed = 5;
  EXPECT_EQ(Search(request, false).rows, 20u);
}

TEST_F(SearchTest, BatchesEndAtTheTargetOfBytesAndNothingIsLost) {
  SmallCollection wide;
  wide.title_bytes = 100000;
  TestService large(wide);
  SearchRequest request = SmallSearch(0);
  request.columns = {"id", "title"};
  last = Ask(&large.dispatcher, Op::kSearch, request, RawVector(kQuery));
  SearchReply reply = BodyOf<SearchReply>(last);
  size_t rows = 0, batches = 0;
  for (;; batches++) {
    EXPECT_LE(RawOf(last).size(), VFDW_REPLY_TARGET_BYTES + 64);
    rows += reply.rows;
    if (reply.cursor == 0) break;
    last = Ask(&large.dispatcher, Op::kFetch, vfdw::FetchRequest{reply.cursor, 0});
    reply = BodyOf<SearchReply>(last);
  }
  EXPECT_EQ(rows, 107u);
  EXPECT_GE(batches, 1u);
  EXPECT_TRUE(reply.complete);
  last = Reply();  // before the budget that it is counted in
}

TEST_F(SearchTest, AnotherMetricIsAnsweredExactly) {
  SearchRequest request = SmallSearch(3);
  request.metric = VFDW_METRIC_COSINE;
  const SearchReply reply = Search(request);
  double distance;
  memcpy(&distance, RawOf(last).data() + reply.distances_offset, 8);
  const VectorStore& store = service.collection->current()->segments[0]->vectors();
  EXPECT_EQ(distance, vfdw_distance(VFDW_METRIC_COSINE, kQuery.data(),
                                    store.row(static_cast<size_t>(Ids(reply)[0])), 4));
}

TEST_F(SearchTest, EveryWrongRequestHasItsError) {
  struct Case {
    ErrorCode expected;
    std::function<void(SearchRequest*)> spoil;
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Case cases[] = {
      {ErrorCode::COLLECTION_MISSING, [](auto* r) { r->collection.name = "nothing"; }},
      {ErrorCode::COLLECTION_MISSING, [](auto* r) { r->collection.schema = "other"; }},
      {ErrorCode::COLLECTION_MISSING, [](auto* r) { r->collection.database = "other"; }},
      {ErrorCode::INVALID_PARAMETER, [](auto* r) { r->metric = 0; }},
      {ErrorCode::INVALID_PARAMETER, [](auto* r) { r->metric = 5; }},
      {ErrorCode::COLUMN_MISSING,
       [](auto* r) {
         r->columns = {"id", "nothing"};
       }},
      {ErrorCode::COLUMN_MISSING, [](auto* r) { r->vector_column = "nothing"; }},
      {ErrorCode::WRONG_TYPE, [](auto* r) { r->vector_column = "title"; }},
      {ErrorCode::INVALID_PARAMETER, [](auto* r) { r->ef_search = VFDW_MAX_EF_SEARCH + 1; }},
      {ErrorCode::INVALID_PARAMETER, [](auto* r) { r->nprobe = VFDW_MAX_NPROBE + 1; }},
      {ErrorCode::INVALID_PARAMETER, [](auto* r) { r->target_recall = 1.5; }},
      {ErrorCode::INVALID_PARAMETER, [](auto* r) { r->target_recall = 0.009; }},
      {ErrorCode::INVALID_PARAMETER, [nan](auto* r) { r->target_recall = nan; }},
      {ErrorCode::INVALID_PARAMETER, [](auto* r) { r->consistency = 9; }},
      {ErrorCode::UNKNOWN_OPERATION, [](auto* r) { r->consistency = 3; }},
      {ErrorCode::INVALID_PARAMETER,
       [](auto* r) { r->columns.assign(VFDW_MAX_COLUMNS + 1, "id"); }},
      {ErrorCode::SNAPSHOT_TOO_OLD, [](auto* r) { r->resume.generation = 77; }},
  };
  for (const Case& c : cases) {
    SearchRequest request = SmallSearch(10);
    c.spoil(&request);
    EXPECT_EQ(ErrorOf(request), c.expected) << last.status.ToString();
  }
  EXPECT_EQ(service.metrics.errors.value(), std::size(cases));
  EXPECT_FALSE(service.dispatcher.busy());
}

TEST_F(SearchTest, EveryWrongVectorHasItsError) {
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(ErrorOf(SmallSearch(1), "abcde"), ErrorCode::MALFORMED_MESSAGE);
  EXPECT_EQ(ErrorOf(SmallSearch(1), RawVector({1, 2, 3})), ErrorCode::INVALID_VECTOR);
  EXPECT_EQ(ErrorOf(SmallSearch(1), RawVector({1, 2, 3, infinity})), ErrorCode::INVALID_VECTOR);
  EXPECT_EQ(ErrorOf(SmallSearch(1), RawVector({1, 2, 3, NAN})), ErrorCode::INVALID_VECTOR);
  EXPECT_EQ(ErrorOf(SmallSearch(1), std::string(4 * (VFDW_MAX_DIMENSIONS + 1), '\0')),
            ErrorCode::INVALID_VECTOR);
}

TEST_F(SearchTest, ACollectionThatIsNotServedSaysWhy) {
  service.collection->Unload();
  EXPECT_EQ(ErrorOf(SmallSearch(1)), ErrorCode::UNLOADED);
  auto building = std::make_shared<Collection>(SmallCollection().MakeDefinition(), &service.budget);
  service.catalog.Add(building);
  EXPECT_EQ(ErrorOf(SmallSearch(1)), ErrorCode::NOT_READY);
}

TEST_F(SearchTest, DoesNotWaitForAnLsnThatNothingFollows) {
  SearchRequest request = SmallSearch(1);
  request.consistency = static_cast<uint8_t>(vfdw::Consistency::kSession);
  request.min_lsn = 1 << 20;  // the set's as_of is 0
  EXPECT_EQ(Search(request).rows, 1u);
}

TEST_F(SearchTest, WaitsForItsLsnUntilTheDeadline) {
  auto set = SmallCollection().MakeSet(2);
  set->as_of = 100;
  service.collection->Publish(set);
  SearchRequest request = SmallSearch(1);
  request.min_lsn = 100;
  EXPECT_EQ(Search(request).as_of, 100u);
  request.min_lsn = 200;
  request.consistency = static_cast<uint8_t>(vfdw::Consistency::kEventual);
  EXPECT_EQ(Search(request).as_of, 100u);

  request.consistency = static_cast<uint8_t>(vfdw::Consistency::kSession);
  request.columns = {"to_come"};  // a set that is too old is not asked what it has
  auto waiting = MakeRequest(Op::kSearch, 5, vfdw::Encode(request), RawVector(kQuery));
  waiting->envelope.timeout_ms = 60000;
  waiting->Arrived(service.clock.SteadyNs());
  service.dispatcher.Accept(waiting.get());
  CollectingSink sink;
  service.dispatcher.Handle(std::move(waiting), &sink);
  EXPECT_FALSE(service.dispatcher.Tick());
  EXPECT_EQ(sink.count(), 0u);
  service.clock.shift_ns = 61000000000;
  EXPECT_TRUE(service.dispatcher.Tick());
  service.dispatcher.Handle(service.dispatcher.TakeResumed(), &sink);
  EXPECT_EQ(sink.Take(5).status.code(), ErrorCode::DEADLINE_EXCEEDED);
}

}  // namespace
}  // namespace vectord

// filter_search_test.cpp - filters, ranges and counts of a search request.
#include <gtest/gtest.h>

#include <limits>

#include "shared/limits.h"
#include "shared/metric.h"
#include "test/unit/attribute/filter_nodes.h"
#include "test/unit/service/asking.h"
#include "test/unit/service/small_collection.h"

namespace vectord {
namespace {

using vfdw::FilterKind;
using vfdw::Op;
using vfdw::RangeBound;
using vfdw::SearchReply;
using vfdw::SearchRequest;

const std::vector<float> kQuery = {0.1f, -0.2f, 0.3f, 0.4f};

struct FilterSearchTest : testing::Test {
  SearchReply Search(const SearchRequest& request, bool ordered = true) {
    last = Ask(&service.dispatcher, Op::kSearch, request, ordered ? RawVector(kQuery) : "");
    return BodyOf<SearchReply>(last);
  }
  ErrorCode ErrorOf(const SearchRequest& request, bool ordered = true) {
    last = Ask(&service.dispatcher, Op::kSearch, request, ordered ? RawVector(kQuery) : "");
    EXPECT_EQ(last.kind, Reply::Kind::kError);
    return last.status.code();
  }
  std::vector<int64_t> Ids(const SearchReply& reply) {
    return FixedValues<int64_t>(reply, RawOf(last), 0);
  }
  TestService service;
  Reply last;
};

SearchRequest Where(std::vector<vfdw::FilterNode> filter, uint64_t k = 0) {
  SearchRequest request = SmallSearch(k);
  request.filter = std::move(filter);
  return request;
}

TEST_F(FilterSearchTest, GivesTheRowsThatPassAndNoOther) {
  const SearchReply reply =
      Search(Where({Leaf(FilterKind::kIn, "id", {Bytes(int64_t{7}), Bytes(int64_t{103})})}, 10));
  EXPECT_EQ(Ids(reply), (std::vector<int64_t>{7, 103}));
  EXPECT_EQ(reply.ordered_rows, 1u);
  EXPECT_TRUE(reply.complete);
  EXPECT_EQ(reply.strategy, "exact");
}

TEST_F(FilterSearchTest, FindsTextsThatAreNull) {
  const SearchReply reply = Search(Where({Leaf(FilterKind::kIsNull, "title")}), false);
  EXPECT_EQ(reply.rows, 36u);
  for (const int64_t id : Ids(reply)) EXPECT_EQ(id % 3, 0);
}

TEST_F(FilterSearchTest, KnowsWhetherTheVectorIsNull) {
  EXPECT_EQ(Search(Where({Leaf(FilterKind::kIsNull, "embedding")})).rows, 7u);
}

TEST_F(FilterSearchTest, ThatNothingPassesIsComplete) {
  const SearchReply reply =
      Search(Where({Leaf(FilterKind::kEqual, "title", {"no such title"})}, 10));
  EXPECT_EQ(reply.rows, 0u);
  EXPECT_TRUE(reply.complete);
  EXPECT_EQ(reply.cursor, 0u);
}

TEST_F(FilterSearchTest, CountsWithoutRows) {
  SearchRequest request = Where({Leaf(FilterKind::kLess, "id", {Bytes(int64_t{50})})});
  request.count_only = true;
  SearchReply reply = Search(request, false);
  EXPECT_EQ(reply.matching_rows, 50u);
  EXPECT_EQ(reply.rows, 0u);
  EXPECT_TRUE(reply.complete);
  request.filter.clear();
  EXPECT_EQ(Search(request, false).matching_rows, 107u);
  request.range = static_cast<uint8_t>(RangeBound::kLess);
  request.max_distance = std::numeric_limits<double>::infinity();
  EXPECT_EQ(Search(request).matching_rows, 100u);
}

TEST_F(FilterSearchTest, EndsAtTheRange) {
  SearchRequest request = SmallSearch(0);
  const SearchReply all = Search(request);
  std::vector<double> distances(all.ordered_rows);
  memcpy(distances.data(), RawOf(last).data() + all.distances_offset,
         distances.size() * sizeof(double));
  request.max_distance = distances[30];
  request.range = static_cast<uint8_t>(RangeBound::kLess);
  EXPECT_EQ(Search(request).rows, 30u);
  request.range = static_cast<uint8_t>(RangeBound::kLessEqual);
  EXPECT_EQ(Search(request).rows, 31u);
  request.k = 5;
  const SearchReply some = Search(request);
  EXPECT_EQ(some.rows, 5u);
  EXPECT_FALSE(some.complete);
}

TEST_F(FilterSearchTest, FetchesFurtherBatchesUnderTheFilter) {
  SearchRequest request = Where({Leaf(FilterKind::kGreaterEqual, "id", {Bytes(int64_t{60})})});
  request.batch_rows = 10;
  SearchReply reply = Search(request);
  size_t rows = reply.rows;
  while (reply.cursor != 0) {
    last = Ask(&service.dispatcher, Op::kFetch, vfdw::FetchRequest{reply.cursor, 10});
    reply = BodyOf<SearchReply>(last);
    for (const int64_t id : Ids(reply)) EXPECT_GE(id, 60);
    rows += reply.rows;
  }
  EXPECT_EQ(rows, 47u);
}

TEST_F(FilterSearchTest, RefusesWhatItCannotAnswer) {
  EXPECT_EQ(ErrorOf(Where({Leaf(FilterKind::kIsNull, "nothing")})), ErrorCode::COLUMN_MISSING);
  EXPECT_EQ(ErrorOf(Where({Leaf(FilterKind::kEqual, "id", {"abc"})})),
            ErrorCode::MALFORMED_MESSAGE);
  EXPECT_EQ(ErrorOf(Where({Leaf(FilterKind::kEqual, "embedding", {"abc"})})),
            ErrorCode::WRONG_TYPE);
  SearchRequest request = SmallSearch(1);
  request.range = 3;
  EXPECT_EQ(ErrorOf(request), ErrorCode::INVALID_PARAMETER);
  request.range = 1;
  EXPECT_EQ(ErrorOf(request, false), ErrorCode::INVALID_PARAMETER);
  request.range = 0;
  request.count_only = true;
  request.sample_rows = 5;
  EXPECT_EQ(ErrorOf(request, false), ErrorCode::INVALID_PARAMETER);
}

TEST_F(FilterSearchTest, RefusesTooManyNodesBeforeItMakesThem) {
  const SearchRequest request = Where(
      std::vector<vfdw::FilterNode>(VFDW_MAX_FILTER_NODES + 1, Leaf(FilterKind::kIsNull, "id")));
  EXPECT_EQ(ErrorOf(request), ErrorCode::MALFORMED_MESSAGE);
}

}  // namespace
}  // namespace vectord

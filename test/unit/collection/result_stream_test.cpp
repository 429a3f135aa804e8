// result_stream_test.cpp - a stream against a naive sort of all rows.
#include "daemon/collection/result_stream.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <set>

#include "daemon/index/index_builder.h"

namespace vectord {
namespace {

constexpr size_t kDimensions = 5;

struct Fixture {
  std::shared_ptr<SegmentSet> set = std::make_shared<SegmentSet>();
  std::vector<std::vector<float>> vectors;  // by version - 1; empty: no vector
  std::set<uint64_t> deleted;               // versions
};

Column KeyColumn(uint64_t first, size_t rows) {
  Column key(ValueEncoding::kInt64, 20);
  for (size_t i = 0; i < rows; i++) {
    const uint64_t value = first + i;
    key.Append({reinterpret_cast<const char*>(&value), sizeof value});
  }
  return key;
}

void AddSegment(Fixture* fixture, size_t rows, bool with_vectors, const IndexSpec& spec,
                std::mt19937* random) {
  const uint64_t first = fixture->vectors.size() + 1;
  ColumnSet columns({KeyColumn(first, rows)});
  std::shared_ptr<VectorStore> store;
  std::unique_ptr<const Index> index;
  if (with_vectors) {
    store = std::move(VectorStore::Create(kDimensions, rows)).value();
    // Few distinct values, so that equal distances are common; some zero vectors.
    std::uniform_int_distribution<int> value(-1, 1);
    for (size_t i = 0; i < rows; i++) {
      std::vector<float> v(kDimensions);
      for (float& x : v) x = static_cast<float>(value(*random));
      EXPECT_TRUE(store->AppendBatch(v.data(), 1).ok());
      fixture->vectors.push_back(v);
    }
    std::vector<uint32_t> permutation;
    auto built = BuildIndex(spec, store, BuildControl(), &permutation);
    EXPECT_TRUE(built.ok());
    index = std::move(built).value();
    EXPECT_TRUE(permutation.empty());
  } else {
    fixture->vectors.resize(fixture->vectors.size() + rows);
  }
  fixture->set->segments.push_back(std::make_shared<Segment>(
      std::move(columns), std::move(store), std::move(index), first, MemoryReservation()));
  fixture->set->CountRows();
  fixture->set->dimensions = kDimensions;
}

// Deletes each row of segment s with this chance.
void DeleteSome(Fixture* fixture, size_t s, double chance, std::mt19937* random) {
  SegmentView& view = fixture->set->segments[s];
  auto live = std::make_shared<RowBitmap>(view->rows(), true);
  std::bernoulli_distribution dies(chance);
  for (uint32_t row = 0; row < view->rows(); row++) {
    if (!dies(*random)) continue;
    live->Remove(row);
    fixture->deleted.insert(view->VersionOf(row));
  }
  view = SegmentView(view.segment, live);
  fixture->set->CountRows();
}

Fixture MakeFixture(IndexKind kind, vfdw_metric metric, uint32_t seed) {
  Fixture fixture;
  std::mt19937 random(seed);
  IndexSpec spec;
  spec.kind = kind;
  spec.metric = metric;
  AddSegment(&fixture, 700, true, spec, &random);
  AddSegment(&fixture, 30, false, spec, &random);
  AddSegment(&fixture, 300, true, spec, &random);
  AddSegment(&fixture, 20, false, spec, &random);
  return fixture;
}

uint64_t VersionOf(const ResultStream& stream, const RowRef& ref) {
  return stream.set().segments[ref.segment]->VersionOf(ref.row);
}

// Versions in the exact order of (distance, version); rows without a vector last.
std::vector<uint64_t> Expected(const Fixture& fixture, const Query& query) {
  std::vector<std::pair<double, uint64_t>> rows;
  std::vector<uint64_t> vectorless;
  for (size_t i = 0; i < fixture.vectors.size(); i++) {
    if (fixture.deleted.count(i + 1) > 0) continue;
    if (fixture.vectors[i].empty())
      vectorless.push_back(i + 1);
    else
      rows.emplace_back(
          vfdw_distance(query.metric, query.vector.data(), fixture.vectors[i].data(), kDimensions),
          i + 1);
  }
  std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
    return vfdw_compare_distances(a.first, b.first) < 0;
  });
  std::vector<uint64_t> versions;
  for (const auto& row : rows) versions.push_back(row.second);
  versions.insert(versions.end(), vectorless.begin(), vectorless.end());
  return versions;
}

std::vector<uint64_t> ReadAll(ResultStream* stream, size_t at_once) {
  std::vector<uint64_t> versions;
  while (!stream->complete()) {
    std::vector<RowRef> rows;
    EXPECT_TRUE(stream->Next(at_once, nullptr, &rows).ok());
    EXPECT_LE(rows.size(), at_once);
    for (const RowRef& ref : rows) versions.push_back(VersionOf(*stream, ref));
    if (rows.empty() && !stream->complete()) {
      ADD_FAILURE() << "a stream that is not complete gave no row";
      break;
    }
  }
  return versions;
}

Query MakeQuery(vfdw_metric metric, uint64_t k) {
  Query query;
  query.vector = {1, 0, -1, 0.5f, 0.25f};
  query.metric = metric;
  query.k = k;
  return query;
}

class EveryMetric : public testing::TestWithParam<vfdw_metric> {};

TEST_P(EveryMetric, FlatStreamsGiveTheExactOrderForAnyKAndBatch) {
  const Fixture fixture = MakeFixture(IndexKind::kFlat, GetParam(), 1);
  for (const uint64_t k : {0, 1, 7, 100, 999, 1000, 1001, 1050, 5000}) {
    for (const size_t at_once : {1, 13, 4000}) {
      ResultStream stream(fixture.set, MakeQuery(GetParam(), k));
      EXPECT_EQ(ReadAll(&stream, at_once), Expected(fixture, stream.query()))
          << "k " << k << ", " << at_once << " at once";
    }
  }
}

TEST_P(EveryMetric, DeletedRowsNeverComeAndAllOthersDo) {
  for (const IndexKind kind : {IndexKind::kFlat, IndexKind::kHnsw}) {
    Fixture fixture = MakeFixture(kind, GetParam(), 11);
    std::mt19937 random(12);
    DeleteSome(&fixture, 0, 0.9, &random);
    DeleteSome(&fixture, 1, 0.5, &random);
    DeleteSome(&fixture, 2, 1.0, &random);
    for (const uint64_t k : {0, 3, 5000}) {
      Query query = MakeQuery(GetParam(), k);
      query.exact = kind == IndexKind::kFlat;
      ResultStream stream(fixture.set, query);
      const std::vector<uint64_t> versions = ReadAll(&stream, 11);
      if (query.exact || k == 0 || k == 5000) {
        EXPECT_EQ(versions, Expected(fixture, query)) << "k " << k;
      }
      for (const uint64_t version : versions) EXPECT_EQ(fixture.deleted.count(version), 0u);
    }
    ResultStream all(fixture.set, Query());
    EXPECT_EQ(ReadAll(&all, 5).size(), fixture.set->rows);
    Query sample;
    sample.sample_rows = 20;
    ResultStream some(fixture.set, sample);
    for (const uint64_t version : ReadAll(&some, 5)) EXPECT_EQ(fixture.deleted.count(version), 0u);
  }
}

TEST_P(EveryMetric, AnotherMetricThanTheIndexServesIsExact) {
  const Fixture fixture = MakeFixture(
      IndexKind::kHnsw, GetParam() == VFDW_METRIC_L2 ? VFDW_METRIC_L1 : VFDW_METRIC_L2, 2);
  ResultStream stream(fixture.set, MakeQuery(GetParam(), 50));
  EXPECT_EQ(ReadAll(&stream, 17), Expected(fixture, stream.query()));
  EXPECT_EQ(stream.stats().strategy, "exact");
}

TEST_P(EveryMetric, ApproximateStreamsKeepTheOrderAndRepeatNothing) {
  const Fixture fixture = MakeFixture(IndexKind::kHnsw, GetParam(), 3);
  Query query = MakeQuery(GetParam(), 10);
  query.ef_search = 10;
  ResultStream stream(fixture.set, query);
  const std::vector<uint64_t> versions = ReadAll(&stream, 9);
  EXPECT_EQ(std::set<uint64_t>(versions.begin(), versions.end()).size(), versions.size());
  double last = -INFINITY;
  bool vectorless = false;
  for (const uint64_t version : versions) {
    const auto& vector = fixture.vectors[version - 1];
    if (vector.empty()) {
      vectorless = true;
      continue;
    }
    EXPECT_FALSE(vectorless) << "a row without a vector came before one with";
    const double d = vfdw_distance(GetParam(), query.vector.data(), vector.data(), kDimensions);
    EXPECT_LE(vfdw_compare_distances(last, d), 0);
    last = d;
  }
}

TEST_P(EveryMetric, AResumedStreamGoesOnWhereTheFirstEnded) {
  const Fixture fixture = MakeFixture(IndexKind::kFlat, GetParam(), 4);
  const std::vector<uint64_t> all = Expected(fixture, MakeQuery(GetParam(), 1));
  for (const size_t given : {1, 250, 999, 1000, 1001, 1031, 1049}) {
    ResultStream first(fixture.set, MakeQuery(GetParam(), given));
    std::vector<RowRef> rows;
    ASSERT_TRUE(first.Next(given, nullptr, &rows).ok());
    ASSERT_EQ(rows.size(), given);
    Query query = MakeQuery(GetParam(), 5);
    query.after = StreamPosition{rows.back().distance, first.IsVectorless(rows.back()),
                                 VersionOf(first, rows.back())};
    ResultStream second(fixture.set, query);
    EXPECT_EQ(ReadAll(&second, 100), std::vector<uint64_t>(all.begin() + given, all.end()))
        << "after " << given;
  }
}

INSTANTIATE_TEST_SUITE_P(Metrics, EveryMetric,
                         testing::Values(VFDW_METRIC_L2, VFDW_METRIC_IP, VFDW_METRIC_COSINE,
                                         VFDW_METRIC_L1));

TEST(ResultStream, AFirstBatchEndsAtK) {
  const Fixture fixture = MakeFixture(IndexKind::kFlat, VFDW_METRIC_L2, 5);
  ResultStream stream(fixture.set, MakeQuery(VFDW_METRIC_L2, 10));
  std::vector<RowRef> rows;
  ASSERT_TRUE(stream.Next(1000, nullptr, &rows).ok());
  EXPECT_EQ(rows.size(), 10u);
  EXPECT_TRUE(stream.batch_reached());
  EXPECT_FALSE(stream.complete());
  EXPECT_EQ(stream.pending(), 0u);
}

// Sums of float32 overflow, as those of the operator do.
TEST(ResultStream, RowsAtMinusInfinityComeFromEverySegment) {
  Fixture fixture;
  std::mt19937 random(8);
  IndexSpec spec;
  spec.metric = VFDW_METRIC_IP;
  for (int segment = 0; segment < 3; segment++) AddSegment(&fixture, 20, true, spec, &random);
  Query query = MakeQuery(VFDW_METRIC_IP, 60);
  query.vector.assign(kDimensions, 3e38f);
  const std::vector<uint64_t> expected = Expected(fixture, query);
  ASSERT_EQ(vfdw_distance(VFDW_METRIC_IP, query.vector.data(),
                          fixture.vectors[expected[9] - 1].data(), kDimensions),
            -std::numeric_limits<double>::infinity());
  for (const uint64_t k : {1, 3, 60}) {
    query.k = k;
    ResultStream stream(fixture.set, query);
    EXPECT_EQ(ReadAll(&stream, k), expected) << "k " << k;
  }
}

TEST(ResultStream, RowsThatWerePutBackComeAgain) {
  const Fixture fixture = MakeFixture(IndexKind::kFlat, VFDW_METRIC_L2, 6);
  ResultStream stream(fixture.set, MakeQuery(VFDW_METRIC_L2, 1050));
  std::vector<RowRef> first, second;
  ASSERT_TRUE(stream.Next(1050, nullptr, &first).ok());
  EXPECT_TRUE(stream.complete());
  stream.PutBack(1030);
  EXPECT_FALSE(stream.complete());
  ASSERT_TRUE(stream.Next(2000, nullptr, &second).ok());
  ASSERT_EQ(second.size(), 1030u);
  EXPECT_EQ(VersionOf(stream, second[0]), VersionOf(stream, first[20]));
  EXPECT_TRUE(stream.complete());
}

TEST(ResultStream, WithoutAVectorAllRowsComeOnce) {
  const Fixture fixture = MakeFixture(IndexKind::kFlat, VFDW_METRIC_L2, 7);
  ResultStream stream(fixture.set, Query());
  std::vector<uint64_t> versions = ReadAll(&stream, 64);
  std::sort(versions.begin(), versions.end());
  ASSERT_EQ(versions.size(), 1050u);
  for (size_t i = 0; i < versions.size(); i++) EXPECT_EQ(versions[i], i + 1);
}

TEST(ResultStream, ASampleHasDistinctRowsAndItsSize) {
  const Fixture fixture = MakeFixture(IndexKind::kFlat, VFDW_METRIC_L2, 8);
  for (const uint64_t size : {1, 100, 1050, 100000}) {
    Query query;
    query.sample_rows = size;
    query.sample_seed = size;
    ResultStream stream(fixture.set, query);
    const std::vector<uint64_t> versions = ReadAll(&stream, 77);
    EXPECT_EQ(versions.size(), std::min<uint64_t>(size, 1050));
    EXPECT_EQ(std::set<uint64_t>(versions.begin(), versions.end()).size(), versions.size());
  }
}

TEST(ResultStream, AnEmptyCollectionIsCompleteAtOnce) {
  auto set = std::make_shared<SegmentSet>();
  ResultStream stream(set, MakeQuery(VFDW_METRIC_L2, 10));
  EXPECT_TRUE(stream.complete());
}

TEST(ResultStream, ACanceledStreamSaysSo) {
  const Fixture fixture = MakeFixture(IndexKind::kFlat, VFDW_METRIC_L2, 9);
  ResultStream stream(fixture.set, MakeQuery(VFDW_METRIC_L2, 10));
  const std::atomic<bool> cancelled{true};
  std::vector<RowRef> rows;
  EXPECT_EQ(stream.Next(10, &cancelled, &rows).code(), ErrorCode::CANCELED);
}

TEST(CheckQuery, RefusesWrongDimensionsAndElementsThatAreNotFinite) {
  Fixture fixture = MakeFixture(IndexKind::kFlat, VFDW_METRIC_L2, 10);
  fixture.set->definition = std::make_shared<Definition>();
  Query query = MakeQuery(VFDW_METRIC_L2, 1);
  EXPECT_TRUE(CheckQuery(*fixture.set, query).ok());
  query.vector[2] = NAN;
  EXPECT_EQ(CheckQuery(*fixture.set, query).code(), ErrorCode::INVALID_VECTOR);
  query.vector = {1, 2};
  EXPECT_EQ(CheckQuery(*fixture.set, query).code(), ErrorCode::INVALID_VECTOR);
}

}  // namespace
}  // namespace vectord

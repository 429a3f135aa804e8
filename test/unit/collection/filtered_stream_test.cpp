// filtered_stream_test.cpp - streams with a filter or a range against a naive sort of the rows
// that pass.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <set>

#include "daemon/collection/result_stream.h"
#include "daemon/index/index_builder.h"
#include "test/unit/attribute/filter_nodes.h"

namespace vectord {
namespace {

using vfdw::FilterKind;
using vfdw::RangeBound;

constexpr size_t kDimensions = 4;
constexpr int64_t kGroups = 10;

// Two segments with vectors, one without. Row i has the version i + 1, and belongs to group
// i % kGroups, by its one column.
struct Fixture {
  std::shared_ptr<SegmentSet> set = std::make_shared<SegmentSet>();
  std::vector<std::vector<float>> vectors;  // empty: no vector
  std::set<uint64_t> deleted;

  Fixture(IndexKind kind, uint32_t seed) {
    std::mt19937 random(seed);
    set->dimensions = kDimensions;
    Add(kind, 900, true, &random);
    Add(kind, 40, false, &random);
    Add(kind, 500, true, &random);
    auto live = std::make_shared<RowBitmap>(900, true);
    for (uint32_t row = 0; row < 900; row += 7) {
      live->Remove(row);
      deleted.insert(row + 1);
    }
    set->segments[0] = SegmentView(set->segments[0].segment, live);
    set->CountRows();
  }

  void Add(IndexKind kind, size_t rows, bool with_vectors, std::mt19937* random) {
    const uint64_t first = vectors.size();
    Column group(ValueEncoding::kInt64, 20);
    for (size_t i = first; i < first + rows; i++) group.Append(Bytes(int64_t(i) % kGroups));
    std::shared_ptr<VectorStore> store;
    std::unique_ptr<const Index> index;
    if (with_vectors) {
      store = std::move(VectorStore::Create(kDimensions, rows)).value();
      std::uniform_int_distribution<int> value(-3, 3);  // equal distances are common
      for (size_t i = 0; i < rows; i++) {
        std::vector<float> v(kDimensions);
        for (float& x : v) x = static_cast<float>(value(*random));
        EXPECT_TRUE(store->AppendBatch(v.data(), 1).ok());
        vectors.push_back(v);
      }
      IndexSpec spec;
      spec.kind = kind;
      std::vector<uint32_t> permutation;
      index = std::move(BuildIndex(spec, store, BuildControl(), &permutation)).value();
    } else {
      vectors.resize(vectors.size() + rows);
    }
    set->segments.push_back(std::make_shared<Segment>(
        ColumnSet({group}), std::move(store), std::move(index), first + 1, MemoryReservation()));
  }
};

std::shared_ptr<const Filter> GroupBelow(int64_t group) {
  return std::move(Filter::Compile({Leaf(FilterKind::kLess, "group", {Bytes(group)})},
                                   {{"group", ValueEncoding::kInt64, 20, 0}}))
      .value();
}

Query MakeQuery(uint64_t k, int64_t groups) {
  Query query;
  query.vector = {1, 0, -1, 0.5f};
  query.k = k;
  query.filter = GroupBelow(groups);
  return query;
}

bool Within(const Query& query, double distance) {
  if (query.range == RangeBound::kNone) return true;
  const int order = vfdw_compare_distances(distance, query.max_distance);
  return order < 0 || (order == 0 && query.range == RangeBound::kLessEqual);
}

// Versions in the exact order, of the rows of the first groups within the range.
std::vector<uint64_t> Expected(const Fixture& fixture, const Query& query, int64_t groups) {
  std::vector<std::pair<double, uint64_t>> rows;
  std::vector<uint64_t> vectorless;
  for (size_t i = 0; i < fixture.vectors.size(); i++) {
    if (fixture.deleted.count(i + 1) > 0 || int64_t(i) % kGroups >= groups) continue;
    if (fixture.vectors[i].empty()) {
      if (query.range == RangeBound::kNone) vectorless.push_back(i + 1);
      continue;
    }
    const double distance =
        vfdw_distance(query.metric, query.vector.data(), fixture.vectors[i].data(), kDimensions);
    if (Within(query, distance)) rows.emplace_back(distance, i + 1);
  }
  std::sort(rows.begin(), rows.end());
  std::vector<uint64_t> versions;
  for (const auto& row : rows) versions.push_back(row.second);
  versions.insert(versions.end(), vectorless.begin(), vectorless.end());
  return versions;
}

std::vector<uint64_t> Read(ResultStream* stream, size_t at_once, size_t most = SIZE_MAX) {
  std::vector<uint64_t> versions;
  while (!stream->complete() && versions.size() < most) {
    std::vector<RowRef> rows;
    EXPECT_TRUE(stream->Next(std::min(at_once, most - versions.size()), nullptr, &rows).ok());
    for (const RowRef& ref : rows)
      versions.push_back(stream->set().segments[ref.segment]->VersionOf(ref.row));
    if (rows.empty() && !stream->complete()) {
      ADD_FAILURE() << "a stream that is not complete gave no row";
      break;
    }
  }
  return versions;
}

TEST(FilteredStream, OfAFlatIndexGivesTheExactOrderForAnyKAndBatch) {
  const Fixture fixture(IndexKind::kFlat, 1);
  for (const int64_t groups : {0, 1, 5, 10}) {
    for (const uint64_t k : {0, 1, 50, 1000}) {
      for (const size_t at_once : {1, 13, 4000}) {
        ResultStream stream(fixture.set, MakeQuery(k, groups));
        EXPECT_EQ(Read(&stream, at_once), Expected(fixture, stream.query(), groups))
            << "groups " << groups << " k " << k << " at once " << at_once;
      }
    }
  }
}

TEST(FilteredStream, OfAGraphGivesEachRowThatPassesOnceAndNoOther) {
  const Fixture fixture(IndexKind::kHnsw, 2);
  for (const int64_t groups : {1, 5, 9}) {
    Query query = MakeQuery(10, groups);
    query.ef_search = 10;
    ResultStream stream(fixture.set, query);
    std::vector<uint64_t> versions = Read(&stream, 7, 10);
    EXPECT_EQ(versions.size(), 10u);
    const std::vector<uint64_t> rest = Read(&stream, 7);
    versions.insert(versions.end(), rest.begin(), rest.end());
    const std::set<uint64_t> distinct(versions.begin(), versions.end());
    EXPECT_EQ(distinct.size(), versions.size());
    const std::vector<uint64_t> expected = Expected(fixture, query, groups);
    for (const uint64_t version : versions)
      EXPECT_TRUE(std::count(expected.begin(), expected.end(), version) == 1) << version;
  }
}

TEST(FilteredStream, GoesOnAfterAResumePointUnderTheSameFilter) {
  const Fixture fixture(IndexKind::kFlat, 3);
  const std::vector<uint64_t> all = Expected(fixture, MakeQuery(1, 4), 4);
  for (const size_t given : {size_t{1}, size_t{200}, all.size() - 10, all.size() - 1}) {
    ResultStream first(fixture.set, MakeQuery(given, 4));
    std::vector<RowRef> rows;
    ASSERT_TRUE(first.Next(given, nullptr, &rows).ok());
    ASSERT_EQ(rows.size(), given);
    Query query = MakeQuery(5, 4);
    const RowRef& last = rows.back();
    query.after = StreamPosition{last.distance, first.IsVectorless(last),
                                 fixture.set->segments[last.segment]->VersionOf(last.row)};
    ResultStream second(fixture.set, query);
    EXPECT_EQ(Read(&second, 100),
              std::vector<uint64_t>(all.begin() + static_cast<ptrdiff_t>(given), all.end()));
  }
}

TEST(FilteredStream, WithoutAVectorHasTheRowsThatPassOnce) {
  const Fixture fixture(IndexKind::kFlat, 4);
  Query query = MakeQuery(0, 3);
  const std::vector<uint64_t> ordered = Expected(fixture, query, 3);
  query.vector.clear();
  ResultStream stream(fixture.set, query);
  std::vector<uint64_t> versions = Read(&stream, 64);
  EXPECT_EQ(std::set<uint64_t>(versions.begin(), versions.end()),
            std::set<uint64_t>(ordered.begin(), ordered.end()));
  EXPECT_EQ(versions.size(), ordered.size());
  query.sample_rows = 50;
  ResultStream sample(fixture.set, query);
  for (const uint64_t version : Read(&sample, 64))
    EXPECT_LT(static_cast<int64_t>(version - 1) % kGroups, 3);
}

TEST(FilteredStream, EndsWithItsRangeOverAnyIndex) {
  for (const IndexKind kind : {IndexKind::kFlat, IndexKind::kHnsw}) {
    const Fixture fixture(kind, 5);
    for (const double max : {-1.0, 0.5, 2.5, 3.0413812651491097, 100.0, double(NAN)}) {
      for (const RangeBound bound : {RangeBound::kLess, RangeBound::kLessEqual}) {
        for (const uint64_t k : {0, 1, 20, 5000}) {
          Query query = MakeQuery(k, 6);
          query.range = bound;
          query.max_distance = max;
          const std::vector<uint64_t> expected = Expected(fixture, query, 6);
          ResultStream stream(fixture.set, query);
          const std::vector<uint64_t> versions = Read(&stream, 33);
          // A graph may have missed a row of the first k, but only if it found as many.
          if (kind == IndexKind::kFlat || k == 0 || k >= expected.size()) {
            EXPECT_EQ(versions, expected) << "max " << max << " k " << k;
          }
          EXPECT_GE(versions.size(), std::min<size_t>(k, expected.size()));
        }
      }
    }
  }
}

TEST(FilteredStream, CountsWhatItWouldGive) {
  const Fixture fixture(IndexKind::kHnsw, 6);
  for (const int64_t groups : {0, 1, 10}) {
    Query query = MakeQuery(0, groups);
    EXPECT_EQ(*ResultStream(fixture.set, query).Count(nullptr),
              Expected(fixture, query, groups).size());
    for (const RangeBound bound : {RangeBound::kLess, RangeBound::kLessEqual}) {
      query.range = bound;
      query.max_distance = 3.0413812651491097;  // of many rows exactly
      EXPECT_EQ(*ResultStream(fixture.set, query).Count(nullptr),
                Expected(fixture, query, groups).size());
    }
    query.range = RangeBound::kNone;
    query.vector.clear();
    EXPECT_EQ(*ResultStream(fixture.set, query).Count(nullptr),
              Expected(fixture, MakeQuery(0, groups), groups).size());
  }
}

TEST(FilteredStream, StopsWhenItIsCanceled) {
  const Fixture fixture(IndexKind::kFlat, 7);
  const std::atomic<bool> cancelled{true};
  std::vector<RowRef> rows;
  ResultStream stream(fixture.set, MakeQuery(1, 5));
  EXPECT_EQ(stream.Next(1, &cancelled, &rows).code(), ErrorCode::CANCELED);
  Query query = MakeQuery(1, 5);
  query.range = RangeBound::kLess;
  query.max_distance = 5;
  EXPECT_EQ(ResultStream(fixture.set, query).Count(&cancelled).status().code(),
            ErrorCode::CANCELED);
}

}  // namespace
}  // namespace vectord

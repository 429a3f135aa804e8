// collection_writer_test.cpp - random changes against a std::map, seed printed on failure.
#include "daemon/collection/collection_writer.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

#include "daemon/collection/result_stream.h"
#include "daemon/index/index_builder.h"

namespace vectord {
namespace {

constexpr uint32_t kDimensions = 3;

std::shared_ptr<const Definition> MakeDefinition(IndexKind kind) {
  Definition definition;
  definition.name = "model";
  definition.index.kind = kind;
  const auto column = [](const char* name, ColumnRole role, ValueEncoding encoding) {
    ColumnDefinition c;
    c.name = name;
    c.role = role;
    c.encoding = encoding;
    return c;
  };
  definition.columns = {column("id", ColumnRole::kKey, ValueEncoding::kInt64),
                        column("embedding", ColumnRole::kVector, ValueEncoding::kFloat32Vector),
                        column("title", ColumnRole::kIncluded, ValueEncoding::kText)};
  return std::make_shared<const Definition>(definition);
}

struct ModelRow {
  std::optional<std::array<float, kDimensions>> vector;
  std::optional<std::string> title;
  bool rejected = false;
};
using Model = std::map<int64_t, ModelRow>;

std::string_view KeyBytes(const int64_t& key) {
  return {reinterpret_cast<const char*>(&key), sizeof key};
}

// What a set holds, read through a stream as a search would.
Model ReadSet(const std::shared_ptr<const SegmentSet>& set) {
  Model rows;
  ResultStream stream(set, Query());
  while (!stream.complete()) {
    std::vector<RowRef> refs;
    EXPECT_TRUE(stream.Next(100, nullptr, &refs).ok());
    for (const RowRef& ref : refs) {
      const Segment& segment = *set->segments[ref.segment];
      int64_t key;
      memcpy(&key, segment.columns().at(0).Value(ref.row).data(), sizeof key);
      ModelRow row;
      if (segment.has_vectors()) {
        row.vector.emplace();
        std::copy_n(segment.vectors().row(ref.row), kDimensions, row.vector->begin());
      }
      if (!segment.columns().at(1).IsNull(ref.row))
        row.title = std::string(segment.columns().at(1).Value(ref.row));
      EXPECT_TRUE(rows.emplace(key, row).second) << "key " << key << " came twice";
    }
  }
  return rows;
}

void ExpectSame(const Model& model, const std::shared_ptr<const SegmentSet>& set) {
  const Model found = ReadSet(set);
  size_t expected = 0, rejected = 0;
  for (const auto& [key, row] : model) {
    if (row.rejected) {
      rejected++;
      EXPECT_EQ(found.count(key), 0u) << "rejected key " << key << " is there";
      continue;
    }
    expected++;
    const auto it = found.find(key);
    ASSERT_NE(it, found.end()) << "key " << key << " is missing";
    EXPECT_EQ(it->second.vector, row.vector) << "key " << key;
    EXPECT_EQ(it->second.title, row.title) << "key " << key;
  }
  EXPECT_EQ(found.size(), expected);
  EXPECT_EQ(set->rows, expected);
  EXPECT_EQ(set->rejected_rows, rejected);
}

class WriterModel {
 public:
  explicit WriterModel(uint32_t seed, IndexKind kind)
      : random_(seed),
        budget_(std::make_shared<MemoryBudget>(size_t{1} << 32, "test")),
        writer_(MakeDefinition(kind), budget_) {
    EXPECT_TRUE(writer_.Seed(SegmentSet(), {}).ok());
  }

  void Step() {
    const int what = Pick(100);
    const int64_t key = Pick(400);
    if (what < 40) {
      Write(key, key, /*update=*/model_.count(key) > 0);
    } else if (what < 55) {
      Forget(key);
    } else if (what < 70) {
      if (model_.count(key) > 0) Write(key, 400 + Pick(100), /*update=*/true);
    } else if (what < 97) {
      if (model_.count(key) > 0) Write(key, key, /*update=*/true);
    } else if (what < 98 && Pick(20) == 0) {
      EXPECT_TRUE(writer_.Truncate().ok());
      model_.clear();
    } else {
      Merge();
    }
  }

  void Check() {
    auto set = writer_.MakeSet(1);
    ASSERT_TRUE(set.ok()) << set.status().ToString();
    ExpectSame(model_, *set);
  }

  Model& model() { return model_; }
  CollectionWriter& writer() { return writer_; }

 private:
  int Pick(int n) { return std::uniform_int_distribution<int>(0, n - 1)(random_); }

  // Writes a row, or moves the row at old_key to new_key, as pgoutput would tell it.
  void Write(int64_t old_key, int64_t new_key, bool update) {
    if (old_key != new_key && model_.count(new_key) > 0) return;
    const auto before = model_.find(old_key);
    IncomingRow incoming;
    ModelRow row;
    std::array<float, kDimensions> vector{};
    const int kind = Pick(10);
    if (kind == 0) {
      incoming.vector_change = VectorChange::kNull;
    } else if (kind == 1) {
      incoming.vector_change = VectorChange::kRejected;
      incoming.reject_reason = "element 1 is NaN";
      row.rejected = true;
    } else if (kind < 5 && update) {
      incoming.vector_change = VectorChange::kUnchanged;
      row.vector = before->second.vector;
      row.rejected = before->second.rejected;
    } else {
      incoming.vector_change = VectorChange::kValue;
      for (float& x : vector) x = static_cast<float>(Pick(3));
      incoming.vector = vector.data();
      incoming.dimensions = kDimensions;
      row.vector = vector;
    }
    if (Pick(3) > 0) row.title = "title " + std::to_string(Pick(5));
    incoming.unchanged.assign(2, false);
    if (update && Pick(4) == 0 && !before->second.rejected) {
      incoming.unchanged[1] = true;
      row.title = before->second.title;
    }
    incoming.values = {KeyBytes(new_key),
                       row.title ? std::string_view(*row.title) : std::string_view()};
    if (update && old_key != new_key) {
      EXPECT_TRUE(writer_.Update({KeyBytes(old_key)}, incoming).ok());
    } else if (update) {
      EXPECT_TRUE(writer_.Update({}, incoming).ok());
    } else {
      EXPECT_TRUE(writer_.Insert(incoming).ok());
    }
    if (update) model_.erase(before);
    model_[new_key] = row;
  }

  void Forget(int64_t key) {
    EXPECT_TRUE(writer_.Delete({KeyBytes(key)}).ok());
    model_.erase(key);
  }

  // Merges two segments or one, with changes between plan and end.
  void Merge() {
    auto set = writer_.MakeSet(1);
    ASSERT_TRUE(set.ok());
    MergePlan plan;
    if (auto planned = writer_.PlanMerge(1000000)) plan = *planned;
    if (plan.views.empty()) return;
    auto copied = CopyLiveRows(plan.views, kDimensions, budget_.get(), nullptr);
    ASSERT_TRUE(copied.ok());
    for (int i = Pick(10); i > 0; i--) Write(Pick(400), 0, false), Forget(Pick(400));
    std::unique_ptr<const Index> index;
    if (copied->vectors) {
      IndexSpec spec = writer_.definition().index;
      std::vector<uint32_t> permutation;
      auto built = BuildIndex(spec, copied->vectors, BuildControl(), &permutation);
      ASSERT_TRUE(built.ok());
      index = std::move(built).value();
    }
    const std::vector<RowOrigin> origins = copied->origins;
    auto segment = std::make_shared<const Segment>(
        std::move(copied->columns), std::move(copied->vectors), std::move(index),
        writer_.TakeVersions(origins.size()), std::move(copied->column_memory));
    ASSERT_TRUE(writer_.FinishMerge(plan, segment, origins).ok());
    // Key 0 may have been written above behind the model's back in neither case: Write keeps both.
  }

  std::mt19937 random_;
  std::shared_ptr<MemoryBudget> budget_;
  CollectionWriter writer_;
  Model model_;
};

TEST(CollectionWriter, RandomChangesGiveWhatAMapGives) {
  for (const IndexKind kind : {IndexKind::kFlat, IndexKind::kHnsw}) {
    for (uint32_t seed = 1; seed <= 6; seed++) {
      SCOPED_TRACE("seed " + std::to_string(seed));
      WriterModel model(seed, kind);
      for (int i = 0; i < 3000 && !testing::Test::HasFailure(); i++) {
        model.Step();
        if (i % 37 == 0) model.Check();
      }
      model.Check();
    }
  }
}

TEST(CollectionWriter, SmallSegmentsStayFewerThanTheLogarithmOfTheRows) {
  auto budget = std::make_shared<MemoryBudget>(size_t{1} << 32, "test");
  CollectionWriter writer(MakeDefinition(IndexKind::kHnsw), budget);
  ASSERT_TRUE(writer.Seed(SegmentSet(), {}).ok());
  size_t most = 0;
  for (int64_t key = 0; key < 5000; key++) {
    const float vector[kDimensions] = {static_cast<float>(key), 1, 2};
    IncomingRow row;
    row.values = {KeyBytes(key), std::string_view()};
    row.vector_change = VectorChange::kValue;
    row.vector = vector;
    row.dimensions = kDimensions;
    ASSERT_TRUE(writer.Insert(row).ok());
    auto set = writer.MakeSet(static_cast<uint64_t>(key));
    ASSERT_TRUE(set.ok());
    most = std::max(most, (*set)->segments.size());
  }
  EXPECT_LE(most, 14u);
}

IncomingRow SomeRow(const int64_t& key) {
  static const float vector[kDimensions] = {1, 2, 3};
  IncomingRow row;
  row.values = {KeyBytes(key), "title"};
  row.vector_change = VectorChange::kValue;
  row.vector = vector;
  row.dimensions = kDimensions;
  return row;
}

TEST(CollectionWriter, CountsItsKeysAlsoAfterATruncate) {
  const auto bytes_of = [](bool truncates) {
    auto budget = std::make_shared<MemoryBudget>(size_t{1} << 30, "test");
    CollectionWriter writer(MakeDefinition(IndexKind::kFlat), budget);
    EXPECT_TRUE(writer.Seed(SegmentSet(), {}).ok());
    if (truncates) {
      EXPECT_TRUE(writer.Truncate().ok());
    }
    EXPECT_TRUE(writer.MakeSet(1).ok());
    for (int64_t id = 1; id <= 20000; id++) EXPECT_TRUE(writer.Insert(SomeRow(id)).ok());
    const auto set = writer.MakeSet(2);
    EXPECT_TRUE(set.ok());
    return budget->used();
  };
  EXPECT_EQ(bytes_of(true), bytes_of(false));
  EXPECT_GT(bytes_of(true), 20000 * (kDimensions * sizeof(float) + sizeof(int64_t) + 16));
}

TEST(CollectionWriter, AnUpdateThatChangesNothingMakesNoNewSet) {
  auto budget = std::make_shared<MemoryBudget>(size_t{1} << 32, "test");
  CollectionWriter writer(MakeDefinition(IndexKind::kFlat), budget);
  ASSERT_TRUE(writer.Seed(SegmentSet(), {}).ok());
  const int64_t key = 7;
  const IncomingRow row = SomeRow(key);
  ASSERT_TRUE(writer.Insert(row).ok());
  ASSERT_TRUE(writer.MakeSet(1).ok());
  ASSERT_TRUE(writer.Update({}, row).ok());
  EXPECT_FALSE(writer.dirty());
}

}  // namespace
}  // namespace vectord

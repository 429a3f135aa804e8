// compactor_test.cpp - rows get their index in the background, and stay what they are.
#include "daemon/collection/compactor.h"

#include <gtest/gtest.h>

#include <cstring>
#include <optional>
#include <thread>

#include "daemon/collection/segment_merge.h"

namespace vectord {
namespace {

std::shared_ptr<const Definition> MakeDefinition(IndexKind kind) {
  Definition definition;
  definition.name = "docs";
  definition.index.kind = kind;
  definition.columns.resize(2);
  definition.columns[0].name = "id";
  definition.columns[0].role = ColumnRole::kKey;
  definition.columns[0].encoding = ValueEncoding::kInt64;
  definition.columns[1].name = "embedding";
  definition.columns[1].role = ColumnRole::kVector;
  definition.columns[1].encoding = ValueEncoding::kFloat32Vector;
  return std::make_shared<const Definition>(definition);
}

std::string_view Bytes(const int64_t& key) {
  return {reinterpret_cast<const char*>(&key), sizeof key};
}

class CompactorTest : public testing::TestWithParam<IndexKind> {
 protected:
  CompactorTest() {
    for (const auto& incarnation : {incarnation_, other_incarnation_}) {
      MutexLock lock(incarnation->mu);
      EXPECT_TRUE(incarnation->writer().Seed(SegmentSet(), {}).ok());
      EXPECT_TRUE(incarnation->Serve().ok());
    }
  }

  // Row i has the vector (i, i).
  void Insert(int64_t from, int64_t to) {
    MutexLock lock(incarnation_->mu);
    for (int64_t key = from; key < to; key++) {
      const float vector[2] = {static_cast<float>(key), static_cast<float>(key)};
      IncomingRow row;
      row.values = {Bytes(key)};
      row.vector_change = VectorChange::kValue;
      row.vector = vector;
      row.dimensions = 2;
      ASSERT_TRUE(incarnation_->writer().Insert(row).ok());
    }
    ASSERT_TRUE(incarnation_->Publish().ok());
  }
  void Delete(int64_t from, int64_t to) {
    MutexLock lock(incarnation_->mu);
    for (int64_t key = from; key < to; key++)
      ASSERT_TRUE(incarnation_->writer().Delete({Bytes(key)}).ok());
    ASSERT_TRUE(incarnation_->Publish().ok());
  }

  bool AllIndexed() const {
    for (const SegmentView& view : collection_->current()->segments)
      if (view->rows() > 8192 && view->index().kind() != GetParam()) return false;
    return true;
  }
  static bool Eventually(const std::function<bool()>& condition) {
    for (int i = 0; i < 6000; i++) {
      if (condition()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }
  void ExpectRows(int64_t from, int64_t to) const {
    const auto set = collection_->current();
    std::vector<bool> seen(static_cast<size_t>(to), false);
    EXPECT_EQ(set->rows, static_cast<uint64_t>(to - from));
    for (const SegmentView& view : set->segments) {
      for (uint32_t row = 0; row < view->rows(); row++) {
        if (!view.IsLive(row)) continue;
        int64_t key;
        memcpy(&key, view->columns().at(0).Value(row).data(), sizeof key);
        ASSERT_TRUE(key >= from && key < to && !seen[static_cast<size_t>(key)]) << key;
        seen[static_cast<size_t>(key)] = true;
        ASSERT_EQ(view->vectors().row(row)[1], static_cast<float>(key));
      }
    }
  }

  MemoryBudget budget_{size_t{1} << 32, "test"};
  std::shared_ptr<Collection> collection_ =
      std::make_shared<Collection>(*MakeDefinition(GetParam()), &budget_);
  std::shared_ptr<Incarnation> incarnation_ = std::make_shared<Incarnation>(
      collection_, collection_->definition(), std::make_shared<std::atomic<uint64_t>>(1));
  std::shared_ptr<Incarnation> other_incarnation_ = std::make_shared<Incarnation>(
      std::make_shared<Collection>(*MakeDefinition(GetParam()), &budget_),
      collection_->definition(), std::make_shared<std::atomic<uint64_t>>(1));
};

TEST_P(CompactorTest, FreshRowsAreIndexedWhileOthersComeAndGo) {
  auto compactor = Compactor::Start(1);
  ASSERT_TRUE(compactor.ok());
  Insert(0, 9000);  // one large transaction
  (*compactor)->Notify(incarnation_);
  for (int64_t i = 9000; i < 40000; i += 500) {
    Insert(i, i + 500);
    Delete((i - 9000) / 2, (i - 9000) / 2 + 250);
    (*compactor)->Notify(incarnation_);
    if (i % 5000 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_TRUE(
      Eventually([&] { return AllIndexed() && collection_->current()->deleted_rows < 4000; }));
  ExpectRows(15500, 40000);
  EXPECT_LE(collection_->current()->segments.size(), 12u);
}

TEST_P(CompactorTest, NothingIsMergedWhileMergesAreHeld) {
  Insert(0, 9000);
  {
    MutexLock lock(incarnation_->mu);
    incarnation_->HoldMerges();
  }
  const auto before = collection_->current()->segments;
  auto compactor = Compactor::Start(1);
  ASSERT_TRUE(compactor.ok());
  // Another incarnation's work, behind ours, tells that ours was looked at.
  std::swap(incarnation_, other_incarnation_);
  Insert(0, 9000);
  std::swap(incarnation_, other_incarnation_);
  (*compactor)->Notify(incarnation_);
  (*compactor)->Notify(other_incarnation_);
  const auto is_indexed = [&](const Collection& collection) {
    return collection.current()->segments[0]->index().kind() == GetParam();
  };
  EXPECT_TRUE(Eventually([&] { return is_indexed(*other_incarnation_->collection()); }));
  EXPECT_EQ(collection_->current()->segments[0].segment, before[0].segment);
  {
    MutexLock lock(incarnation_->mu);
    incarnation_->AllowMerges();
  }
  (*compactor)->Notify(incarnation_);
  EXPECT_TRUE(Eventually([&] { return is_indexed(*collection_); }));
}

TEST_P(CompactorTest, AMergeWithoutMemoryIsReportedAndTakesNothingAway) {
  Insert(0, 9000);
  collection_->budget()->SetLimit(collection_->budget()->used());
  auto compactor = Compactor::Start(1);
  ASSERT_TRUE(compactor.ok());
  (*compactor)->Notify(incarnation_);
  EXPECT_TRUE(Eventually([&] { return !collection_->GetStatus().last_error.empty(); }));
  ExpectRows(0, 9000);
}

TEST_P(CompactorTest, AMergeForARetiredIncarnationIsNotGoneThrough) {
  Insert(0, 20000);
  std::optional<MergePlan> plan;
  {
    MutexLock lock(incarnation_->mu);
    plan = incarnation_->writer().PlanMerge(SIZE_MAX);
  }
  ASSERT_TRUE(plan.has_value());
  BuildControl control;
  control.cancelled = incarnation_->merges_cancelled();
  EXPECT_FALSE(control.IsCancelled());
  {
    MutexLock lock(incarnation_->mu);
    incarnation_->Retire();
  }
  EXPECT_EQ(RunMerge(incarnation_.get(), *plan, control).code(), ErrorCode::CANCELED);
}

TEST_P(CompactorTest, ADroppedCollectionsMergeEnds) {
  Insert(0, 150000);
  auto compactor = Compactor::Start(1);
  ASSERT_TRUE(compactor.ok());
  (*compactor)->Notify(incarnation_);
  ASSERT_TRUE(Eventually([&] { return incarnation_.use_count() > 1; }));  // it works on it
  {
    MutexLock lock(incarnation_->mu);
    incarnation_->Retire();
  }
  EXPECT_TRUE(Eventually([&] { return incarnation_.use_count() == 1; }));
}

TEST_P(CompactorTest, StopsInTheMidstOfAMerge) {
  Insert(0, 60000);
  auto compactor = Compactor::Start(1);
  ASSERT_TRUE(compactor.ok());
  (*compactor)->Notify(incarnation_);
  (*compactor)->Stop();
  ExpectRows(0, 60000);
}

INSTANTIATE_TEST_SUITE_P(Kinds, CompactorTest, testing::Values(IndexKind::kHnsw, IndexKind::kIvf));

}  // namespace
}  // namespace vectord

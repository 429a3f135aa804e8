// relation_map_test.cpp - descriptions of tables, and what a collection can still use of them.
#include "daemon/source/relation_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vectord {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using vfdw::ColumnRole;

constexpr uint32_t kInt4 = 23, kInt8 = 20, kRealArray = 1021, kText = 25;

RelationMessage Docs() {
  RelationMessage message;
  message.id = 7;
  message.schema = "public";
  message.name = "docs";
  message.columns = {
      {"id", kInt4, -1, true}, {"title", kText, -1, false}, {"v", kRealArray, -1, false}};
  return message;
}

std::vector<NeededColumn> Needed() {
  return {{"id", kInt4, -1, ColumnRole::kKey},
          {"v", kRealArray, -1, ColumnRole::kVector},
          {"title", kText, -1, ColumnRole::kIncluded}};
}

ColumnBinding Bind(const RelationMessage& message) {
  RelationMap map;
  return BindColumns(*map.Announce(message).relation, Needed());
}

std::vector<SchemaFault> Faults(const ColumnBinding& binding) {
  std::vector<SchemaFault> faults;
  for (const SchemaProblem& problem : binding.problems) faults.push_back(problem.fault);
  return faults;
}

TEST(RelationMap, TheSameDescriptionAgainIsNoChange) {
  RelationMap map;
  const auto first = map.Announce(Docs());
  EXPECT_TRUE(first.changed());
  EXPECT_EQ(first.previous, nullptr);
  const auto again = map.Announce(Docs());
  EXPECT_FALSE(again.changed());
  EXPECT_EQ(again.relation, first.relation);
}

TEST(RelationMap, ADifferentDescriptionLeavesTheOldOneToThoseWhoHoldIt) {
  RelationMap map;
  const auto first = map.Announce(Docs());
  RelationMessage wider = Docs();
  wider.columns.push_back({"year", kInt4, -1, false});
  const auto second = map.Announce(wider);
  EXPECT_TRUE(second.changed());
  EXPECT_EQ(second.previous, first.relation);
  EXPECT_EQ(first.relation->columns.size(), 3u);
  EXPECT_EQ(map.Find(7), second.relation);
}

TEST(RelationMap, EveryPartOfADescriptionCounts) {
  const auto changes = [](const RelationMessage& other) {
    RelationMap map;
    map.Announce(Docs());
    return map.Announce(other).changed();
  };
  RelationMessage other = Docs();
  other.name = "papers";
  EXPECT_TRUE(changes(other));
  other = Docs();
  other.schema = "archive";
  EXPECT_TRUE(changes(other));
  other = Docs();
  other.identity = ReplicaIdentity::kFull;
  EXPECT_TRUE(changes(other));
  other = Docs();
  other.columns[1].type_modifier = 14;
  EXPECT_TRUE(changes(other));
  other = Docs();
  other.columns[0].in_identity = false;
  EXPECT_TRUE(changes(other));
}

TEST(RelationMap, ANewSessionMustDescribeTablesAgainButNoticesChangesInBetween) {
  RelationMap map;
  const auto first = map.Announce(Docs());
  map.BeginSession();
  EXPECT_EQ(map.Find(7), nullptr);
  EXPECT_FALSE(map.Announce(Docs()).changed());
  EXPECT_EQ(map.Find(7), first.relation);
  map.BeginSession();
  RelationMessage narrower = Docs();
  narrower.columns.pop_back();
  EXPECT_EQ(map.Announce(narrower).previous, first.relation);
  EXPECT_EQ(map.Find(8), nullptr);
}

TEST(BindColumns, FindsColumnsByNameWhereverTheyStand) {
  const ColumnBinding binding = Bind(Docs());
  EXPECT_TRUE(binding.usable());
  EXPECT_TRUE(binding.problems.empty());
  EXPECT_THAT(binding.positions, ElementsAre(0, 2, 1));
}

TEST(BindColumns, AVanishedColumnIsAProblem) {
  RelationMessage message = Docs();
  message.columns[1].name = "headline";
  const ColumnBinding binding = Bind(message);
  EXPECT_FALSE(binding.usable());
  EXPECT_THAT(Faults(binding), ElementsAre(SchemaFault::kColumnMissing));
  EXPECT_THAT(binding.positions, ElementsAre(0, 2, ColumnBinding::kMissing));
  EXPECT_EQ(binding.problems[0].column, "title");
  EXPECT_THAT(binding.problems[0].detail, HasSubstr("\"public.docs\""));
}

TEST(BindColumns, AnotherTypeIsAProblemAndAnotherModifierANote) {
  RelationMessage message = Docs();
  message.columns[0].type_oid = kInt8;
  EXPECT_FALSE(Bind(message).usable());
  EXPECT_THAT(Faults(Bind(message)), ElementsAre(SchemaFault::kTypeChanged));
  message = Docs();
  message.columns[1].type_modifier = 24;
  EXPECT_TRUE(Bind(message).usable());
  EXPECT_THAT(Faults(Bind(message)), ElementsAre(SchemaFault::kModifierChanged));
}

TEST(BindColumns, AKeyOutsideTheReplicaIdentityIsAProblem) {
  RelationMessage message = Docs();
  message.identity = ReplicaIdentity::kNothing;
  message.columns[0].in_identity = false;
  EXPECT_FALSE(Bind(message).usable());
  EXPECT_THAT(Faults(Bind(message)), ElementsAre(SchemaFault::kKeyNotInIdentity));
}

}  // namespace
}  // namespace vectord

// definition_test.cpp - options of a collection, as the catalog holds them.
#include "daemon/collection/definition.h"

#include <gtest/gtest.h>

#include <string>

namespace vectord {
namespace {

TEST(Definition, TakesEveryOption) {
  Definition definition;
  const Status status = ApplyOptions(
      R"({"m": 8, "ef_construction": 200, "ef_search": 50, "nlist": 10, "nprobe": 3,
          "quantizer": "fp16", "storage": "ram", "memory_limit": "512 MB", "dimensions": 384,
          "target_recall": 0.9, "oversample": 2.5})",
      &definition);
  ASSERT_TRUE(status.ok()) << status.ToString();
  EXPECT_EQ(definition.index.m, 8u);
  EXPECT_EQ(definition.index.ef_construction, 200u);
  EXPECT_EQ(definition.index.nlist, 10u);
  EXPECT_EQ(definition.ef_search, 50u);
  EXPECT_EQ(definition.nprobe, 3u);
  EXPECT_EQ(definition.memory_limit, 512u << 20);
  EXPECT_EQ(definition.dimensions, 384u);
  EXPECT_EQ(definition.target_recall, 0.9);
  EXPECT_EQ(definition.index.quantizer, Quantizer::kFp16);
  EXPECT_EQ(definition.oversample, 2.5);
}

TEST(Definition, SearchOptionsAreNotBuiltIn) {
  Definition definition;
  ASSERT_TRUE(ApplyOptions(R"({"ef_search": 50, "nprobe": 3})", &definition).ok());
  EXPECT_EQ(definition.index.ef_search, 0u);
  EXPECT_EQ(definition.index.nprobe, 0u);
}

TEST(Definition, NothingAndNullLeaveTheDefaults) {
  for (const char* options : {"", "{}", R"({"m": null})"}) {
    Definition definition;
    EXPECT_TRUE(ApplyOptions(options, &definition).ok());
    EXPECT_EQ(definition.index.m, IndexSpec().m);
    EXPECT_EQ(definition.index.quantizer, Quantizer::kAutomatic);
  }
}

TEST(Definition, RefusesWhatItCannotUse) {
  for (const char* options :
       {R"({"m": 1})", R"({"m": "16"})", R"({"m": 16.5})", R"({"m": -1})", R"({"m": 1e300})",
        R"({"memory_limit": "much"})", R"({"memory_limit": 5})", R"({"target_recall": 2})",
        R"({"dimensions": 0})", R"({"dimensions": 65536})", R"({"storage": "tape"})",
        R"({"quantizer": "sq4"})", R"({"quantizer": "automatic"})", R"({"quantizer": 8})",
        R"({"oversample": 0.5})", R"({"colour": "red"})", "[]", "{", "\xff"}) {
    Definition definition;
    EXPECT_EQ(ApplyOptions(options, &definition).code(), ErrorCode::INVALID_PARAMETER) << options;
  }
}

TEST(Definition, AnUnknownOptionIsAnsweredWithTheValidOnes) {
  Definition definition;
  const Status status = ApplyOptions(R"({"colour": "red"})", &definition);
  EXPECT_NE(status.hint().find("ef_construction"), std::string::npos);
  EXPECT_NE(status.hint().find("memory_limit"), std::string::npos);
}

}  // namespace
}  // namespace vectord

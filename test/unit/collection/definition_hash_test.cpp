// definition_hash_test.cpp - what makes files of an earlier definition useless.
#include "daemon/collection/definition_hash.h"

#include <gtest/gtest.h>

#include "test/unit/collection/stored_collection.h"

namespace vectord {
namespace {

TEST(DefinitionHash, ChangesWithWhatDecidesTheFilesOnly) {
  const Definition definition = DefinitionFor(IndexKind::kHnsw);
  const auto changes = [&definition](auto change) {
    Definition other = definition;
    change(&other);
    return HashDefinition(other) != HashDefinition(definition);
  };
  EXPECT_TRUE(changes([](Definition* d) { d->columns[2].name = "x"; }));
  EXPECT_TRUE(changes([](Definition* d) { d->columns[2].type_oid++; }));
  EXPECT_TRUE(changes([](Definition* d) { d->columns[2].type_modifier = 5; }));
  EXPECT_TRUE(changes([](Definition* d) { d->columns.pop_back(); }));
  EXPECT_TRUE(changes([](Definition* d) { std::swap(d->columns[2], d->columns[3]); }));
  EXPECT_TRUE(changes([](Definition* d) { d->vector_source = VectorSource::kDouble; }));
  EXPECT_TRUE(changes([](Definition* d) { d->index.metric = VFDW_METRIC_L1; }));
  EXPECT_TRUE(changes([](Definition* d) { d->index.m++; }));
  EXPECT_TRUE(changes([](Definition* d) { d->index.quantizer = Quantizer::kSq8; }));
  EXPECT_FALSE(changes([](Definition* d) { d->index.ef_search++; }));
  EXPECT_FALSE(changes([](Definition* d) { d->oversample = 5; }));
  EXPECT_FALSE(changes([](Definition* d) { d->memory_limit = 5; }));
  EXPECT_FALSE(changes([](Definition* d) { d->loaded = false; }));
}

}  // namespace
}  // namespace vectord

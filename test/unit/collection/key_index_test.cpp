// key_index_test.cpp - the index of keys against a map, where homes are crowded too.
#include "daemon/collection/key_index.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <utility>

namespace vectord {
namespace {

using Model = std::map<std::pair<uint64_t, uint64_t>, uint32_t>;

void ExpectEqual(const KeyIndex& index, const Model& model) {
  ASSERT_EQ(index.size(), model.size());
  for (const auto& [key, row] : model) {
    const auto found = index.Find({key.second, key.first});
    ASSERT_TRUE(found.has_value()) << key.first << " " << key.second;
    ASSERT_EQ(found->row, row);
    ASSERT_EQ(found->segment, row % 7 + 1);
  }
}

// Random operations on keys of which key(random) gives the hash.
template <typename KeyMaker>
void CompareWithModel(size_t operations, KeyMaker key_of) {
  std::mt19937_64 random(7);
  KeyIndex index;
  Model model;
  for (uint32_t i = 0; i < operations; i++) {
    const KeyHash key = key_of(&random);
    const std::pair<uint64_t, uint64_t> id(key.high, key.low);
    // Mostly additions at first, mostly removals at last.
    if (random() % operations >= i) {
      index.Set(key, {i % 7 + 1, i});
      model[id] = i;
    } else {
      ASSERT_EQ(index.Erase(key), model.erase(id) > 0);
    }
    ASSERT_EQ(index.Find(key).has_value(), model.count(id) > 0);
    if (i % 5000 == 0) ExpectEqual(index, model);
  }
  ExpectEqual(index, model);
}

TEST(KeyIndexTest, HoldsWhatAMapHolds) {
  CompareWithModel(60000, [](std::mt19937_64* random) {
    const uint64_t number = (*random)() % 20000;
    return HashKey({std::string_view(reinterpret_cast<const char*>(&number), sizeof number)});
  });
}

TEST(KeyIndexTest, HoldsKeysOfFewHomes) {
  CompareWithModel(20000, [](std::mt19937_64* random) {
    return KeyHash{(*random)() % 500, ((*random)() % 5) << 61};
  });
}

TEST(KeyIndexTest, HoldsManyKeysOfTheLastHome) {
  CompareWithModel(4000, [](std::mt19937_64* random) {
    return KeyHash{(*random)() % 1000, ~uint64_t{0} - (*random)() % 2};
  });
}

TEST(KeyIndexTest, AnEmptyOneFindsNothing) {
  KeyIndex index;
  EXPECT_FALSE(index.Find({1, 2}).has_value());
  EXPECT_FALSE(index.Erase({1, 2}));
  index.Set({1, 2}, {3, 4});
  index.Clear();
  EXPECT_EQ(index.size(), 0u);
  EXPECT_FALSE(index.Find({1, 2}).has_value());
}

TEST(KeyIndexTest, TakesAboutWhatItsEntriesTake) {
  std::mt19937_64 random(1);
  KeyIndex reserved;
  reserved.Reserve(500000);
  EXPECT_EQ(reserved.memory_bytes(), KeyIndex::BytesFor(500000));
  EXPECT_LE(reserved.memory_bytes(), size_t{28} * 500000);
  KeyIndex grown;
  for (uint32_t i = 0; i < 500000; i++) {
    const KeyHash key = {random(), random()};
    reserved.Set(key, {1, i});
    grown.Set(key, {1, i});
    if (i % 1000 == 999 && i > 10000) {
      ASSERT_LE(grown.memory_bytes(), size_t{36} * (i + 1));
    }
  }
  EXPECT_EQ(reserved.memory_bytes(), KeyIndex::BytesFor(500000));
}

}  // namespace
}  // namespace vectord

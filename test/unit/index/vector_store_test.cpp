// vector_store_test.cpp - filling, trimming and reordering the matrix of vectors.
#include "daemon/index/vector_store.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>
#include <thread>

#include "test/unit/index/vectors_for_tests.h"

namespace vectord {
namespace {

TEST(VectorStore, RowsAreAlignedPaddedWithZerosAndCarryTheirSquaredNorms) {
  for (const size_t dimensions : {1, 3, 15, 16, 17, 100, 384}) {
    const Vectors vectors = RandomVectors(9, dimensions, 1);
    const auto store = StoreOf(vectors);
    for (size_t row = 0; row < 9; row++) {
      EXPECT_EQ(reinterpret_cast<uintptr_t>(store->row(row)) %
                    (std::min<size_t>(store->stride(), 16) * 4),
                0u);
      for (size_t i = 0; i < store->stride(); i++)
        EXPECT_EQ(store->row(row)[i], i < dimensions ? vectors[row][i] : 0);
      EXPECT_EQ(store->squared_norms()[row], vfdw_sum_ip(vectors[row], vectors[row], dimensions));
    }
  }
}

TEST(VectorStore, ImpossibleDimensionsAreRefused) {
  EXPECT_EQ(VectorStore::Create(0, 1).status().code(), ErrorCode::INVALID_VECTOR);
  EXPECT_EQ(VectorStore::Create(70000, 1).status().code(), ErrorCode::INVALID_VECTOR);
  EXPECT_EQ(VectorStore::Create(1, size_t{1} << 32).status().code(), ErrorCode::LIMIT_EXCEEDED);
}

TEST(VectorStore, MoreRowsThanItsCapacityAreRefusedAndNoneOfThemAdded) {
  auto store = std::move(VectorStore::Create(2, 3).value());
  const std::vector<float> four(8, 1);
  EXPECT_FALSE(store->AppendBatch(four.data(), 4).ok());
  EXPECT_EQ(store->size(), 0u);
  EXPECT_EQ(store->AppendBatch(four.data(), 2).value(), 0u);
  EXPECT_EQ(store->AppendBatch(four.data(), 1).value(), 2u);
}

TEST(VectorStore, ThreadsThatAppendAtOnceGetRowsOfTheirOwn) {
  constexpr size_t kThreads = 4, kBatches = 500, kBatch = 3;
  auto store = std::move(VectorStore::Create(5, kThreads * kBatches * kBatch).value());
  std::vector<std::thread> threads;
  for (size_t t = 0; t < kThreads; t++)
    threads.emplace_back([&store, t] {
      const std::vector<float> batch(5 * kBatch, static_cast<float>(t + 1));
      for (size_t i = 0; i < kBatches; i++)
        ASSERT_TRUE(store->AppendBatch(batch.data(), kBatch).ok());
    });
  for (std::thread& thread : threads) thread.join();
  std::vector<size_t> rows_of(kThreads + 1);
  for (size_t row = 0; row < store->size(); row++) {
    rows_of[static_cast<size_t>(store->row(row)[0])]++;
    EXPECT_EQ(store->row(row)[0], store->row(row)[4]);
  }
  for (size_t t = 1; t <= kThreads; t++) EXPECT_EQ(rows_of[t], kBatches * kBatch);
}

TEST(VectorStore, TrimGivesBackMemoryAndItsReservation) {
  MemoryBudget budget(size_t{1} << 30, "test");
  const size_t bytes = VectorStore::BytesFor(100000, 64);
  {
    auto store = std::move(
        VectorStore::Create(64, 100000, std::move(budget.Reserve(bytes, "vectors").value()))
            .value());
    EXPECT_EQ(store->memory_bytes(), bytes);
    const std::vector<float> rows(64 * 1000, 2);
    ASSERT_TRUE(store->AppendBatch(rows.data(), 1000).ok());
    store->Trim();
    EXPECT_LT(store->memory_bytes(), bytes / 50);
    EXPECT_EQ(budget.used(), store->memory_bytes());
    EXPECT_EQ(store->row(999)[63], 2);
    EXPECT_FALSE(store->AppendBatch(rows.data(), 1).ok());
  }
  EXPECT_EQ(budget.used(), 0u);
}

TEST(VectorStore, PermuteMovesRowsAndNormsTogether) {
  const Vectors vectors = RandomVectors(1000, 20, 3);
  const auto store = StoreOf(vectors);
  std::vector<uint32_t> old_row(1000);
  std::iota(old_row.begin(), old_row.end(), 0);
  std::shuffle(old_row.begin(), old_row.end(), std::mt19937(4));
  store->Permute(old_row);
  for (size_t row = 0; row < 1000; row++) {
    const float* const expected = vectors[old_row[row]];
    EXPECT_TRUE(std::equal(expected, expected + 20, store->row(row)));
    EXPECT_EQ(store->squared_norms()[row], vfdw_sum_ip(expected, expected, 20));
  }
}

}  // namespace
}  // namespace vectord

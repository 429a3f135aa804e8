// segment_assembler_test.cpp - batches become segments, within the memory that was granted.
#include "daemon/source/segment_assembler.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <thread>
#include <vector>

namespace vectord {
namespace {

std::shared_ptr<const Definition> MakeDefinition(IndexKind kind) {
  auto definition = std::make_shared<Definition>();
  definition->name = "docs";
  definition->index.kind = kind;
  ColumnDefinition key;
  key.name = "id";
  key.role = ColumnRole::kKey;
  key.encoding = ValueEncoding::kInt64;
  ColumnDefinition vector;
  vector.name = "embedding";
  vector.role = ColumnRole::kVector;
  vector.encoding = ValueEncoding::kFloat32Vector;
  definition->columns = {key, vector};
  return definition;
}

std::shared_ptr<MemoryBudget> Budget(size_t bytes = 1 << 30) {
  return std::make_shared<MemoryBudget>(bytes, "test");
}

void AppendKey(int64_t key, ColumnSet* columns) {
  columns->at(0).Append({reinterpret_cast<const char*>(&key), sizeof(key)});
}

int64_t KeyOf(const ColumnSet& columns, size_t row) {
  int64_t key;
  memcpy(&key, columns.at(0).Value(row).data(), sizeof(key));
  return key;
}

// Rows first to first + count - 1; the vector of row i is (i, -i).
RowBatch MakeBatch(const Definition& definition, int64_t first, int count) {
  RowBatch batch = CopyRows(definition, 2).EmptyBatch();
  for (int64_t i = first; i < first + count; i++) {
    AppendKey(i, &batch.with_vector);
    batch.vectors.push_back(static_cast<float>(i));
    batch.vectors.push_back(static_cast<float>(-i));
  }
  return batch;
}

CopyTotals Totals(uint64_t rows, uint64_t with_vector) {
  CopyTotals totals;
  totals.rows = rows;
  totals.rows_with_vector = with_vector;
  totals.dimensions = 2;
  totals.column_bytes = rows * 8;
  return totals;
}

void ExpectKeysBesideTheirVectors(const Segment& segment) {
  for (size_t row = 0; row < segment.rows(); row++) {
    const auto key = static_cast<float>(KeyOf(segment.columns(), row));
    EXPECT_EQ(segment.vectors().row(row)[0], key);
    EXPECT_EQ(segment.vectors().row(row)[1], -key);
  }
}

TEST(SegmentAssembler, KeysStayBesideTheirVectorsWhateverTheIndexReorders) {
  for (const IndexKind kind : {IndexKind::kFlat, IndexKind::kHnsw, IndexKind::kIvf}) {
    const auto definition = MakeDefinition(kind);
    auto assembler = SegmentAssembler::Create(Budget(), definition, Totals(4000, 4000), 2);
    ASSERT_TRUE(assembler.ok()) << assembler.status().ToString();
    const auto add = [&](int64_t from, int64_t to) {
      for (int64_t i = from; i < to; i += 100)
        EXPECT_TRUE((*assembler)->Add(MakeBatch(*definition, i, 100)).ok());
    };
    std::thread other(add, 2000, 4000);
    add(0, 2000);
    other.join();

    BuildControl control;
    control.threads = 2;
    const auto set = (*assembler)->Assemble(definition->index.kind, control);

    ASSERT_TRUE(set.ok()) << set.status().ToString();
    ASSERT_EQ((*set)->segments.size(), 1u);
    EXPECT_EQ((*set)->rows, 4000u);
    ExpectKeysBesideTheirVectors(*(*set)->segments[0]);
  }
}

TEST(SegmentAssembler, RowsWithoutAVectorComeLastWithTheNextVersions) {
  const auto definition = MakeDefinition(IndexKind::kFlat);
  auto assembler = SegmentAssembler::Create(Budget(), definition, Totals(6, 4), 1);
  ASSERT_TRUE(assembler.ok());
  RowBatch batch = MakeBatch(*definition, 1, 3);
  AppendKey(77, &batch.without_vector);
  AppendKey(78, &batch.without_vector);
  batch.rejected_rows = 1;
  batch.first_rejection = "row with key (5): element 1 is NaN";

  ASSERT_TRUE((*assembler)->Add(batch).ok());
  const auto set = (*assembler)->Assemble(IndexKind::kHnsw, BuildControl());

  ASSERT_TRUE(set.ok()) << set.status().ToString();
  ASSERT_EQ((*set)->segments.size(), 2u);
  EXPECT_EQ((*set)->segments[0]->first_version(), 1u);
  EXPECT_EQ((*set)->segments[1]->first_version(), 4u);
  EXPECT_EQ(KeyOf((*set)->segments[1]->columns(), 1), 78);
  EXPECT_EQ((*set)->rows, 5u);
  EXPECT_EQ((*set)->vector_rows, 3u);
  EXPECT_EQ((*set)->rejected_rows, 1u);
  EXPECT_EQ((*assembler)->first_rejection(), "row with key (5): element 1 is NaN");
}

TEST(SegmentAssembler, AnEmptyTableGivesASetWithoutSegments) {
  auto assembler =
      SegmentAssembler::Create(Budget(), MakeDefinition(IndexKind::kHnsw), CopyTotals(), 1);
  ASSERT_TRUE(assembler.ok());
  const auto set = (*assembler)->Assemble(IndexKind::kHnsw, BuildControl());
  ASSERT_TRUE(set.ok());
  EXPECT_TRUE((*set)->segments.empty());
  EXPECT_EQ((*set)->dimensions, 0u);
}

TEST(SegmentAssembler, GenerationsDiffer) {
  const auto definition = MakeDefinition(IndexKind::kFlat);
  auto one = SegmentAssembler::Create(Budget(), definition, CopyTotals(), 1);
  auto two = SegmentAssembler::Create(Budget(), definition, CopyTotals(), 1);
  EXPECT_NE((*(*one)->Assemble(IndexKind::kHnsw, BuildControl()))->generation,
            (*(*two)->Assemble(IndexKind::kHnsw, BuildControl()))->generation);
}

TEST(SegmentAssembler, MoreOrFewerRowsThanCountedAreAnErrorThatPasses) {
  const auto definition = MakeDefinition(IndexKind::kFlat);
  auto assembler = SegmentAssembler::Create(Budget(), definition, Totals(10, 10), 1);
  ASSERT_TRUE(assembler.ok());
  ASSERT_TRUE((*assembler)->Add(MakeBatch(*definition, 0, 8)).ok());
  EXPECT_EQ((*assembler)->Assemble(IndexKind::kHnsw, BuildControl()).status().code(),
            ErrorCode::SOURCE_FAILED);
  const Status status = (*assembler)->Add(MakeBatch(*definition, 8, 3));
  EXPECT_EQ(status.code(), ErrorCode::SOURCE_FAILED);
  EXPECT_TRUE(vfdw::ErrorMayRetry(status.code()));
}

TEST(SegmentAssembler, MemoryIsRefusedBeforeTheFirstRow) {
  const auto budget = Budget(1 << 20);
  const auto assembler = SegmentAssembler::Create(budget, MakeDefinition(IndexKind::kHnsw),
                                                  Totals(1000000, 1000000), 1);
  EXPECT_EQ(assembler.status().code(), ErrorCode::OUT_OF_MEMORY);
  EXPECT_EQ(budget->used(), 0u);
}

TEST(SegmentAssembler, WhatStaysReservedIsWhatTheSetOccupies) {
  const auto budget = Budget();
  const auto definition = MakeDefinition(IndexKind::kFlat);
  auto assembler = SegmentAssembler::Create(budget, definition, Totals(1000, 900), 1);
  ASSERT_TRUE(assembler.ok());
  RowBatch batch = MakeBatch(*definition, 0, 900);
  for (int64_t i = 900; i < 1000; i++) AppendKey(i, &batch.without_vector);
  ASSERT_TRUE((*assembler)->Add(batch).ok());

  auto set = (*assembler)->Assemble(IndexKind::kHnsw, BuildControl());
  assembler->reset();

  ASSERT_TRUE(set.ok());
  EXPECT_EQ(budget->used(), (*set)->memory_bytes);
  set->reset();
  EXPECT_EQ(budget->used(), 0u);
}

TEST(SegmentAssembler, WiderRowsThanEstimatedNeedTheirMemoryToo) {
  auto definition = std::make_shared<Definition>(*MakeDefinition(IndexKind::kFlat));
  definition->columns[0].encoding = ValueEncoding::kText;
  CopyTotals totals = Totals(1, 0);
  totals.column_bytes = 10;
  const auto budget = Budget(20 << 20);
  auto assembler = SegmentAssembler::Create(budget, definition, totals, 1);
  ASSERT_TRUE(assembler.ok());
  RowBatch batch = CopyRows(*definition, 2).EmptyBatch();
  batch.without_vector.at(0).Append(std::string(30 << 20, 'x'));
  EXPECT_EQ((*assembler)->Add(batch).code(), ErrorCode::OUT_OF_MEMORY);
}

}  // namespace
}  // namespace vectord

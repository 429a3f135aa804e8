// stored_collection.h - segments of every kind for the tests of what is written to disk.
#ifndef VECTOR_FDW_TEST_UNIT_COLLECTION_STORED_COLLECTION_H
#define VECTOR_FDW_TEST_UNIT_COLLECTION_STORED_COLLECTION_H

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "daemon/collection/definition_hash.h"
#include "daemon/collection/segment_io.h"
#include "daemon/collection/segment_set.h"
#include "test/unit/index/vectors_for_tests.h"

namespace vectord {

// Removed with all in it at the end.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    char name[] = "/tmp/vectord_storage_test_XXXXXX";
    if (mkdtemp(name) == nullptr) throw std::runtime_error("no temporary directory");
    path_ = name;
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A key, a vector, and an included column of each encoding.
inline Definition DefinitionFor(IndexKind kind) {
  Definition definition;
  definition.database = "app";
  definition.schema = "public";
  definition.name = "docs_vec";
  definition.table = "docs";
  definition.table_oid = 16400;
  definition.definition_id = "d-1";
  definition.vector_column = "embedding";
  definition.index.kind = kind;
  definition.index.ef_search = 40;
  definition.index.nprobe = 10;
  const auto add = [&definition](const char* name, ColumnRole role, ValueEncoding encoding) {
    ColumnDefinition column;
    column.name = name;
    column.type_oid = 1000 + static_cast<uint32_t>(definition.columns.size());
    column.role = role;
    column.encoding = encoding;
    definition.columns.push_back(column);
  };
  add("id", ColumnRole::kKey, ValueEncoding::kInt64);
  add("embedding", ColumnRole::kVector, ValueEncoding::kFloat32Vector);
  for (const ValueEncoding encoding :
       {ValueEncoding::kBool, ValueEncoding::kInt16, ValueEncoding::kInt32, ValueEncoding::kFloat32,
        ValueEncoding::kFloat64, ValueEncoding::kUuid, ValueEncoding::kText,
        ValueEncoding::kBinary})
    add(("c" + std::to_string(static_cast<int>(encoding))).c_str(), ColumnRole::kIncluded,
        encoding);
  return definition;
}

inline ColumnSet ColumnsFor(const Definition& definition, size_t rows, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<Column> columns;
  for (const ColumnDefinition& wanted : definition.columns) {
    if (wanted.role == ColumnRole::kVector) continue;
    Column column(wanted.encoding, wanted.type_oid);
    const size_t width = vfdw::FixedBytes(wanted.encoding);
    for (size_t row = 0; row < rows; row++) {
      std::string value(width > 0 ? width : random() % 30, '\0');
      for (char& c : value) c = static_cast<char>(random());
      if (wanted.role == ColumnRole::kIncluded && random() % 5 == 0)
        column.AppendNull();
      else
        column.Append(value);
    }
    columns.push_back(std::move(column));
  }
  return ColumnSet(std::move(columns));
}

// dimensions 0: rows without vectors.
inline std::shared_ptr<const Segment> SegmentFor(const Definition& definition, size_t rows,
                                                 size_t dimensions, vfdw::RowVersionId first,
                                                 uint32_t seed = 1) {
  ColumnSet columns = ColumnsFor(definition, rows, seed);
  if (dimensions == 0)
    return std::make_shared<const Segment>(std::move(columns), nullptr, nullptr, first,
                                           MemoryReservation());
  const auto store = StoreOf(ClusteredVectors(rows, dimensions, seed));
  BuildControl control;
  control.threads = 2;
  std::vector<uint32_t> permutation;
  auto index = BuildIndex(definition.index, store, control, &permutation);
  if (!index.ok()) throw std::runtime_error(index.status().ToString());
  if (!permutation.empty()) columns.Permute(permutation);
  return std::make_shared<const Segment>(std::move(columns), store, std::move(*index), first,
                                         MemoryReservation());
}

inline void ExpectSameSegment(const Segment& read, const Segment& written) {
  ASSERT_EQ(read.rows(), written.rows());
  EXPECT_EQ(read.first_version(), written.first_version());
  ASSERT_EQ(read.columns().count(), written.columns().count());
  for (size_t c = 0; c < read.columns().count(); c++) {
    const Column &a = read.columns().at(c), &b = written.columns().at(c);
    EXPECT_EQ(a.encoding(), b.encoding());
    EXPECT_EQ(a.type_oid(), b.type_oid());
    for (size_t row = 0; row < read.rows(); row++) {
      ASSERT_EQ(a.IsNull(row), b.IsNull(row));
      ASSERT_EQ(a.Value(row), b.Value(row));
    }
  }
  ASSERT_EQ(read.has_vectors(), written.has_vectors());
  if (!read.has_vectors()) return;
  const VectorStore &a = read.vectors(), &b = written.vectors();
  ASSERT_EQ(a.dimensions(), b.dimensions());
  const size_t row_bytes = a.dimensions() * sizeof(float);
  for (size_t row = 0; row < read.rows(); row++)
    ASSERT_EQ(memcmp(a.row(row), b.row(row), row_bytes), 0);
  EXPECT_EQ(memcmp(a.squared_norms(), b.squared_norms(), read.rows() * sizeof(float)), 0);
  const Vectors queries = ClusteredVectors(20, a.dimensions(), 77);
  for (size_t q = 0; q < queries.size(); q++) {
    SearchParams params;
    SearchStats before, after;
    EXPECT_EQ(MustSearch(read.index(), queries[q], params, &after),
              MustSearch(written.index(), queries[q], params, &before));
    EXPECT_STREQ(after.strategy, before.strategy);
  }
}

}  // namespace vectord

#endif

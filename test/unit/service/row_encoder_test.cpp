// row_encoder_test.cpp - rows written, and read back as a client reads them.
#include "daemon/service/row_encoder.h"

#include <gtest/gtest.h>

#include <optional>

#include "shared/limits.h"
#include "test/unit/service/small_collection.h"

namespace vectord {
namespace {

struct AllTypes {
  std::shared_ptr<SegmentSet> set = std::make_shared<SegmentSet>();
  std::vector<std::vector<std::optional<std::string>>> values;  // by column, then row
  std::vector<OutputColumn> columns;
};

// A column of every encoding, each with NULLs at other rows; the rows have no vectors.
AllTypes MakeAllTypes(size_t rows) {
  AllTypes all;
  std::mt19937 random(7);
  std::vector<Column> columns;
  for (uint8_t e = 1; e <= static_cast<uint8_t>(ValueEncoding::kBinary); e++) {
    const auto encoding = static_cast<ValueEncoding>(e);
    Column column(encoding, 100 + e);
    std::vector<std::optional<std::string>> expected;
    for (size_t i = 0; i < rows; i++) {
      if ((i + e) % 4 == 0) {
        column.AppendNull();
        expected.emplace_back();
        continue;
      }
      const size_t width = vfdw::FixedBytes(encoding);
      std::string value(width > 0 ? width : random() % 20, '\0');
      for (char& c : value) c = static_cast<char>(random());
      column.Append(value);
      expected.emplace_back(value);
    }
    all.values.push_back(std::move(expected));
    all.columns.push_back({encoding, 100u + e, columns.size()});
    columns.push_back(std::move(column));
  }
  all.set->segments.emplace_back(std::make_shared<Segment>(ColumnSet(std::move(columns)), nullptr,
                                                           nullptr, 1, MemoryReservation()));
  all.set->CountRows();
  return all;
}

// The value as PROTOCOL.md says it stands.
std::optional<std::string> ReadValue(const vfdw::ColumnBlock& block, const RawBytes& raw,
                                     size_t row, size_t width) {
  if (block.nulls_bytes > 0 && (raw.data()[block.nulls_offset + row / 8] >> (row % 8) & 1))
    return std::nullopt;
  const char* const values = raw.data() + block.values_offset;
  if (width > 0) return std::string(values + row * width, width);
  uint32_t ends[2];
  memcpy(ends, values + row * sizeof(uint32_t), sizeof ends);
  return std::string(raw.data() + block.heap_offset + ends[0], ends[1] - ends[0]);
}

std::vector<RowRef> RowsOf(uint32_t segment, size_t count) {
  std::vector<RowRef> rows;
  for (uint32_t i = 0; i < count; i++) rows.push_back({0, segment, i});
  return rows;
}

TEST(RowEncoder, EveryEncodingWithNullsComesBackAsItWas) {
  for (const size_t rows : {1, 2, 8, 9, 100}) {
    const AllTypes all = MakeAllTypes(rows);
    MemoryBudget budget(1 << 20, "test");
    const RowEncoder encoder(*all.set, all.columns, false);
    vfdw::SearchReply sent;
    const auto raw = encoder.Encode(RowsOf(0, rows), &budget, &sent);
    ASSERT_TRUE(raw.ok());
    vfdw::SearchReply reply;
    ASSERT_TRUE(vfdw::Decode(vfdw::Encode(sent), &reply).ok());
    ASSERT_EQ(reply.rows, rows);
    EXPECT_EQ(reply.ordered_rows, 0u);
    EXPECT_EQ(reply.last_row, rows);
    for (size_t c = 0; c < all.columns.size(); c++) {
      const vfdw::ColumnBlock& block = reply.columns[c];
      EXPECT_EQ(block.encoding, static_cast<uint8_t>(all.columns[c].encoding));
      EXPECT_EQ(block.type_oid, all.columns[c].type_oid);
      for (const uint64_t offset : {block.nulls_offset, block.values_offset, block.heap_offset})
        EXPECT_EQ(offset % 8, 0u);
      EXPECT_LE(block.heap_offset + block.heap_bytes, raw->size());
      EXPECT_LE(block.values_offset + block.values_bytes, raw->size());
      for (size_t i = 0; i < rows; i++)
        EXPECT_EQ(ReadValue(block, *raw, i, vfdw::FixedBytes(all.columns[c].encoding)),
                  all.values[c][i])
            << "column " << c << " row " << i;
    }
    EXPECT_EQ(budget.used(), raw->size());
  }
}

TEST(RowEncoder, VectorsAndDistancesStandBeforeTheRowsWithoutVector) {
  SmallCollection small;
  small.dimensions = 5;  // a stride that differs from the dimensions
  const auto set = small.MakeSet();
  const auto columns = ChooseColumns(*set->definition, {"embedding", "id"});
  ASSERT_TRUE(columns.ok());
  MemoryBudget budget(1 << 20, "test");
  const std::vector<RowRef> rows = {{0.5, 0, 9}, {0.75, 0, 2}, {0, 1, 3}};
  vfdw::SearchReply reply;
  const auto raw = RowEncoder(*set, *columns, true).Encode(rows, &budget, &reply);
  ASSERT_TRUE(raw.ok());
  EXPECT_EQ(reply.ordered_rows, 2u);
  EXPECT_EQ(reply.dimensions, 5u);
  EXPECT_EQ(reply.last_row, small.vector_rows + 1 + 3);
  double distances[2];
  memcpy(distances, raw->data() + reply.distances_offset, sizeof distances);
  EXPECT_EQ(distances[0], 0.5);
  EXPECT_EQ(distances[1], 0.75);
  const vfdw::ColumnBlock& vectors = reply.columns[0];
  ASSERT_EQ(vectors.values_bytes, 3u * 5 * 4);
  ASSERT_EQ(vectors.nulls_bytes, 1u);
  EXPECT_EQ(raw->data()[vectors.nulls_offset], 4);
  const char* const values = raw->data() + vectors.values_offset;
  const VectorStore& store = set->segments[0]->vectors();
  EXPECT_EQ(memcmp(values, store.row(9), 20), 0);
  EXPECT_EQ(memcmp(values + 20, store.row(2), 20), 0);
  EXPECT_EQ(std::string(values + 40, 20), std::string(20, '\0'));
  EXPECT_EQ(reply.columns[1].nulls_bytes, 0u);
  const std::string_view frame(raw->data(), raw->size());
  EXPECT_EQ(FixedValues<int64_t>(reply, frame, 1), (std::vector<int64_t>{9, 2, 103}));
}

TEST(RowEncoder, NoRowsHaveNoFrame) {
  const AllTypes all = MakeAllTypes(3);
  MemoryBudget budget(1 << 20, "test");
  vfdw::SearchReply reply;
  const auto raw = RowEncoder(*all.set, all.columns, false).Encode({}, &budget, &reply);
  ASSERT_TRUE(raw.ok());
  EXPECT_EQ(raw->size(), 0u);
  EXPECT_EQ(reply.rows, 0u);
  ASSERT_EQ(reply.columns.size(), all.columns.size());
  for (const auto& block : reply.columns)
    EXPECT_EQ(block.values_bytes + block.heap_bytes + block.nulls_bytes, 0u);
}

TEST(RowEncoder, AsManyRowsAsFitButAtLeastOne) {
  SmallCollection small;
  small.title_bytes = 1000;
  const auto set = small.MakeSet();
  const auto columns = ChooseColumns(*set->definition, {"title"});
  ASSERT_TRUE(columns.ok());
  const RowEncoder encoder(*set, *columns, false);
  const std::vector<RowRef> rows = RowsOf(0, 30);
  EXPECT_EQ(encoder.RowsWithin(rows, 0), 1u);
  const size_t fit = encoder.RowsWithin(rows, 5000);
  MemoryBudget budget(1 << 20, "test");
  vfdw::SearchReply reply;
  const auto bytes_of = [&](size_t n) {
    return encoder.Encode(RowsOf(0, n), &budget, &reply)->size();
  };
  EXPECT_LE(bytes_of(fit), 5000u + 16);
  EXPECT_GT(bytes_of(fit + 1), 5000u);
  EXPECT_EQ(encoder.RowsWithin(rows, 1 << 20), 30u);
  EXPECT_EQ(budget.used(), 0u);
}

TEST(RowEncoder, RefusesAReplyBeyondTheMemoryBudget) {
  const auto set = SmallCollection().MakeSet();
  const auto columns = ChooseColumns(*set->definition, {"id"});
  MemoryBudget budget(100, "test");
  vfdw::SearchReply reply;
  const auto raw = RowEncoder(*set, *columns, false).Encode(RowsOf(0, 50), &budget, &reply);
  ASSERT_FALSE(raw.ok());
  EXPECT_EQ(raw.status().code(), ErrorCode::OUT_OF_MEMORY);
}

TEST(ChooseColumns, NamesTheColumnsThatThereAre) {
  const Definition definition = SmallCollection().MakeDefinition();
  const auto chosen = ChooseColumns(definition, {"id", "titel"});
  ASSERT_FALSE(chosen.ok());
  EXPECT_EQ(chosen.status().code(), ErrorCode::COLUMN_MISSING);
  EXPECT_NE(chosen.status().message().find("titel"), std::string::npos);
  EXPECT_NE(chosen.status().detail().find("\"id\", \"embedding\", \"title\""), std::string::npos);
}

}  // namespace
}  // namespace vectord

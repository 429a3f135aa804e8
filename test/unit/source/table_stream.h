// table_stream.h - the stream of a table into collections, as bytes of pgoutput, without any
// server.
#ifndef VECTOR_FDW_TEST_UNIT_SOURCE_TABLE_STREAM_H
#define VECTOR_FDW_TEST_UNIT_SOURCE_TABLE_STREAM_H

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "daemon/source/change_applier.h"
#include "daemon/source/change_decoder.h"
#include "daemon/source/table_feed.h"
#include "shared/source_names.h"
#include "test/unit/source/pgoutput_writer.h"
#include "test/unit/support/memory_file_system.h"

namespace vectord {

constexpr uint32_t kTable = 100, kPartition = 101;

inline std::string Id(uint64_t id) { return Wire("b").I64(id).bytes; }

inline std::string Array(const std::vector<float>& elements) {
  Wire wire("b");
  wire.I32(1).I32(0).I32(700).I32(elements.size()).I32(1);
  for (const float element : elements) {
    uint32_t bits;
    memcpy(&bits, &element, sizeof bits);
    wire.I32(4).I32(bits);
  }
  return wire.bytes;
}

inline std::string UpdateBytes(uint32_t relation, const std::vector<std::string>& old_key,
                               const std::vector<std::string>& values) {
  Wire wire("U");
  wire.I32(relation);
  if (!old_key.empty()) wire.Raw("K").Raw(TupleBytes(old_key));
  return wire.Raw("N").Raw(TupleBytes(values)).bytes;
}

inline std::string DeleteBytes(uint32_t relation, const std::vector<std::string>& key) {
  return Wire("D").I32(relation).Raw("K").Raw(TupleBytes(key)).bytes;
}

inline std::string TruncateBytes(uint32_t relation) {
  return Wire("T").I32(1).I8(0).I32(relation).bytes;
}

inline std::string ResyncBytes(uint32_t table) {
  const std::string content = std::to_string(table);
  return Wire("M").I8(1).I64(1).CString(VFDW_RESYNC_PREFIX).I32(content.size()).Raw(content).bytes;
}

inline Definition MakeDefinition(uint64_t memory_limit) {
  Definition definition;
  definition.name = "docs_vec";
  definition.schema = "public";
  definition.table = "docs";
  definition.table_oid = kTable;
  definition.vector_column = "embedding";
  definition.index.kind = IndexKind::kFlat;
  definition.memory_limit = memory_limit;
  const auto column = [](const char* name, uint32_t type, ColumnRole role, ValueEncoding encoding) {
    ColumnDefinition c;
    c.name = name;
    c.type_oid = type;
    c.role = role;
    c.encoding = encoding;
    return c;
  };
  definition.columns = {
      column("id", 20, ColumnRole::kKey, ValueEncoding::kInt64),
      column("embedding", 1021, ColumnRole::kVector, ValueEncoding::kFloat32Vector),
      column("title", 25, ColumnRole::kIncluded, ValueEncoding::kText)};
  return definition;
}

// A stream into any number of collections over one table.
class TableStreamTest : public testing::Test {
 protected:
  TableStreamTest() {
    decoder_.BeginSession(Lsn::kNone, static_cast<FullXid>(500));
    Take(RelationBytes(kTable, "docs", Columns()));
  }

  static std::vector<ColumnOnTheWire> Columns() {
    return {{"title", 25, false}, {"id", 20, true}, {"embedding", 1021, false}};
  }

  void Take(const std::string& message) {
    const Status status = decoder_.Decode(message);
    ASSERT_TRUE(status.ok()) << status.ToString();
  }
  void Commit(uint64_t lsn, const std::vector<std::string>& changes) {
    Take(BeginBytes(lsn, 7));
    for (const std::string& change : changes) Take(change);
    Take(CommitBytes(lsn, lsn + 1));
    applier_.BeforeWait();
  }

  std::shared_ptr<TableFeed> AddFeed(uint64_t memory_limit = 0) {
    auto collection = std::make_shared<Collection>(MakeDefinition(memory_limit), &budget_);
    auto feed = std::make_shared<TableFeed>(
        std::make_shared<Incarnation>(collection, collection->definition(), applier_.position()),
        &files_, "/backlog" + std::to_string(collections_++));
    applier_.Add(feed);
    return feed;
  }
  // As after the copy of an empty table.
  std::shared_ptr<TableFeed> AddServingFeed(uint64_t memory_limit = 0) {
    auto feed = AddFeed(memory_limit);
    feed->SetStart(static_cast<Lsn>(1), static_cast<Lsn>(1));
    EXPECT_TRUE(feed->Seed(SegmentSet(), {}, "").ok());
    EXPECT_TRUE(feed->CatchUp([] { return Status(); }).ok());
    EXPECT_TRUE(applier_.Serve(feed).ok());
    return feed;
  }

  // "id title vector" of each row that a search would see, by id.
  static std::vector<std::string> Rows(const TableFeed& feed) {
    std::map<uint64_t, std::string> rows;
    const auto set = feed.incarnation()->collection()->current();
    if (set == nullptr) return {"nothing is served"};
    for (const SegmentView& view : set->segments) {
      for (uint32_t row = 0; row < view->rows(); row++) {
        if (!view.IsLive(row)) continue;
        uint64_t id;
        memcpy(&id, view->columns().at(0).Value(row).data(), sizeof id);
        std::string text = std::to_string(id) + " " + std::string(view->columns().at(1).Value(row));
        if (view->has_vectors())
          text += " " + std::to_string(static_cast<int>(view->vectors().row(row)[0]));
        EXPECT_TRUE(rows.emplace(id, text).second) << "row " << id << " is there twice";
      }
    }
    std::vector<std::string> texts;
    for (const auto& [id, text] : rows) texts.push_back(text);
    return texts;
  }

  MemoryBudget budget_{size_t{1} << 32, "test"};
  MemoryFileSystem files_;
  bool lookup_fails_ = false;
  ChangeApplier applier_{[this](uint32_t relation) -> Result<std::vector<uint32_t>> {
                           if (lookup_fails_) return Status(ErrorCode::SOURCE_UNREACHABLE, "away");
                           std::vector<uint32_t> ancestors{relation};
                           if (relation == kPartition) ancestors.push_back(kTable);
                           return ancestors;
                         },
                         nullptr};
  ChangeDecoder decoder_{&applier_, &budget_, &files_, TxnBufferOptions(), [] { return Status(); }};
  int collections_ = 0;
};

}  // namespace vectord

#endif

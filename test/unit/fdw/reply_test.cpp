// reply_test.cpp - only replies that are sound in every byte reach the C code.
#include "fdw/reply.h"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "shared/codec.h"
#include "shared/limits.h"

namespace vfdw {
namespace {

// Three rows: two with a distance; columns: text with a NULL, bool, vector of two dimensions.
struct Batch {
  SearchReply reply;
  std::vector<uint64_t> raw = std::vector<uint64_t>(12);

  uint8_t* bytes() { return reinterpret_cast<uint8_t*>(raw.data()); }
  uint32_t* ends() { return reinterpret_cast<uint32_t*>(bytes() + 24); }

  Batch() {
    const double distances[] = {0.25, 4};
    const uint32_t text_ends[] = {0, 2, 2, 5};
    const float vectors[] = {1, 2, 3, 4, 0, 0};
    memcpy(bytes(), distances, 16);
    bytes()[16] = 0x02;  // nulls of the text column
    memcpy(bytes() + 24, text_ends, 16);
    memcpy(bytes() + 40, "abxyz", 5);
    memcpy(bytes() + 48, "\x01\x00\x01", 3);
    memcpy(bytes() + 56, vectors, 24);
    bytes()[80] = 0x04;  // nulls of the vector column
    reply.rows = 3;
    reply.ordered_rows = 2;
    reply.dimensions = 2;
    reply.columns.resize(3);
    reply.columns[0] = {Number(ValueEncoding::kText), 25, 16, 1, 24, 16, 40, 5};
    reply.columns[1] = {Number(ValueEncoding::kBool), 16, 0, 0, 48, 3, 0, 0};
    reply.columns[2] = {Number(ValueEncoding::kFloat32Vector), 1021, 80, 1, 56, 24, 0, 0};
  }
  static uint8_t Number(ValueEncoding encoding) { return static_cast<uint8_t>(encoding); }
};

Status Parse(Batch& batch, std::unique_ptr<vfdw_reply>* out, size_t shift = 0,
             uint32_t most_rows = 0) {
  std::vector<uint8_t> memory(batch.raw.size() * 8 + 8);
  memcpy(memory.data() + shift, batch.bytes(), batch.raw.size() * 8);
  Frame raw;
  raw.data = memory.data() + shift;
  raw.size = batch.raw.size() * 8;
  const Status status =
      ParseReply({Op::kSearch, 3, most_rows}, Encode(batch.reply), std::move(raw), out);
  if (status.ok() && shift == 0)  // it points into our memory, which goes away
    out->reset();
  return status;
}

TEST(Reply, ValuesOfASoundBatchAreWhereTheColumnsPoint) {
  Batch batch;
  std::unique_ptr<vfdw_reply> reply;
  ASSERT_TRUE(Parse(batch, &reply, /*shift=*/3).ok()) << "and an unaligned frame is moved";
  const vfdw_rows* rows = vfdw_reply_rows(reply.get());
  ASSERT_NE(nullptr, rows);
  EXPECT_EQ(4.0, rows->distances[1]);
  EXPECT_EQ(2, rows->columns[0].nulls[0]);
  EXPECT_EQ("xyz", std::string(rows->columns[0].heap + rows->columns[0].ends[2], 3));
  EXPECT_EQ(nullptr, rows->columns[1].nulls);
  EXPECT_EQ(4.0f, static_cast<const float*>(rows->columns[2].values)[3]);
  EXPECT_EQ(0u, reinterpret_cast<uintptr_t>(rows->columns[2].values) % 8);
}

TEST(Reply, BatchWithAnyUnsoundNumberIsRefused) {
  using Change = std::function<void(Batch&)>;
  const std::vector<std::pair<const char*, Change>> changes = {
      {"fewer columns than asked for", [](Batch& b) { b.reply.columns.pop_back(); }},
      {"more columns", [](Batch& b) { b.reply.columns.emplace_back(); }},
      {"ordered rows beyond rows", [](Batch& b) { b.reply.ordered_rows = 4; }},
      {"distances behind the end", [](Batch& b) { b.reply.distances_offset = 88; }},
      {"distances far behind the end", [](Batch& b) { b.reply.distances_offset = ~7ull; }},
      {"distances unaligned", [](Batch& b) { b.reply.distances_offset = 4; }},
      {"too many dimensions", [](Batch& b) { b.reply.dimensions = VFDW_MAX_DIMENSIONS + 1; }},
      {"dimensions that do not fit", [](Batch& b) { b.reply.dimensions = 3; }},
      {"rows without values", [](Batch& b) { b.reply.rows = 0xffffffff; }},
      {"no encoding", [](Batch& b) { b.reply.columns[0].encoding = 0; }},
      {"encoding of the future", [](Batch& b) { b.reply.columns[0].encoding = 11; }},
      {"nulls of another length", [](Batch& b) { b.reply.columns[0].nulls_bytes = 2; }},
      {"nulls behind the end", [](Batch& b) { b.reply.columns[0].nulls_offset = 96; }},
      {"values of another length", [](Batch& b) { b.reply.columns[1].values_bytes = 4; }},
      {"values behind the end", [](Batch& b) { b.reply.columns[2].values_offset = 80; }},
      {"values unaligned", [](Batch& b) { b.reply.columns[2].values_offset = 60; }},
      {"values at an offset that overflows",
       [](Batch& b) { b.reply.columns[2].values_offset = ~uint64_t{7}; }},
      {"heap behind the end", [](Batch& b) { b.reply.columns[0].heap_bytes = 100; }},
      {"heap shorter than the ends say", [](Batch& b) { b.reply.columns[0].heap_bytes = 4; }},
      {"ends that begin late", [](Batch& b) { b.ends()[0] = 1; }},
      {"ends that go back", [](Batch& b) { b.ends()[1] = 3; }},
      {"ends beyond the heap", [](Batch& b) { b.ends()[3] = 0xffffffff; }},
      {"boolean of 2", [](Batch& b) { b.bytes()[49] = 2; }},
      {"text in the message that is not UTF-8", [](Batch& b) { b.reply.strategy = "\xff"; }},
      {"text in the message with a zero byte",
       [](Batch& b) { b.reply.strategy = std::string("a\0b", 3); }},
  };
  for (const auto& [what, change] : changes) {
    Batch batch;
    change(batch);
    std::unique_ptr<vfdw_reply> reply;
    EXPECT_EQ(ErrorCode::MALFORMED_MESSAGE, Parse(batch, &reply).code()) << what;
    EXPECT_EQ(nullptr, reply) << what;
  }
  Batch batch;
  std::unique_ptr<vfdw_reply> reply;
  EXPECT_TRUE(Parse(batch, &reply, 0, 3).ok());
  EXPECT_FALSE(Parse(batch, &reply, 0, 2).ok()) << "more rows than asked for";
}

TEST(Reply, EmptyBatchHasPointersThatMayBeRead) {
  SearchReply empty;
  empty.columns.resize(1);
  empty.columns[0].encoding = static_cast<uint8_t>(ValueEncoding::kText);
  std::unique_ptr<vfdw_reply> reply;
  ASSERT_TRUE(ParseReply({Op::kFetch, 1, 0}, Encode(empty), Frame{}, &reply).ok());
  EXPECT_EQ(0u, vfdw_reply_rows(reply.get())->columns[0].ends[0]);
  EXPECT_NE(nullptr, vfdw_reply_rows(reply.get())->columns[0].heap);
}

TEST(Reply, DescriptionAndListAreBothCollections) {
  CollectionInfo info;
  info.name = "docs";
  info.columns.resize(2);
  info.columns[1].name = "embedding";
  ListReply list;
  list.collections = {info, info};
  std::unique_ptr<vfdw_reply> reply;
  size_t count = 0;
  ASSERT_TRUE(ParseReply({Op::kDescribe}, Encode(info), Frame{}, &reply).ok());
  ASSERT_NE(nullptr, vfdw_reply_collections(reply.get(), &count));
  EXPECT_EQ(1u, count);
  ASSERT_TRUE(ParseReply({Op::kList}, Encode(list), Frame{}, &reply).ok());
  const vfdw_collection_info* all = vfdw_reply_collections(reply.get(), &count);
  ASSERT_EQ(2u, count);
  EXPECT_STREQ("embedding", all[1].columns[1].name);
  EXPECT_EQ(nullptr, vfdw_reply_rows(reply.get()));
  ASSERT_TRUE(ParseReply({Op::kList}, Encode(ListReply{}), Frame{}, &reply).ok());
  EXPECT_NE(nullptr, vfdw_reply_collections(reply.get(), &count)) << "empty, but of this kind";
  EXPECT_EQ(0u, count);
}

}  // namespace
}  // namespace vfdw

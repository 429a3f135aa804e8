// pgoutput_test.cpp - each message byte by byte, whole, cut and wrong.
//
// The samples in hexadecimal were written by PostgreSQL 15.
#include "daemon/source/pgoutput.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "test/unit/source/pgoutput_writer.h"

namespace vectord {
namespace {

using testing::HasSubstr;

PgOutputMessage Parsed(const std::string& bytes) {
  PgOutputMessage message;
  const Status status = ParsePgOutput(bytes, &message);
  EXPECT_TRUE(status.ok()) << status.ToString();
  return message;
}

std::string Problem(const std::string& bytes) {
  PgOutputMessage message;
  const Status status = ParsePgOutput(bytes, &message);
  EXPECT_EQ(status.code(), ErrorCode::SOURCE_FAILED);
  return status.detail();
}

// A kind and bytes, as pgoutput_writer.h spells values.
std::vector<std::string> Spelled(const Tuple& tuple) {
  std::vector<std::string> values;
  for (const TupleValue& value : tuple)
    values.push_back(std::string(1, static_cast<char>(value.kind)) + std::string(value.bytes));
  return values;
}

const char kBegin[] = "42 0000000001587ed8 000303c43926812a 000002e3";
const char kCommit[] = "43 00 0000000001587ed8 0000000001587f08 000303c43926812a";
const char kOrigin[] = "4f 00000000015880c8 6e6f64655f6100";
const char kRelation[] =
    "52 00004005 7075626c696300 63617000 64 0003"
    "01 696400 00000017 ffffffff  00 7600 000003fd ffffffff  00 6e6f746500 00000019 ffffffff";
const char kType[] = "59 00004017 7075626c696300 6d6f6f6400";
const char kInsert[] =
    "49 00004005 4e 0003 62 00000004 00000003"
    "62 00000024 00000001 00000000 000002bc 00000002 00000001 00000004 3f800000 00000004 40000000"
    "62 00000001 78";
const char kUpdate[] = "55 00004005 4e 0003 62 00000004 00000001 75 62 00000001 6e";
const char kUpdateOfKey[] =
    "55 00004005 4b 0003 62 00000004 00000001 6e 6e 4e 0003 62 00000004 00000002 75 62 00000001 6e";
const char kUpdateFull[] = "55 00004005 4f 0001 74 00000001 31 4e 0001 74 00000001 32";
const char kDelete[] = "44 00004005 4b 0003 62 00000004 00000002 6e 6e";
const char kTruncate[] = "54 00000002 03 00004005 0000400c";
const char kMessage[] = "4d 01 0000000001589610 7000 00000005 68656c6c6f";

TEST(PgOutput, BeginHasThePlaceOfTheCommitAndTheTopLevelXid) {
  const PgOutputMessage message = Parsed(FromHex(kBegin));
  EXPECT_EQ(message.kind, PgOutputKind::kBegin);
  EXPECT_EQ(message.begin.commit_lsn, Lsn{0x1587ed8});
  EXPECT_EQ(message.begin.commit_time_us, 0x000303c43926812a);
  EXPECT_EQ(message.begin.xid, 0x2e3u);
}

TEST(PgOutput, CommitHasItsStartAndItsEnd) {
  const PgOutputMessage message = Parsed(FromHex(kCommit));
  EXPECT_EQ(message.kind, PgOutputKind::kCommit);
  EXPECT_EQ(message.commit.commit_lsn, Lsn{0x1587ed8});
  EXPECT_EQ(message.commit.end_lsn, Lsn{0x1587f08});
  EXPECT_EQ(message.commit.commit_time_us, 0x000303c43926812a);
}

TEST(PgOutput, OriginHasItsName) {
  const std::string bytes = FromHex(kOrigin);
  const PgOutputMessage message = Parsed(bytes);
  EXPECT_EQ(message.kind, PgOutputKind::kOrigin);
  EXPECT_EQ(message.origin.commit_lsn, Lsn{0x15880c8});
  EXPECT_EQ(message.origin.name, "node_a");
}

TEST(PgOutput, RelationHasItsColumnsInOrder) {
  const std::string bytes = FromHex(kRelation);
  const PgOutputMessage message = Parsed(bytes);
  EXPECT_EQ(message.kind, PgOutputKind::kRelation);
  EXPECT_EQ(message.relation.id, 0x4005u);
  EXPECT_EQ(message.relation.schema, "public");
  EXPECT_EQ(message.relation.name, "cap");
  EXPECT_EQ(message.relation.identity, ReplicaIdentity::kDefault);
  ASSERT_EQ(message.relation.columns.size(), 3u);
  EXPECT_EQ(message.relation.columns[0].name, "id");
  EXPECT_TRUE(message.relation.columns[0].in_identity);
  EXPECT_EQ(message.relation.columns[1].name, "v");
  EXPECT_EQ(message.relation.columns[1].type_oid, 1021u);
  EXPECT_EQ(message.relation.columns[1].type_modifier, -1);
  EXPECT_FALSE(message.relation.columns[1].in_identity);
  EXPECT_EQ(message.relation.columns[2].name, "note");
}

TEST(PgOutput, AnEmptySchemaIsPgCatalog) {
  const std::string relation = Wire("R").I32(1).CString("").CString("t").Raw("n").I16(0).bytes;
  EXPECT_EQ(Parsed(relation).relation.schema, "pg_catalog");
  const std::string type = Wire("Y").I32(1).CString("").CString("int4").bytes;
  EXPECT_EQ(Parsed(type).type.schema, "pg_catalog");
}

TEST(PgOutput, TypeHasItsName) {
  const std::string bytes = FromHex(kType);
  const PgOutputMessage message = Parsed(bytes);
  EXPECT_EQ(message.kind, PgOutputKind::kType);
  EXPECT_EQ(message.type.oid, 0x4017u);
  EXPECT_EQ(message.type.schema, "public");
  EXPECT_EQ(message.type.name, "mood");
}

TEST(PgOutput, InsertHasTheNewTuple) {
  const std::string bytes = FromHex(kInsert);
  const PgOutputMessage message = Parsed(bytes);
  EXPECT_EQ(message.kind, PgOutputKind::kInsert);
  EXPECT_EQ(message.row.relation_id, 0x4005u);
  EXPECT_EQ(message.row.old_kind, OldTuple::kNone);
  ASSERT_EQ(message.row.new_tuple.size(), 3u);
  EXPECT_EQ(message.row.new_tuple[0].kind, TupleValueKind::kBinary);
  EXPECT_EQ(message.row.new_tuple[0].bytes, FromHex("00000003"));
  EXPECT_EQ(message.row.new_tuple[1].bytes.size(), 36u);
  EXPECT_EQ(message.row.new_tuple[2].bytes, "x");
}

TEST(PgOutput, UpdateOfAnotherColumnLeavesTheVectorUnchangedAndSendsNoOldTuple) {
  const std::string bytes = FromHex(kUpdate);
  const PgOutputMessage message = Parsed(bytes);
  EXPECT_EQ(message.kind, PgOutputKind::kUpdate);
  EXPECT_EQ(message.row.old_kind, OldTuple::kNone);
  EXPECT_TRUE(message.row.old_tuple.empty());
  EXPECT_EQ(Spelled(message.row.new_tuple),
            (std::vector<std::string>{"b" + FromHex("00000001"), "u", "bn"}));
}

TEST(PgOutput, UpdateOfTheKeySendsTheOldKey) {
  const std::string bytes = FromHex(kUpdateOfKey);
  const PgOutputMessage message = Parsed(bytes);
  EXPECT_EQ(message.row.old_kind, OldTuple::kKey);
  EXPECT_EQ(Spelled(message.row.old_tuple),
            (std::vector<std::string>{"b" + FromHex("00000001"), "n", "n"}));
  EXPECT_EQ(Spelled(message.row.new_tuple),
            (std::vector<std::string>{"b" + FromHex("00000002"), "u", "bn"}));
}

TEST(PgOutput, UpdateUnderFullIdentitySendsTheWholeOldRow) {
  const std::string bytes = FromHex(kUpdateFull);
  const PgOutputMessage message = Parsed(bytes);
  EXPECT_EQ(message.row.old_kind, OldTuple::kFull);
  EXPECT_EQ(Spelled(message.row.old_tuple), (std::vector<std::string>{"t1"}));
  EXPECT_EQ(Spelled(message.row.new_tuple), (std::vector<std::string>{"t2"}));
}

TEST(PgOutput, DeleteSendsTheOldKeyOrRow) {
  const std::string by_key = FromHex(kDelete);
  EXPECT_EQ(Parsed(by_key).kind, PgOutputKind::kDelete);
  EXPECT_EQ(Parsed(by_key).row.old_kind, OldTuple::kKey);
  EXPECT_EQ(Parsed(by_key).row.old_tuple.size(), 3u);
  EXPECT_TRUE(Parsed(by_key).row.new_tuple.empty());
  const std::string by_row = Wire("D").I32(7).Raw("O").Raw(TupleBytes({"bx"})).bytes;
  EXPECT_EQ(Parsed(by_row).row.old_kind, OldTuple::kFull);
}

TEST(PgOutput, TruncateNamesEachTable) {
  const PgOutputMessage message = Parsed(FromHex(kTruncate));
  EXPECT_EQ(message.kind, PgOutputKind::kTruncate);
  EXPECT_EQ(message.truncate.relation_ids, (std::vector<uint32_t>{0x4005, 0x400c}));
  EXPECT_TRUE(message.truncate.cascade);
  EXPECT_TRUE(message.truncate.restart_identity);
}

TEST(PgOutput, LogicalMessagesAreTransactionalOrNot) {
  const std::string bytes = FromHex(kMessage);
  const PgOutputMessage message = Parsed(bytes);
  EXPECT_EQ(message.kind, PgOutputKind::kMessage);
  EXPECT_TRUE(message.message.transactional);
  EXPECT_EQ(message.message.lsn, Lsn{0x1589610});
  EXPECT_EQ(message.message.prefix, "p");
  EXPECT_EQ(message.message.content, "hello");
  const std::string now = Wire("M").I8(0).I64(5).CString("").I32(0).bytes;
  EXPECT_FALSE(Parsed(now).message.transactional);
}

TEST(PgOutput, AMessageMayBeReadIntoTheOneBefore) {
  PgOutputMessage message;
  const std::string wide = FromHex(kUpdateOfKey), narrow = FromHex(kDelete),
                    insert = FromHex(kInsert);
  ASSERT_TRUE(ParsePgOutput(wide, &message).ok());
  ASSERT_TRUE(ParsePgOutput(insert, &message).ok());
  EXPECT_EQ(message.row.old_kind, OldTuple::kNone);
  EXPECT_TRUE(message.row.old_tuple.empty());
  ASSERT_TRUE(ParsePgOutput(narrow, &message).ok());
  EXPECT_TRUE(message.row.new_tuple.empty());
}

TEST(PgOutput, EachMessageCutAnywhereOrTooLongIsRefused) {
  for (const char* hex : {kBegin, kCommit, kOrigin, kRelation, kType, kInsert, kUpdate,
                          kUpdateOfKey, kUpdateFull, kDelete, kTruncate, kMessage}) {
    const std::string whole = FromHex(hex);
    PgOutputMessage message;
    ASSERT_TRUE(ParsePgOutput(whole, &message).ok()) << hex;
    for (size_t length = 0; length < whole.size(); length++) {
      // On the heap and exactly as long, so that a sanitizer sees any read beyond.
      const std::vector<char> cut(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(length));
      EXPECT_FALSE(ParsePgOutput({cut.data(), cut.size()}, &message).ok()) << hex << length;
    }
    EXPECT_THAT(Problem(whole + "x"), HasSubstr("1 bytes follow its end")) << hex;
  }
}

TEST(PgOutput, CountsThatTheBytesCannotHoldAllocateNothing) {
  PgOutputMessage message;
  EXPECT_FALSE(ParsePgOutput(Wire("T").I32(UINT32_MAX).I8(0).I32(1).bytes, &message).ok());
  EXPECT_EQ(message.truncate.relation_ids.capacity(), 0u);
  EXPECT_FALSE(
      ParsePgOutput(Wire("R").I32(1).CString("s").CString("t").Raw("d").I16(65535).bytes, &message)
          .ok());
  EXPECT_EQ(message.relation.columns.capacity(), 0u);
  EXPECT_FALSE(ParsePgOutput(Wire("I").I32(1).Raw("N").I16(65535).Raw("nn").bytes, &message).ok());
  EXPECT_EQ(message.row.new_tuple.capacity(), 0u);
  // A length that would be negative as PostgreSQL's int32.
  EXPECT_FALSE(
      ParsePgOutput(Wire("I").I32(1).Raw("N").I16(1).Raw("b").I32(UINT32_MAX).bytes, &message)
          .ok());
}

TEST(PgOutput, WhatTheProtocolDoesNotSayIsRefused) {
  EXPECT_THAT(Problem(""), HasSubstr("an empty message"));
  EXPECT_THAT(Problem("x"), HasSubstr("its type is not known"));
  EXPECT_THAT(Problem(Wire("S").I32(1).I8(1).bytes), HasSubstr("streamed transaction"));
  EXPECT_THAT(Problem("P"), HasSubstr("prepared transaction"));
  EXPECT_THAT(Problem(Wire("I").I32(1).Raw("K").I16(0).bytes), HasSubstr("not what the protocol"));
  EXPECT_THAT(Problem(Wire("I").I32(1).Raw("N").I16(1).Raw("x").bytes),
              HasSubstr("not what the protocol"));
  EXPECT_THAT(Problem(Wire("D").I32(1).Raw("N").I16(0).bytes), HasSubstr("not what the protocol"));
  EXPECT_THAT(Problem(Wire("C").I8(1).I64(1).I64(2).I64(3).bytes),
              HasSubstr("not what the protocol"));
  EXPECT_THAT(Problem(Wire("R").I32(1).CString("s").CString("t").Raw("x").I16(0).bytes),
              HasSubstr("not what the protocol"));
}

}  // namespace
}  // namespace vectord

// definition_reader_test.cpp - rows of the catalog query become definitions, or problems.
#include "daemon/source/definition_reader.h"

#include <gtest/gtest.h>

#include <string>

namespace vectord {
namespace {

struct ColumnRow {
  std::string role, name, attribute, type_oid, type_name, modifier, base_oid, base_modifier;
  PgValue pgvector;
};

const ColumnRow kKey = {"1", "id", "1", "20", "bigint", "-1", "20", "-1", std::nullopt};
const ColumnRow kVector = {"2",  "embedding", "3",  "1021",      "real[]",
                           "-1", "1021",      "-1", std::nullopt};
const ColumnRow kTitle = {"3",  "title", "2",  "1043",      "character varying(80)",
                          "84", "1043",  "84", std::nullopt};

PgRow MakeRow(const std::string& name, const ColumnRow& column) {
  return {name,
          "11111111-2222-3333-4444-555555555555",
          "t",
          "cosine",
          "hnsw",
          R"({"m": 24, "memory_limit": "1GB", "ef_search": 90})",
          "16400",
          "public",
          "docs",
          "r",
          column.role,
          column.name,
          column.attribute.empty() ? PgValue() : PgValue(column.attribute),
          column.type_oid,
          column.type_name,
          column.modifier,
          "t",
          column.base_oid,
          column.base_modifier,
          column.pgvector,
          std::nullopt,
          "t",
          "4711"};
}

PgRows MakeRows(const std::string& name, const std::vector<ColumnRow>& columns) {
  PgRows rows;
  for (const ColumnRow& column : columns) rows.push_back(MakeRow(name, column));
  return rows;
}

TEST(DefinitionReader, ReadsACompleteDefinition) {
  const auto read = DecodeDefinitions("app", MakeRows("docs_vec", {kKey, kVector, kTitle}));
  ASSERT_EQ(read.size(), 1u);
  ASSERT_TRUE(read[0].problem.ok()) << read[0].problem.ToString();
  const Definition& definition = read[0].definition;
  EXPECT_EQ(definition.database, "app");
  EXPECT_EQ(definition.QualifiedTable(), "public.docs");
  EXPECT_EQ(definition.table_oid, 16400u);
  EXPECT_TRUE(definition.loaded);
  EXPECT_EQ(definition.index.metric, VFDW_METRIC_COSINE);
  EXPECT_EQ(definition.index.m, 24u);
  EXPECT_EQ(definition.ef_search, 90u);
  EXPECT_EQ(definition.memory_limit, 1u << 30);
  EXPECT_EQ(definition.vector_column, "embedding");
  ASSERT_EQ(definition.columns.size(), 3u);
  EXPECT_EQ(definition.columns[0].encoding, ValueEncoding::kInt64);
  EXPECT_EQ(definition.columns[1].encoding, ValueEncoding::kFloat32Vector);
  EXPECT_EQ(definition.columns[2].encoding, ValueEncoding::kText);
  EXPECT_EQ(definition.columns[2].type_modifier, 84);
}

TEST(DefinitionReader, SeparatesCollections) {
  PgRows rows = MakeRows("a", {kKey, kVector});
  for (const PgRow& row : MakeRows("b", {kKey, kVector, kTitle})) rows.push_back(row);
  const auto read = DecodeDefinitions("app", rows);
  ASSERT_EQ(read.size(), 2u);
  EXPECT_EQ(read[0].definition.columns.size(), 2u);
  EXPECT_EQ(read[1].definition.columns.size(), 3u);
}

TEST(DefinitionReader, ADomainKeepsItsNameAndHasTheEncodingOfItsBase) {
  ColumnRow domain = kTitle;
  domain.type_oid = "16500";
  domain.type_name = "public.short_text";
  const auto read = DecodeDefinitions("app", MakeRows("docs_vec", {kKey, kVector, domain}));
  EXPECT_EQ(read[0].definition.columns[2].encoding, ValueEncoding::kText);
  EXPECT_EQ(read[0].definition.columns[2].type_name, "public.short_text");
  EXPECT_EQ(read[0].definition.columns[2].type_oid, 16500u);
}

TEST(DefinitionReader, PgvectorDeclaresDimensionsByItsModifier) {
  ColumnRow pgvector = kVector;
  pgvector.base_oid = "16600";
  pgvector.base_modifier = "384";
  pgvector.pgvector = "halfvec";
  const auto read = DecodeDefinitions("app", MakeRows("docs_vec", {kKey, pgvector}));
  ASSERT_TRUE(read[0].problem.ok());
  EXPECT_EQ(read[0].definition.vector_source, VectorSource::kPgvectorHalf);
  EXPECT_EQ(read[0].definition.dimensions, 384u);
}

TEST(DefinitionReader, AProblemIsReportedWithTheCollection) {
  ColumnRow missing = kTitle, text_vector = kVector;
  missing.attribute = "";
  text_vector.base_oid = "25";
  PgRows no_table = MakeRows("docs_vec", {kKey, kVector});
  for (PgRow& row : no_table) row[7] = row[8] = row[9] = row[12] = std::nullopt;
  PgRows bad_option = MakeRows("docs_vec", {kKey, kVector});
  for (PgRow& row : bad_option) row[5] = R"({"m": 1})";
  PgRows inherited = MakeRows("docs_vec", {kKey, kVector});
  for (PgRow& row : inherited) row[20] = "public.child";
  PgRows not_unique = MakeRows("docs_vec", {kKey, kVector});
  for (PgRow& row : not_unique) row[21] = "f";
  PgRows nullable = MakeRows("docs_vec", {kKey, kVector});
  nullable[0][16] = "f";
  for (const PgRows& rows :
       {MakeRows("docs_vec", {kKey, kVector, missing}), MakeRows("docs_vec", {kKey, text_vector}),
        MakeRows("docs_vec", {kVector, kTitle}), MakeRows("docs_vec", {kKey, kVector, kVector}),
        no_table, bad_option, inherited, not_unique, nullable}) {
    const auto read = DecodeDefinitions("app", rows);
    ASSERT_EQ(read.size(), 1u);
    EXPECT_FALSE(read[0].problem.ok());
    EXPECT_FALSE(vfdw::ErrorMayRetry(read[0].problem.code()));
    EXPECT_EQ(read[0].definition.name, "docs_vec");
  }
}

TEST(DefinitionReader, OnlyWhatIsBuiltInChangesTheStructure) {
  const auto before = DecodeDefinitions("app", MakeRows("docs_vec", {kKey, kVector}));
  PgRows rows = MakeRows("docs_vec", {kKey, kVector});
  for (PgRow& row : rows) row[5] = R"({"m": 24, "memory_limit": "1GB", "ef_search": 200})";
  const auto other_effort = DecodeDefinitions("app", rows);
  EXPECT_NE(other_effort[0].content, before[0].content);
  EXPECT_EQ(other_effort[0].structure, before[0].structure);

  for (PgRow& row : rows) row[22] = "4712";
  const auto other_publication = DecodeDefinitions("app", rows);
  EXPECT_EQ(other_publication[0].content, other_effort[0].content);
  EXPECT_NE(other_publication[0].publication, other_effort[0].publication);

  rows[0][13] = "23";  // the key's type
  const auto other_type = DecodeDefinitions("app", rows);
  EXPECT_NE(other_type[0].structure, before[0].structure);

  rows = MakeRows("docs_vec", {kKey, kVector});
  for (PgRow& row : rows) row[1] = "99999999-2222-3333-4444-555555555555";
  EXPECT_NE(DecodeDefinitions("app", rows)[0].structure, before[0].structure);
}

}  // namespace
}  // namespace vectord

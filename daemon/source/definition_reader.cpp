// definition_reader.cpp - see definition_reader.h.
#include "daemon/source/definition_reader.h"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <utility>

#include "daemon/attribute/value_kind.h"
#include "daemon/source/refusal.h"
#include "shared/limits.h"
#include "shared/source_names.h"

namespace vectord {
namespace {

// Columns of the query below.
enum Field : size_t {
  kName,
  kDefinitionId,
  kLoaded,
  kMetric,
  kIndex,
  kOptions,
  kTableOid,
  kSchema,
  kTable,
  kRelationKind,
  kRole,
  kColumn,
  kAttribute,
  kTypeOid,
  kTypeName,
  kTypeModifier,
  kNotNull,  // of a key column: by a constraint that is valid, from 18 on
  kBaseType,
  kBaseModifier,
  kPgvectorType,
  kChild,        // a table that inherits from the source without being a partition
  kUniqueKey,    // whether an index keeps the key columns unique; in a collection's first row
  kPublication,  // as it is now, and the table's replica identity; in a collection's first row
  kFieldCount
};

// What a change of makes a rebuild necessary, whatever definition_id says.
constexpr Field kStructure[] = {kDefinitionId, kMetric,       kIndex,    kTableOid,
                                kRelationKind, kRole,         kColumn,   kAttribute,
                                kTypeOid,      kTypeModifier, kBaseType, kBaseModifier};

// $1: the daemon's name. $2: a collection's name, or NULL for all.
constexpr char kQuery[] = R"(
SELECT c.name, c.definition_id::text, c.loaded, c.metric, c."index", c.options::text,
       c.source::oid, n.nspname, r.relname, r.relkind,
       w.role, w.name, a.attnum, a.atttypid, format_type(a.atttypid, a.atttypmod), a.atttypmod,
       a.attnotnull AND (w.role <> 1 OR NOT EXISTS (
         SELECT FROM pg_constraint k WHERE k.conrelid = a.attrelid AND k.contype = 'n'
            AND k.conkey[1] = a.attnum AND NOT k.convalidated)), b.oid, b.modifier,
       CASE WHEN EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
                         WHERE d.classid = 'pg_type'::regclass AND d.objid = b.oid
                           AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
                           AND e.extname = 'vector')
            THEN b.typname END,
       CASE WHEN r.relkind = 'r'
            THEN (SELECT min(i.inhrelid)::regclass::text FROM pg_inherits i WHERE i.inhparent = r.oid)
            END,
       CASE WHEN w.role = 1 AND w.place = 1
            THEN EXISTS (
              SELECT FROM pg_index i WHERE i.indrelid = r.oid
                 AND i.indisunique AND i.indisvalid AND i.indimmediate
                 AND i.indpred IS NULL AND i.indexprs IS NULL
                 AND (SELECT array_agg(k.attname::text ORDER BY k.attname)
                      FROM pg_attribute k WHERE k.attrelid = i.indrelid
                        AND k.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]))
                   = (SELECT array_agg(k::text ORDER BY k::name) FROM unnest(c.key_columns) k))
            END,
       concat_ws(' ', (
         SELECT hashtextextended(concat_ws(' ', p.oid, p.xmin, string_agg(
                  concat_ws(' ', l.prrelid, l.xmin), ' ' ORDER BY l.prrelid)), 0)
         FROM pg_publication p LEFT JOIN pg_publication_rel l ON l.prpubid = p.oid
         WHERE p.pubname = ')" VFDW_PUBLICATION R"(' GROUP BY p.oid, p.xmin),
         r.relreplident, CASE WHEN w.role = 1 AND w.place = 1 THEN (
           SELECT string_agg(i.indexrelid::text, ' ' ORDER BY i.indexrelid)
           FROM pg_index i
           WHERE i.indrelid = r.oid AND (i.indisprimary OR i.indisreplident)) END)
FROM vector_fdw.collection c
LEFT JOIN pg_class r ON r.oid = c.source
LEFT JOIN pg_namespace n ON n.oid = r.relnamespace
CROSS JOIN LATERAL (
  SELECT 1 AS role, k.place, k.name FROM unnest(c.key_columns) WITH ORDINALITY k(name, place)
  UNION ALL SELECT 2, 1, c.vector_column
  UNION ALL SELECT 3, i.place, i.name FROM unnest(c.include) WITH ORDINALITY i(name, place)
) w
LEFT JOIN pg_attribute a
  ON a.attrelid = r.oid AND a.attname = w.name AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN LATERAL (
  WITH RECURSIVE chain AS (
    SELECT t.oid, t.typname, t.typtype, t.typbasetype, t.typtypmod, a.atttypmod AS modifier
    FROM pg_type t WHERE t.oid = a.atttypid
    UNION ALL
    SELECT t.oid, t.typname, t.typtype, t.typbasetype, t.typtypmod, chain.typtypmod
    FROM chain JOIN pg_type t ON t.oid = chain.typbasetype WHERE chain.typtype = 'd'
  )
  SELECT chain.oid, chain.typname, chain.modifier FROM chain WHERE chain.typtype <> 'd'
) b ON true
WHERE ($1::text IS NULL OR c.daemon IS NULL OR c.daemon = $1)
  AND ($2::text IS NULL OR c.name = $2)
ORDER BY c.name COLLATE "C", w.role, w.place
)";

constexpr char kCatalogExistsQuery[] =
    "SELECT 1 FROM pg_class r JOIN pg_namespace n ON n.oid = r.relnamespace "
    "WHERE n.nspname = 'vector_fdw' AND r.relname = 'collection'";

// A server that does not answer the small queries of a poll within this is as good as away.
constexpr std::chrono::milliseconds kPollTimeout{30000};

constexpr uint32_t kFloat4ArrayOid = 1021, kFloat8ArrayOid = 1022;

const std::string& Text(const PgRow& row, Field field) {
  static const std::string kEmpty;
  return row[field] ? *row[field] : kEmpty;
}

int64_t Number(const PgRow& row, Field field) {
  return strtoll(Text(row, field).c_str(), nullptr, 10);
}

bool ParseMetric(const std::string& name, vfdw_metric* metric) {
#define VFDW_METRIC_PARSE_(value, text, op) \
  if (name == text) {                       \
    *metric = value;                        \
    return true;                            \
  }
  VFDW_METRICS(VFDW_METRIC_PARSE_)
#undef VFDW_METRIC_PARSE_
  return false;
}

std::optional<VectorSource> VectorSourceOf(const PgRow& row) {
  switch (Number(row, kBaseType)) {
    case kFloat4ArrayOid:
      return VectorSource::kReal;
    case kFloat8ArrayOid:
      return VectorSource::kDouble;
    default:
      break;
  }
  if (Text(row, kPgvectorType) == "vector") return VectorSource::kPgvector;
  if (Text(row, kPgvectorType) == "halfvec") return VectorSource::kPgvectorHalf;
  return std::nullopt;
}

// The type's own dimensions count as declared: pgvector's modifier is their number.
Status DecodeVectorColumn(const PgRow& row, Definition* definition) {
  definition->vector_column = Text(row, kColumn);
  const auto source = VectorSourceOf(row);
  if (!source)
    return Refused(*definition,
                   "Column \"" + Text(row, kColumn) + "\" of type " + Text(row, kTypeName) +
                       " holds no vectors.",
                   "Vector columns are of type real[], double precision[], or pgvector's vector "
                   "and halfvec.");
  definition->vector_source = *source;
  const bool is_array = *source == VectorSource::kReal || *source == VectorSource::kDouble;
  const int64_t declared = is_array ? 0 : std::max<int64_t>(Number(row, kBaseModifier), 0);
  if (declared != 0 && definition->dimensions != 0 && declared != definition->dimensions)
    return Refused(*definition, "Its option \"dimensions\" is " +
                                    std::to_string(definition->dimensions) + ", but column \"" +
                                    Text(row, kColumn) + "\" is of type " + Text(row, kTypeName) +
                                    ".");
  if (declared != 0) definition->dimensions = static_cast<uint32_t>(declared);
  return {};
}

Status DecodeColumn(const PgRow& row, Definition* definition) {
  const std::string& name = Text(row, kColumn);
  if (!row[kAttribute])
    return Refused(*definition,
                   "Table " + definition->QualifiedTable() + " has no column \"" + name + "\".",
                   "Name the column as it is now with vector_fdw.alter_collection(), or drop the "
                   "collection.");
  for (const ColumnDefinition& other : definition->columns)
    if (other.name == name)
      return Refused(*definition, "Column \"" + name + "\" is named twice in the definition.");

  ColumnDefinition column;
  column.name = name;
  column.type_oid = static_cast<uint32_t>(Number(row, kTypeOid));
  column.type_name = Text(row, kTypeName);
  column.type_modifier = static_cast<int32_t>(Number(row, kTypeModifier));
  column.role = static_cast<ColumnRole>(Number(row, kRole));
  column.not_null = Text(row, kNotNull) == "t";
  if (column.role == ColumnRole::kKey && !column.not_null)
    return Refused(*definition, "Its key column \"" + name + "\" may be NULL.",
                   "Use ALTER TABLE ... ALTER COLUMN ... SET NOT NULL, and it is copied anew.");
  if (column.role == ColumnRole::kVector) {
    VFDW_RETURN_IF_ERROR(DecodeVectorColumn(row, definition));
    column.encoding = ValueEncoding::kFloat32Vector;
  } else {
    column.encoding = EncodingOfType(static_cast<uint32_t>(Number(row, kBaseType)));
  }
  definition->columns.push_back(std::move(column));
  return {};
}

// What does not depend on the source table, from any of the collection's rows.
Status DecodeHead(const std::string& database, const PgRow& row, Definition* definition) {
  definition->database = database;
  definition->name = Text(row, kName);
  definition->definition_id = Text(row, kDefinitionId);
  definition->loaded = Text(row, kLoaded) != "f";
  definition->schema = Text(row, kSchema);
  definition->table = Text(row, kTable);
  definition->table_oid = static_cast<uint32_t>(Number(row, kTableOid));
  definition->partitioned = Text(row, kRelationKind) == "p";
  if (!ParseMetric(Text(row, kMetric), &definition->index.metric))
    return Refused(*definition, "Its metric \"" + Text(row, kMetric) + "\" is not known.");
  if (!IndexKindFromName(Text(row, kIndex), &definition->index.kind))
    return Refused(*definition, "Its index \"" + Text(row, kIndex) + "\" is not known.");
  VFDW_RETURN_IF_ERROR(ApplyOptions(Text(row, kOptions), definition));
  if (!row[kTable])
    return Refused(*definition, "The table does not exist any more.",
                   "Drop the collection with vector_fdw.drop_collection().");
  if (Text(row, kRelationKind) != "r" && Text(row, kRelationKind) != "p")
    return Refused(*definition, definition->QualifiedTable() + " is no table.");
  if (row[kChild])
    return Refused(*definition,
                   "Table " + *row[kChild] + " inherits from " + definition->QualifiedTable() +
                       ", and no key is unique across both of them.",
                   "It is copied anew once no table inherits from it.");
  if (Text(row, kUniqueKey) == "f")
    return Refused(*definition,
                   "No unique index of table " + definition->QualifiedTable() +
                       " is over exactly its key columns; one that is partial, deferrable, invalid "
                       "or over expressions does not count.",
                   "Create one, and it is copied anew. For another key, drop the collection and "
                   "create it again.");
  return {};
}

void AppendFields(const PgRow& row, const Field* fields, size_t count, std::string* text) {
  for (size_t i = 0; i < count; i++) {
    // Lengths keep the fields apart, whatever bytes are in them.
    const PgValue& value = row[fields[i]];
    *text += value ? std::to_string(value->size()) + ":" + *value : "-";
    *text += ',';
  }
}

// rows [begin, end) are those of one collection.
ReadDefinition DecodeOne(const std::string& database, const PgRows& rows, size_t begin,
                         size_t end) {
  Field all[kPublication];
  for (size_t i = 0; i < kPublication; i++) all[i] = static_cast<Field>(i);

  ReadDefinition read;
  Definition& definition = read.definition;
  read.problem = DecodeHead(database, rows[begin], &definition);
  read.publication = Text(rows[begin], kPublication);
  bool has_key = false;
  for (size_t i = begin; i < end; i++) {
    AppendFields(rows[i], all, kPublication, &read.content);
    AppendFields(rows[i], kStructure, std::size(kStructure), &read.structure);
    has_key = has_key || static_cast<ColumnRole>(Number(rows[i], kRole)) == ColumnRole::kKey;
    if (read.problem.ok()) read.problem = DecodeColumn(rows[i], &definition);
  }
  // The declared dimensions are an option, and a build by others is of no use.
  read.structure += std::to_string(definition.dimensions);
  if (read.problem.ok() && !has_key)
    read.problem = Refused(definition, "The definition names no key columns.");
  if (read.problem.ok() && definition.columns.size() > VFDW_MAX_COLUMNS)
    read.problem = Refused(definition, "The definition names more than " +
                                           std::to_string(VFDW_MAX_COLUMNS) + " columns.");
  return read;
}

// The user's way out of a refusal to read the catalog.
Status ExplainCatalogError(const PgConnection& connection, const Status& error) {
  if (error.code() != ErrorCode::NOT_PERMITTED) return error;
  const std::string role = connection.QuoteIdentifier(connection.user());
  return Status(ErrorCode::NOT_PERMITTED,
                "vectord's role may not read the definitions of collections",
                error.detail() + " Run in that database: GRANT USAGE ON SCHEMA vector_fdw TO " +
                    role + "; GRANT SELECT ON vector_fdw.collection TO " + role + ";");
}

}  // namespace

std::vector<ReadDefinition> DecodeDefinitions(const std::string& database, const PgRows& rows) {
  std::vector<ReadDefinition> definitions;
  for (size_t begin = 0, end; begin < rows.size(); begin = end) {
    for (end = begin + 1; end < rows.size() && rows[end][kName] == rows[begin][kName];) end++;
    definitions.push_back(DecodeOne(database, rows, begin, end));
  }
  return definitions;
}

// A transaction that changes anything has an id, and its commit changes what is in progress. So as
// long as the snapshot stays the same, letter by letter, nothing was committed.
Result<bool> DefinitionReader::MayHaveChanged(PgConnection* connection) {
  VFDW_ASSIGN_OR_RETURN(
      const PgRows rows,
      connection->Exec("SELECT pg_current_snapshot()::text, CASE WHEN pg_is_in_recovery() "
                       "THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END::text",
                       {}, kPollTimeout));
  source_position_ = ParseLsn(rows.at(0).at(1).value_or("")).value_or(Lsn::kNone);
  const std::string snapshot = rows.at(0).at(0).value_or("");
  if (snapshot == last_snapshot_) return false;
  last_snapshot_ = snapshot;
  return true;
}

Result<std::vector<ReadDefinition>> DefinitionReader::Read(PgConnection* connection) {
  // Asked for first, because a failing query each quarter of a second would fill the server's log.
  if (!catalog_exists_) {
    VFDW_ASSIGN_OR_RETURN(const PgRows found,
                          connection->Exec(kCatalogExistsQuery, {}, kPollTimeout));
    if (found.empty()) return std::vector<ReadDefinition>();
    catalog_exists_ = true;
  }
  Result<PgRows> rows = connection->Exec(kQuery, {daemon_name_, std::nullopt}, kPollTimeout);
  if (rows.ok()) return DecodeDefinitions(connection->database(), *rows);
  last_snapshot_.clear();
  catalog_exists_ = false;
  const bool dropped_meanwhile = connection->sqlstate() == "42P01" ||  // undefined_table
                                 connection->sqlstate() == "3F000";    // invalid_schema_name
  if (dropped_meanwhile) return std::vector<ReadDefinition>();
  return ExplainCatalogError(*connection, rows.status());
}

Result<ReadDefinition> ReadOneDefinition(PgConnection* connection, const std::string& name) {
  VFDW_ASSIGN_OR_RETURN(const PgRows rows, connection->Exec(kQuery, {std::nullopt, name}));
  if (rows.empty())
    return Status(ErrorCode::COLLECTION_MISSING,
                  "collection \"" + name + "\" is not defined any more");
  return std::move(DecodeDefinitions(connection->database(), rows).front());
}

}  // namespace vectord

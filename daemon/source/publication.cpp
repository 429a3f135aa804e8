// publication.cpp - see publication.h.
#include "daemon/source/publication.h"

#include <cstdlib>
#include <string>

#include "daemon/source/refusal.h"
#include "shared/source_names.h"

namespace vectord {
namespace {

// Columns of the query below.
enum Field : size_t { kNumber, kTable, kIsListed, kColumns, kIsFiltered, kKeys };

// The first table with a problem of each collection ($1: its number, $2: its table, $3: a column,
// $4: whether that is of the key): the table itself, or one of its partitions that hold rows. What
// there is only from 15 on is asked for by way of JSON.
constexpr char kProblemsQuery[] = R"(
WITH RECURSIVE wanted AS (
  SELECT * FROM unnest($1::int[], $2::oid[], $3::text[], $4::bool[]) w (number, root, name, is_key)
), tree AS (
  SELECT DISTINCT number, root, root AS oid FROM wanted
  UNION
  SELECT tree.number, tree.root, i.inhrelid FROM pg_inherits i JOIN tree ON i.inhparent = tree.oid
  JOIN pg_class p ON p.oid = i.inhrelid WHERE p.relispartition
), published AS (
  SELECT p.relid, to_jsonb(p) -> 'attrs' AS columns, to_jsonb(p) ->> 'qual' AS filter
  FROM pg_publication b CROSS JOIN LATERAL pg_get_publication_tables(b.pubname::text) p
  WHERE b.pubname = ')" VFDW_PUBLICATION R"('
)
SELECT DISTINCT ON (tree.number) tree.number, c.oid::regclass::text,
       p.relid IS NOT NULL OR above.relid IS NOT NULL, lacking.columns,
       p.filter IS NOT NULL OR above.filter IS NOT NULL, lacking.keys
FROM tree JOIN pg_class c ON c.oid = tree.oid
LEFT JOIN published p ON p.relid = c.oid
LEFT JOIN published above ON above.relid = tree.root AND above.relid <> c.oid
CROSS JOIN LATERAL (
  SELECT string_agg(w.name, ', ') FILTER (
           WHERE jsonb_typeof(p.columns) = 'array' AND NOT p.columns @> to_jsonb(a.attnum::int)
         ) AS columns,
         string_agg(w.name, ', ') FILTER (
           WHERE w.is_key AND c.relreplident <> 'f' AND NOT EXISTS (
             SELECT FROM pg_index x WHERE x.indrelid = c.oid AND x.indisvalid AND x.indimmediate
                AND CASE c.relreplident WHEN 'd' THEN x.indisprimary
                                        WHEN 'i' THEN x.indisreplident ELSE false END
                AND a.attnum = ANY ((x.indkey::int2[])[0:x.indnkeyatts - 1]))
         ) AS keys
  FROM wanted w JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = w.name AND a.attnum > 0
  WHERE w.number = tree.number
) lacking
WHERE c.relkind = 'r'
  AND (coalesce(p.relid, above.relid) IS NULL OR coalesce(p.filter, above.filter) IS NOT NULL
       OR coalesce(lacking.columns, lacking.keys) IS NOT NULL)
ORDER BY tree.number, c.oid
)";

constexpr char kPublishesAllQuery[] =
    "SELECT pubinsert AND pubupdate AND pubdelete AND pubtruncate FROM pg_publication"
    " WHERE pubname = '" VFDW_PUBLICATION "'";

constexpr char kPublication[] = "Publication \"" VFDW_PUBLICATION "\" ";

std::string Rebuild(const Definition& definition) {
  return "SELECT vector_fdw.rebuild_collection('" + definition.name + "') ";
}

Status ProblemOf(const Definition& definition, const PgRow& row) {
  const std::string table = "table " + row[kTable].value_or("");
  const bool is_listed = row[kIsListed] == "t";
  if (!is_listed || row[kColumns])
    return Refused(definition,
                   std::string(kPublication) + "does not list " +
                       (is_listed ? "column " + *row[kColumns] + " of " : "") + table + ".",
                   Rebuild(definition) + "adds it.");
  if (row[kIsFiltered] == "t")
    return Refused(definition, std::string(kPublication) + "lists only some rows of " + table + ".",
                   Rebuild(definition) + "lists it as a whole.");
  return Refused(definition,
                 "The replica identity of " + table + " lacks key column " +
                     row[kKeys].value_or("") +
                     ", so updates and deletes do not say which row they mean.",
                 "Use ALTER TABLE ... REPLICA IDENTITY FULL, or USING INDEX of an index with all "
                 "key columns, and it is copied anew.");
}

// {"a","b"}
std::string ArrayLiteral(const std::vector<std::string>& elements) {
  std::string text;
  for (const std::string& element : elements) {
    text += text.empty() ? "{\"" : ",\"";
    for (const char c : element) {
      if (c == '"' || c == '\\') text += '\\';
      text += c;
    }
    text += '"';
  }
  return text.empty() ? "{}" : text + "}";
}

PgRow ParametersOf(const Definitions& definitions) {
  std::vector<std::string> numbers, tables, names, is_key;
  for (size_t i = 0; i < definitions.size(); i++) {
    for (const ColumnDefinition& column : definitions[i]->columns) {
      numbers.push_back(std::to_string(i));
      tables.push_back(std::to_string(definitions[i]->table_oid));
      names.push_back(column.name);
      is_key.push_back(column.role == ColumnRole::kKey ? "t" : "f");
    }
  }
  return {ArrayLiteral(numbers), ArrayLiteral(tables), ArrayLiteral(names), ArrayLiteral(is_key)};
}

}  // namespace

Result<std::vector<Status>> CheckPublished(PgConnection* connection,
                                           const Definitions& definitions) {
  std::vector<Status> problems(definitions.size());
  VFDW_ASSIGN_OR_RETURN(const PgRows publication, connection->Exec(kPublishesAllQuery));
  VFDW_ASSIGN_OR_RETURN(const PgRows rows,
                        connection->Exec(kProblemsQuery, ParametersOf(definitions)));
  for (const PgRow& row : rows) {
    const size_t number = strtoull(row.at(kNumber).value_or("0").c_str(), nullptr, 10);
    problems.at(number) = ProblemOf(*definitions.at(number), row);
  }
  if (!publication.empty() && publication[0].at(0) == "t") return problems;
  for (size_t i = 0; i < definitions.size(); i++)
    problems[i] =
        publication.empty()
            ? Refused(*definitions[i], std::string(kPublication) + "does not exist.",
                      Rebuild(*definitions[i]) + "creates it and adds the table.")
            : Refused(*definitions[i],
                      std::string(kPublication) +
                          "does not publish each of insert, update, delete and truncate.",
                      "Use ALTER PUBLICATION " VFDW_PUBLICATION
                      " SET (publish = 'insert, update, delete, truncate'), and it is copied "
                      "anew.");
  return problems;
}

}  // namespace vectord

#!/bin/bash
# dump_restore.sh - a definition is data of its database: it is rolled back, dumped and restored like any row.
#
# A transaction that creates a collection and rolls back leaves nothing, neither in PostgreSQL nor in vectord. What
# pg_dump wrote, plain or custom, brings the collection into another database, where vectord builds it and answers
# from it as soon as it follows that database.
set -euo pipefail

fail() {
	echo "# $1"
	exit 1
}
sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }

sql <<'SQL' >/dev/null
SET client_min_messages = warning;
CREATE SCHEMA "Shop";
CREATE TABLE "Shop"."Docs" (id bigint PRIMARY KEY, title text, embedding real[]);
INSERT INTO "Shop"."Docs" SELECT i, 'doc ' || i, ARRAY[sin(i), cos(i * 1.7), i / 100.0] FROM generate_series(1, 500) i;
CREATE TABLE plain (id int PRIMARY KEY, v real[]);
INSERT INTO plain SELECT i, ARRAY[i] FROM generate_series(1, 100) i;
CREATE TABLE marker (id int PRIMARY KEY, v real[]);
SELECT vector_fdw.create_collection('docs', '"Shop"."Docs"', 'embedding', index => 'flat', include => '{title}');
SELECT vector_fdw.wait_for_collection('docs');
CREATE SCHEMA search;
IMPORT FOREIGN SCHEMA "Shop" FROM SERVER vectord INTO search;
SQL

# ---- rollback --------------------------------------------------------------------------------------

traces() { # whatever a definition may leave behind
	sql <<'SQL'
SELECT 'collection', c::text FROM vector_fdw.collection c ORDER BY 2;
SELECT 'grant', oid::regclass, relacl FROM pg_class WHERE relkind IN ('r', 'v', 'S') AND relacl IS NOT NULL ORDER BY 2;
SELECT 'column grant', attrelid::regclass, attname, attacl FROM pg_attribute WHERE attacl IS NOT NULL ORDER BY 2, 3;
SELECT 'schema grant', oid::regnamespace, nspacl FROM pg_namespace WHERE oid >= 16384 OR nspname = 'public' ORDER BY 2;
SELECT 'default', defaclrole, defaclobjtype, defaclacl FROM pg_default_acl ORDER BY 1, 2, 3;
SELECT 'identity', oid::regclass, relreplident FROM pg_class WHERE relkind = 'r' AND oid >= 16384 ORDER BY 2;
SELECT 'depends', classid::regclass, objid, refclassid::regclass, refobjid, deptype FROM pg_depend
 WHERE objid >= 16384 ORDER BY 2, 3, 4, 5, 6;
SELECT 'shared', classid::regclass, objid, refclassid::regclass, refobjid, deptype FROM pg_shdepend
 WHERE objid >= 16384 ORDER BY 2, 3, 4, 5, 6;
SELECT 'publication', pubname, p.tablename FROM pg_publication LEFT JOIN pg_publication_tables p USING (pubname) ORDER BY 2, 3;
SELECT 'slot', slot_name, database FROM pg_replication_slots WHERE NOT temporary ORDER BY 2;
SELECT 'vectord', server, schema_name, name, state, rows, builds, memory_bytes, definition_id
  FROM vector_fdw.stat_collections ORDER BY 4;
SQL
	find -L "$(dirname "$VECTORD_CONFIG")/vectord-data" -mindepth 1 | sort
}

# vectord reads all definitions at once: when a later one came and went, it has seen whatever was there before.
later_comes_and_goes() {
	sql <<-'SQL' >/dev/null
		SET client_min_messages = warning;
		SELECT vector_fdw.create_collection('later', 'marker', 'v');
		SELECT vector_fdw.wait_for_collection('later');
	SQL
	if sql -c 'SELECT name FROM vector_fdw.stat_collections' | grep never; then fail "vectord knows what was rolled back"; fi
	sql -c "SELECT vector_fdw.drop_collection('later')" >/dev/null
	for _ in $(seq 600); do
		if ! sql -c 'SELECT name FROM vector_fdw.stat_collections' | grep -q later; then return; fi
		sleep 0.1
	done
	fail "vectord keeps a collection that was dropped"
}

later_comes_and_goes
before=$(traces)
sql <<'SQL' >/dev/null
SET client_min_messages = warning;
BEGIN;
SELECT vector_fdw.create_collection('never', 'plain', 'v');
SELECT vector_fdw.create_collection('never_either', 'plain', 'v', metric => 'cosine', index => 'flat');
SELECT vector_fdw.alter_collection('docs', metric => 'ip');
SAVEPOINT s;
SELECT vector_fdw.drop_collection('docs');
ROLLBACK TO s;
ROLLBACK;
DO $$ BEGIN
	PERFORM vector_fdw.create_collection('never', 'plain', 'v');
	RAISE 'undone';
EXCEPTION WHEN raise_exception THEN NULL; END $$;
SQL
later_comes_and_goes
after=$(traces)
[ "$before" = "$after" ] || fail "left behind: $(diff <(echo "$before") <(echo "$after"))"
echo "# nothing is left of what was rolled back, $(wc -l <<<"$before") traces compared"

# ---- dump and restore ------------------------------------------------------------------------------

columns='name, source, vector_column, metric, index, key_columns, include, options'
definition=$(sql -c "SELECT $columns FROM vector_fdw.collection")
search='SELECT id, title, embedding, embedding <-> ARRAY[0.5, 0.5, 2]::real[] AS d FROM %s ORDER BY d LIMIT 20'
# shellcheck disable=SC2059
truth=$(sql -c "$(printf "$search" '"Shop"."Docs"')")

pg_dump --file="$SANDBOX_DIR/app.sql"
pg_dump --format=custom --file="$SANDBOX_DIR/app.dump"
createdb plain_copy
createdb custom_copy
sql -d plain_copy -f "$SANDBOX_DIR/app.sql" >/dev/null
pg_restore --exit-on-error -d custom_copy "$SANDBOX_DIR/app.dump"
for database in plain_copy custom_copy; do
	[ "$(sql -d $database -c "SELECT $columns FROM vector_fdw.collection")" = "$definition" ] ||
		fail "$database has another definition"
	# Not before vectord follows the database: an error that says so.
	error=$(psql -X -q -A -t -d $database -v VERBOSITY=verbose -c 'SELECT id FROM search.docs LIMIT 1' 2>&1 || true)
	grep -q 'ERROR:  57P03' <<<"$error" && grep -q '^HINT: .*\[\[source\]\]' <<<"$error" || fail "unfollowed, $database says: $error"
done
echo "# unfollowed: $(grep -E 'DETAIL|HINT' <<<"$error" | tr '\n' ' ')"

for database in plain_copy custom_copy; do
	printf '\n[[source]]\ndsn = "host=%s port=%s dbname=%s user=vectord"\nslot = "%s"\n' \
		"$PGHOST" "$PGPORT" $database $database >>"$VECTORD_CONFIG"
done
test/sandbox stop-daemon "$SANDBOX_DIR"
test/sandbox start-daemon "$SANDBOX_DIR"
for database in app plain_copy custom_copy; do
	sql -d $database -c "SELECT vector_fdw.wait_for_collection('docs')" >/dev/null
	# shellcheck disable=SC2059
	[ "$(sql -d $database -c "$(printf "$search" search.docs)")" = "$truth" ] || fail "$database gives another answer"
	[ "$(sql -d $database -c 'SELECT string_agg(name, $$ $$) FROM vector_fdw.stat_collections')" = docs ] ||
		fail "$database sees the collections of other databases"
done
echo "# restored from either format, vectord answers as from the table"

# The copies are independent of what was dumped.
sql -d plain_copy -c "DELETE FROM \"Shop\".\"Docs\" WHERE id > 10; SELECT vector_fdw.rebuild_collection('docs')" >/dev/null
sql -d plain_copy -c "SELECT vector_fdw.wait_for_collection('docs')" >/dev/null
[ "$(sql -d plain_copy -c 'SELECT count(*) FROM search.docs')" = 10 ] || fail "the copy still shows its old rows"
[ "$(sql -c 'SELECT count(*) FROM search.docs')" = 500 ] || fail "the original changed with its copy"
sql -d custom_copy -c "SELECT vector_fdw.drop_collection('docs')" >/dev/null
# shellcheck disable=SC2059
[ "$(sql -c "$(printf "$search" search.docs)")" = "$truth" ] || fail "the original is gone with its copy"

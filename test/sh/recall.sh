#!/bin/bash
# recall.sh - an index "hnsw" with all defaults finds nearly all nearest rows, and exactly as many as are asked for.
#
# Rows and queries are drawn from clusters of few latent dimensions, as embeddings are. Truth comes from the
# source table. Asked for k rows it gives k, for half of the rows half, without LIMIT all: in order, no row
# twice, each with its true distance.
#
# With target_recall it finds what was asked for: at most 0.01 less, and 0.03 more unless with no less effort. That holds for
# rows without any structure, too (as many, of 16 dimensions), for ivf, and for the quickstart's texts, where apt knows
# enough of them (384 dimensions).
#
# RECALL_ROWS (50000), RECALL_DIMENSIONS (64) and RECALL_QUERIES (500) set the size; RECALL_SEED (42) the data;
# RECALL_TEXTS (20000) how many texts at most.
set -euo pipefail

export RECALL_ROWS=${RECALL_ROWS:-50000} RECALL_DIMENSIONS=${RECALL_DIMENSIONS:-64} RECALL_QUERIES=${RECALL_QUERIES:-500}
export RECALL_SEED=${RECALL_SEED:-42}
echo "# seed $RECALL_SEED"
sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 -v rows="$RECALL_ROWS" -v queries="$RECALL_QUERIES" "$@"; }

sql -c 'CREATE TABLE items (id int PRIMARY KEY, v real[] NOT NULL)'
perl "$(dirname "$0")/clusters.pl" | sql -c 'COPY items FROM STDIN'
started=$SECONDS
sql <<'SQL' >/dev/null
SET client_min_messages = warning;
CREATE TABLE queries (id int PRIMARY KEY, v real[] NOT NULL);
WITH taken AS (DELETE FROM items WHERE id > :rows RETURNING *) INSERT INTO queries SELECT * FROM taken;
VACUUM ANALYZE items;
SELECT vector_fdw.create_collection('near', 'items', 'v');
SELECT vector_fdw.wait_for_collection('near');
CREATE FOREIGN TABLE near (id int, v real[]) SERVER vectord;
SQL
echo "# $RECALL_ROWS rows ready after $((SECONDS - started)) s"

sql <<'SQL'
CREATE FUNCTION must(holds boolean, what text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	IF holds IS NOT TRUE THEN RAISE 'not so: %', what; END IF;
	RETURN '# ' || what;
END $$;

-- What a search gave, as seen from the source table.
CREATE FUNCTION examine(query real[], k bigint, OUT rows bigint, OUT twice bigint, OUT wrong bigint, OUT unordered bigint)
LANGUAGE sql AS $$
	SELECT count(*), count(*) - count(DISTINCT f.id), count(*) FILTER (WHERE f.d IS DISTINCT FROM i.v <-> query),
	       count(*) FILTER (WHERE f.d < f.previous)
	  FROM (SELECT id, d, lag(d) OVER (ORDER BY n) AS previous FROM
	           (SELECT id, d, row_number() OVER () AS n FROM
	               (SELECT id, v <-> query AS d FROM near ORDER BY d LIMIT k) a OFFSET 0) b) f
	  LEFT JOIN items i USING (id)
$$;

SELECT must(true, string_agg(format('%s %s', index, concat_ws(' ', 'effort', effort, 'measured recall', measured_recall)), ''))
	FROM vector_fdw.stat_collections WHERE name = 'near';
SELECT must(bool_and((rows, twice, wrong, unordered) = (k, 0, 0, 0)), format('LIMIT %s gives %s rows in order, %s times', k, k, count(*)))
	FROM unnest('{1,10,100,1000}'::int[]) k, queries, examine(v, k) WHERE id <= :rows + 20 GROUP BY k ORDER BY k;
SELECT must((x.rows, twice, wrong, unordered) = (:rows / 2, 0, 0, 0), format('LIMIT %s gives %s rows in order (%s)', :rows / 2, :rows / 2, x))
	FROM queries, examine(v, :rows / 2) x WHERE id = :rows + 1;
SELECT must((x.rows, twice, wrong, unordered) = (:rows, 0, 0, 0), format('LIMIT NULL gives all %s rows in order (%s)', :rows, x))
	FROM queries, examine(v, NULL) x WHERE id = :rows + 2;
SELECT must(count(*) = :rows AND count(DISTINCT id) = :rows AND NOT bool_or(d < previous), format('no LIMIT gives all %s rows in order', count(*)))
	FROM (SELECT id, d, lag(d) OVER (ORDER BY n) AS previous FROM (SELECT id, d, row_number() OVER () AS n FROM
		(SELECT id, v <-> (SELECT v FROM queries LIMIT 1) AS d FROM near ORDER BY d) a OFFSET 0) b) c;

-- A row that is found is right when the k-th true row is no nearer.
SELECT id, v, (SELECT d FROM (SELECT items.v <-> q.v AS d FROM items ORDER BY d OFFSET 9 LIMIT 1) t) AS tenth INTO truth FROM queries q;
SELECT must(recall >= 0.97, format('recall@10 is %s over %s queries', round(recall, 4), count)) FROM (
	SELECT count(*), avg((SELECT count(*) FROM (SELECT v <-> q.v AS d FROM near ORDER BY d LIMIT 10) found WHERE d <= tenth) / 10.0) AS recall FROM truth q) s;
SELECT must(recall >= 0.97, format('vector_fdw.recall() says %s, %s ms, exact %s ms', round(recall::numeric, 4), round(search_ms::numeric, 3), round(exact_ms::numeric, 3)))
	FROM vector_fdw.recall('near');

-- Targets. As many rows in no relation to each other are the hard case.
SELECT setseed(0.25) \gset ignored_
CREATE TABLE scattered (id int PRIMARY KEY, v real[] NOT NULL);
INSERT INTO scattered SELECT n, (SELECT array_agg(random()::real) FROM generate_series(1, 16) WHERE n > 0) FROM generate_series(1, :rows + :queries) n;
CREATE TABLE scattered_truth (id int, v real[], tenth float8);
WITH taken AS (DELETE FROM scattered WHERE id > :rows RETURNING *) INSERT INTO scattered_truth SELECT id, v, NULL FROM taken;
UPDATE scattered_truth q SET tenth = (SELECT scattered.v <-> q.v AS d FROM scattered ORDER BY d OFFSET 9 LIMIT 1);
SELECT vector_fdw.create_collection('scattered_near', 'scattered', 'v') \gset ignored_
SELECT vector_fdw.create_collection('near_lists', 'items', 'v', index => 'ivf') \gset ignored_
SELECT vector_fdw.wait_for_collection(name) FROM unnest('{scattered_near,near_lists}'::text[]) name;
CREATE FOREIGN TABLE scattered_near (id int, v real[]) SERVER vectord;
CREATE FOREIGN TABLE near_lists (id int, v real[]) SERVER vectord;

CREATE FUNCTION effort_of(relation text, query real[], OUT strategy text, OUT effort int) LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE format('EXPLAIN (ANALYZE, FORMAT JSON) SELECT id FROM %I ORDER BY v <-> %L::real[] LIMIT 10', relation, query) INTO plan;
	SELECT substring(plan::text FROM '"Strategy": "([^"]*)"'),
	       substring(plan::text FROM '"Search Effort": (\d+)')::int INTO strategy, effort;
END $$;
CREATE FUNCTION recall_of(relation text, answers text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
	recall float8;
BEGIN
	EXECUTE format('SELECT avg((SELECT count(*) FROM (SELECT v <-> q.v AS d FROM %I ORDER BY d LIMIT 10) found WHERE d <= tenth) / 10.0) FROM %I q',
	               relation, answers) INTO recall;
	RETURN recall;
END $$;
CREATE FUNCTION check_target(relation text, answers text, target float8, setting text, fewest int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	found float8;
	with_less float8;
	took record;
	query real[];
BEGIN
	EXECUTE format('SELECT v FROM %I LIMIT 1', answers) INTO query;
	PERFORM set_config('vector_fdw.target_recall', target::text, true);
	found := recall_of(relation, answers);
	took := effort_of(relation, query);
	IF took.strategy <> 'exact' AND took.effort > fewest THEN
		PERFORM set_config('vector_fdw.' || setting, (took.effort - 1)::text, true);
		with_less := recall_of(relation, answers);
		PERFORM set_config('vector_fdw.' || setting, '0', true);
	END IF;
	RETURN must(found >= target - 0.01 AND (found <= target + 0.03 OR coalesce(with_less, 0) < target),
		format('%s with target %s finds %s by %s, effort %s; with less effort %s', relation, target, round(found::numeric, 4), took.strategy, took.effort, round(with_less::numeric, 4)));
END $$;
SELECT check_target(relation, answers, target, setting, fewest)
	FROM (VALUES ('near', 'truth', 'ef_search', 10), ('scattered_near', 'scattered_truth', 'ef_search', 10), ('near_lists', 'truth', 'nprobe', 1)) r (relation, answers, setting, fewest),
	     unnest('{0.9,0.95,0.99}'::float8[]) target;
SELECT must(recall_of('near', 'truth') = 1, 'with target 1 it finds all') FROM set_config('vector_fdw.target_recall', '1', false);
SQL

# ---- texts --------------------------------------------------------------------------------------------

cd "$(dirname "$0")/../.."
texts=$SANDBOX_DIR/texts questions=$((4 * RECALL_QUERIES))
apt-cache dumpavail 2>/dev/null | perl test/quickstart.d/read_packages |
	shuf --random-source=<(yes "$RECALL_SEED") -n $((${RECALL_TEXTS:-20000} + questions)) >"$texts" || true
count=$(($(wc -l <"$texts") - questions))
if [ "$count" -lt 5000 ]; then
	echo "# texts: left out, apt knows only $(wc -l <"$texts") of them"
	exit
fi
env -u MAKEFLAGS -u MAKELEVEL make -s -f daemon/Makefile embed_text >&2
sql -c 'CREATE TABLE texts (id int PRIMARY KEY, name text, section text, description text, v real[])' \
	-c 'ALTER TABLE texts ALTER v SET STORAGE PLAIN'
build/embed_text corpus "$texts.weights" <"$texts" | sql -c 'COPY texts FROM STDIN'
sql -v count="$count" <<'SQL'
CREATE TABLE texts_truth (id int, v real[], tenth float8);
WITH taken AS (DELETE FROM texts WHERE id IN (SELECT id FROM texts ORDER BY id OFFSET :count) RETURNING *)
	INSERT INTO texts_truth SELECT id, v, NULL FROM taken;
UPDATE texts_truth q SET tenth = (SELECT texts.v <-> q.v AS d FROM texts ORDER BY d OFFSET 9 LIMIT 1);
SELECT vector_fdw.create_collection('texts_near', 'texts', 'v') \gset ignored_
SELECT vector_fdw.wait_for_collection('texts_near');
CREATE FOREIGN TABLE texts_near (id int, v real[]) SERVER vectord;
SELECT must(true, format('%s texts, %s questions', (SELECT count(*) FROM texts), (SELECT count(*) FROM texts_truth)));
SELECT check_target('texts_near', 'texts_truth', target, 'ef_search', 10) FROM unnest('{0.9,0.95,0.99}'::float8[]) target;
SQL

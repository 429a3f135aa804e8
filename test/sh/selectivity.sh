#!/bin/bash
# selectivity.sh - a filter never costs rows, hardly costs recall, and costs little time.
#
# LIMIT 1 to 1000 under filters that let pass all rows down to none, pushed down and not: exactly
# min(LIMIT, matches) rows in each cell, in order; recall@LIMIT of pushed ones, 1.0 where few rows
# match. Then tenants, and filters that go with the position (the label of the query's own cluster, of
# the farthest one). Truth is an exact search, which exact.sh compares with the source table. Times
# are medians; SELECTIVITY_STRICT=1 holds them to their limits, which needs a quiet machine.
#
# SELECTIVITY_ROWS (50000), SELECTIVITY_DIMENSIONS (32) and SELECTIVITY_QUERIES (10) set the size;
# the full one is 500000, 128 and 50. Where pgvector is installed SELECTIVITY_PGVECTOR=1 builds its
# index too and compares.
set -euo pipefail

rows=${SELECTIVITY_ROWS:-50000} queries=${SELECTIVITY_QUERIES:-10} strict=${SELECTIVITY_STRICT:-0}
export RECALL_ROWS=$rows RECALL_DIMENSIONS=${SELECTIVITY_DIMENSIONS:-32} RECALL_QUERIES=$queries
export RECALL_SEED=${RECALL_SEED:-7} RECALL_LABELS=1
echo "# seed $RECALL_SEED"
sql() {
	psql -X -q -A -t -v ON_ERROR_STOP=1 -v rows="$rows" -v queries="$queries" -v strict="$strict" \
		-v dimensions="$RECALL_DIMENSIONS" "$@"
}

sql -c 'CREATE TABLE raw (id int, v real[], label int)'
perl "$(dirname "$0")/clusters.pl" | sql -c 'COPY raw FROM STDIN'
sql <<'SQL' >/dev/null
SET client_min_messages = warning;
-- u: each number below the number of rows once, in no relation to the vectors
CREATE TABLE items AS SELECT id, v, label, (row_number() OVER (ORDER BY hashint4(id)) - 1)::int AS u,
  (hashint4(id + 7) & 2147483647) % (:rows / 500) AS tenant FROM raw WHERE id <= :rows;
ALTER TABLE items ADD PRIMARY KEY (id);
CREATE TABLE queries AS SELECT id, v, label FROM raw WHERE id > :rows;
VACUUM ANALYZE items;
SELECT vector_fdw.create_collection('near', 'items', 'v', include => '{label,u,tenant}');
SELECT vector_fdw.wait_for_collection('near', '30 min');
CREATE FOREIGN TABLE near (id int, v real[], label int, u int, tenant int) SERVER vectord;
ANALYZE near;

CREATE TABLE result (what text, k int, matches bigint, pushed boolean, queries int, short bigint, recall float8, ms float8,
  beside float8); -- ms of the same queries without a filter, asked in turn

-- Runs the search for each query; condition may use $2 (an int that comes with the query).
CREATE FUNCTION measure(what text, k int, condition text, pushed boolean, arguments int[], matching bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  q record;
  search text := format('SELECT array_agg(id ORDER BY n), array_agg(d ORDER BY n) FROM (SELECT id, d, row_number() OVER () AS n FROM
      (SELECT id, v <-> $1 AS d FROM near WHERE %s ORDER BY v <-> $1 LIMIT %s) a) b', condition, k);
  found int[];
  distances float8[];
  truth float8[];
  began timestamptz;
  times float8[];
  unfiltered text := CASE WHEN what = 'tenant' THEN replace(search, condition, 'true') END;
  times_beside float8[];
  i int := 0;
  short bigint := 0;
  hits float8 := 0;
  expected bigint;
BEGIN
  FOR q IN SELECT v FROM queries ORDER BY id LOOP
    i := i + 1;
    EXECUTE search INTO found, distances USING q.v, arguments[i];
    began := clock_timestamp();
    EXECUTE search INTO found, distances USING q.v, arguments[i];
    times := times || (1000 * extract(epoch FROM clock_timestamp() - began))::float8;
    IF unfiltered IS NOT NULL THEN
      EXECUTE unfiltered USING q.v;
      began := clock_timestamp();
      EXECUTE unfiltered USING q.v;
      times_beside := times_beside || (1000 * extract(epoch FROM clock_timestamp() - began))::float8;
    END IF;
    PERFORM set_config('vector_fdw.exact', 'on', true);
    EXECUTE replace(search, 'abs(u)', 'u') INTO found, truth USING q.v, arguments[i];
    PERFORM set_config('vector_fdw.exact', 'off', true);
    expected := coalesce(cardinality(truth), 0);
    IF matching >= 0 AND expected <> least(k, matching) THEN RAISE '%: the exact search finds % rows', what, expected; END IF;
    IF coalesce(cardinality(distances), 0) <> expected THEN short := short + 1; END IF;
    IF distances <> (SELECT array_agg(d ORDER BY d) FROM unnest(distances) d) THEN RAISE '%: out of order', what; END IF;
    hits := hits + CASE WHEN expected = 0 THEN 1
                   ELSE (SELECT count(*) FROM unnest(distances) d WHERE d <= truth[expected]) / expected::float8 END;
  END LOOP;
  INSERT INTO result VALUES (what, k, matching, pushed, i, short, hits / i, (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY t) FROM unnest(times) t),
    (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY t) FROM unnest(times_beside) t));
END $$;

DO $$
DECLARE
  n int := (SELECT count(*) FROM items);
  k int;
  share float8;
  bound int;
BEGIN
  FOREACH k IN ARRAY '{1,10,100,1000}'::int[] LOOP
    PERFORM measure('unfiltered', k, 'true', true, NULL, n);
    FOREACH share IN ARRAY '{1,0.5,0.1,0.03,0.01,0.001,0.0001,0.00001,0}'::float8[] LOOP
      bound := ceil(n * share);
      PERFORM measure(share::text, k, format('u < %s', bound), true, NULL, bound);
      IF share <> 0.5 AND share <> 0.03 THEN PERFORM measure(share::text, k, format('abs(u) < %s', bound), false, NULL, bound); END IF;
    END LOOP;
  END LOOP;
  PERFORM measure('tenant', 10, 'tenant = $2', true, (SELECT array_agg(id % (n / 500)) FROM queries), -1);
  PERFORM measure('own label', 10, 'label = $2', true, (SELECT array_agg(label ORDER BY id) FROM queries), -1);
  PERFORM measure('farthest label', 10, 'label = $2', true,
    (SELECT array_agg((SELECT f.label FROM (SELECT DISTINCT ON (label) label, v FROM raw ORDER BY label, id) f ORDER BY f.v <-> q.v DESC LIMIT 1) ORDER BY id) FROM queries q), -1);
  PERFORM measure('30 own labels', 10, '(label - $2 + 200) % 200 < 30', false, (SELECT array_agg(label ORDER BY id) FROM queries), -1);
  PERFORM measure('30 random labels', 10, 'label < 30', true, NULL, -1);
END $$;
SQL

if [ "${SELECTIVITY_PGVECTOR:-0}" = 1 ]; then
	sql <<'SQL' >/dev/null
SET client_min_messages = warning;
CREATE EXTENSION vector;
CREATE TABLE theirs AS SELECT id, v::vector(:dimensions) AS v, u FROM items;
SET maintenance_work_mem = '4GB';
CREATE INDEX ON theirs USING hnsw (v vector_l2_ops);
VACUUM ANALYZE theirs;
CREATE TABLE contest (share float8, side text, ms float8, short bigint, searches int);

-- Median milliseconds of the search with a plan made before, of all queries in turn, thrice and for a second at
-- least, and how many of the searches gave too few rows.
CREATE FUNCTION contend(side text, relation text, vector_type text, share float8, bound int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  q record;
  found int[];
  began timestamptz;
  times float8[] := '{}';
  short bigint := 0;
  turn int := 1;
  since timestamptz := clock_timestamp();
BEGIN
  EXECUTE format('DROP FUNCTION IF EXISTS probe; CREATE FUNCTION probe(q %s) RETURNS int[] LANGUAGE plpgsql AS
      $p$ BEGIN RETURN (SELECT array_agg(id) FROM (SELECT id FROM %s WHERE u < %s ORDER BY v <-> q LIMIT 10) a); END $p$',
    vector_type, relation, bound);
  WHILE turn <= 4 OR clock_timestamp() < since + interval '1 second' LOOP
    FOR q IN EXECUTE format('SELECT v::%s AS v FROM queries ORDER BY id', vector_type) LOOP
      began := clock_timestamp();
      found := probe(q.v);
      CONTINUE WHEN turn = 1;
      times := times || (1000 * extract(epoch FROM clock_timestamp() - began))::float8;
      IF coalesce(cardinality(found), 0) <> least(10, bound) THEN short := short + 1; END IF;
    END LOOP;
    turn := turn + 1;
  END LOOP;
  INSERT INTO contest SELECT share, side, percentile_cont(0.5) WITHIN GROUP (ORDER BY t), short, cardinality(times) FROM unnest(times) t;
END $$;
SQL
	export PGOPTIONS='-c plan_cache_mode=force_generic_plan -c client_min_messages=error'
	sql <<'SQL' >/dev/null
SET hnsw.iterative_scan = strict_order;
SET enable_seqscan = off;
SET vars.rows = :rows;
DO $$
DECLARE
  share float8;
  bound int;
BEGIN
  FOREACH share IN ARRAY '{1,0.5,0.1,0.03,0.01,0.001,0.0001,0.00001}'::float8[] LOOP
    bound := ceil(current_setting('vars.rows')::int * share);
    PERFORM contend('ours', 'near', 'real[]', share, bound);
    PERFORM contend('pgvector', 'theirs', 'vector', share, bound);
  END LOOP;
END $$;
SQL
	unset PGOPTIONS
	sql <<'SQL'
SELECT format('# of %-7s LIMIT 10: %s ms; pgvector %s ms, %s of %s short: %s times ours', t.share, round(o.ms::numeric, 3),
              round(t.ms::numeric, 3), t.short, t.searches, round((t.ms / o.ms)::numeric, 1))
  FROM contest t JOIN contest o USING (share) WHERE t.side = 'pgvector' AND o.side = 'ours' ORDER BY share DESC;
SQL
fi

sql <<'SQL'
SELECT format('# %-17s LIMIT %-5s %-7s %s matching, recall %s, %s ms', what, k, CASE WHEN pushed THEN 'pushed' ELSE 'local' END,
              matches, round(recall::numeric, 4), round(ms::numeric, 3)) FROM result ORDER BY k, pushed DESC, matches DESC;
CREATE FUNCTION must(holds boolean, what text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	IF holds IS NOT TRUE THEN RAISE 'not so: %', what; END IF;
	RETURN '# ' || what;
END $$;
SELECT must(sum(short) = 0, 'no search gave fewer rows than match') FROM result;
SELECT must(min(recall) >= 0.95, 'recall of pushed filters, at LIMIT 10, is at least ' || round(min(recall)::numeric, 4)) FROM result WHERE pushed AND k = 10;
SELECT must(min(recall) = 1, 'recall is 1 where fewer than 5,000 rows match') FROM result WHERE matches BETWEEN 0 AND 4999;
SELECT must(min(recall) = 1, 'a tenant''s rows are all found') FROM result WHERE what = 'tenant';
SELECT must(max(ms) <= 3 * min(ms) FILTER (WHERE what = 'unfiltered') OR :strict = 0, 'the slowest pushed filter takes '
  || round((max(ms) / min(ms) FILTER (WHERE what = 'unfiltered'))::numeric, 2) || ' times the unfiltered search') FROM result WHERE pushed AND k = 10 AND (what = 'unfiltered' OR what ~ '^[0-9]\S*$');
SELECT must(ms <= beside OR :strict = 0, 'a tenant''s search takes ' || round((ms / beside)::numeric, 2) || ' times the unfiltered one')
  FROM result WHERE what = 'tenant';
SQL

#!/bin/bash
# exact.sh - an index "flat" gives the very rows and distances that the source table gives.
#
# Random queries, each over real[] and double precision[] and in each metric, are asked of the foreign table
# and of the source table: ids, order and the bits of every distance must be the same. Among the rows are NULL
# vectors and a zero vector. A second, small table is full of what is delicate: equal rows, many zero vectors,
# elements that overflow or underflow in single precision, distances that are NULL, NaN and infinite.
#
# EXACT_ROWS (20000), EXACT_DIMENSIONS (64) and EXACT_QUERIES (200) set the size; EXACT_SEED (0.5) the data.
set -euo pipefail

psql -X -q -A -t -v ON_ERROR_STOP=1 -v rows="${EXACT_ROWS:-20000}" -v dimensions="${EXACT_DIMENSIONS:-64}" \
	-v queries="${EXACT_QUERIES:-200}" -v seed="${EXACT_SEED:-0.5}" <<'SQL'
\echo '# seed' :seed
SET client_min_messages = warning;
SELECT setseed(:seed) \g /dev/null

-- A vector of n elements between -scale and scale. Doubles of many digits: rounding to real must be alike, too.
CREATE FUNCTION random_vector(n int, scale float8) RETURNS float8[] LANGUAGE sql VOLATILE AS
	$$ SELECT array_agg((random() * 2 - 1) * scale) FROM generate_series(1, n) $$;

CREATE TABLE items_real8 (id int PRIMARY KEY, v float8[]);
INSERT INTO items_real8 SELECT i, random_vector(:dimensions, 1) FROM generate_series(1, :rows) i;
UPDATE items_real8 SET v = NULL WHERE id % 97 = 0;
UPDATE items_real8 SET v = array_fill(0::float8, ARRAY[cardinality(v)]) WHERE id = 5;
CREATE TABLE items_real4 (id int PRIMARY KEY, v real[]);
INSERT INTO items_real4 SELECT id, v::real[] FROM items_real8;

CREATE TABLE edges_real8 (id int PRIMARY KEY, v float8[]);
INSERT INTO edges_real8 SELECT i, CASE i % 10
	WHEN 0 THEN NULL
	WHEN 1 THEN array_fill(0::float8, ARRAY[:dimensions])
	WHEN 2 THEN array_fill((i % 4)::float8, ARRAY[:dimensions])
	WHEN 3 THEN random_vector(:dimensions, 1e-30)
	WHEN 4 THEN random_vector(:dimensions, 1e25)
	WHEN 5 THEN random_vector(:dimensions, 1e-38)
	WHEN 6 THEN random_vector(:dimensions, 3e38)
	WHEN 7 THEN array_fill(-0.0::float8, ARRAY[:dimensions])
	ELSE random_vector(:dimensions, 1) END FROM generate_series(1, 1000) i;
CREATE TABLE edges_real4 (id int PRIMARY KEY, v real[]);
INSERT INTO edges_real4 SELECT id, v::real[] FROM edges_real8;
UPDATE edges_real8 SET v = random_vector(:dimensions, 1e-60) WHERE id % 50 = 3;	-- which real[] cannot hold

CREATE TABLE metrics (metric text, operator text);
INSERT INTO metrics VALUES ('l2', '<->'), ('ip', '<#>'), ('cosine', '<=>'), ('l1', '<+>');
CREATE TABLE pairs AS	-- of a source table and its foreign table
	SELECT source || '_' || metric AS near, source, metric, operator,
	       CASE WHEN source LIKE '%8' THEN 'float8[]' ELSE 'real[]' END AS type
	  FROM metrics, unnest('{items_real4,items_real8,edges_real4,edges_real8}'::text[]) source;
ANALYZE;
\o /dev/null
SELECT vector_fdw.create_collection(near, source::regclass, 'v', metric => metric, index => 'flat') FROM pairs;
SELECT format('CREATE FOREIGN TABLE %I (id int, v %s) SERVER vectord', near, type) FROM pairs \gexec
SELECT vector_fdw.wait_for_collection(near) FROM pairs;
\o

-- Ids and the bits of the distances, in order.
CREATE FUNCTION answer(relation text, p pairs, query float8[], sort text, k bigint, skip bigint) RETURNS text[]
LANGUAGE plpgsql AS $$
DECLARE
	found text[];
BEGIN
	EXECUTE format('SELECT array_agg(concat_ws('' '', id, encode(float8send(d), ''hex''))) FROM
			(SELECT id, v %s $1::%s AS d FROM %I ORDER BY %s LIMIT $2 OFFSET $3) nearest',
		p.operator, p.type, relation, sort) INTO found USING query, k, skip;
	RETURN found;
END $$;

-- Of equally near rows ORDER BY d may give any, in any order, from the source table as well: then the distances
-- must be the same, and the rows different ones that have them.
CREATE FUNCTION differ_by_ties(got text[], wanted text[], every_row text[]) RETURNS boolean LANGUAGE sql AS $$
	SELECT (SELECT array_agg(split_part(r, ' ', 2) ORDER BY n) FROM unnest(got) WITH ORDINALITY g(r, n))
	     = (SELECT array_agg(split_part(r, ' ', 2) ORDER BY n) FROM unnest(wanted) WITH ORDINALITY w(r, n))
	   AND got <@ every_row AND cardinality(got) = (SELECT count(DISTINCT r) FROM unnest(got) r)
$$;

CREATE FUNCTION compare(p pairs, query float8[], sort text, k bigint, skip bigint) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
	got text[] := answer(p.near, p, query, sort, k, skip);
	wanted text[] := answer(p.source, p, query, sort, k, skip);
BEGIN
	IF got IS NOT DISTINCT FROM wanted THEN RETURN coalesce(cardinality(got), 0); END IF;
	IF sort = 'd' AND differ_by_ties(got, wanted, answer(p.source, p, query, 'd', NULL, 0)) THEN
		RETURN cardinality(got);
	END IF;
	FOR i IN 1 .. greatest(cardinality(got), cardinality(wanted)) LOOP
		CONTINUE WHEN got[i] IS NOT DISTINCT FROM wanted[i];
		RAISE 'row % of % ORDER BY % LIMIT % OFFSET % is %, not %', i, p.near, sort, k, skip, got[i], wanted[i]
			USING DETAIL = 'Query vector: ' || query::text;
	END LOOP;
END $$;

-- It is the index that is compared, and the bits are those of the operator.
CREATE FUNCTION plan(query text) RETURNS SETOF text LANGUAGE plpgsql AS
	$$ BEGIN RETURN QUERY EXECUTE 'EXPLAIN (COSTS OFF) ' || query; END $$;
DO $$
DECLARE
	p pairs;
	plan text;
BEGIN
	FOR p IN SELECT * FROM pairs LOOP
		SELECT string_agg(l, E'\n') INTO plan FROM plan(format(
			'SELECT id, v %s ''{1}''::%s AS d FROM %I ORDER BY d LIMIT 10', p.operator, p.type, p.near)) l;
		IF plan !~ ('Vector Search: ' || p.near) OR plan ~ 'Sort' THEN RAISE 'not by the index: %', plan; END IF;
	END LOOP;
END $$;

-- The index alone gives the order. Two of the queries: a row of the table, and one far away, where many are equal.
CREATE TABLE queries AS SELECT n, random_vector(:dimensions, 1) AS q, 1 + n % 50 AS k, n % 3 * (n % 11) AS skip
	FROM generate_series(1, :queries) n;
UPDATE queries SET q = (SELECT v FROM items_real8 WHERE id = 1000) WHERE n = 1;
UPDATE queries SET q = random_vector(:dimensions, 1e20) WHERE n = 2;
SELECT format('# %s: %s queries, %s rows the same', p.near, count(*), sum(compare(p, q, 'd', k, skip)))
	FROM pairs p, queries WHERE p.near LIKE 'items%' GROUP BY p.near, p.* ORDER BY 1;

-- All rows, those without a distance included, and windows over the end.
SELECT format('# %s: all %s rows the same', p.near, compare(p, q, 'd, id', NULL, 0))
	FROM pairs p, queries WHERE p.near LIKE 'items%' AND n = 3 ORDER BY p.near;
SELECT format('# %s: the last %s rows the same', p.near, compare(p, q, 'd, id', 1000, :rows - 250))
	FROM pairs p, queries WHERE p.near LIKE 'items%' AND n = 4 ORDER BY p.near;

-- Equal distances, overflow, underflow, zero: with the id as second key the order is fixed again.
SELECT format('# %s: %s queries, %s rows the same', p.near, count(*), sum(compare(p, q, 'd, id', k, skip)))
	FROM pairs p, (SELECT q, CASE WHEN n % 4 = 0 THEN NULL ELSE n % 50 * 20 END AS k, n * 13 % 900 AS skip FROM queries
			WHERE n <= 40
		UNION ALL SELECT random_vector(:dimensions, scale), NULL, 0
			FROM unnest('{1e-38,1e-30,1e-15,1e15,1e25,3e38}'::float8[]) scale
		UNION ALL SELECT array_fill(0::float8, ARRAY[:dimensions]), k, 0 FROM unnest('{1,100,500,950,NULL}'::int[]) k
	) AS edge_queries(q, k, skip) WHERE p.near LIKE 'edges%' GROUP BY p.near, p.* ORDER BY 1;
SELECT format('# %s: %s rows without vector, %s rejected', name, null_vectors, rejected_rows)
	FROM vector_fdw.stat_collections WHERE metric = 'l2' ORDER BY name;
SQL

-- Rows by key, joins that look rows up, counts: what is sent, and that the answers are the source table's.
CREATE SCHEMA lookups;
SET search_path = lookups, public;
SET client_min_messages = warning;	-- whether rights were granted depends on the roles
CREATE TABLE docs (id bigint PRIMARY KEY, kind text, year int, embedding real[]);
INSERT INTO docs SELECT i, 'kind ' || i % 7, 2000 + i % 20, CASE WHEN i % 50 > 0 THEN ARRAY[i % 7, i % 11, i % 13] END
	FROM generate_series(1, 10000) i;
CREATE TABLE pairs (a int, b text COLLATE "C", v real[], PRIMARY KEY (a, b));
INSERT INTO pairs SELECT i % 10, 'x "' || i, ARRAY[i, 1] FROM generate_series(1, 100) i;
ANALYZE docs;
SELECT vector_fdw.create_collection('lookups_docs', 'docs', 'embedding', include => '{kind,year}', index => 'flat');
SELECT vector_fdw.create_collection('lookups_pairs', 'pairs', 'v', index => 'flat');
CREATE FOREIGN TABLE near (id bigint, kind text, year int, embedding real[]) SERVER vectord
	OPTIONS (collection 'lookups_docs', schema_name 'lookups');
CREATE FOREIGN TABLE near_pairs (a int, b text, v real[]) SERVER vectord
	OPTIONS (collection 'lookups_pairs', schema_name 'lookups');
SELECT vector_fdw.wait_for_collection('lookups_docs');
SELECT vector_fdw.wait_for_collection('lookups_pairs');
ANALYZE near;

-- By key.
EXPLAIN (COSTS OFF) SELECT kind FROM near WHERE id = 77;
SELECT id, kind, year FROM near WHERE id = 77;
SELECT id, kind, year FROM near WHERE id = ANY ('{3,9999,20000,NULL}') ORDER BY id;
SELECT id FROM near WHERE id = NULL::bigint;
PREPARE by_key(bigint[]) AS SELECT count(*), sum(id) FROM near WHERE id = ANY ($1);
SELECT count(*), sum(id) FROM near WHERE id = ANY (ARRAY(SELECT i FROM generate_series(1, 20000, 3) i));
EXECUTE by_key('{}');
EXECUTE by_key(NULL);
SELECT a, b FROM near_pairs WHERE a = 3 AND b LIKE 'x "1%' ORDER BY b;

-- An imported table compares texts as its source does, so their order goes over.
IMPORT FOREIGN SCHEMA lookups LIMIT TO (lookups_pairs) FROM SERVER vectord INTO lookups;
EXPLAIN (COSTS OFF) SELECT a FROM lookups_pairs WHERE b < 'x "2';
EXPLAIN (COSTS OFF) SELECT a FROM near_pairs WHERE b < 'x "2';
SELECT count(*) FROM lookups_pairs WHERE b < 'x "2';

-- A prepared plan sends values of the types that the source's columns have.
SET plan_cache_mode = force_generic_plan;
PREPARE by_year(int) AS SELECT count(*), min(id) FROM near WHERE year = $1;
EXECUTE by_year(2003);
ALTER TABLE docs ALTER COLUMN year TYPE bigint;
SELECT vector_fdw.wait_for_collection('lookups_docs');
EXPLAIN (COSTS OFF) EXECUTE by_year(2003);	-- no bigint fits into the foreign table's int
ALTER FOREIGN TABLE near ALTER COLUMN year TYPE bigint;
EXECUTE by_year(2003);
RESET plan_cache_mode;
ANALYZE near;

-- Few outer rows: one look-up for each. Many: all rows at once.
CREATE TABLE wanted (id bigint, note text, query real[]);
INSERT INTO wanted SELECT i * 1000 + 1, 'note ' || i, ARRAY[i, 2, 3] FROM generate_series(0, 4) i;
ANALYZE wanted;
EXPLAIN (COSTS OFF) SELECT w.note, n.kind FROM wanted w JOIN near n USING (id) ORDER BY id;
SELECT w.note, n.kind FROM wanted w JOIN near n USING (id) ORDER BY id;
EXPLAIN (COSTS OFF) SELECT w.note, n.kind FROM wanted w LEFT JOIN near n ON n.id = w.id AND n.year = 2001 ORDER BY w.id;
SELECT w.note, n.kind FROM wanted w LEFT JOIN near n ON n.id = w.id AND n.year = 2001 ORDER BY w.id;
EXPLAIN (COSTS OFF) SELECT count(*) FROM docs JOIN near USING (id);
-- a range around each outer row
EXPLAIN (COSTS OFF) SELECT w.note, n.id FROM wanted w JOIN near n ON n.embedding <-> w.query < 2 WHERE w.id = 1;
SELECT (SELECT count(*) FROM wanted w JOIN near n ON n.embedding <-> w.query < 2 WHERE w.id = 1) AS near,
	(SELECT count(*) FROM wanted w JOIN docs d ON d.embedding <-> w.query < 2 WHERE w.id = 1) AS docs;
-- a search for each outer row, filtered by it
SELECT w.note, n.id FROM wanted w CROSS JOIN LATERAL
	(SELECT id FROM near WHERE kind = 'kind ' || w.id % 7 ORDER BY embedding <-> w.query, id LIMIT 2) n ORDER BY w.id, n.id;

-- Counts.
EXPLAIN (COSTS OFF) SELECT count(*) FROM near WHERE year > 2010;
SELECT what, n = m AS same FROM
	(SELECT 'all' AS what, (SELECT count(*) FROM near) AS n, (SELECT count(*) FROM docs) AS m
	UNION ALL SELECT 'filter', (SELECT count(*) + 1 FROM near WHERE year > 2010), (SELECT count(*) + 1 FROM docs WHERE year > 2010)
	UNION ALL SELECT 'no vector', (SELECT count(*) FROM near WHERE embedding IS NULL), (SELECT count(*) FROM docs WHERE embedding IS NULL)
	UNION ALL SELECT 'range', (SELECT count(*) FROM near WHERE year > 2010 AND embedding <-> '{1,2,3}' < 5),
		(SELECT count(*) FROM docs WHERE year > 2010 AND embedding <-> '{1,2,3}' < 5)
	UNION ALL SELECT 'nothing', (SELECT count(*) FROM near WHERE year > NULL::int), 0) counts;
SELECT (SELECT count(*) FROM near WHERE year = w.id - 2000 * (w.id / 2000) + 2000) FROM wanted w ORDER BY w.id;

-- Many query vectors in one call.
SELECT query_no, distance FROM vector_fdw.search('near', '{{1,2,3},{6,10,12}}', 2, 'year = 2003 AND kind <> ''kind 1''');
SELECT * FROM vector_fdw.search('near_pairs', '{7.1,1}', 2);
SELECT count(*), count(DISTINCT query_no) FROM vector_fdw.search('near', (SELECT array_agg(embedding) FROM docs WHERE id % 100 = 1), 15);
-- the very rows that a query gives
SELECT count(*) FROM wanted w CROSS JOIN LATERAL (SELECT embedding <-> w.query AS d FROM near WHERE year > 2005 ORDER BY d LIMIT 10) n
	FULL JOIN vector_fdw.search('near', (SELECT array_agg(query ORDER BY id) FROM wanted), 10, 'year > 2005') s
	ON s.query_no = (w.id + 999) / 1000 AND s.distance = n.d WHERE s.key IS NULL OR n.d IS NULL;
SELECT count(*) FROM vector_fdw.search('near', '{}', 2);
SELECT count(*) FROM vector_fdw.search('near', NULL, 2);
SELECT count(*) FROM vector_fdw.search('near', '{1,2,3}', 20000);
\set VERBOSITY terse
SELECT * FROM vector_fdw.search('near', '{1,2,3}', 2, 'year % 2 = 1');
SELECT * FROM vector_fdw.search('near', '{1,2,3}', 2, 'true) UNION SELECT (true');
SELECT * FROM vector_fdw.search('near', '{1,2,3}', 2, 'id IN (SELECT 1)');
SELECT * FROM vector_fdw.search('near', '{1,2,3}', 2, 'year =');
SELECT * FROM vector_fdw.search('near', '{1,2,3}', 2, 'random() < 2');
SELECT * FROM vector_fdw.search('near', '{1,2}', 2);
SELECT * FROM vector_fdw.search('near', '{1,2,NaN}', 2);
SELECT * FROM vector_fdw.search('docs', '{1,2,3}', 2);
SELECT * FROM vector_fdw.search('near', '{1,2,3}', 0);

SELECT vector_fdw.drop_collection('lookups_docs');
SELECT vector_fdw.drop_collection('lookups_pairs');
DROP SCHEMA lookups CASCADE;

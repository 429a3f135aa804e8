-- target_recall: who wins, and that the daemon heeds it.
CREATE SCHEMA target_recall;
SET search_path = target_recall, public;

CREATE TABLE items (id int PRIMARY KEY, v real[] NOT NULL);
SELECT setseed(0.5) IS NOT NULL AS seeded;
INSERT INTO items SELECT n, (SELECT array_agg(random()::real) FROM generate_series(1, 16) WHERE n > 0) FROM generate_series(1, 20000) n;
SELECT vector_fdw.create_collection('tr_named', 'items', 'v', options => '{"target_recall":0.9}');
SELECT vector_fdw.create_collection('tr_plain', 'items', 'v');
SELECT vector_fdw.create_collection('tr_lists', 'items', 'v', index => 'ivf', options => '{"target_recall":0.9}');
SELECT vector_fdw.wait_for_collection(name) FROM unnest('{tr_named,tr_plain,tr_lists}'::text[]) name;
CREATE SERVER tr_server FOREIGN DATA WRAPPER vector_fdw;
\getenv endpoint VECTORD_ENDPOINT
ALTER SERVER tr_server OPTIONS (ADD endpoint :'endpoint');
CREATE FOREIGN TABLE tr_named (id int, v real[]) SERVER tr_server OPTIONS (schema_name 'target_recall');
CREATE FOREIGN TABLE tr_plain (id int, v real[]) SERVER tr_server OPTIONS (schema_name 'target_recall');
CREATE FOREIGN TABLE tr_lists (id int, v real[]) SERVER tr_server OPTIONS (schema_name 'target_recall');

-- What EXPLAIN says of a search, and the effort that it took; 0: it scanned.
CREATE FUNCTION told(relation text, OUT index text, OUT effort int) LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE format('EXPLAIN (ANALYZE, FORMAT JSON) SELECT id FROM %I ORDER BY v <-> array_fill(0.5::real, ARRAY[16]) LIMIT 10', relation) INTO plan;
	SELECT substring(plan::text FROM '"Index": "([^"]*)"'),
	       coalesce(substring(plan::text FROM '"Search Effort": (\d+)')::int, 0) INTO index, effort;
END $$;
CREATE TABLE seen (step int GENERATED ALWAYS AS IDENTITY, what text, index text, effort int);
CREATE FUNCTION note(what text, relation text) RETURNS text LANGUAGE sql AS
	'INSERT INTO seen (what, index, effort) SELECT what, t.index, t.effort FROM told(relation) t RETURNING index';

SELECT note('default', 'tr_plain');
SELECT note('collection 0.9', 'tr_named');
ALTER SERVER tr_server OPTIONS (ADD target_recall '0.95');
SELECT note('server 0.95', 'tr_named');
ALTER FOREIGN TABLE tr_named OPTIONS (ADD target_recall '0.97');
SELECT note('table 0.97', 'tr_named');
SET vector_fdw.target_recall = 0.99;
SELECT note('session 0.99', 'tr_named');
SELECT note('lists 0.99', 'tr_lists');
-- An effort that somebody named wins, wherever.
ALTER FOREIGN TABLE tr_named OPTIONS (ADD ef_search '77');
SELECT note('effort 77', 'tr_named');
SET vector_fdw.ef_search = 66;
SET vector_fdw.nprobe = 5;
SELECT note('effort 66', 'tr_named');
SELECT note('lists 5', 'tr_lists');
RESET vector_fdw.ef_search;
RESET vector_fdw.nprobe;
ALTER FOREIGN TABLE tr_named OPTIONS (DROP ef_search);
SET vector_fdw.target_recall = 1;
SELECT note('session 1', 'tr_named');
RESET vector_fdw.target_recall;
ALTER FOREIGN TABLE tr_named OPTIONS (DROP target_recall);
ALTER SERVER tr_server OPTIONS (DROP target_recall);
SELECT note('lists 0.9', 'tr_lists');

SELECT what, effort FROM seen WHERE what IN ('effort 77', 'effort 66', 'lists 5', 'session 1') ORDER BY step;
SELECT bool_and(effort > before) AS each_target_takes_more
FROM (SELECT effort, lag(effort) OVER (ORDER BY step) AS before FROM seen
      WHERE what IN ('collection 0.9', 'server 0.95', 'table 0.97', 'session 0.99')) s;
SELECT (SELECT effort FROM seen WHERE what = 'lists 0.99') > (SELECT effort FROM seen WHERE what = 'lists 0.9') AS lists_too;

-- The effort and the recall that it was measured to have.
SELECT s.name, s.effort = coalesce((SELECT n.effort FROM seen n WHERE n.what = x.what), s.effort) AS effort_is_that_of_searches,
       s.measured_recall BETWEEN x.least AND x.most AS recall_fits
FROM (VALUES ('tr_named', 'collection 0.9', 0.9, 0.93), ('tr_plain', 'default', 0.95, 1), ('tr_lists', 'lists 0.9', 0.9, 0.96)) x (name, what, least, most)
JOIN vector_fdw.stat_collections s ON s.name = x.name AND s.server = 'tr_server' ORDER BY s.name;
-- Without a rebuild.
SELECT vector_fdw.alter_collection('tr_named', options => '{"target_recall":0.99}');
DO $$
BEGIN
	-- The daemon reads the definition anew when it hears of it; nothing is rebuilt that could be waited for.
	FOR i IN 1..600 LOOP
		EXIT WHEN (SELECT measured_recall >= 0.99 FROM vector_fdw.stat_collections WHERE name = 'tr_named' AND server = 'tr_server');
		PERFORM pg_sleep(0.05);
	END LOOP;
END $$;
SELECT s.effort > n.effort AS rose, s.measured_recall >= 0.99 AS recall_rose, s.builds
FROM vector_fdw.stat_collections s, seen n WHERE s.name = 'tr_named' AND s.server = 'tr_server' AND n.what = 'collection 0.9';

SELECT vector_fdw.drop_collection(name) FROM unnest('{tr_named,tr_plain,tr_lists}'::text[]) name;
SET client_min_messages = warning;
DROP SERVER tr_server CASCADE;
DROP SCHEMA target_recall CASCADE;

-- LIMIT is a hint: over an approximate index, whatever reads on gets every row once, in order.
CREATE SCHEMA continuation;
SET search_path = continuation, public;
CREATE TABLE docs (id bigint PRIMARY KEY, year int, embedding real[]);
INSERT INTO docs SELECT i, i % 100,
	CASE WHEN i % 500 <> 0 THEN ARRAY[sin(i), cos(i * 1.7), sin(i * 0.3 + 1), cos(i * 0.77), sin(i * 2.3)]::real[] END
	FROM generate_series(1, 20000) i;
ANALYZE docs;
SET client_min_messages = warning;	-- whether rights were granted depends on the roles
SELECT vector_fdw.create_collection('continuation_docs', 'docs', 'embedding', include => '{year}');
RESET client_min_messages;
SELECT vector_fdw.wait_for_collection('continuation_docs');
CREATE FOREIGN TABLE near (id bigint, year int, embedding real[]) SERVER vectord
	OPTIONS (collection 'continuation_docs', schema_name 'continuation');

-- one message each way
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF)
	SELECT id FROM near ORDER BY embedding <-> '{1,0,1,0,1}' LIMIT 10;
-- k rows, whatever k
SELECT k, (SELECT count(*) FROM (SELECT id FROM near ORDER BY embedding <-> '{1,0,1,0,1}' LIMIT k) s)
	FROM unnest('{0,1,10,100,1000,19999,20000,50000}'::int[]) k;
-- a volatile LIMIT or OFFSET is evaluated by the query alone
CREATE SEQUENCE numbers;
EXPLAIN (COSTS OFF) SELECT id FROM near ORDER BY embedding <-> '{1,0,1,0,1}' LIMIT nextval('numbers');
SELECT count(*) FROM (SELECT id FROM near ORDER BY embedding <-> '{1,0,1,0,1}' LIMIT nextval('numbers')) s;
SELECT count(*) FROM (SELECT id FROM near LIMIT 1 OFFSET nextval('numbers')) s;
SELECT currval('numbers');
-- filters give what the table gives, also where few rows pass or none
CREATE FUNCTION compare(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	wrapper text := 'SELECT coalesce(array_agg(r::text), ''{}'') FROM (%s) r';
	got text[];
	wanted text[];
BEGIN
	EXECUTE format(wrapper, replace(query, '@', 'near')) INTO got;
	EXECUTE format(wrapper, replace(query, '@', 'docs')) INTO wanted;
	RETURN CASE WHEN got = wanted THEN cardinality(got) || ' rows, the same' ELSE got::text || ' instead of ' || wanted::text END;
END $$;
SELECT compare($$SELECT id, embedding <-> '{1,0,1,0,1}' AS d FROM @ WHERE year = 7 ORDER BY d LIMIT 10$$);
SELECT compare($$SELECT id, embedding <-> '{1,0,1,0,1}' AS d FROM @ WHERE id = 1234 ORDER BY d LIMIT 10$$);
SELECT compare($$SELECT id, embedding <-> '{1,0,1,0,1}' AS d FROM @ WHERE year < 50 ORDER BY d LIMIT 3000$$);
SELECT compare($$SELECT id, embedding <-> '{1,0,1,0,1}' AS d FROM @ WHERE year = -1 ORDER BY d LIMIT 10$$);
SELECT compare($$SELECT id, embedding <-> '{1,0,1,0,1}' AS d FROM @ ORDER BY d, id$$);

-- A join that reads on: in order, each row once.
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_sort = off;
CREATE TABLE chosen (id bigint PRIMARY KEY);
INSERT INTO chosen SELECT i FROM generate_series(1, 20000, 3) i;
ANALYZE chosen;
EXPLAIN (COSTS OFF) SELECT v.id, v.embedding <-> '{1,0,1,0,1}' AS d FROM near v JOIN chosen USING (id) ORDER BY d LIMIT 200;
CREATE TABLE got AS SELECT row_number() OVER () AS n, * FROM
	(SELECT v.id, v.embedding <-> '{1,0,1,0,1}' AS d FROM near v JOIN chosen USING (id) ORDER BY d LIMIT 200) s;
SELECT count(*), count(DISTINCT id), bool_and(id % 3 = 1) AS chosen FROM got;
SELECT count(*) AS out_of_order FROM got a JOIN got b ON b.n = a.n + 1 WHERE b.d < a.d;
SELECT count(*) > 190 AS nearly_all FROM got JOIN (SELECT id FROM docs WHERE id % 3 = 1
	ORDER BY embedding <-> '{1,0,1,0,1}' LIMIT 200) t USING (id);

SET client_min_messages = warning;
SELECT vector_fdw.drop_collection('continuation_docs');
DROP SCHEMA continuation CASCADE;

-- Which queries go to the index, as EXPLAIN shows them. EXPLAIN contacts nobody, so nothing is built.
CREATE SCHEMA plans;
SET search_path = plans, public;
CREATE TABLE docs (id bigint PRIMARY KEY, title text, year int, embedding real[]);
INSERT INTO docs SELECT i, 'doc ' || i, 2000 + i % 20, ARRAY[i % 7, i % 11, i % 13] FROM generate_series(1, 10000) i;
CREATE TABLE q (id int PRIMARY KEY, v real[]);
INSERT INTO q SELECT i, ARRAY[i, 0, 0] FROM generate_series(1, 5) i;
ANALYZE docs;
ANALYZE q;
SET client_min_messages = warning;	-- whether rights were granted depends on the roles
SELECT vector_fdw.create_collection('plans_docs', 'docs', 'embedding', include => '{title,year}');
RESET client_min_messages;
CREATE FOREIGN TABLE near (id bigint, title text, year int, embedding real[]) SERVER vectord
	OPTIONS (collection 'plans_docs', schema_name 'plans');
CREATE FOREIGN TABLE near2 (id bigint, title text, year int, embedding real[]) SERVER vectord
	OPTIONS (collection 'plans_docs', schema_name 'plans', ef_search '200');

-- constant, and either order of arguments
EXPLAIN (COSTS OFF) SELECT id, embedding <-> '{1,2,3}' AS distance FROM near ORDER BY distance LIMIT 10;
EXPLAIN (COSTS OFF) SELECT id FROM near ORDER BY '{1,2,3}' <-> embedding LIMIT 10;
-- parameters in a generic plan
SET plan_cache_mode = force_generic_plan;
PREPARE search(real[], bigint, bigint) AS
	SELECT id, embedding <-> $1 AS distance FROM near ORDER BY distance LIMIT $2 OFFSET $3;
EXPLAIN (COSTS OFF) EXECUTE search('{1,2,3}', 10, 5);
PREPARE first_rows(real[], int) AS SELECT id FROM near ORDER BY embedding <-> $1 LIMIT $2;
EXPLAIN (COSTS OFF) EXECUTE first_rows('{1,2,3}', 10);
RESET plan_cache_mode;
EXPLAIN (COSTS OFF) EXECUTE search('{1,2,3}', 10, 5);
EXPLAIN (COSTS OFF) EXECUTE search('{1,2,3}', NULL, NULL);
-- a vector from a table
EXPLAIN (COSTS OFF) SELECT id FROM near ORDER BY embedding <-> (SELECT v FROM q WHERE id = 1) LIMIT 10;
-- one search per outer row
EXPLAIN (COSTS OFF) SELECT q.id, n.id FROM q CROSS JOIN LATERAL
	(SELECT id FROM near ORDER BY embedding <-> q.v LIMIT 3) n;
-- whole rows of the source table, in the order of the distance
EXPLAIN (COSTS OFF) SELECT d.*, v.embedding <-> '{1,2,3}' AS distance
	FROM near v JOIN docs d USING (id) ORDER BY distance LIMIT 10;
-- several tables
EXPLAIN (COSTS OFF) SELECT id, embedding <-> '{1,2,3}' AS distance FROM near
	UNION ALL SELECT id, embedding <-> '{1,2,3}' FROM near2 ORDER BY distance LIMIT 10;
-- further sort keys, ties
EXPLAIN (COSTS OFF) SELECT id FROM near ORDER BY embedding <-> '{1,2,3}', id LIMIT 10;
EXPLAIN (COSTS OFF) SELECT id FROM near ORDER BY embedding <-> '{1,2,3}' FETCH FIRST 10 ROWS WITH TIES;
-- inside a CTE, a view, a function
EXPLAIN (COSTS OFF) WITH n AS (SELECT id, embedding <-> '{1,2,3}' AS distance FROM near ORDER BY 2 LIMIT 10)
	SELECT * FROM n WHERE distance < 1;
CREATE VIEW titles AS SELECT id, upper(title) AS title, embedding FROM near;
EXPLAIN (COSTS OFF) SELECT id, title FROM titles ORDER BY embedding <-> '{1,2,3}' LIMIT 10;
CREATE FUNCTION plan_inside(query real[]) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXPLAIN (COSTS OFF) SELECT id FROM near ORDER BY embedding <-> query LIMIT 10;
END $$;
SELECT * FROM plan_inside('{1,2,3}');
-- a cursor
EXPLAIN (COSTS OFF) DECLARE c CURSOR FOR SELECT id FROM near ORDER BY embedding <-> '{1,2,3}';
-- no LIMIT: all rows in order; a local filter: exact, so that no row that passes is missed
EXPLAIN (COSTS OFF) SELECT id FROM near ORDER BY embedding <-> '{1,2,3}';
EXPLAIN (COSTS OFF) SELECT id FROM near WHERE title LIKE '%7%' ORDER BY embedding <-> '{1,2,3}' LIMIT 10;
EXPLAIN (COSTS OFF) SELECT id FROM near WHERE embedding IS NOT NULL ORDER BY embedding <-> '{1,2,3}' LIMIT 10;
-- FOR UPDATE
EXPLAIN (COSTS OFF) SELECT id FROM near ORDER BY embedding <-> '{1,2,3}' LIMIT 10 FOR UPDATE;

-- Correct without the index: no "Vector Search".
EXPLAIN (COSTS OFF) SELECT id FROM near ORDER BY embedding <-> '{1,2,3}' DESC LIMIT 10;
EXPLAIN (COSTS OFF) SELECT id FROM near ORDER BY embedding <=> '{1,2,3}' LIMIT 10;
EXPLAIN (COSTS OFF) SELECT id FROM near LIMIT 10;
EXPLAIN (COSTS OFF) SELECT year, count(*) FROM near GROUP BY year;
EXPLAIN (COSTS OFF) SELECT 1 WHERE EXISTS (SELECT FROM near ORDER BY embedding <-> '{1,2,3}' LIMIT 10);
EXPLAIN (COSTS OFF) SELECT id FROM near ORDER BY embedding <-> ARRAY[id, 0, 0]::real[] LIMIT 10;

-- Why not, in VERBOSE.
CREATE FUNCTION reason(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (VERBOSE, COSTS OFF) ' || query LOOP
		IF line ~ '(Not Pushed|Remote Columns|Consistency|Collection (Scan|Count)|Vector Search):' THEN
			RETURN NEXT trim(line);
		END IF;
	END LOOP;
END $$;
SELECT * FROM reason($$SELECT id, embedding <-> '{1,2,3}' FROM near ORDER BY 2 LIMIT 10$$);
SELECT * FROM reason($$SELECT near FROM near ORDER BY embedding <-> '{1,2,3}' LIMIT 10$$);
SELECT * FROM reason($$SELECT id FROM near ORDER BY embedding <-> '{1,2,3}' DESC LIMIT 10$$);
SELECT * FROM reason($$SELECT id FROM near ORDER BY embedding <-> '{1,2,3}' NULLS FIRST LIMIT 10$$);
SELECT * FROM reason($$SELECT id FROM near ORDER BY embedding <=> '{1,2,3}' LIMIT 10$$);
SELECT * FROM reason($$SELECT id FROM near ORDER BY embedding <-> ARRAY[random(), 0, 0]::real[] LIMIT 10$$);
SELECT * FROM reason($$SELECT id FROM near ORDER BY embedding <-> ARRAY[row_number() OVER (), 0, 0]::real[] LIMIT 10$$);
SELECT * FROM reason($$SELECT id FROM near ORDER BY embedding <-> ARRAY[generate_series(1, 2), 0, 0]::real[] LIMIT 10$$);
SELECT * FROM reason($$SELECT id FROM near GROUP BY id, embedding ORDER BY embedding <-> ARRAY[count(*), 0, 0]::real[] LIMIT 10$$);
SELECT * FROM reason($$SELECT id FROM near ORDER BY embedding <-> (SELECT ARRAY[count(*), 0, 0]::real[] FROM q) LIMIT 10$$);
SELECT * FROM reason($$SELECT count(*) FROM near$$);
-- an operator of the same name that is none of ours
CREATE FUNCTION fake(real[], real[]) RETURNS float8 LANGUAGE sql IMMUTABLE AS 'SELECT 0::float8';
CREATE OPERATOR plans.<-> (LEFTARG = real[], RIGHTARG = real[], FUNCTION = fake);
SELECT * FROM reason($$SELECT id FROM near ORDER BY embedding OPERATOR(plans.<->) '{1,2,3}' LIMIT 10$$);
DROP OPERATOR plans.<-> (real[], real[]);

-- The settings that EXPLAIN shows: session before table before collection.
EXPLAIN (COSTS OFF) SELECT id FROM near2 ORDER BY embedding <-> '{1,2,3}' LIMIT 10;
SET vector_fdw.ef_search = 17;
EXPLAIN (COSTS OFF) SELECT id FROM near2 ORDER BY embedding <-> '{1,2,3}' LIMIT 10;
RESET vector_fdw.ef_search;
SET vector_fdw.exact = on;
EXPLAIN (COSTS OFF) SELECT id FROM near2 ORDER BY embedding <-> '{1,2,3}' LIMIT 10;
RESET vector_fdw.exact;
EXPLAIN (COSTS OFF, FORMAT JSON) SELECT id FROM near ORDER BY embedding <-> '{1,2,3}' LIMIT 10;

-- Cached plans follow the collection's definition, also one that was not there when they were made.
SET plan_cache_mode = force_generic_plan;
CREATE FOREIGN TABLE later (id bigint, year int, embedding real[]) SERVER vectord
	OPTIONS (collection 'plans_later', schema_name 'plans');
PREPARE by_l2(real[]) AS SELECT id FROM later ORDER BY embedding <-> $1 LIMIT 3;
PREPARE by_cosine(real[]) AS SELECT id FROM later ORDER BY embedding <=> $1 LIMIT 3;
PREPARE by_year(int) AS SELECT id FROM later WHERE year = $1;
PREPARE of_year(int) AS SELECT count(*) FROM later WHERE year = $1;
CREATE FUNCTION cached_plans() RETURNS TABLE (statement text, said text) LANGUAGE plpgsql AS $$
BEGIN
	FOREACH statement IN ARRAY '{by_l2(NULL),by_cosine(NULL),by_year(1),of_year(1)}'::text[] LOOP
		FOR said IN EXECUTE 'EXPLAIN (COSTS OFF) EXECUTE ' || statement LOOP
			IF said ~ '(Filter|Count|Search|Index):' THEN said := trim(said); RETURN NEXT; END IF;
		END LOOP;
	END LOOP;
END $$;
SELECT * FROM cached_plans();
SET client_min_messages = warning;	-- as above
SELECT vector_fdw.create_collection('plans_later', 'docs', 'embedding', index => 'flat', include => '{year}');
SELECT * FROM cached_plans();
SELECT vector_fdw.alter_collection('plans_later', metric => 'cosine', index => 'hnsw', include => '{}');
SELECT * FROM cached_plans();
-- what is rolled back is taken back
BEGIN;
SELECT vector_fdw.alter_collection('plans_later', include => '{year}');
SELECT * FROM cached_plans() WHERE statement ~ 'year';
ROLLBACK;
SELECT * FROM cached_plans() WHERE statement ~ 'year';
SELECT vector_fdw.drop_collection('plans_later');
SELECT * FROM cached_plans() WHERE statement ~ 'by';
RESET client_min_messages;
RESET plan_cache_mode;

-- System columns other than tableoid do not exist.
EXPLAIN (COSTS OFF) SELECT id, ctid FROM near;
EXPLAIN (COSTS OFF) SELECT id, tableoid::regclass FROM near ORDER BY embedding <-> '{1,2,3}' LIMIT 10;

SET client_min_messages = warning;
SELECT vector_fdw.drop_collection('plans_docs');
DROP SCHEMA plans CASCADE;

-- Rows of a flat collection are those of the source table: the same ids, distances and order.
CREATE SCHEMA results;
SET search_path = results, public;
SET extra_float_digits = 3;
CREATE TABLE docs (id bigint PRIMARY KEY, title text, year int, embedding real[]);
-- no two rows at the same distance; every 40th has no vector
INSERT INTO docs SELECT i, 'doc ' || i, 2000 + i % 20,
	CASE WHEN i % 40 <> 0 THEN ARRAY[sin(i), cos(i * 1.7), sin(i * 0.3 + 1), i / 1000.0]::real[] END
	FROM generate_series(1, 1000) i;
CREATE TABLE q (id int PRIMARY KEY, v real[]);
INSERT INTO q SELECT i, ARRAY[sin(i * 3), 0.1, i, 0.5] FROM generate_series(1, 5) i UNION ALL SELECT 6, NULL;
ANALYZE docs;
ANALYZE q;
SET client_min_messages = warning;	-- whether rights were granted depends on the roles
SELECT vector_fdw.create_collection('results_' || m, 'docs', 'embedding', metric => m, index => 'flat',
	include => '{title,year}') FROM unnest('{l2,ip,cosine,l1}'::text[]) m;
RESET client_min_messages;
SELECT count(vector_fdw.wait_for_collection('results_' || m)) FROM unnest('{l2,ip,cosine,l1}'::text[]) m;
CREATE FOREIGN TABLE near (id bigint, title text, year int, embedding real[]) SERVER vectord
	OPTIONS (collection 'results_l2', schema_name 'results', fetch_size '64');
CREATE FOREIGN TABLE near_ip (id bigint, title text, year int, embedding real[]) SERVER vectord
	OPTIONS (collection 'results_ip', schema_name 'results');
CREATE FOREIGN TABLE near_cosine (id bigint, title text, year int, embedding real[]) SERVER vectord
	OPTIONS (collection 'results_cosine', schema_name 'results');
CREATE FOREIGN TABLE near_l1 (id bigint, title text, year int, embedding real[]) SERVER vectord
	OPTIONS (collection 'results_l1', schema_name 'results');

-- Runs a query over the foreign table and over the source table, which @ stands for.
CREATE FUNCTION compare(query text, tablename text DEFAULT 'near') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	wrapper text := 'SELECT coalesce(array_agg(r::text), ''{}'') FROM (%s) r';
	got text[];
	wanted text[];
BEGIN
	EXECUTE format(wrapper, replace(query, '@', tablename)) INTO got;
	EXECUTE format(wrapper, replace(query, '@', 'docs')) INTO wanted;
	IF got = wanted THEN RETURN format('%s rows, the same', cardinality(got)); END IF;
	FOR i IN 1 .. greatest(cardinality(got), cardinality(wanted)) LOOP
		IF got[i] IS DISTINCT FROM wanted[i] THEN
			RETURN format('%s rows instead of %s, row %s is %s instead of %s',
				cardinality(got), cardinality(wanted), i, got[i], wanted[i]);
		END IF;
	END LOOP;
END $$;

SELECT compare($$SELECT id, embedding <-> '{1,2,3,4}' AS d FROM @ ORDER BY d LIMIT 10$$);
SELECT compare($$SELECT *, embedding <-> '{1,2,3,4}' AS d FROM @ ORDER BY d LIMIT 10 OFFSET 20$$);
SELECT compare($$SELECT @ FROM @ ORDER BY '{1,2,3,4}' <-> embedding LIMIT 100$$);
SELECT compare($$SELECT id, embedding <#> '{1,2,3,4}' AS d FROM @ ORDER BY d LIMIT 50$$, 'near_ip');
SELECT compare($$SELECT id, embedding <=> '{1,2,3,4}' AS d FROM @ ORDER BY d LIMIT 50$$, 'near_cosine');
SELECT compare($$SELECT id, embedding <+> '{1,2,3,4}' AS d FROM @ ORDER BY d LIMIT 50$$, 'near_l1');
-- beyond the vectors: rows without one come last, in any order; OFFSET beyond the end
SELECT compare($$SELECT embedding <-> '{1,2,3,4}' AS d FROM @ ORDER BY d$$);
SELECT compare($$SELECT id, embedding <-> '{1,2,3,4}' AS d FROM @ ORDER BY d, id$$);
SELECT compare($$SELECT id, embedding <-> '{1,2,3,4}' AS d FROM @ ORDER BY d, id LIMIT 10 OFFSET 970$$);
SELECT compare($$SELECT id FROM @ ORDER BY embedding <-> '{1,2,3,4}' LIMIT 5 OFFSET 2000$$);
SELECT compare($$SELECT id FROM @ ORDER BY embedding <-> '{1,2,3,4}' LIMIT 0$$);
-- other orders and metrics than the collection's
SELECT compare($$SELECT id, embedding <-> '{1,2,3,4}' AS d FROM @ WHERE embedding IS NOT NULL ORDER BY d DESC LIMIT 10$$);
SELECT compare($$SELECT id, embedding <=> '{1,2,3,4}' AS d FROM @ ORDER BY d LIMIT 10$$);
SELECT compare($$SELECT id, embedding <-> '{1,2,3,4}' AS d FROM @ ORDER BY d NULLS FIRST, id LIMIT 40$$);
SELECT compare($$SELECT * FROM @ ORDER BY id$$);
-- filters, small and large
SELECT compare($$SELECT id, embedding <-> '{1,2,3,4}' AS d FROM @ WHERE year = 2003 ORDER BY d LIMIT 10$$);
SELECT compare($$SELECT id, embedding <-> '{1,2,3,4}' AS d FROM @ WHERE id = 777 ORDER BY d LIMIT 10$$);
SELECT compare($$SELECT id, embedding <-> '{1,2,3,4}' AS d FROM @ WHERE embedding <-> '{1,2,3,4}' < 4.5 ORDER BY d LIMIT 1000$$);
SELECT compare($$SELECT id FROM @ WHERE title = 'no such' ORDER BY embedding <-> '{1,2,3,4}' LIMIT 10$$);
SELECT compare($$SELECT id, embedding <-> '{1,2,3,4}' AS d FROM @ WHERE id % 3 = 0 ORDER BY d LIMIT 300$$);
-- ties, aggregates, grouping, DISTINCT, windows
SELECT compare($$SELECT id FROM @ ORDER BY embedding <-> '{1,2,3,4}' FETCH FIRST 7 ROWS WITH TIES$$);
SELECT compare($$SELECT min(embedding <-> '{1,2,3,4}'), max(id), count(*), count(embedding) FROM @$$);
SELECT compare($$SELECT year, count(*), min(embedding <-> '{1,2,3,4}') FROM @ GROUP BY year ORDER BY year$$);
SELECT compare($$SELECT DISTINCT round((embedding <-> '{1,2,3,4}')::numeric, 1) AS d FROM @ ORDER BY d LIMIT 5$$);
SELECT compare($$SELECT id, rank() OVER (ORDER BY embedding <-> '{1,2,3,4}') FROM @ ORDER BY 2, 1 LIMIT 10$$);
SELECT compare($$SELECT id, generate_series(1, 2) FROM @ ORDER BY embedding <-> '{1,2,3,4}', 2 LIMIT 7$$);
-- joins, semi-joins, subqueries
SELECT compare($$SELECT d.id, d.title, v.embedding <-> '{1,2,3,4}' AS s FROM @ v JOIN docs d USING (id) ORDER BY s LIMIT 10$$);
SELECT compare($$SELECT v.id, v.embedding <-> '{1,2,3,4}' AS s FROM @ v JOIN docs d USING (id) WHERE d.year = 2007 ORDER BY s LIMIT 10$$);
SELECT compare($$SELECT id, embedding <-> '{1,2,3,4}' AS d FROM @ WHERE id IN (SELECT id * 50 FROM q) ORDER BY d LIMIT 10$$);
SELECT compare($$SELECT q.id, n.id, n.d FROM q CROSS JOIN LATERAL
	(SELECT id, embedding <-> q.v AS d FROM @ ORDER BY d, id LIMIT 4) n ORDER BY 1, 3, 2$$);
SELECT compare($$SELECT q.id, (SELECT id FROM @ ORDER BY embedding <-> q.v, id LIMIT 1) FROM q ORDER BY 1$$);
SELECT compare($$SELECT id FROM @ ORDER BY embedding <-> (SELECT v FROM q WHERE id = 3) LIMIT 10$$);
SELECT compare($$SELECT q.id FROM q WHERE EXISTS (SELECT FROM @ WHERE embedding <-> q.v < 1.2) ORDER BY 1$$);
SELECT compare($$WITH n AS MATERIALIZED (SELECT id, embedding FROM @) SELECT a.id FROM n a ORDER BY embedding <-> '{1,2,3,4}' LIMIT 5$$);
-- row marks
SELECT compare($$SELECT id, embedding <-> '{1,2,3,4}' AS d FROM @ ORDER BY d LIMIT 10$$);
BEGIN;
SELECT id, title FROM near ORDER BY embedding <-> '{1,2,3,4}' LIMIT 3 FOR UPDATE;
SELECT v.id, d.title FROM near v JOIN docs d USING (id) ORDER BY v.embedding <-> '{1,2,3,4}' LIMIT 3 FOR UPDATE OF d;
COMMIT;
-- the query vector NULL: every distance is NULL
SELECT count(*), count(d) FROM (SELECT embedding <-> v AS d FROM near, q WHERE q.id = 6 ORDER BY d) s;
PREPARE search(real[], bigint, bigint) AS SELECT id, embedding <-> $1 AS d FROM near ORDER BY d LIMIT $2 OFFSET $3;
SET plan_cache_mode = force_generic_plan;
EXECUTE search('{1,2,3,4}', 2, 1);
EXECUTE search('{1,2,3,4}', 2, NULL);
EXECUTE search('{4,3,2,1}', 1, 0);
EXECUTE search('{1,2,3,4}', -1, 0);
SELECT count(*), count(d) FROM (SELECT embedding <-> (SELECT v FROM q WHERE id = 6) AS d FROM near ORDER BY d LIMIT 7) s;
RESET plan_cache_mode;

SET client_min_messages = warning;
SELECT count(vector_fdw.drop_collection('results_' || m)) FROM unnest('{l2,ip,cosine,l1}'::text[]) m;
DROP SCHEMA results CASCADE;

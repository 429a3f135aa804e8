-- Operands behind a guard: what the values before them have decided is not evaluated, as in the source table.
CREATE SCHEMA guards;
SET search_path = guards, public;
SET client_min_messages = warning;	-- whether rights were granted depends on the roles
CREATE TABLE docs (id int PRIMARY KEY, year int, tags text[], embedding real[]);
INSERT INTO docs SELECT i, CASE WHEN i % 10 > 0 THEN 2000 + i % 10 END, ARRAY['t' || i % 3], ARRAY[i, i % 7, 1] FROM generate_series(1, 200) i;
SELECT vector_fdw.create_collection('guards_docs', 'docs', 'embedding', index => 'flat', include => '{year,tags}');
CREATE FOREIGN TABLE near (id int, year int, tags text[], embedding real[]) SERVER vectord
	OPTIONS (collection 'guards_docs', schema_name 'guards');
SELECT vector_fdw.wait_for_collection('guards_docs');
SET plan_cache_mode = force_generic_plan;

-- In a function, with a plan for any value.
CREATE FUNCTION of_year(what text) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
	RETURN (SELECT count(*) FROM near WHERE what = '' OR year = what::int);
END $$;
SELECT what, of_year(what) FROM unnest('{2001,"",2003,NULL}'::text[]) what;
SELECT of_year('x');
CREATE FUNCTION nearest_of_year(what text) RETURNS int[] LANGUAGE plpgsql AS $$
BEGIN
	RETURN ARRAY(SELECT id FROM near WHERE what = '' OR year = what::int ORDER BY embedding <-> '{50,0,1}' LIMIT 3);
END $$;
SELECT what, nearest_of_year(what) FROM unnest('{2001,""}'::text[]) what;

-- Of each row of another relation; the whole condition goes over.
CREATE TABLE wanted (k text, val text);
INSERT INTO wanted VALUES ('all', ''), ('year', '2001'), ('none', 'x'), (NULL, '2002');
EXPLAIN (COSTS OFF) SELECT o.k, n.id FROM wanted o CROSS JOIN LATERAL
	(SELECT id FROM near WHERE o.k = 'all' OR year = o.val::int AND o.k <> 'all' ORDER BY embedding <-> '{1,2,3}' LIMIT 2) n;

-- The same rows, or the same error, as of the source table.
CREATE FUNCTION answer(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE found text;
BEGIN
	EXECUTE query INTO found;
	RETURN found;
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
-- condition: of a row o (k, val) and a table n
CREATE FUNCTION compared(condition text, picked text DEFAULT 'true') RETURNS TABLE (near text, same boolean) LANGUAGE sql AS $$
	SELECT answer(replace(query, '#', 'near')), answer(replace(query, '#', 'near')) IS NOT DISTINCT FROM answer(replace(query, '#', 'docs'))
	FROM (SELECT 'SELECT string_agg(o.k || n.c || '':'' || n.s, '' '' ORDER BY o.k) FROM wanted o CROSS JOIN LATERAL (SELECT count(*) AS c, coalesce(sum(id), 0) AS s
		FROM (SELECT id FROM # WHERE ' || condition || ' OFFSET 0) i) n WHERE ' || picked) q (query) $$;
SELECT condition, c.* FROM unnest(ARRAY[
	'o.k <> ''year'' OR year = o.val::int',
	'NOT (o.k = ''year'' AND year = o.val::int)',
	'o.k = ''year'' AND year IN (o.val::int, 2002)',
	'o.k <> ''year'' OR year = ANY (ARRAY[o.val::int, 2002])',
	'o.k <> ''year'' OR ''t'' || o.val::int % 3 = ANY (tags)',
	'o.k <> ''year'' OR tags && ARRAY[''t'' || o.val::int % 3]',
	'o.k <> ''year'' OR year IS DISTINCT FROM o.val::int',
	'o.k <> ''year'' OR (id < 100 AND (year < 2000 OR year = o.val::int))',
	'(o.k = ''year'' AND year > o.val::int) OR (o.k = ''all'' AND year < 2005)',
	'(o.k <> ''year'' OR o.val::int = 2001) AND year > 2004',
	'(o.k <> ''year'' OR year = o.val::int) IS NOT TRUE',
	'(o.k = ''year'' AND o.val::int = year) IS NULL',
	'CASE WHEN o.k = ''year'' THEN o.val::int END = year',
	'id = ANY (''{}''::int[]) AND o.val::int = year',
	'(id > 200 OR id = ANY (''{}''::int[]) AND o.val::int = year)',
	-- NULL decides nothing: an operand that fails after it fails
	'NULLIF(o.k, o.k) = ''x'' OR year = o.val::int',
	'(NULLIF(o.k, o.k) = ''x'' AND year = o.val::int) IS NULL',
	-- at the top, NULL is as good as false
	'year > NULLIF(o.k, o.k)::int AND (year > 2000 OR id = o.val::int OR year = o.val::int)',
	'o.k = ''year'' OR year = o.val::int',
	-- no row needs the operand, but only the rows could tell: as in the index scan of the source table, it is evaluated
	'id > 0 OR id = o.val::int'
	]) WITH ORDINALITY u (condition, no), compared(condition, 'o.k IS NOT NULL') c ORDER BY no;
-- of a NULL guard
SELECT * FROM compared('o.k = ''all'' OR year = o.val::int', 'o.k IS NULL OR o.k IN (''all'', ''year'')');
-- Look-ups by key, counts.
SELECT * FROM compared('o.k = ''year'' AND id = o.val::int - 1990');
SELECT o.k, (SELECT count(*) FROM near WHERE o.k <> 'year' OR year = o.val::int) FROM wanted o ORDER BY o.k;
-- What no row can pass needs neither the bound of a range nor the query vector.
SELECT o.k, n.id FROM wanted o CROSS JOIN LATERAL
	(SELECT id FROM near WHERE (o.k = 'year' OR id = ANY ('{}'::int[])) AND embedding <-> '{1,2,3}' < o.val::int - 1990 OFFSET 0) n ORDER BY o.k, n.id;
SELECT o.k, n.id FROM wanted o CROSS JOIN LATERAL
	(SELECT id FROM near WHERE o.k = 'year' OR id = ANY ('{}'::int[]) ORDER BY embedding <-> ARRAY[o.val::int, 0, 0]::real[], id LIMIT 2) n ORDER BY o.k, n.id;

SELECT vector_fdw.drop_collection('guards_docs');
DROP SCHEMA guards CASCADE;

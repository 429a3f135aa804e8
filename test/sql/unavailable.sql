-- The daemon is away: an error, or the exact scan of the source table where that was chosen.
CREATE SCHEMA unavailable;
SET search_path = unavailable, public;
CREATE TABLE docs (id bigint PRIMARY KEY, title text, year int, embedding real[]);
INSERT INTO docs SELECT i, 'doc ' || i, 2000 + i % 20, CASE WHEN i % 9 <> 0 THEN ARRAY[sin(i), cos(i * 1.7)]::real[] END
	FROM generate_series(1, 50) i;
ANALYZE docs;
SET client_min_messages = warning;	-- whether rights were granted depends on the roles
SELECT vector_fdw.create_collection('unavailable_docs', 'docs', 'embedding', index => 'flat', include => '{title,year}');
RESET client_min_messages;
CREATE SERVER nobody FOREIGN DATA WRAPPER vector_fdw OPTIONS (endpoint 'ipc:///nonexistent/vectord.sock');
CREATE FOREIGN TABLE near (id bigint, title text, year int, embedding real[]) SERVER nobody
	OPTIONS (collection 'unavailable_docs', schema_name 'unavailable');
SELECT id FROM near LIMIT 1;
SELECT id FROM near ORDER BY embedding <-> '{1,2}' LIMIT 1;
EXPLAIN (COSTS OFF) SELECT id FROM near ORDER BY embedding <-> '{1,2}' LIMIT 1;

ALTER FOREIGN TABLE near OPTIONS (ADD on_unavailable 'scan');
SELECT id, title, embedding <-> '{1,2}' AS d FROM near ORDER BY d LIMIT 3;
SELECT id, title, embedding <-> '{1,2}' AS d FROM docs ORDER BY d LIMIT 3;
SET client_min_messages = warning;
SELECT count(*), count(embedding), sum(year) FROM near;
SELECT (SELECT array_agg(t) FROM (SELECT *, embedding <-> '{1,2}' AS d FROM near ORDER BY d, id) t)
	= (SELECT array_agg(t) FROM (SELECT *, embedding <-> '{1,2}' AS d FROM docs ORDER BY d, id) t) AS same;
SELECT g, array_agg(n.id) FROM generate_series(1, 3) g
	CROSS JOIN LATERAL (SELECT id FROM near ORDER BY embedding <-> ARRAY[g, 0]::real[] LIMIT 2) n GROUP BY g ORDER BY g;
-- it is asked and told of once, not for every rescan; what no row can pass is not scanned either
RESET client_min_messages;
SELECT g, n.id FROM generate_series(1, 3) g
	CROSS JOIN LATERAL (SELECT id FROM near ORDER BY embedding <-> ARRAY[g, 0]::real[] LIMIT 1) n;
SELECT g, n.id FROM unnest('{1,NULL,3}'::int[]) g LEFT JOIN LATERAL (SELECT id FROM near WHERE id = g OFFSET 0) n ON true;
SET client_min_messages = warning;
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT id FROM near ORDER BY embedding <-> '{1,2}';
FETCH 2 FROM c;
MOVE ABSOLUTE 0 IN c;
FETCH 2 FROM c;
MOVE FORWARD ALL IN c;
COMMIT;
-- a cursor outlives the savepoint after which it was first read
CREATE TABLE many (id int PRIMARY KEY, y int, embedding real[]);
INSERT INTO many SELECT i, i % 2, ARRAY[i, 1] FROM generate_series(1, 3000) i;
SELECT vector_fdw.create_collection('unavailable_many', 'many', 'embedding', include => '{y}');
CREATE FOREIGN TABLE near_many (id int, y int, embedding real[]) SERVER nobody
	OPTIONS (collection 'unavailable_many', schema_name 'unavailable', on_unavailable 'scan');
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM near_many WHERE y = 1 ORDER BY embedding <-> '{0,1}';
DECLARE h CURSOR WITH HOLD FOR SELECT id FROM near_many WHERE y = 1 ORDER BY embedding <-> '{0,1}';
SAVEPOINT a;
FETCH 3 FROM c;
FETCH 1 FROM h;
INSERT INTO many VALUES (0, 1, '{0,1}');
SAVEPOINT b;
FETCH 1 FROM c;
ROLLBACK TO a;
FETCH 2 FROM c;
MOVE 300 FROM c;
FETCH 2 FROM c;
MOVE FORWARD ALL IN c;
FETCH 1 FROM c;
COMMIT;
MOVE 1498 FROM h;
FETCH 2 FROM h;
CLOSE h;
-- in a loop of PL/pgSQL that goes on after an error
CREATE FUNCTION odd_ones() RETURNS int LANGUAGE plpgsql AS $$
DECLARE
	r record;
	n int := 0;
BEGIN
	FOR r IN SELECT id FROM near_many WHERE y = 1 LOOP
		BEGIN
			n := n + 1 + 0 / (r.id % 3);
		EXCEPTION WHEN division_by_zero THEN
			n := n + 1;
		END;
	END LOOP;
	RETURN n;
END $$;
SELECT odd_ones();
SELECT vector_fdw.drop_collection('unavailable_many');
-- rows of this transaction are there: it is the table itself
BEGIN;
INSERT INTO docs VALUES (1000, 'new', 1, '{1,2}');
SELECT id FROM near ORDER BY embedding <-> '{1,2}' LIMIT 1;
ROLLBACK;
-- other metric, other column types
CREATE FOREIGN TABLE near8 (id int, v double precision[] OPTIONS (column_name 'embedding')) SERVER nobody
	OPTIONS (collection 'unavailable_docs', schema_name 'unavailable', on_unavailable 'scan');
SELECT id, pg_typeof(id), round((v[1])::numeric, 3) AS v1 FROM near8 ORDER BY v <-> '{1,2}'::float8[] LIMIT 2;
-- what vectord would reject is left out, whatever the conditions are
CREATE TABLE mixed (id int PRIMARY KEY, year int, v real[], w double precision[]);
INSERT INTO mixed VALUES (1, 1, '{1,1,1}', '[0:2]={1,1,0.1}'), (2, 1, '{1,1}', '{1,1}'), (3, 1, '{1,NaN,1}', '{1,1e300,1}'),
	(4, 1, '{1,NULL,1}', '{1,Infinity,1}'), (5, 2, '{}', '{}'), (6, 2, '{{1,2,3}}', '{{1,2,3}}'), (7, 2, NULL, NULL), (8, 2, '{2,2,2}', '{2,2,1e-50}');
SELECT vector_fdw.create_collection('unavailable_' || c || d, 'mixed', c, include => '{year}',
	options => CASE WHEN d THEN '{"dimensions": 3}' ELSE '{}' END::jsonb) FROM unnest('{v,w}'::text[]) c, unnest('{f,t}'::bool[]) d;
CREATE FOREIGN TABLE near_mixed (id int, year int, v real[]) SERVER nobody
	OPTIONS (collection 'unavailable_vfalse', schema_name 'unavailable', on_unavailable 'scan');
CREATE FOREIGN TABLE near_declared (id int, year int, v real[]) SERVER nobody
	OPTIONS (collection 'unavailable_vtrue', schema_name 'unavailable', on_unavailable 'scan');
CREATE FOREIGN TABLE near_double (id int, year int, w double precision[]) SERVER nobody
	OPTIONS (collection 'unavailable_wtrue', schema_name 'unavailable', on_unavailable 'scan');
SELECT id, v <-> '{1,1,2}' AS d FROM near_mixed ORDER BY d;
SELECT id, v <-> '{1,1,2}' AS d FROM near_mixed WHERE year = 2 ORDER BY d;
SELECT id, v FROM near_declared ORDER BY id;
SELECT count(*), (SELECT count(*) FROM near_double WHERE year = 2) AS of_2 FROM near_declared;
SELECT id, w <-> '{1,1,2}' AS d, w FROM near_double ORDER BY d;
-- which dimensions are meant is not known here without a declaration, nor a query vector
SELECT count(*) FROM near_mixed;
SELECT id FROM near_mixed ORDER BY v <-> '{1,1,1,1}';
SELECT id FROM near_declared ORDER BY v <-> '{1,1}';
SELECT count(vector_fdw.drop_collection('unavailable_' || c || d)) FROM unnest('{v,w}'::text[]) c, unnest('{f,t}'::bool[]) d;
-- the session decides
SET vector_fdw.on_unavailable = error;
SELECT id FROM near LIMIT 1;
RESET vector_fdw.on_unavailable;
-- a source table of another database cannot be scanned
CREATE SERVER nobody_else FOREIGN DATA WRAPPER vector_fdw OPTIONS (endpoint 'ipc:///nonexistent/vectord.sock', dbname 'elsewhere');
CREATE FOREIGN TABLE elsewhere (id bigint) SERVER nobody_else OPTIONS (collection 'elsewhere', on_unavailable 'scan');
SELECT id FROM elsewhere;

SELECT vector_fdw.drop_collection('unavailable_docs');
DROP SCHEMA unavailable CASCADE;
DROP SERVER nobody, nobody_else;

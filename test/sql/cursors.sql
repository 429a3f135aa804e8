-- Cursors over foreign tables: forwards, backwards, from the beginning, several at once, held.
CREATE SCHEMA cursors;
SET search_path = cursors, public;
CREATE TABLE docs (id int PRIMARY KEY, embedding real[]);
INSERT INTO docs SELECT i, ARRAY[i, 0.5, 1] FROM generate_series(1, 500) i;
SET client_min_messages = warning;	-- whether rights were granted depends on the roles
SELECT vector_fdw.create_collection('cursors_docs', 'docs', 'embedding', index => 'flat');
RESET client_min_messages;
SELECT vector_fdw.wait_for_collection('cursors_docs');
CREATE FOREIGN TABLE near (id int, embedding real[]) SERVER vectord
	OPTIONS (collection 'cursors_docs', schema_name 'cursors', fetch_size '7');

BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT id, embedding <-> '{10.1,0,0}' AS d FROM near ORDER BY d;
DECLARE e CURSOR FOR SELECT id FROM near ORDER BY embedding <-> '{400.1,0,0}' LIMIT 20;
FETCH 5 FROM c;
FETCH 5 FROM e;
FETCH BACKWARD 3 FROM c;
MOVE FORWARD 30 IN c;
FETCH 2 FROM c;
MOVE ABSOLUTE 0 IN c;
FETCH 2 FROM c;
MOVE FORWARD ALL IN c;
FETCH BACKWARD 2 FROM c;
FETCH ALL FROM e;
CLOSE c;
COMMIT;

-- one that is not read to its end, one that fails in between, one that outlives its transaction
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM near ORDER BY embedding <-> '{1,0,0}';
FETCH 2 FROM c;
SAVEPOINT s;
DECLARE d CURSOR FOR SELECT 1 / (id - 3) FROM near ORDER BY embedding <-> '{1,0,0}';
FETCH 5 FROM d;
ROLLBACK TO s;
FETCH 2 FROM c;
DECLARE h CURSOR WITH HOLD FOR SELECT id FROM near ORDER BY embedding <-> '{100.2,0,0}' LIMIT 12;
FETCH 1 FROM h;
COMMIT;
FETCH 3 FROM h;
CLOSE h;

-- loops of PL/pgSQL, left early
CREATE FUNCTION first_beyond(bound int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE r record;
BEGIN
	FOR r IN SELECT id FROM near ORDER BY embedding <-> '{0,0,0}' LOOP
		IF r.id > bound THEN RETURN r.id; END IF;
	END LOOP;
	RETURN NULL;
END $$;
SELECT first_beyond(3), first_beyond(77), first_beyond(499), first_beyond(500);
-- the same scan again and again, with and without other parameters
SET enable_material = off;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SELECT g, array_agg(n.id) FROM generate_series(1, 3) g
	CROSS JOIN LATERAL (SELECT id FROM near ORDER BY embedding <-> ARRAY[g * 100.1, 0, 0]::real[] LIMIT 3) n
	GROUP BY g ORDER BY g;
SELECT count(*) FROM generate_series(1, 5) g LEFT JOIN near ON near.id > 480 + g;
-- what a request needs is freed with its reply
BEGIN;
DECLARE c CURSOR FOR SELECT g FROM generate_series(1, 2000) g
	CROSS JOIN LATERAL (SELECT id FROM near ORDER BY embedding <-> ARRAY[g % 100, 0, 0]::real[] LIMIT 1) n;
MOVE 1999 FROM c;
SELECT count(*) > 0 AS there_is, sum(total_bytes) < 50000 AS small FROM pg_backend_memory_contexts
	WHERE name IN ('vector_fdw stream', 'vector_fdw reply');
ROLLBACK;

SET client_min_messages = warning;
SELECT vector_fdw.drop_collection('cursors_docs');
DROP SCHEMA cursors CASCADE;

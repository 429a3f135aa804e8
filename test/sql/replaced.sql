-- A name whose definition is gone, or stands for another table now, gives no row of the table before, whatever
-- vectord still holds under it: what it sees is what was committed, so within one transaction it cannot know.
CREATE ROLE rep_a;
CREATE ROLE rep_b;
CREATE SCHEMA rep;
GRANT USAGE, CREATE ON SCHEMA rep TO rep_a, rep_b;
GRANT USAGE ON FOREIGN SERVER vectord TO rep_a, rep_b;
SET vector_fdw.daemon_role = '';
SET search_path = rep, public;
\pset format unaligned
\pset tuples_only on

SET ROLE rep_a;
CREATE TABLE sec (id int PRIMARY KEY, secret text, v real[]);
INSERT INTO sec VALUES (1, 'TOPSECRET', '{1,2}'), (2, 'TOPSECRET', '{3,4}');
SELECT vector_fdw.create_collection('rep_shared', 'sec', 'v', index => 'flat', include => '{secret}');
SELECT vector_fdw.wait_for_collection('rep_shared');
RESET ROLE;
SET ROLE rep_b;
CREATE TABLE pub (id int PRIMARY KEY, secret text, v real[]);
INSERT INTO pub VALUES (1, 'public', '{1,2}');
CREATE FOREIGN TABLE near (id int, secret text, v real[]) SERVER vectord OPTIONS (collection 'rep_shared', schema_name 'rep');
RESET ROLE;

-- What reaches vectord, as owner of the foreign table. SQLSTATE and texts, or what came back.
CREATE FUNCTION rep.try(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text; detail text; hint text;
BEGIN
  IF statement LIKE 'ANALYZE %' THEN EXECUTE statement; ELSE EXECUTE statement INTO result; END IF;
  RETURN concat_ws(E'\n    ', statement, coalesce(result, 'done'));
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
  RETURN concat_ws(E'\n    ', statement, SQLSTATE || ' ' || SQLERRM, nullif(detail, ''), nullif(hint, ''));
END $$;
CREATE FUNCTION rep.try_all() RETURNS SETOF text LANGUAGE sql AS $$
  SELECT rep.try(statement) FROM unnest(ARRAY[
    'SELECT secret FROM rep.near',
    'SELECT secret FROM rep.near ORDER BY v <-> ''{1,2}'' LIMIT 1',
    'SELECT count(*) FROM rep.near',
    'SELECT secret FROM rep.near WHERE id = 1',
    'SELECT key FROM vector_fdw.search(''rep.near'', ''{1,2}'', 1)',
    'SELECT recall FROM vector_fdw.recall(''rep.near'', 1, 1)',
    'ANALYZE rep.near']) AS statement
$$;
SET ROLE rep_b;
SELECT rep.try_all();

-- Gone.
RESET ROLE;
BEGIN;
SET ROLE rep_a;
SELECT vector_fdw.drop_collection('rep_shared');
SET ROLE rep_b;
SELECT rep.try_all();
ROLLBACK;
BEGIN;
DROP TABLE sec CASCADE;
SET ROLE rep_b;
SELECT rep.try('SELECT secret FROM rep.near');
ROLLBACK;

-- Another table's, also with rows that its owner may read: those of the table before are none of them.
BEGIN;
SET ROLE rep_a;
SELECT vector_fdw.drop_collection('rep_shared');
SET ROLE rep_b;
SELECT vector_fdw.create_collection('rep_shared', 'pub', 'v', index => 'flat', include => '{secret}');
SELECT rep.try_all();
ALTER FOREIGN TABLE near OPTIONS (ADD on_unavailable 'scan');
SELECT id, secret FROM near;
ROLLBACK;
-- The same name of the same table, dropped and created anew.
BEGIN;
SET ROLE rep_a;
DROP TABLE sec CASCADE;
CREATE TABLE sec (id int PRIMARY KEY, secret text, v real[]);
GRANT SELECT ON sec TO rep_b;
SELECT vector_fdw.create_collection('rep_shared', 'sec', 'v', index => 'flat', include => '{secret}');
SET ROLE rep_b;
SELECT rep.try('SELECT secret FROM rep.near');
ROLLBACK;
-- A cursor that was opened before goes on.
GRANT SELECT ON sec TO rep_b;
BEGIN;
SET ROLE rep_b;
ALTER FOREIGN TABLE near OPTIONS (ADD fetch_size '1');
DECLARE c CURSOR FOR SELECT id FROM near ORDER BY v <-> '{1,2}';
FETCH 1 FROM c;
SET ROLE rep_a;
SELECT vector_fdw.drop_collection('rep_shared');
FETCH 5 FROM c;
ROLLBACK;

-- In truth: whoever waits gets the rows of the table that the name stands for now.
SET ROLE rep_a;
SELECT vector_fdw.drop_collection('rep_shared');
RESET ROLE;
SET ROLE rep_b;
SELECT vector_fdw.create_collection('rep_shared', 'pub', 'v', index => 'flat', include => '{secret}');
SELECT vector_fdw.wait_for_collection('rep_shared');
SELECT id, secret FROM near;
RESET ROLE;

SET client_min_messages = error;
SELECT vector_fdw.drop_collection('rep_shared');
DROP SCHEMA rep CASCADE;
REVOKE USAGE ON FOREIGN SERVER vectord FROM rep_a, rep_b;
DROP ROLE rep_a, rep_b;

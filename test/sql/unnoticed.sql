-- A definition that vectord has not noticed is no missing collection: its catalog is here, so wait. vectord sees what is
-- committed, so within one transaction it notices nothing.
SET vector_fdw.daemon_role = '';
CREATE SCHEMA unn;
SET search_path = unn, public;
CREATE TABLE docs (id int PRIMARY KEY, v real[]);
INSERT INTO docs VALUES (1, '{1,2}');
CREATE FUNCTION unn.try(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text; detail text; hint text;
BEGIN
  IF statement LIKE 'ANALYZE %' THEN EXECUTE statement; ELSE EXECUTE statement INTO result; END IF;
  RETURN concat_ws(E'\n    ', statement, coalesce(result, 'done'));
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
  RETURN replace(concat_ws(E'\n    ', statement, SQLSTATE || ' ' || SQLERRM, nullif(detail, ''), nullif(hint, '')),
    current_database(), 'this');
END $$;
CREATE FOREIGN TABLE near (id int, v real[]) SERVER vectord OPTIONS (collection 'unn_docs', schema_name 'unn');
\pset format unaligned
\pset tuples_only on

-- Not defined at all.
SELECT unn.try('SELECT id FROM unn.near');

BEGIN;
SELECT vector_fdw.create_collection('unn_docs', 'docs', 'v', index => 'flat');
SELECT unn.try(statement) FROM unnest(ARRAY[
  'SELECT id FROM unn.near',
  'SELECT id FROM unn.near ORDER BY v <-> ''{1,2}'' LIMIT 1',
  'SELECT count(*) FROM unn.near',
  'SELECT key FROM vector_fdw.search(''unn.near'', ''{1,2}'', 1)',
  'SELECT recall FROM vector_fdw.recall(''unn.near'', 1, 1)',
  'ANALYZE unn.near']) AS statement;
-- Another schema is another collection, which does not exist.
ALTER FOREIGN TABLE near OPTIONS (SET schema_name 'public');
SELECT unn.try('SELECT id FROM unn.near');
ALTER FOREIGN TABLE near OPTIONS (SET schema_name 'unn');
-- It is unavailable, so the table may answer.
SET LOCAL vector_fdw.on_unavailable = scan;
SET LOCAL client_min_messages = warning;
SELECT id FROM near;
RESET client_min_messages;
RESET vector_fdw.on_unavailable;
-- Meant for another daemon.
SELECT vector_fdw.alter_collection('unn_docs', daemon => 'unn_other');
SELECT unn.try('SELECT id FROM unn.near');
ROLLBACK;

-- Committed, and no daemon has it: it is meant for one that is not there.
SELECT vector_fdw.create_collection('unn_docs', 'docs', 'v', index => 'flat', daemon => 'unn_other');
SELECT unn.try('SELECT id FROM unn.near');
-- Nothing to import is said, in each form.
IMPORT FOREIGN SCHEMA unn FROM SERVER vectord INTO unn;
IMPORT FOREIGN SCHEMA unn LIMIT TO (unn_docs) FROM SERVER vectord INTO unn;
SELECT vector_fdw.create_collection('unn_seen', 'docs', 'v', index => 'flat');
SELECT vector_fdw.wait_for_collection('unn_seen');
IMPORT FOREIGN SCHEMA unn LIMIT TO (unn_docs, unn_seen, unn_nothing) FROM SERVER vectord INTO unn;
SELECT id FROM unn_seen;
IMPORT FOREIGN SCHEMA unn EXCEPT (unn_seen) FROM SERVER vectord INTO unn;

-- A column that the definition has and the one that is served has not.
ALTER TABLE docs ADD yr int, ADD nr int;
ALTER FOREIGN TABLE unn_seen ADD yr int, ADD nr int;
BEGIN;
SELECT vector_fdw.alter_collection('unn_seen', include => '{yr}');
SELECT unn.try('SELECT yr FROM unn.unn_seen');
SELECT unn.try('SELECT nr FROM unn.unn_seen');
ROLLBACK;
SELECT unn.try('SELECT yr FROM unn.unn_seen');

SELECT vector_fdw.drop_collection('unn_docs'), vector_fdw.drop_collection('unn_seen');
SET client_min_messages = error;
DROP SCHEMA unn CASCADE;

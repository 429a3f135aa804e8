-- Who may define collections, what the daemon's role is granted, and who may read foreign tables.

CREATE ROLE p_owner;
CREATE ROLE p_member IN ROLE p_owner;
CREATE ROLE p_reader;
CREATE ROLE p_daemon;
BEGIN;
CREATE SCHEMA p_app;
GRANT USAGE ON SCHEMA p_app TO p_owner, p_reader;
CREATE TABLE p_app.docs (id bigint PRIMARY KEY, title text, secret text, embedding real[]);
ALTER TABLE p_app.docs OWNER TO p_owner;
GRANT SELECT ON p_app.docs TO p_reader;
CREATE SERVER p_server FOREIGN DATA WRAPPER vector_fdw OPTIONS (endpoint 'ipc:///nowhere/vectord.sock', connect_timeout '1');
GRANT USAGE ON FOREIGN SERVER p_server TO p_owner, p_reader;

-- The role of the daemon: it may be absent, unnamed, or lack what the owner may or may not grant.
SET vector_fdw.daemon_role = 'p_absent';
SET ROLE p_owner;
SELECT vector_fdw.create_collection('p_one', 'p_app.docs', 'embedding');
SET vector_fdw.daemon_role = '';
SELECT vector_fdw.create_collection('p_two', 'p_app.docs', 'embedding');
SET vector_fdw.daemon_role = 'p_daemon';
SELECT vector_fdw.create_collection('p_three', 'p_app.docs', 'embedding', include => '{title}');
SELECT has_table_privilege('p_daemon', 'p_app.docs', 'SELECT') AS may_select,
       has_table_privilege('p_daemon', 'p_app.docs', 'INSERT') AS may_insert,
       has_schema_privilege('p_daemon', 'p_app', 'USAGE') AS may_use_schema;
RESET ROLE;
SELECT vector_fdw.create_collection('p_four', 'p_app.docs', 'embedding');
SELECT has_schema_privilege('p_daemon', 'p_app', 'USAGE') AS may_use_schema;
ALTER TABLE p_app.docs ENABLE ROW LEVEL SECURITY;
SET ROLE p_member;
SELECT vector_fdw.create_collection('p_five', 'p_app.docs', 'embedding');
RESET ROLE;
ALTER TABLE p_app.docs DISABLE ROW LEVEL SECURITY;

-- Everybody may read the catalog; nobody but the functions writes it.
SET ROLE p_reader;
SELECT name, source FROM vector_fdw.collection WHERE name LIKE 'p\_%' ORDER BY name;
SAVEPOINT s;
DELETE FROM vector_fdw.collection;
ROLLBACK TO s;
UPDATE vector_fdw.collection SET loaded = false;
ROLLBACK TO s;

-- Only the owner of the source table defines, alters, drops.
SELECT vector_fdw.create_collection('p_mine', 'p_app.docs', 'embedding');
\echo :SQLSTATE
ROLLBACK TO s;
SELECT vector_fdw.alter_collection('p_one', metric => 'ip');
\echo :SQLSTATE
ROLLBACK TO s;
SELECT vector_fdw.rebuild_collection('p_one');
ROLLBACK TO s;
SELECT vector_fdw.unload_collection('p_one');
ROLLBACK TO s;
SELECT vector_fdw.drop_collection('p_one', if_exists => true);
\echo :SQLSTATE
ROLLBACK TO s;
RESET ROLE;
SET ROLE p_member;
SELECT vector_fdw.drop_collection('p_two');
RESET ROLE;

-- The functions of a user named like those of pg_catalog are not called with the catalog's privileges.
GRANT CREATE ON SCHEMA p_app TO p_owner;
SET ROLE p_owner;
CREATE FUNCTION p_app.now() RETURNS timestamptz LANGUAGE plpgsql AS 'BEGIN RAISE ''called as %'', current_user; END';
SET LOCAL search_path = p_app, pg_catalog;
SELECT vector_fdw.rebuild_collection('p_one');
SHOW search_path;
RESET search_path;
RESET ROLE;

-- A foreign table is like a view: its owner needs SELECT on what it shows of the source.
CREATE FUNCTION p_app.scan(foreign_table text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE detail text; hint text;
BEGIN
  EXECUTE format('SELECT count(*) FROM %s', foreign_table);
  RETURN 'allowed';
EXCEPTION
  WHEN sqlclient_unable_to_establish_sqlconnection THEN RETURN 'allowed';  -- the daemon would have been asked
  WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(E'\n', SQLSTATE || ' ' || SQLERRM, detail, hint);
END $$;
CREATE FOREIGN TABLE p_app.near (id bigint, heading text OPTIONS (column_name 'title'), embedding real[])
  SERVER p_server OPTIONS (collection 'p_three', schema_name 'p_app');
\pset tuples_only on
\pset format unaligned
SELECT p_app.scan('p_app.near');
ALTER FOREIGN TABLE p_app.near OWNER TO p_reader;
SELECT p_app.scan('p_app.near');
REVOKE SELECT ON p_app.docs FROM p_reader;
SELECT p_app.scan('p_app.near');
-- Columns suffice, but all of those that it shows.
GRANT SELECT (id, embedding) ON p_app.docs TO p_reader;
SELECT p_app.scan('p_app.near');
GRANT SELECT (title) ON p_app.docs TO p_reader;
SELECT p_app.scan('p_app.near');
-- A column that has been renamed since may still be served: its old name gives no access.
SAVEPOINT before_rename;
SET LOCAL client_min_messages = error;
ALTER TABLE p_app.docs RENAME COLUMN title TO heading;
SELECT p_app.scan('p_app.near');
ROLLBACK TO before_rename;
-- Another schema name does not lead around it.
REVOKE SELECT (title) ON p_app.docs FROM p_reader;
ALTER FOREIGN TABLE p_app.near OPTIONS (SET schema_name 'elsewhere');
SELECT p_app.scan('p_app.near');
ALTER FOREIGN TABLE p_app.near OPTIONS (SET schema_name 'p_app');
-- Policies of row security are not known to the daemon: whom they restrict may not scan.
GRANT SELECT ON p_app.docs TO p_reader;
ALTER TABLE p_app.docs ENABLE ROW LEVEL SECURITY;
SELECT p_app.scan('p_app.near');
ALTER FOREIGN TABLE p_app.near OWNER TO p_owner;
SELECT p_app.scan('p_app.near');
ALTER TABLE p_app.docs FORCE ROW LEVEL SECURITY;
SELECT p_app.scan('p_app.near');
\pset format aligned
\pset tuples_only off
ROLLBACK;
DROP ROLE p_owner, p_member, p_reader, p_daemon;

-- Searches need SELECT on the foreign table; what asks for states needs USAGE on the server, and says so.
CREATE ROLE su_reader;
CREATE SCHEMA su;
GRANT USAGE ON SCHEMA su TO su_reader;
SET vector_fdw.daemon_role = '';
CREATE TABLE su.docs (id int PRIMARY KEY, v real[]);
INSERT INTO su.docs VALUES (1, '{1,2}');
SELECT vector_fdw.create_collection('su_docs', 'su.docs', 'v', index => 'flat');
SELECT vector_fdw.wait_for_collection('su_docs');
CREATE FOREIGN TABLE su.near (id int, v real[]) SERVER vectord OPTIONS (collection 'su_docs', schema_name 'su');
GRANT SELECT ON su.near TO su_reader;

SET ROLE su_reader;
SELECT id FROM su.near ORDER BY v <-> '{1,2}' LIMIT 1;
SELECT count(*) FROM vector_fdw.stat_daemon;
SELECT vector_fdw.wait_for_collection('su_docs');
\echo :SQLSTATE
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER vectord TO su_reader;
SET ROLE su_reader;
SELECT vector_fdw.wait_for_collection('su_docs');
RESET ROLE;

-- A server of another database is none of those.
REVOKE USAGE ON FOREIGN SERVER vectord FROM su_reader;
BEGIN;
ALTER SERVER vectord OPTIONS (ADD dbname 'su_elsewhere');
SET ROLE su_reader;
\set VERBOSITY terse
SELECT vector_fdw.wait_for_collection('su_docs');
\set VERBOSITY default
ROLLBACK;

SELECT vector_fdw.drop_collection('su_docs');
SET client_min_messages = error;
DROP SCHEMA su CASCADE;
DROP ROLE su_reader;

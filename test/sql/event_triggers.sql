-- DDL around collections: dropped sources, altered columns, and everybody else's DDL.
-- All of it rolls back, so that no daemon builds what is defined here.

BEGIN;
CREATE SCHEMA e_app;
SET LOCAL vector_fdw.daemon_role = '';
CREATE TABLE e_app.docs (id bigint PRIMARY KEY, title text, embedding real[]);
CREATE TABLE e_app.other (id bigint PRIMARY KEY, embedding real[]);
SELECT vector_fdw.create_collection('e_one', 'e_app.docs', 'embedding', include => '{title}');
SELECT vector_fdw.create_collection('e_two', 'e_app.docs', 'embedding', metric => 'cosine');
SELECT vector_fdw.create_collection('e_three', 'e_app.other', 'embedding');
CREATE VIEW e_app.mine AS SELECT name, source FROM vector_fdw.collection WHERE name LIKE 'e\_%';

-- Renaming a table or its schema changes nothing, a renamed column is followed, and one that goes away is told to whoever did it.
ALTER TABLE e_app.docs RENAME TO papers;
ALTER SCHEMA e_app RENAME TO e_library;
SELECT * FROM e_library.mine ORDER BY name;
ALTER TABLE e_library.papers ADD COLUMN year int, ALTER COLUMN title SET DEFAULT '';
ALTER TABLE e_library.papers RENAME COLUMN title TO heading;
SELECT vector_fdw.alter_collection('e_one', include => '{heading}');
ALTER TABLE e_library.papers RENAME COLUMN year TO published;
ALTER TABLE e_library.papers DROP COLUMN embedding;
ALTER TABLE e_library.other RENAME COLUMN id TO key;
SELECT vector_fdw.rebuild_collection('e_three');
ROLLBACK;

BEGIN;
CREATE SCHEMA e_app;
SET LOCAL vector_fdw.daemon_role = '';
CREATE TABLE e_app.docs (id bigint PRIMARY KEY, embedding real[]);
CREATE TABLE e_app.other (id bigint PRIMARY KEY, embedding real[]);
CREATE TABLE e_app.third (id bigint PRIMARY KEY, embedding real[]);
SELECT vector_fdw.create_collection('e_one', 'e_app.docs', 'embedding');
SELECT vector_fdw.create_collection('e_two', 'e_app.docs', 'embedding', metric => 'cosine');
SELECT vector_fdw.create_collection('e_three', 'e_app.other', 'embedding');
SELECT vector_fdw.create_collection('e_four', 'e_app.third', 'embedding');
CREATE VIEW mine AS SELECT name, source FROM vector_fdw.collection WHERE name LIKE 'e\_%';

-- A dropped source takes its collections along, as part of the transaction.
SAVEPOINT before_drop;
DROP TABLE e_app.docs;
SELECT * FROM mine ORDER BY name;
ROLLBACK TO before_drop;
SELECT * FROM mine ORDER BY name;
DROP TABLE e_app.docs, e_app.other;
SELECT * FROM mine ORDER BY name;
SET LOCAL client_min_messages = warning;
DROP SCHEMA e_app CASCADE;
SELECT * FROM mine ORDER BY name;
RESET client_min_messages;

-- Other DDL goes on as if nothing were there.
CREATE TABLE e_plain (id int);
ALTER TABLE e_plain ADD COLUMN x int;
ALTER TABLE IF EXISTS e_absent ADD COLUMN x int;
ALTER TABLE e_plain RENAME TO e_renamed;
CREATE VIEW e_view AS TABLE e_renamed;
ALTER TABLE e_view RENAME COLUMN x TO y;
CREATE TYPE e_pair AS (a int, b int);
ALTER TYPE e_pair RENAME ATTRIBUTE a TO c;
DROP TYPE e_pair;
DROP TABLE e_renamed CASCADE;
CREATE TEMP TABLE e_temporary (id int) ON COMMIT DROP;
DROP TABLE e_temporary;

-- Not to be called by hand.
SAVEPOINT by_hand;
SELECT vector_fdw.on_sql_drop();
ROLLBACK TO by_hand;
SELECT vector_fdw.collection_changed();
ROLLBACK;

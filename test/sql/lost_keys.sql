-- A key that is none any more: two rows could have the same, and one would be served for both.

SET client_min_messages = warning;
CREATE SCHEMA keys;
SET search_path = keys, public;
CREATE TABLE docs (id int PRIMARY KEY, tenant int NOT NULL DEFAULT 1, embedding real[]);
INSERT INTO docs SELECT i, 1, ARRAY[sin(i), cos(i)] FROM generate_series(1, 30) i;
SELECT vector_fdw.create_collection('keys_docs', 'keys.docs', 'embedding', index => 'flat');
CREATE FOREIGN TABLE near (id int, embedding real[]) SERVER vectord OPTIONS (collection 'keys_docs', schema_name 'keys');
SELECT vector_fdw.wait_for_collection('keys_docs');
\set ECHO none
\i test/sql/include/must_become.sql
\set ECHO all

-- Another primary key: said at once, no row is served for another one, and all is well with the first.
ALTER TABLE docs DROP CONSTRAINT docs_pkey, ADD PRIMARY KEY (id, tenant);
INSERT INTO docs SELECT i, 2, ARRAY[sin(i), cos(i)] FROM generate_series(1, 30) i;
CALL must_become('keys_docs', 'error', '%exactly its key columns%');
SELECT count(*) FROM near;
DELETE FROM docs WHERE tenant = 2;
CREATE UNIQUE INDEX another ON docs (id);
CALL must_become('keys_docs', 'ready', '');
SELECT count(*) FROM near;
SELECT * FROM vector_fdw.verify_collection('keys_docs');

-- Indexes that are no keys do not help, and others may go without a word.
CREATE INDEX plain ON docs (id);
CREATE UNIQUE INDEX wider ON docs (tenant, id);
DROP INDEX plain;
CREATE UNIQUE INDEX partial ON docs (id) WHERE tenant = 1;
DROP INDEX another;
CALL must_become('keys_docs', 'error', '%exactly its key columns%');
DROP INDEX partial;
CREATE UNIQUE INDEX covering ON docs (id) INCLUDE (tenant);
CALL must_become('keys_docs', 'ready', '');

-- A key that may be NULL.
ALTER TABLE docs REPLICA IDENTITY FULL, DROP CONSTRAINT docs_pkey;
ALTER TABLE docs ALTER tenant DROP NOT NULL;
ALTER TABLE docs ALTER id DROP NOT NULL;
CALL must_become('keys_docs', 'error', '%"id" may be NULL%');
ALTER TABLE docs ALTER id SET NOT NULL;
CALL must_become('keys_docs', 'ready', '');
SELECT count(*) FROM near;
SELECT * FROM vector_fdw.verify_collection('keys_docs');

-- Deferrable: in the middle of a statement two rows may have the same key.
ALTER TABLE docs ADD CONSTRAINT later UNIQUE (id) DEFERRABLE;
DROP INDEX covering;
CALL must_become('keys_docs', 'error', '%deferrable%');
ALTER TABLE docs DROP CONSTRAINT later, ADD PRIMARY KEY (id);
UPDATE docs SET id = id + 100;
CALL must_become('keys_docs', 'ready', '');
SELECT * FROM vector_fdw.verify_collection('keys_docs');

-- A replica identity without the key: the log does not tell which rows are meant.
ALTER TABLE docs ADD other int NOT NULL UNIQUE GENERATED ALWAYS AS IDENTITY;
ALTER TABLE docs REPLICA IDENTITY USING INDEX docs_other_key;
ALTER TABLE docs REPLICA IDENTITY FULL;
UPDATE docs SET id = id + 100;
CALL must_become('keys_docs', 'ready', '');
SELECT * FROM vector_fdw.verify_collection('keys_docs');

-- Rolled back, nothing happened.
BEGIN;
ALTER TABLE docs DROP CONSTRAINT docs_pkey;
ROLLBACK;
SELECT vector_fdw.wait_for_collection('keys_docs');
SELECT count(*) FROM near;

-- Other tables with identity columns go without a word.
CREATE SCHEMA keys_of_others;
CREATE TABLE keys_of_others.a (id int GENERATED ALWAYS AS IDENTITY);
ALTER TABLE keys_of_others.a ADD more int GENERATED ALWAYS AS IDENTITY;
DROP SCHEMA keys_of_others CASCADE;

-- A table that moves to another schema is not the one that the foreign table names.
CREATE SCHEMA keys_elsewhere;
ALTER TABLE docs SET SCHEMA keys_elsewhere;
SELECT count(*) FROM near;
DROP SCHEMA keys_elsewhere, keys CASCADE;
SELECT count(*) AS left_behind FROM vector_fdw.collection WHERE name LIKE 'keys\_%';

-- What PostgreSQL 18 brought (postgres_18_1.out: where it is older).
SELECT current_setting('server_version_num')::int < 180000 AS skip \gset
\if :skip
\quit
\endif
SET client_min_messages = warning;
CREATE SCHEMA p18;
SET search_path = p18, public;

-- It refuses each UPDATE if the replica identity holds a generated column that is not published.
CREATE TABLE stored (id int PRIMARY KEY, v real[], n int GENERATED ALWAYS AS (cardinality(v)) STORED);
CREATE TABLE virtual (id int PRIMARY KEY, v real[], n int GENERATED ALWAYS AS (cardinality(v)) VIRTUAL);
ALTER TABLE stored REPLICA IDENTITY FULL;
ALTER TABLE virtual REPLICA IDENTITY FULL;
SELECT vector_fdw.create_collection('p18_stored', 'stored', 'v');
SELECT vector_fdw.create_collection('p18_virtual', 'virtual', 'v');
ALTER TABLE stored REPLICA IDENTITY DEFAULT;
ALTER TABLE virtual REPLICA IDENTITY DEFAULT;
INSERT INTO stored VALUES (1, '{1,1}'), (2, '{2,2}');
INSERT INTO virtual VALUES (1, '{1,1}'), (2, '{2,2}');
SELECT vector_fdw.create_collection('p18_stored', 'stored', 'v', index => 'flat');
SELECT vector_fdw.create_collection('p18_virtual', 'virtual', 'v', index => 'flat');
CREATE VIEW listed AS SELECT tablename, attnames FROM pg_publication_tables WHERE pubname = 'vectord' AND schemaname = 'p18' ORDER BY 1;
UPDATE stored SET v = '{3,3}' WHERE id = 1;
UPDATE virtual SET v = '{3,3}' WHERE id = 1;
TABLE listed;
-- DDL that comes to the same
ALTER TABLE stored REPLICA IDENTITY FULL;
UPDATE stored SET v = '{4,4}' WHERE id = 1;
ALTER TABLE virtual ALTER COLUMN n SET EXPRESSION AS (id);
TABLE listed;
ALTER TABLE virtual DROP COLUMN n;
ALTER TABLE virtual REPLICA IDENTITY FULL;
TABLE listed;
ALTER TABLE virtual ADD COLUMN n int GENERATED ALWAYS AS (cardinality(v));
UPDATE virtual SET v = '{4,4}' WHERE id = 1;
TABLE listed;
SELECT vector_fdw.rebuild_collection('p18_virtual');
ALTER TABLE stored ALTER COLUMN n DROP EXPRESSION;
UPDATE stored SET v = '{5,5}' WHERE id = 1;
ALTER TABLE virtual DROP COLUMN n;
UPDATE virtual SET v = '{5,5}' WHERE id = 1;
TABLE listed;
SELECT vector_fdw.wait_for_collection('p18_' || c) FROM unnest('{stored,virtual}'::text[]) c;
SELECT c, vector_fdw.verify_collection('p18_' || c) FROM unnest('{stored,virtual}'::text[]) c;
SELECT vector_fdw.drop_collection('p18_' || c) FROM unnest('{stored,virtual}'::text[]) c;
-- an index with such a column: its list names it, partitions have no list
CREATE TABLE indexed (id int PRIMARY KEY, v real[], g int NOT NULL GENERATED ALWAYS AS (id % 10) STORED, UNIQUE (id, g));
ALTER TABLE indexed REPLICA IDENTITY USING INDEX indexed_id_g_key;
INSERT INTO indexed VALUES (1, '{1,1}'), (2, '{2,2}');
SELECT vector_fdw.create_collection('p18_indexed', 'indexed', 'v', index => 'flat');
SELECT vector_fdw.wait_for_collection('p18_indexed');
UPDATE indexed SET v = '{3,3}' WHERE id = 1;
UPDATE indexed SET id = 12 WHERE id = 2;
TABLE listed;
SELECT * FROM vector_fdw.verify_collection('p18_indexed');
CREATE TABLE parted (id int PRIMARY KEY, v real[], g int NOT NULL GENERATED ALWAYS AS (id % 10) STORED) PARTITION BY RANGE (id);
CREATE TABLE part PARTITION OF parted FOR VALUES FROM (1) TO (100);
CREATE UNIQUE INDEX part_id_g ON part (id, g);
SELECT vector_fdw.create_collection('p18_parted', 'parted', 'v', index => 'flat');
INSERT INTO parted VALUES (1, '{1,1}');
ALTER TABLE part REPLICA IDENTITY USING INDEX part_id_g;
UPDATE parted SET v = '{3,3}';
TABLE listed;
SELECT vector_fdw.rebuild_collection('p18_parted');
SELECT vector_fdw.drop_collection('p18_' || c) FROM unnest('{indexed,parted}'::text[]) c;

-- NOT NULL that is not validated is none.
CREATE TABLE docs (id int UNIQUE, v real[]);
INSERT INTO docs VALUES (NULL, '{1,1}'), (1, '{2,2}'), (NULL, '{3,3}');
ALTER TABLE docs REPLICA IDENTITY FULL, ADD CONSTRAINT filled NOT NULL id NOT VALID;
SELECT vector_fdw.create_collection('p18_docs', 'docs', 'v', key_columns => '{id}', index => 'flat');
DELETE FROM docs WHERE id IS NULL;
ALTER TABLE docs VALIDATE CONSTRAINT filled;
SELECT vector_fdw.create_collection('p18_docs', 'docs', 'v', key_columns => '{id}', index => 'flat');
CREATE FOREIGN TABLE near (id int, v real[], length int GENERATED ALWAYS AS (cardinality(v)) VIRTUAL)
	SERVER vectord OPTIONS (collection 'p18_docs', schema_name 'p18');
SELECT vector_fdw.wait_for_collection('p18_docs');
\set ECHO none
\i test/sql/include/must_become.sql
\set ECHO all
-- said once
ALTER TABLE docs ALTER id DROP NOT NULL;
CALL must_become('p18_docs', 'error', '%"id" may be NULL%');
ALTER TABLE docs ADD CONSTRAINT filled NOT NULL id NOT VALID;
SELECT vector_fdw.rebuild_collection('p18_docs');
SELECT count(*) FROM near;
ALTER TABLE docs VALIDATE CONSTRAINT filled;
CALL must_become('p18_docs', 'ready', '');
SELECT * FROM near;

-- A virtual column of the foreign table is none of the collection.
ANALYZE near;
SELECT attname, n_distinct FROM pg_stats WHERE schemaname = 'p18' AND tablename = 'near' ORDER BY 1;

SELECT vector_fdw.drop_collection('p18_docs');
DROP SCHEMA p18 CASCADE;

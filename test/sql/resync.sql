-- Which DDL has vectord copy a source anew: what the stream of changes does not tell, and nothing else.

SET client_min_messages = warning;
CREATE SCHEMA rs;
SET vector_fdw.daemon_role = '';
CREATE TABLE rs.docs (id bigint PRIMARY KEY, title varchar(10), year int, other uuid NOT NULL UNIQUE, v real[]);
CREATE TABLE rs.plain (id bigint PRIMARY KEY, title varchar(10), v real[]);
CREATE TABLE rs.parted (id int PRIMARY KEY, v real[]) PARTITION BY RANGE (id);
CREATE TABLE rs.p1 PARTITION OF rs.parted FOR VALUES FROM (0) TO (10);
CREATE TABLE rs.p2 PARTITION OF rs.parted FOR VALUES FROM (10) TO (30) PARTITION BY RANGE (id);
CREATE TABLE rs.p21 PARTITION OF rs.p2 FOR VALUES FROM (10) TO (20);
SELECT vector_fdw.create_collection('rs_docs', 'rs.docs', 'v', include => '{title}');
SELECT vector_fdw.create_collection('rs_parted', 'rs.parted', 'v');
SELECT vector_fdw.create_collection('rs_p21', 'rs.p21', 'v');
CREATE TABLE rs.names AS SELECT c.source::oid, relname FROM vector_fdw.collection c JOIN pg_class p ON p.oid = source WHERE name LIKE 'rs\_%';
SELECT count(*) FROM pg_create_logical_replication_slot('rs_slot', 'test_decoding');
CREATE FUNCTION rs.asked() RETURNS text LANGUAGE sql AS $$
  SELECT coalesce(string_agg(DISTINCT relname, ' ' ORDER BY relname), '-')
  FROM pg_logical_slot_get_changes('rs_slot', NULL, NULL) JOIN rs.names
    ON data ~ ('^message: transactional: 1 prefix: vectord.resync, sz: \d+ content:' || source || '$') $$;
\pset tuples_only on
\pset format unaligned
SELECT rs.asked();

-- Nothing happened to what a collection holds.
ALTER TABLE rs.plain ALTER COLUMN title TYPE text, ADD COLUMN x uuid DEFAULT gen_random_uuid();
ALTER TABLE rs.plain RENAME COLUMN v TO w;
DROP TABLE rs.plain;
ALTER TABLE rs.docs ADD COLUMN x uuid DEFAULT gen_random_uuid(), ALTER COLUMN title SET DEFAULT '';
ALTER TABLE rs.docs ALTER COLUMN year TYPE bigint;
ALTER TABLE rs.docs RENAME COLUMN x TO y;
ALTER TABLE rs.docs DROP COLUMN y;
ALTER TABLE rs.docs RENAME TO papers;
ALTER TABLE rs.papers RENAME TO docs;
CREATE INDEX docs_year ON rs.docs (year);
DROP INDEX rs.docs_year;
VACUUM FULL rs.docs;
CLUSTER rs.docs USING docs_pkey;
CREATE TABLE rs.p3 PARTITION OF rs.parted FOR VALUES FROM (30) TO (40);
CREATE TABLE rs.loose (id int PRIMARY KEY, v real[]);
BEGIN;
ALTER TABLE rs.docs ALTER COLUMN title TYPE text;
ROLLBACK;
SELECT rs.asked();

-- Columns of a collection.
ALTER TABLE rs.docs ALTER COLUMN title TYPE text;
SELECT rs.asked();
ALTER TABLE rs.docs ALTER COLUMN title TYPE text USING upper(title);
SELECT rs.asked();
ALTER TABLE rs.docs ALTER COLUMN v TYPE double precision[];
SELECT rs.asked();
ALTER TABLE rs.docs RENAME COLUMN title TO heading;
SELECT rs.asked();
SELECT include FROM vector_fdw.collection WHERE name = 'rs_docs';
ALTER TABLE rs.docs DROP COLUMN heading;
SELECT rs.asked();
ALTER TABLE rs.docs ADD COLUMN heading text DEFAULT 'none';
SELECT rs.asked();
-- How its changes are logged.
ALTER TABLE rs.docs REPLICA IDENTITY USING INDEX docs_other_key;
SELECT rs.asked();
ALTER TABLE rs.docs REPLICA IDENTITY DEFAULT;
SELECT rs.asked();
ALTER TABLE rs.docs DROP CONSTRAINT docs_pkey;
SELECT rs.asked();
ALTER TABLE rs.docs ADD PRIMARY KEY (id);
SELECT rs.asked();
ALTER TABLE rs.docs SET UNLOGGED;
SELECT rs.asked();
ALTER TABLE rs.docs SET LOGGED;
SELECT rs.asked();
-- Partitions.
ALTER TABLE rs.parted ATTACH PARTITION rs.loose FOR VALUES FROM (50) TO (60);
SELECT rs.asked();
ALTER TABLE rs.parted DETACH PARTITION rs.loose;
SELECT rs.asked();
ALTER TABLE rs.parted DETACH PARTITION rs.p3 CONCURRENTLY;
SELECT rs.asked();
ALTER TABLE rs.p2 ATTACH PARTITION rs.loose FOR VALUES FROM (20) TO (30);
SELECT rs.asked();
DROP TABLE rs.loose;
SELECT rs.asked();
ALTER TABLE rs.parted ALTER COLUMN v TYPE double precision[];
SELECT rs.asked();
ALTER TABLE rs.parted RENAME COLUMN v TO w;
SELECT rs.asked();
SELECT name, vector_column FROM vector_fdw.collection WHERE name LIKE 'rs\_p%' ORDER BY 1;
ALTER TABLE rs.p1 SET UNLOGGED;
SELECT rs.asked();
DROP TABLE rs.p1;
SELECT rs.asked();
DROP TABLE rs.p2;
SELECT rs.asked();
-- Also where triggers are switched off for replicated changes.
SET session_replication_role = replica;
ALTER TABLE rs.docs DROP COLUMN v;
RESET session_replication_role;
SELECT rs.asked();

SELECT pg_drop_replication_slot('rs_slot');
DROP SCHEMA rs CASCADE;
SELECT count(*) AS left_behind FROM vector_fdw.collection WHERE name LIKE 'rs\_%';

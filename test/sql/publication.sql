-- The publication that vectord reads: which tables and columns it lists after what.
-- All of it rolls back, so that no daemon builds what is defined here.

CREATE ROLE pub_owner;
BEGIN;
CREATE SCHEMA pub;
GRANT ALL ON SCHEMA pub TO pub_owner;
SET LOCAL vector_fdw.daemon_role = '';
CREATE VIEW pub.listed AS
  SELECT tablename, CASE WHEN r.prattrs IS NULL THEN '(all)' ELSE t.attnames::text END AS columns
  FROM pg_publication_tables t JOIN pg_publication p USING (pubname)
  LEFT JOIN pg_publication_rel r ON r.prpubid = p.oid
    AND r.prrelid = (quote_ident(schemaname) || '.' || quote_ident(tablename))::regclass
  WHERE pubname = 'vectord' AND schemaname = 'pub' ORDER BY 1;
GRANT SELECT ON pub.listed TO pub_owner;
SET ROLE pub_owner;
CREATE TABLE pub.docs (id bigint PRIMARY KEY, title text, year int, other uuid NOT NULL UNIQUE, a real[], b real[]);
CREATE TABLE pub.notes (id bigint PRIMARY KEY, a real[]);

-- The owner of a table needs no right on the publication.
SELECT vector_fdw.create_collection('pub_one', 'pub.docs', 'a', include => '{title}');
SELECT vector_fdw.create_collection('pub_notes', 'pub.notes', 'a');
RESET ROLE;
SELECT pubname, usename AS owner, puballtables, pubinsert, pubupdate, pubdelete, pubtruncate, pubviaroot
  FROM pg_publication JOIN pg_user ON usesysid = pubowner WHERE pubname = 'vectord';
SET ROLE pub_owner;
TABLE pub.listed;
-- The union over the collections of a table; a second key of it may be the collection's, if the log tells it.
SAVEPOINT two;
CREATE UNIQUE INDEX docs_id_other ON pub.docs (id, other);
ALTER TABLE pub.docs REPLICA IDENTITY USING INDEX docs_id_other;
SELECT vector_fdw.create_collection('pub_two', 'pub.docs', 'b', key_columns => '{other}');
TABLE pub.listed;
ROLLBACK TO two;
SELECT vector_fdw.create_collection('pub_two', 'pub.docs', 'b');
TABLE pub.listed;
-- What an older definition needed is served until the new one is built, so it stays listed.
SELECT vector_fdw.alter_collection('pub_one', include => '{year}');
TABLE pub.listed;
SELECT vector_fdw.drop_collection('pub_two');
TABLE pub.listed;
RESET ROLE;
SAVEPOINT s;
SET ROLE pub_owner;
SELECT vector_fdw.drop_collection('pub_one');
SELECT vector_fdw.drop_collection('pub_notes');
TABLE pub.listed;
ROLLBACK TO s;
TABLE pub.listed;

-- Taken out by hand: left so until the definition changes or is rebuilt.
ALTER PUBLICATION vectord DROP TABLE pub.docs;
TABLE pub.listed;
SELECT vector_fdw.rebuild_collection('pub_one');
TABLE pub.listed;
-- A filter would lose rows.
ALTER PUBLICATION vectord DROP TABLE pub.docs;
ALTER PUBLICATION vectord ADD TABLE pub.docs WHERE (id > 10);
SELECT vector_fdw.rebuild_collection('pub_one');
SELECT prattrs, prqual FROM pg_publication_rel WHERE prrelid = 'pub.docs'::regclass;
ROLLBACK TO s;

-- Whatever the replica identity becomes, the application's UPDATE works.
INSERT INTO pub.docs VALUES (1, 'one', 2001, gen_random_uuid(), '{1}', '{1}');
ALTER TABLE pub.docs REPLICA IDENTITY USING INDEX docs_other_key;
UPDATE pub.docs SET title = title;
TABLE pub.listed;
ALTER TABLE pub.docs REPLICA IDENTITY FULL;
UPDATE pub.docs SET title = title;
TABLE pub.listed;
ALTER TABLE pub.docs REPLICA IDENTITY NOTHING;
UPDATE pub.docs SET title = title;
TABLE pub.listed;
ALTER TABLE pub.docs REPLICA IDENTITY DEFAULT;
UPDATE pub.docs SET title = title;
TABLE pub.listed;
ALTER TABLE pub.docs DROP CONSTRAINT docs_pkey;
UPDATE pub.docs SET title = title;
DELETE FROM pub.docs;
TABLE pub.listed;
ALTER TABLE pub.docs ADD PRIMARY KEY (id);
TABLE pub.listed;
ROLLBACK TO s;
CREATE UNIQUE INDEX docs_id_year ON pub.docs (id, other);
ALTER TABLE pub.docs REPLICA IDENTITY USING INDEX docs_id_year;
TABLE pub.listed;
INSERT INTO pub.docs VALUES (1, 'one', 2001, gen_random_uuid(), '{1}', '{1}');
DROP INDEX pub.docs_id_year;
UPDATE pub.docs SET title = title;
TABLE pub.listed;
ROLLBACK TO s;

-- A generated column of the replica identity: no list may name it before PostgreSQL 18, and from then on it must.
CREATE TABLE pub.generated (id int PRIMARY KEY, g int NOT NULL GENERATED ALWAYS AS (id % 10) STORED, a real[], UNIQUE (id, g));
INSERT INTO pub.generated VALUES (1), (2);
SELECT vector_fdw.create_collection('pub_generated', 'pub.generated', 'a');
ALTER TABLE pub.generated REPLICA IDENTITY USING INDEX generated_id_g_key;
UPDATE pub.generated SET a = '{1}';
SELECT vector_fdw.rebuild_collection('pub_generated');
UPDATE pub.generated SET a = '{2}';
ROLLBACK TO s;

-- Columns that are listed may be dropped, retyped and renamed as if they were not.
ALTER TABLE pub.docs ALTER COLUMN title TYPE varchar(20);
ALTER TABLE pub.docs RENAME COLUMN a TO embedding;
TABLE pub.listed;
ALTER TABLE pub.docs DROP COLUMN title, ADD COLUMN subtitle text;
TABLE pub.listed;
ALTER TABLE pub.docs DROP COLUMN year;
TABLE pub.listed;
ROLLBACK TO s;
CREATE TYPE pub.mood AS ENUM ('sad', 'happy');
ALTER TABLE pub.docs ADD COLUMN mood pub.mood;
SELECT vector_fdw.alter_collection('pub_one', include => '{mood}');
SET LOCAL client_min_messages = warning;
DROP TYPE pub.mood CASCADE;
RESET client_min_messages;
TABLE pub.listed;
ROLLBACK TO s;
ALTER TABLE pub.docs SET UNLOGGED;
TABLE pub.listed;
ALTER TABLE pub.docs SET LOGGED;
TABLE pub.listed;
ALTER TABLE pub.docs RENAME TO papers;
ALTER TABLE pub.papers SET SCHEMA public;
SELECT prrelid::regclass FROM pg_publication_rel WHERE prrelid = 'papers'::regclass;
ROLLBACK TO s;
-- Who may not alter a table changes nothing.
CREATE ROLE pub_stranger;
GRANT USAGE ON SCHEMA pub TO pub_stranger;
SET LOCAL ROLE pub_stranger;
SAVEPOINT t;
ALTER TABLE pub.docs DROP COLUMN a;
ROLLBACK TO t;
RESET ROLE;
DROP TABLE pub.docs;
TABLE pub.listed;
ROLLBACK TO s;

-- Partitioned: all columns of the partitions, also where one of them is a source, too.
CREATE TABLE pub.parted (id int PRIMARY KEY, a real[], b real[]) PARTITION BY RANGE (id);
CREATE TABLE pub.part_1 PARTITION OF pub.parted FOR VALUES FROM (1) TO (10);
SELECT vector_fdw.create_collection('pub_part', 'pub.part_1', 'a');
TABLE pub.listed;
SELECT vector_fdw.create_collection('pub_parted', 'pub.parted', 'b');
CREATE TABLE pub.part_2 PARTITION OF pub.parted FOR VALUES FROM (10) TO (20);
TABLE pub.listed;
INSERT INTO pub.parted VALUES (1, '{1}', '{1}'), (11, '{1}', '{1}');
UPDATE pub.parted SET a = b;
ALTER TABLE pub.part_2 REPLICA IDENTITY NOTHING;
UPDATE pub.parted SET a = b;
TABLE pub.listed;
ALTER TABLE pub.part_2 REPLICA IDENTITY FULL;
UPDATE pub.parted SET a = b;
TABLE pub.listed;
ALTER TABLE pub.part_2 SET UNLOGGED;
TABLE pub.listed;
DROP TABLE pub.part_2;
TABLE pub.listed;
ALTER TABLE pub.parted DROP COLUMN b;
ROLLBACK TO s;

-- Somebody else's publication of that name is not touched.
ALTER PUBLICATION vectord RENAME TO pub_was_ours;
CREATE FUNCTION pub.refused(statement text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE detail text; hint text;
BEGIN
  EXECUTE statement;
  EXECUTE $_$SELECT vector_fdw.create_collection('pub_three', 'pub.docs', 'b')$_$;
  RETURN NEXT 'accepted';
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
  RETURN NEXT SQLSTATE || ' ' || SQLERRM || E'\n  DETAIL: ' || detail || E'\n  HINT: ' || hint;
END $$;
\pset tuples_only on
\pset format unaligned
SELECT pub.refused(s) FROM unnest(ARRAY[
  $$CREATE PUBLICATION vectord FOR ALL TABLES$$,
  $$CREATE PUBLICATION vectord FOR TABLES IN SCHEMA pub$$,
  $$CREATE PUBLICATION vectord WITH (publish = 'insert, update')$$,
  $$CREATE PUBLICATION vectord WITH (publish_via_partition_root)$$]) AS s;
SAVEPOINT t;
CREATE PUBLICATION vectord FOR ALL TABLES;
ALTER TABLE pub.docs DROP COLUMN b;
ALTER TABLE pub.docs REPLICA IDENTITY FULL;
SELECT vector_fdw.drop_collection('pub_one');
ROLLBACK TO t;
-- Without any, it is made; with the extension it goes.
SELECT pub.refused('SELECT');
SELECT count(*) FROM pg_publication WHERE pubname = 'vectord';
\pset format aligned
\pset tuples_only off
TABLE pub.listed;
SET LOCAL client_min_messages = warning;
DROP EXTENSION vector_fdw CASCADE;
RESET client_min_messages;
SELECT count(*) FROM pg_publication WHERE pubname = 'vectord';
ROLLBACK;
DROP ROLE pub_owner;
SELECT count(*) AS left_behind FROM pg_publication_tables WHERE schemaname = 'pub';

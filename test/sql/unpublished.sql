-- Changes that vectord is kept from seeing, by the publication or the replica identity, are said; it does not go on
-- serving as if there were none.

SET client_min_messages = warning;
SET vector_fdw.daemon_role = '';
CREATE SCHEMA unp;
SET search_path = unp, public;
CREATE TABLE docs (id int PRIMARY KEY, other int NOT NULL UNIQUE, v real[]);
INSERT INTO docs SELECT i, i, ARRAY[i, 1] FROM generate_series(1, 20) i;
CREATE TABLE parted (id int PRIMARY KEY, other int NOT NULL, v real[]) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF parted FOR VALUES FROM (0) TO (100);
CREATE TABLE others (id int PRIMARY KEY, v real[]);
SELECT vector_fdw.create_collection('unp_docs', 'unp.docs', 'v', index => 'flat');
SELECT vector_fdw.create_collection('unp_parted', 'unp.parted', 'v', index => 'flat');
SELECT vector_fdw.create_collection('unp_others', 'unp.others', 'v', index => 'flat');
SELECT vector_fdw.create_collection('unp_twice', 'unp.others', 'v', index => 'flat');
SELECT vector_fdw.wait_for_collection(name) FROM vector_fdw.collection WHERE name LIKE 'unp\_%';
\set ECHO none
\i test/sql/include/must_become.sql
\set ECHO all

-- A table taken out.
ALTER PUBLICATION vectord DROP TABLE docs;
INSERT INTO docs VALUES (21, 21, '{21,1}');
CALL must_become('unp_docs', 'error', '%does not list table unp.docs.%');
ALTER PUBLICATION vectord ADD TABLE docs;
CALL must_become('unp_docs', 'ready', '');
SELECT * FROM vector_fdw.verify_collection('unp_docs');

-- Partitions.
ALTER PUBLICATION vectord DROP TABLE parted;
CALL must_become('unp_parted', 'error', '%does not list table unp.part_1.%');
INSERT INTO parted VALUES (1, 1, '{1,1}');
SELECT vector_fdw.rebuild_collection('unp_parted');
SELECT vector_fdw.wait_for_collection('unp_parted');
SELECT * FROM vector_fdw.verify_collection('unp_parted');

-- Some of its rows or columns only, where there is such a thing (15).
CREATE PROCEDURE limit_to(rows_or_columns text) LANGUAGE plpgsql AS $$
BEGIN
	ALTER PUBLICATION vectord DROP TABLE docs;
	IF current_setting('server_version_num')::int >= 150000 THEN
		EXECUTE 'ALTER PUBLICATION vectord ADD TABLE docs ' || rows_or_columns;
	END IF;
END $$;
CALL limit_to('WHERE (id < 10)');
INSERT INTO docs VALUES (22, 22, '{22,1}');
CALL must_become('unp_docs', 'error', '%list% table unp.docs.%');
SELECT vector_fdw.rebuild_collection('unp_docs');
SELECT vector_fdw.wait_for_collection('unp_docs');
CALL limit_to('(id)');
CALL must_become('unp_docs', 'error', '%does not list %table unp.docs.%');
SELECT vector_fdw.rebuild_collection('unp_docs');
SELECT vector_fdw.wait_for_collection('unp_docs');
SELECT * FROM vector_fdw.verify_collection('unp_docs');

-- A replica identity without the key: said once and for all, not by a copy after each write.
CREATE TABLE builds AS SELECT name, builds FROM vector_fdw.stat_collections WHERE name LIKE 'unp\_%';
ALTER TABLE docs REPLICA IDENTITY USING INDEX docs_other_key;
CALL must_become('unp_docs', 'error', '%replica identity of table unp.docs lacks key column id,%');
UPDATE docs SET v = '{0,1}' WHERE id = 5;
SELECT b.builds = s.builds AS not_copied FROM builds b JOIN vector_fdw.stat_collections s USING (name) WHERE name = 'unp_docs';
ALTER TABLE docs REPLICA IDENTITY DEFAULT;
CALL must_become('unp_docs', 'ready', '');
ALTER TABLE part_1 ADD UNIQUE (other);
ALTER TABLE part_1 REPLICA IDENTITY USING INDEX part_1_other_key;
CALL must_become('unp_parted', 'error', '%replica identity of table unp.part_1 lacks key column id,%');
ALTER TABLE part_1 REPLICA IDENTITY FULL;
SELECT vector_fdw.rebuild_collection('unp_parted');
SELECT vector_fdw.wait_for_collection('unp_parted');
SELECT * FROM vector_fdw.verify_collection('unp_docs');
SELECT * FROM vector_fdw.verify_collection('unp_parted');

-- What the extension changes there itself, and what concerns others, disturbs nobody.
SELECT vector_fdw.drop_collection('unp_twice');
SELECT vector_fdw.drop_collection('unp_docs');
SELECT vector_fdw.create_collection('unp_docs', 'unp.docs', 'v', include => '{other}', index => 'flat');
SELECT vector_fdw.wait_for_collection('unp_docs');
SELECT vector_fdw.drop_collection('unp_docs');
SELECT vector_fdw.wait_for_collection('unp_others');
SELECT state, last_error, s.builds - b.builds AS builds FROM builds b JOIN vector_fdw.stat_collections s USING (name)
WHERE name = 'unp_others';

-- Some kinds of changes only; so for all collections.
ALTER PUBLICATION vectord SET (publish = 'insert');
CALL must_become('unp_others', 'error', '%does not publish each of insert, update, delete and truncate%');
ALTER PUBLICATION vectord SET (publish = 'insert, update, delete, truncate');
CALL must_become('unp_others', 'ready', '');
CALL must_become('unp_parted', 'ready', '');

SELECT vector_fdw.drop_collection(name) FROM vector_fdw.collection WHERE name LIKE 'unp\_%';
DROP SCHEMA unp CASCADE;

-- A source table that is renamed stays the source, also when it is copied anew and another table has its name.

SET client_min_messages = warning;
SET vector_fdw.daemon_role = '';
CREATE SCHEMA ren;
SET search_path = ren, public;
CREATE TABLE docs (id int PRIMARY KEY, t text, v real[]);
INSERT INTO docs SELECT i, 'old', ARRAY[i, 1] FROM generate_series(1, 100) i;
SELECT vector_fdw.create_collection('ren_docs', 'ren.docs', 'v', include => '{t}', index => 'flat');
CREATE FOREIGN TABLE near (id int, t text, v real[]) SERVER vectord OPTIONS (collection 'ren_docs', schema_name 'ren');
SELECT vector_fdw.wait_for_collection('ren_docs');

-- Another table takes the name.
ALTER TABLE docs RENAME TO docs_old;
CREATE TABLE docs (id int PRIMARY KEY, t text, v real[]);
INSERT INTO docs SELECT i, 'other', ARRAY[i, 1] FROM generate_series(1, 7) i;
ALTER TABLE docs_old REPLICA IDENTITY FULL;
SELECT vector_fdw.wait_for_collection('ren_docs');
SELECT t, count(*) FROM near GROUP BY t;
SELECT * FROM vector_fdw.verify_collection('ren_docs');

-- Nobody does.
ALTER TABLE docs_old RENAME TO "Docs ""old""";
ALTER TABLE "Docs ""old""" REPLICA IDENTITY DEFAULT;
SELECT vector_fdw.wait_for_collection('ren_docs');
SELECT t, count(*) FROM near GROUP BY t;
SELECT * FROM vector_fdw.verify_collection('ren_docs');

-- The two swap names, and then their schemas do.
BEGIN;
ALTER TABLE docs RENAME TO was_other;
ALTER TABLE "Docs ""old""" RENAME TO docs;
ALTER TABLE was_other RENAME TO "Docs ""old""";
COMMIT;
ALTER TABLE docs REPLICA IDENTITY FULL;
SELECT vector_fdw.wait_for_collection('ren_docs');
SELECT t, count(*) FROM near GROUP BY t;
CREATE SCHEMA ren_2;
CREATE TABLE ren_2.docs (id int PRIMARY KEY, t text, v real[]);
BEGIN;
ALTER SCHEMA ren RENAME TO ren_3;
ALTER SCHEMA ren_2 RENAME TO ren;
ALTER SCHEMA ren_3 RENAME TO ren_2;
COMMIT;
ALTER TABLE ren_2.docs REPLICA IDENTITY DEFAULT;
ALTER FOREIGN TABLE ren_2.near OPTIONS (SET schema_name 'ren_2');
SELECT vector_fdw.wait_for_collection('ren_docs');
SELECT t, count(*) FROM ren_2.near GROUP BY t;
SELECT * FROM vector_fdw.verify_collection('ren_docs');

DROP SCHEMA ren, ren_2 CASCADE;
SELECT count(*) AS left_behind FROM vector_fdw.collection WHERE name LIKE 'ren\_%';

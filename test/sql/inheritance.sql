-- A source that tables inherit from after its collection was defined: it is not followed until they are gone.

SET client_min_messages = warning;
CREATE SCHEMA inh;
SET search_path = inh, public;
CREATE TABLE docs (id int PRIMARY KEY, embedding real[]);
CREATE TABLE others (id int PRIMARY KEY, embedding real[]);
INSERT INTO docs SELECT i, ARRAY[sin(i), cos(i)] FROM generate_series(1, 30) i;
SELECT vector_fdw.create_collection('inh_docs', 'inh.docs', 'embedding', index => 'flat');
CREATE FOREIGN TABLE near (id int, embedding real[]) SERVER vectord OPTIONS (collection 'inh_docs', schema_name 'inh');
SELECT vector_fdw.wait_for_collection('inh_docs');
SELECT count(*) FROM near;
-- vectord notices by itself what becomes of the children.
\set ECHO none
\i test/sql/include/must_become.sql
\set ECHO all

CREATE TABLE child (PRIMARY KEY (id)) INHERITS (docs);
INSERT INTO child VALUES (31, '{0,1}');
SELECT vector_fdw.wait_for_collection('inh_docs');
SELECT state, last_error FROM vector_fdw.stat_collections WHERE name = 'inh_docs';
-- What this session has seen is not there, so it gets no rows.
SELECT count(*) FROM near;
SELECT vector_fdw.rebuild_collection('inh_docs');
ALTER TABLE child NO INHERIT docs;
INSERT INTO docs VALUES (32, '{1,0}');
CALL must_become('inh_docs', 'ready', '');
SELECT count(*) FROM near;
SELECT * FROM vector_fdw.verify_collection('inh_docs');

-- A child without a key, and one of several children; a table that is no source gives no warning.
ALTER TABLE child DROP CONSTRAINT child_pkey, INHERIT docs;
CREATE TABLE grandchild () INHERITS (child);
CREATE TABLE nephew () INHERITS (others);
\set VERBOSITY terse
CREATE TEMP TABLE second () INHERITS (others, docs);
\set VERBOSITY default
SELECT vector_fdw.wait_for_collection('inh_docs');
DROP TABLE child CASCADE;
CALL must_become('inh_docs', 'error', '%.second inherits from inh.docs,%');
-- The definition's publication is as it was all the time.
SELECT count(*) FROM pg_publication_tables WHERE schemaname = 'inh';
DROP TABLE second;
CALL must_become('inh_docs', 'ready', '');
SELECT count(*) FROM near;

-- Foreign tables can be children, too.
CREATE FOREIGN TABLE far () INHERITS (docs) SERVER vectord OPTIONS (collection 'inh_docs', schema_name 'inh');
ALTER FOREIGN TABLE far NO INHERIT docs;
ALTER FOREIGN TABLE far INHERIT docs;
DROP FOREIGN TABLE far;
CALL must_become('inh_docs', 'ready', '');
SELECT * FROM vector_fdw.verify_collection('inh_docs');

BEGIN;
CREATE TABLE child () INHERITS (docs);
ROLLBACK;
SELECT vector_fdw.wait_for_collection('inh_docs');
SELECT state, last_error FROM vector_fdw.stat_collections WHERE name = 'inh_docs';

-- A source that inherits itself follows what its parents' columns become. A typed table would not.
CREATE TABLE base (t text, u text);
CREATE TABLE middle () INHERITS (base);
CREATE TABLE heir (id int PRIMARY KEY, embedding real[]) INHERITS (middle);
SELECT vector_fdw.create_collection('inh_heir', 'heir', 'embedding', index => 'flat', include => '{t,u}');
ALTER TABLE base ALTER t TYPE varchar(9);
SET client_min_messages = notice;
ALTER TABLE base RENAME t TO title;
ALTER TABLE base DROP COLUMN u;
SET client_min_messages = warning;
SELECT c.include, count(r.prrelid) AS listed
FROM vector_fdw.collection c LEFT JOIN pg_publication_rel r ON r.prrelid = c.source WHERE c.name = 'inh_heir' GROUP BY 1;
CREATE TYPE row_of_typed AS (id int, embedding real[]);
CREATE TABLE typed OF row_of_typed (PRIMARY KEY (id));
SELECT vector_fdw.create_collection('inh_typed', 'typed', 'embedding', index => 'flat');
DROP SCHEMA inh CASCADE;
SELECT count(*) AS left_behind FROM vector_fdw.collection WHERE name LIKE 'inh\_%';

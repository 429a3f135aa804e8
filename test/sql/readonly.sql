-- The foreign table shows a copy: writing is refused, and the source table named.
CREATE SCHEMA readonly;
SET search_path = readonly, public;
CREATE TABLE docs (id int PRIMARY KEY, embedding real[]);
SET client_min_messages = warning;	-- whether rights were granted depends on the roles
SELECT vector_fdw.create_collection('readonly_docs', 'docs', 'embedding');
RESET client_min_messages;
CREATE FOREIGN TABLE near (id int, embedding real[]) SERVER vectord
	OPTIONS (collection 'readonly_docs', schema_name 'readonly');

INSERT INTO near VALUES (1, '{1,2}');
INSERT INTO near SELECT * FROM docs;
UPDATE near SET id = 2;
DELETE FROM near WHERE id = 1;
TRUNCATE near;
TRUNCATE docs, near RESTART IDENTITY;
COPY near FROM stdin;
\.
EXPLAIN DELETE FROM near;
CREATE TABLE parts (id int, embedding real[]) PARTITION BY RANGE (id);
ALTER TABLE parts ATTACH PARTITION near FOR VALUES FROM (0) TO (100);
INSERT INTO parts VALUES (5, '{1,2}');
COPY parts FROM stdin;
6	{1,2}
\.
DELETE FROM parts;
TRUNCATE parts;
SELECT is_insertable_into FROM information_schema.tables WHERE table_schema = 'readonly' AND table_name = 'near';
SELECT pg_relation_is_updatable('near', true);
-- a collection that is not defined here has no source table to name
CREATE FOREIGN TABLE nowhere (id int) SERVER vectord OPTIONS (collection 'no such');
INSERT INTO nowhere VALUES (1);

SET client_min_messages = warning;
SELECT vector_fdw.drop_collection('readonly_docs');
DROP SCHEMA readonly CASCADE;

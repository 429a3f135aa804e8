-- pgvector's types and operators, where that extension is installed (pgvector_1.out: where it is not).
SELECT count(*) = 0 AS skip FROM pg_available_extensions WHERE name = 'vector' \gset
\if :skip
\quit
\endif
SELECT count(*) = 0 AS created FROM pg_extension WHERE extname = 'vector' \gset
CREATE SCHEMA pgvector;
SET client_min_messages = warning;	-- whether it exists, and whether rights were granted, depends on the database
CREATE EXTENSION IF NOT EXISTS vector;
SET search_path = pgvector, public;
CREATE TABLE docs (id int PRIMARY KEY, v vector(4), h halfvec(4));
INSERT INTO docs SELECT i, ARRAY[sin(i), cos(i * 1.7), sin(i * 0.3 + 1), i / 1000.0]::vector,
	ARRAY[i % 7, i % 11 + 0.5, i % 13 * 0.25, i]::halfvec FROM generate_series(1, 1000) i WHERE i % 40 <> 0;
INSERT INTO docs VALUES (0, NULL, NULL);
SELECT vector_fdw.create_collection('pgvector_' || m, 'docs', 'v', metric => m, index => 'flat', include => '{h}')
	FROM unnest('{l2,ip,cosine,l1}'::text[]) m;
SELECT vector_fdw.create_collection('pgvector_half', 'docs', 'h', index => 'flat');
RESET client_min_messages;
SELECT count(vector_fdw.wait_for_collection('pgvector_' || m)) FROM unnest('{l2,ip,cosine,l1,half}'::text[]) m;
IMPORT FOREIGN SCHEMA pgvector FROM SERVER vectord INTO pgvector;
\d pgvector_half

EXPLAIN (COSTS OFF) SELECT id FROM pgvector_l2 ORDER BY v <-> '[1,2,3,4]' LIMIT 5;
EXPLAIN (COSTS OFF) SELECT id FROM pgvector_ip ORDER BY v <#> '[1,2,3,4]' LIMIT 5;
EXPLAIN (COSTS OFF) SELECT id FROM pgvector_cosine ORDER BY '[1,2,3,4]' <=> v LIMIT 5;
EXPLAIN (COSTS OFF) SELECT id FROM pgvector_l1 ORDER BY v <+> (SELECT v FROM docs WHERE id = 7) LIMIT 5;
EXPLAIN (COSTS OFF) SELECT id FROM pgvector_half ORDER BY h <-> '[1,2,3,4]' LIMIT 5;
EXPLAIN (COSTS OFF) SELECT id FROM pgvector_l2 ORDER BY v <=> '[1,2,3,4]' LIMIT 5;
SELECT
	(SELECT array_agg(id) FROM (SELECT id FROM pgvector_l2 ORDER BY v <-> '[1,2,3,4]' LIMIT 50) s)
	= (SELECT array_agg(id) FROM (SELECT id FROM docs ORDER BY v <-> '[1,2,3,4]' LIMIT 50) s) AS l2,
	(SELECT array_agg(id) FROM (SELECT id FROM pgvector_ip ORDER BY v <#> '[1,2,3,4]' LIMIT 50) s)
	= (SELECT array_agg(id) FROM (SELECT id FROM docs ORDER BY v <#> '[1,2,3,4]' LIMIT 50) s) AS ip,
	(SELECT array_agg(id) FROM (SELECT id FROM pgvector_cosine ORDER BY v <=> '[1,2,3,4]' LIMIT 50) s)
	= (SELECT array_agg(id) FROM (SELECT id FROM docs ORDER BY v <=> '[1,2,3,4]' LIMIT 50) s) AS cosine,
	(SELECT array_agg(id) FROM (SELECT id FROM pgvector_l1 ORDER BY v <+> '[1,2,3,4]' LIMIT 50) s)
	= (SELECT array_agg(id) FROM (SELECT id FROM docs ORDER BY v <+> '[1,2,3,4]' LIMIT 50) s) AS l1,
	(SELECT array_agg(id) FROM (SELECT id FROM pgvector_half ORDER BY h <-> '[1,2,3,4.5]' LIMIT 50) s)
	= (SELECT array_agg(id) FROM (SELECT id FROM docs ORDER BY h <-> '[1,2,3,4.5]' LIMIT 50) s) AS half;
-- values come back as they were
SELECT count(*) FROM (SELECT id, v, h FROM docs EXCEPT SELECT id, v, h FROM pgvector_l2) s;
SELECT count(*) FROM (SELECT id, h FROM docs EXCEPT SELECT id, h FROM pgvector_half) s;
SELECT id, h FROM pgvector_half ORDER BY h <-> '[1,2,3,4]' LIMIT 2;
-- halves at the edges: subnormal, largest, negative zero
CREATE TABLE edges (id int PRIMARY KEY, h halfvec(3));
INSERT INTO edges VALUES (1, '[5.9604645e-08,65504,-0]'), (2, '[6.1035156e-05,-65504,0.33325195]'), (3, '[6.097555e-05,1,2049]');
SET client_min_messages = warning;
SELECT vector_fdw.create_collection('pgvector_edges', 'edges', 'h', index => 'flat');
RESET client_min_messages;
SELECT vector_fdw.wait_for_collection('pgvector_edges');
CREATE FOREIGN TABLE pgvector_edges (id int, h halfvec(3)) SERVER vectord OPTIONS (schema_name 'pgvector');
SELECT f.id, f.h::text = e.h::text AS same, f.h FROM pgvector_edges f JOIN edges e USING (id) ORDER BY 1;
-- a real[] shows the same collection, and what may not be searched for
CREATE FOREIGN TABLE as_array (id int, v real[]) SERVER vectord OPTIONS (collection 'pgvector_l2', schema_name 'pgvector');
SELECT id FROM as_array ORDER BY v <-> '{1,2,3,4}'::real[] LIMIT 3;
SELECT id FROM pgvector_l2 ORDER BY v <-> '[1,2,3]' LIMIT 3;
-- halves of what is no halfvec in the source table have distances of their own
CREATE FOREIGN TABLE as_half (id int, h halfvec(4) OPTIONS (column_name 'v')) SERVER vectord OPTIONS (collection 'pgvector_l2', schema_name 'pgvector');
EXPLAIN (COSTS OFF) SELECT id FROM as_half ORDER BY h <-> '[1,2,3,4]' LIMIT 3;
EXPLAIN (COSTS OFF) SELECT id FROM as_half WHERE h <-> '[1,2,3,4]' < 2.5;
SELECT (SELECT array_agg(d) FROM (SELECT h <-> '[1,2,3,4]' AS d FROM as_half ORDER BY d LIMIT 50) s)
	= (SELECT array_agg(d) FROM (SELECT v::halfvec(4) <-> '[1,2,3,4]' AS d FROM docs ORDER BY d LIMIT 50) s) AS same;
-- without vectord, by any type of vectors
CREATE SERVER nobody FOREIGN DATA WRAPPER vector_fdw OPTIONS (endpoint 'ipc:///nonexistent/vectord.sock', on_unavailable 'scan');
CREATE FOREIGN TABLE double_vector (id int, v double precision[]) SERVER nobody OPTIONS (collection 'pgvector_l2', schema_name 'pgvector');
CREATE FOREIGN TABLE double_half (id int, h double precision[]) SERVER nobody OPTIONS (collection 'pgvector_half', schema_name 'pgvector');
CREATE FOREIGN TABLE half_vector (id int, v halfvec(4)) SERVER nobody OPTIONS (collection 'pgvector_l2', schema_name 'pgvector');
SELECT id FROM double_vector ORDER BY v <-> '{1,2,3,4}'::float8[] LIMIT 3;
SELECT count(*), count(h), min(h) FROM double_half;
SELECT id, v FROM half_vector WHERE id < 2 ORDER BY id;
SELECT id FROM double_vector ORDER BY v <-> '{1,2,3}'::float8[] LIMIT 3;
DROP SERVER nobody CASCADE;

SET client_min_messages = warning;
SELECT count(vector_fdw.drop_collection('pgvector_' || m)) FROM unnest('{l2,ip,cosine,l1,half,edges}'::text[]) m;
DROP SCHEMA pgvector CASCADE;
\if :created
DROP EXTENSION vector;
\endif

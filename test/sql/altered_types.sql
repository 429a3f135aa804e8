-- Types of included columns that change under a collection: the stream of changes does not tell, so the table is copied anew.

SET client_min_messages = warning;
CREATE SCHEMA at;
SET search_path = at, public;
CREATE TYPE color AS ENUM ('red', 'green', 'blue');
CREATE TYPE comp AS (a int, b text);
CREATE TABLE t (id int PRIMARY KEY, year int, c color, k comp, embedding real[]);
INSERT INTO t SELECT i, 1900 + i, (enum_range(NULL::color))[1 + i % 3], ROW(i, 'b' || i)::comp, ARRAY[sin(i), cos(i)]
	FROM generate_series(1, 200) i;
SELECT vector_fdw.create_collection('at_t', 'at.t', 'embedding', index => 'flat', include => '{year,c,k}');
CREATE FOREIGN TABLE near (id int, year int, c color, k comp, embedding real[]) SERVER vectord
	OPTIONS (collection 'at_t', schema_name 'at');
SELECT vector_fdw.wait_for_collection('at_t');
CREATE VIEW counts AS SELECT c, (SELECT count(*) FROM near n WHERE n.c = s.c) AS remote, count(*) AS source
	FROM t s GROUP BY c ORDER BY c;
CREATE FUNCTION differing() RETURNS bigint LANGUAGE sql AS $$
	SELECT count(*) FROM t FULL JOIN (SELECT id, c, k::text FROM near) n USING (id)
	WHERE (t.c, t.k::text) IS DISTINCT FROM (n.c, n.k) $$;
TABLE counts;

-- This session's next query waits for the copy.
ALTER TYPE color RENAME VALUE 'red' TO 'crimson';
TABLE counts;
SELECT differing();
SELECT * FROM vector_fdw.verify_collection('at_t');
BEGIN;
ALTER TYPE color RENAME VALUE 'green' TO 'swap';
ALTER TYPE color RENAME VALUE 'blue' TO 'green';
ALTER TYPE color RENAME VALUE 'swap' TO 'blue';
COMMIT;
TABLE counts;
SELECT differing();
ALTER TYPE comp ADD ATTRIBUTE z int;
SELECT id, k FROM near ORDER BY embedding <-> '{0,1}', id LIMIT 2;
SELECT differing();
UPDATE t SET k.z = 7 WHERE id <= 50;
SELECT count(*) FROM near WHERE (k).z = 7;
ALTER TYPE comp DROP ATTRIBUTE b;
SELECT differing();
-- A column's own type: what is asked of the new one is not asked of the old rows.
ALTER TABLE t ALTER COLUMN year TYPE timestamp USING make_timestamp(year, 1, 1, 0, 0, 0);
ALTER FOREIGN TABLE near ALTER COLUMN year TYPE timestamp;
SELECT id, year FROM near WHERE year < '1903-01-01' ORDER BY id;
-- Nothing to copy.
SELECT builds FROM vector_fdw.stat_collections WHERE name = 'at_t' \gset
ALTER TYPE color ADD VALUE 'white' BEFORE 'crimson';
INSERT INTO t VALUES (201, '2101-01-01', 'white', NULL, '{0,0}');
TABLE counts;
SELECT * FROM vector_fdw.verify_collection('at_t');
SELECT builds = :builds AS same FROM vector_fdw.stat_collections WHERE name = 'at_t';
SELECT vector_fdw.drop_collection('at_t');

-- Which statements ask for it, and for which sources: of types in types, too.
SET vector_fdw.daemon_role = '';
CREATE DOMAIN dark AS color CHECK (value <> 'white');
CREATE TYPE pair AS (first dark, second text);
CREATE TYPE span AS RANGE (subtype = color, multirange_type_name = spans);
CREATE TABLE parent (x int);
CREATE TABLE rows () INHERITS (parent);
CREATE TYPE alone AS (a int);
CREATE TABLE typed OF alone;
CREATE TABLE d (id int PRIMARY KEY, x dark, v real[]);
CREATE TABLE a (id int PRIMARY KEY, x color[], v real[]);
CREATE TABLE p (id int PRIMARY KEY, x pair[], v real[]);
CREATE TABLE m (id int PRIMARY KEY, x spans, v real[]);
CREATE TABLE r (id int PRIMARY KEY, x rows, v real[]);
CREATE TABLE o (id int PRIMARY KEY, x typed, v real[]);
CREATE TABLE u (id int PRIMARY KEY, x color, v real[]);
SELECT count(vector_fdw.create_collection('at_' || n, n, 'v', include => '{x}')) FROM unnest('{d,a,p,m,r,o}'::regclass[]) n;
SELECT vector_fdw.create_collection('at_u', 'u', 'v');
SELECT count(*) FROM pg_create_logical_replication_slot('at_slot', 'test_decoding');
CREATE FUNCTION asked() RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(string_agg(DISTINCT substring(data FROM 'content:(\d+)$')::oid::regclass::text, ' ' ORDER BY
		substring(data FROM 'content:(\d+)$')::oid::regclass::text), '-')
	FROM pg_logical_slot_get_changes('at_slot', NULL, NULL)
	WHERE data ~ '^message: transactional: 1 prefix: vectord.resync,' $$;
\pset tuples_only on
\pset format unaligned
SELECT asked();
ALTER TYPE color RENAME VALUE 'crimson' TO 'red';
SELECT asked();
ALTER TYPE pair ADD ATTRIBUTE third int;
SELECT asked();
ALTER TYPE pair DROP ATTRIBUTE third;
SELECT asked();
ALTER TABLE parent ADD COLUMN y int;
SELECT asked();
ALTER TABLE parent DROP COLUMN y;
SELECT asked();
ALTER TYPE alone ADD ATTRIBUTE b int CASCADE;
SELECT asked();
-- An attribute that goes with its type.
CREATE TYPE mood AS ENUM ('good');
ALTER TYPE pair ADD ATTRIBUTE mood mood;
SELECT asked();
DROP TYPE mood CASCADE;
SELECT asked();
-- Values stay what they are.
ALTER TYPE color ADD VALUE IF NOT EXISTS 'black';
ALTER TYPE color RENAME TO colour;
ALTER TYPE colour SET SCHEMA public;
ALTER TYPE public.colour OWNER TO CURRENT_USER;
ALTER TYPE pair RENAME ATTRIBUTE second TO other;
ALTER TYPE pair RENAME TO couple;
ALTER DOMAIN dark DROP CONSTRAINT dark_check;
CREATE TYPE unused AS ENUM ('one');
ALTER TYPE unused RENAME VALUE 'one' TO 'two';
BEGIN;
ALTER TYPE public.colour RENAME VALUE 'red' TO 'crimson';
ROLLBACK;
SELECT asked();

SELECT pg_drop_replication_slot('at_slot');
DROP SCHEMA at CASCADE;
DROP TYPE public.colour;
SELECT count(*) AS left_behind FROM vector_fdw.collection WHERE name LIKE 'at\_%';

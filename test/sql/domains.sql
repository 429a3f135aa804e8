-- Columns whose type is a domain: they are read and filtered as their base types are, and as nothing else.
CREATE SCHEMA domains;
SET search_path = domains, public;
SET client_min_messages = warning;	-- whether rights were granted depends on the roles
SET timezone = 'Europe/Vienna';
CREATE DOMAIN document AS jsonb;
CREATE DOMAIN profile AS document;
CREATE DOMAIN numbers AS int[];
CREATE DOMAIN tags AS text[];
CREATE DOMAIN labels AS tags;
CREATE DOMAIN count AS int;
CREATE DOMAIN moment AS timestamptz;
CREATE DOMAIN number AS oid;
CREATE DOMAIN ratio AS real;
CREATE TABLE docs (id int PRIMARY KEY, j document, p profile, n numbers, t tags, l labels, c count, m moment, o number, r ratio, v real[]);
INSERT INTO docs SELECT i, jsonb_build_object('a', i % 3, 'b', 'x' || i % 4), jsonb_build_object('k' || i % 5, i), ARRAY[i % 7, i % 2],
	ARRAY['t' || i % 6], ARRAY['l' || i % 4, NULL], i % 9, '2020-01-01 12:00+00'::timestamptz + i * interval '1 hour', 4000000000 + i, i / 4.0,
	ARRAY[sin(i), cos(i)] FROM generate_series(1, 100) i;
SELECT vector_fdw.create_collection('domains_docs', 'docs', 'v', index => 'flat', include => '{j,p,n,t,l,c,m,o,r}');
SELECT vector_fdw.wait_for_collection('domains_docs');
IMPORT FOREIGN SCHEMA domains LIMIT TO (domains_docs) FROM SERVER vectord INTO domains;
CREATE FOREIGN TABLE plain (id bigint, j jsonb, p jsonb, n int[], t text[], l text[], c bigint, m timestamptz, o oid, r float8, v real[])
	SERVER vectord OPTIONS (collection 'domains_docs', schema_name 'domains');
SELECT count(*) FROM (SELECT id, j, p, n, t, l, c, m, o, r, v FROM domains_docs EXCEPT ALL SELECT * FROM docs) missing;
SELECT count(*) FROM (SELECT * FROM plain EXCEPT ALL SELECT id::bigint, j::jsonb, p::jsonb, n::int[], t::text[], l::text[], c::bigint,
	m::timestamptz, o::oid, r::float8, v FROM docs) missing;

-- How many rows each condition finds where: in the table, by an imported foreign table, by one of base types; and whether nothing stayed.
CREATE FUNCTION stayed(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
		IF line ~ '^ *Filter:' THEN RETURN true; END IF;
	END LOOP;
	RETURN false;
END $$;
CREATE FUNCTION found(tablename text, condition text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	counted text;
	ids int[];
BEGIN
	EXECUTE format('SELECT count(*) FROM %I WHERE %s', tablename, condition) INTO counted;
	EXECUTE format('SELECT array_agg(id) FROM (SELECT id FROM %I WHERE %s ORDER BY v <-> ''{0,1}'' LIMIT 3) s', tablename, condition) INTO ids;
	RETURN counted || ' ' || coalesce(ids::text, '-') ||
		CASE WHEN stayed(format('SELECT id FROM %I WHERE %s', tablename, condition)) AND tablename <> 'docs' THEN ' local' ELSE '' END;
END $$;
SELECT c AS condition, found('docs', c) AS docs, found('domains_docs', c) AS imported, found('plain', c) AS plain FROM unnest(ARRAY[
	'j @> ''{"a": 1}''', 'j ? ''b''', 'j ->> ''b'' = ''x1''', 'j ->> ''b'' <> ''x1''', 'p @> ''{"k1": 1}''', 'p ? ''k2''', 'p ->> ''k1'' = ''6''',
	'n && ''{3}''', 'n @> ''{3,1}''', '3 = ANY (n)', '3 <> ALL (n)', 't && ''{t1}''', '''t2'' = ANY (t)', 'l @> ''{l1}''', '''l1'' = ANY (l)',
	'j @> ''{"a": 1}'' OR 3 = ANY (n)', 'NOT (p ? ''k2'' OR l && ''{l3}'')', 'c = 4 OR j ? ''z''', 'c < 3', 'm > ''2020-01-02 12:00''', 'r = 2.5',
	'n IS NULL']) c;
SELECT count(*) FROM vector_fdw.search('domains_docs', '{{0,1}}'::real[], 100, filter => 'j @> ''{"a": 1}'' AND n && ''{3}''');
SET plan_cache_mode = force_generic_plan;
PREPARE p(jsonb, text, int[], int) AS SELECT count(*) FROM domains_docs WHERE j @> $1 AND j ? $2 AND (n && $3 OR $4 = ANY (n));
EXECUTE p('{"a": 1}', 'b', '{3}', 4);
EXECUTE p('{"a": 1}', 'b', NULL, NULL);
RESET plan_cache_mode;
SELECT count(*) FROM docs WHERE j @> '{"a": 1}' AND j ? 'b' AND (n && '{3}' OR 4 = ANY (n));

-- The same width is not the same type; a wider one of the same kind does.
CREATE FOREIGN TABLE others (c date, m timestamp, o int, r int, j text, n text[], l numbers, p document, t labels) SERVER vectord
	OPTIONS (collection 'domains_docs', schema_name 'domains');
SELECT c FROM others LIMIT 1;
SELECT m FROM others LIMIT 1;
SELECT o FROM others LIMIT 1;
SELECT r FROM others;
SELECT n FROM others;
SELECT l FROM others;
SELECT p FROM others LIMIT 1;
SELECT t FROM others LIMIT 1;

-- Of a collection of another database nobody here knows what a domain stands for: a domain here is believed to be that one.
\getenv endpoint VECTORD_ENDPOINT
SELECT current_database() AS here \gset
CREATE DATABASE domains_elsewhere;
\c domains_elsewhere
SET client_min_messages = warning;
CREATE EXTENSION vector_fdw;
CREATE SERVER vectord FOREIGN DATA WRAPPER vector_fdw OPTIONS (endpoint :'endpoint', dbname :'here');
CREATE USER MAPPING FOR CURRENT_USER SERVER vectord;
CREATE DOMAIN quantity AS int;
CREATE FOREIGN TABLE far (id bigint, c quantity, m timestamp, i int OPTIONS (column_name 'c'), r real, j jsonb) SERVER vectord
	OPTIONS (collection 'domains_docs', schema_name 'domains');
SELECT sum(id), sum(c), max(r) FROM far;
SELECT m FROM far LIMIT 1;
SELECT i FROM far LIMIT 1;
SELECT j FROM far LIMIT 1;
\c :here
SET client_min_messages = warning;
DROP DATABASE domains_elsewhere;

SELECT vector_fdw.drop_collection('domains_docs');
DROP SCHEMA domains CASCADE;

-- Values of every type come back as the source table has them.
CREATE SCHEMA types;
SET search_path = types, public;
SET datestyle = ISO;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN percent AS int CHECK (VALUE BETWEEN 0 AND 100);
CREATE TABLE docs (
	id uuid, part smallint, b bool, i2 int2, i4 int4, i8 int8, f4 float4, f8 float8, n numeric(30,10), t text,
	vc varchar(20), c char(5), nm name, d date, ti time, ts timestamp, tz timestamptz, iv interval, j jsonb,
	m mood, ia int[], ta text[], by bytea, o oid, p percent, embedding real[], PRIMARY KEY (id, part));
INSERT INTO docs SELECT md5(i::text)::uuid, i % 5, i % 2 = 0, i - 50, -i * 1000, i * 10000000000, i / 3.0, i / 7.0,
	i * 1234567890.0987654321, 'row ' || i || ' ÄÖÜ 漢字', 'v' || i, 'c' || i % 10, 'n' || i,
	date '2020-01-01' + i, time '00:00' + i * interval '1 minute', timestamp '2001-02-03' + i * interval '1 hour',
	timestamptz '2001-02-03 00:00+00' + i * interval '1 hour', i * interval '1 day 2 hours',
	jsonb_build_object('i', i, 't', 'ü'), (enum_range(NULL::mood))[1 + i % 3], ARRAY[i, NULL, -i],
	ARRAY['x' || i, 'ß', NULL], decode(md5(i::text), 'hex'), i, i, ARRAY[i, -i, 1]
	FROM generate_series(1, 100) i;
INSERT INTO docs (id, part) VALUES ('00000000-0000-0000-0000-000000000000', 0);
INSERT INTO docs (id, part, d, ts, tz, f4, f8, n, t, embedding) VALUES ('00000000-0000-0000-0000-000000000001', 0,
	'infinity', '-infinity', 'infinity', 'NaN', '-Infinity', 'NaN', '', '{0,0,0}');
SET client_min_messages = warning;	-- whether rights were granted depends on the roles
SELECT vector_fdw.create_collection('types_docs', 'docs', 'embedding', index => 'flat',
	include => '{b,i2,i4,i8,f4,f8,n,t,vc,c,nm,d,ti,ts,tz,iv,j,m,ia,ta,by,o,p}');
RESET client_min_messages;
SELECT vector_fdw.wait_for_collection('types_docs');
CREATE FOREIGN TABLE near (
	id uuid, part smallint, b bool, i2 int2, i4 int4, i8 int8, f4 float4, f8 float8, n numeric(30,10), t text,
	vc varchar(20), c char(5), nm name, d date, ti time, ts timestamp, tz timestamptz, iv interval, j jsonb,
	m mood, ia int[], ta text[], by bytea, o oid, p percent, embedding real[])
	SERVER vectord OPTIONS (collection 'types_docs', schema_name 'types');

SELECT count(*) FROM (SELECT * FROM near EXCEPT ALL SELECT * FROM docs) missing;
SELECT count(*) FROM (SELECT * FROM docs EXCEPT ALL SELECT * FROM near) extra;
SELECT i2, f4, n, t, vc, c, m, ia, ta, iv, j, by FROM near ORDER BY embedding <-> '{2.1,-2,1}' LIMIT 2;
SELECT (near).t, to_jsonb(near) ->> 'id' FROM near ORDER BY embedding <-> '{2.1,-2,1}' LIMIT 1;
SELECT id, b, d, ts, tz, f4, f8, n, t = '', embedding FROM near WHERE part = 0 ORDER BY id LIMIT 2;
-- another encoding of the client changes neither text nor what holds text
SET client_encoding = latin1;
SELECT count(*) FROM (SELECT * FROM near EXCEPT ALL SELECT * FROM docs) missing;
SHOW client_encoding;
RESET client_encoding;

-- wider types are fine, others are refused, as are columns that are not served
CREATE FOREIGN TABLE wide (part bigint, i2 int, i4 bigint, f4 float8, t varchar, v double precision[]
	OPTIONS (column_name 'embedding')) SERVER vectord OPTIONS (collection 'types_docs', schema_name 'types');
SELECT * FROM wide WHERE i2 = -48;
EXPLAIN (COSTS OFF) SELECT i2 FROM wide ORDER BY v <-> '{1,1,1}'::float8[] LIMIT 1;
CREATE FOREIGN TABLE narrow (i8 int, t int, n text, embedding text) SERVER vectord
	OPTIONS (collection 'types_docs', schema_name 'types');
SELECT i8 FROM narrow;
SELECT t FROM narrow;
SELECT n FROM narrow;
SELECT embedding FROM narrow;
CREATE FOREIGN TABLE more (id uuid, nothing int) SERVER vectord
	OPTIONS (collection 'types_docs', schema_name 'types');
SELECT count(*) FROM more;
SELECT nothing FROM more;

-- a length or precision of the foreign table's own: what a cast makes of the values, also for conditions
INSERT INTO docs (id, part, t, c, vc, ts, tz, ti, embedding) VALUES ('00000000-0000-0000-0000-000000000002', 0, 'ä', 'b', '漢字 x',
	'2020-01-01 00:00:00.567', '2020-01-01 00:00:00.567+00', '23:59:59.999', '{9,9,9}');
CREATE DOMAIN short AS varchar(2);
CREATE FOREIGN TABLE lengths (id uuid, part int, t varchar(1), t3 char(3) OPTIONS (column_name 't'), t30 char(30) OPTIONS (column_name 't'),
	c varchar(2), ct text OPTIONS (column_name 'c'), c9 char(9) OPTIONS (column_name 'c'), vc char(3), vs short OPTIONS (column_name 'vc'),
	ts timestamp(0), tz timestamptz(1), ti time(2), n numeric(20,1), iv interval day, embedding real[])
	SERVER vectord OPTIONS (collection 'types_docs', schema_name 'types');
CREATE VIEW casts AS SELECT id, part::int, t::varchar(1), t::char(3) AS t3, t::char(30) AS t30, c::varchar(2), c::text AS ct, c::char(9) AS c9,
	vc::char(3), vc::short AS vs, ts::timestamp(0), tz::timestamptz(1), ti::time(2), n::numeric(20,1), iv::interval day, embedding FROM docs;
CREATE FUNCTION differing(condition text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE answer text;
BEGIN
	EXECUTE format('SELECT (SELECT count(*) FROM (SELECT far::text FROM lengths far WHERE %1$s EXCEPT ALL SELECT near::text FROM casts near WHERE %1$s) a)
		|| '' + '' || (SELECT count(*) FROM (SELECT near::text FROM casts near WHERE %1$s EXCEPT ALL SELECT far::text FROM lengths far WHERE %1$s) b)
		|| '' of '' || (SELECT count(*) FROM casts WHERE %1$s)', condition) INTO answer;
	RETURN answer;
END $$;
SELECT c AS condition, differing(c) FROM unnest('{true,t = ''r'',t = ''ä'',t3 = ''row'',t3 LIKE ''ro%'',t30 = ''row 5 ÄÖÜ 漢字'',c = ''c5'',ct = ''c5'',c9 = ''c5'',
	vc = ''漢字'',vs = ''漢字'',vs IN (''v1''),ts = ''2020-01-01 00:00:01'',tz = ''2020-01-01 00:00:00.6+00'',ti = ''24:00'',n = 1234567890.1,
	iv = ''3 days'',t LIKE ''r%'' OR ts IS NULL,id = ''00000000-0000-0000-0000-000000000002''}'::text[]) c;
SELECT t, t3, vc, vs, ts, tz, ti FROM lengths ORDER BY embedding <-> '{9,9,9}' LIMIT 1;
CREATE TABLE codes (code text PRIMARY KEY, v real[]);
INSERT INTO codes VALUES ('alpha', '{1,0}'), ('beta', '{0,1}'), ('b', NULL);
SET client_min_messages = warning;
SELECT vector_fdw.create_collection('types_codes', 'codes', 'v', index => 'flat');
SELECT vector_fdw.wait_for_collection('types_codes');
RESET client_min_messages;
CREATE FOREIGN TABLE letters (letter varchar(1) OPTIONS (column_name 'code'), v real[]) SERVER vectord
	OPTIONS (collection 'types_codes', schema_name 'types');
SELECT letter FROM letters WHERE letter = 'b';
SELECT l.letter, w.code FROM (VALUES ('a'::varchar(1)), ('b')) w (code) JOIN letters l ON l.letter = w.code ORDER BY 1;
SELECT letter FROM letters WHERE letter = 'a' ORDER BY v <-> '{0,2}' LIMIT 2;
SELECT * FROM vector_fdw.verify_collection('types_codes');

SET client_min_messages = warning;
SELECT vector_fdw.drop_collection('types_docs');
SELECT vector_fdw.drop_collection('types_codes');
DROP SCHEMA types CASCADE;

-- verify_collection() tells what differs, for every kind of column, and who may call it.

SET vector_fdw.daemon_role = '';
CREATE SCHEMA v_app;
CREATE DOMAIN v_app.label AS text;
CREATE TYPE v_app.mood AS ENUM ('sad', 'happy');
CREATE TABLE v_app.docs (id bigint, part text, PRIMARY KEY (id, part), t text, n numeric, u uuid, j jsonb, ts timestamptz,
  d date, a text[], c "char", vc varchar(20), bp char(8), f4 real, f8 double precision, iv interval, b bytea, bo boolean,
  s smallint, nm name, l v_app.label, m v_app.mood, v real[]);
INSERT INTO v_app.docs
  SELECT i, 'p' || i % 3, 'row ' || i, i / 7.0, md5(i::text)::uuid, jsonb_build_object('i', i), '2024-01-01'::timestamptz + i * interval '1 s',
    '2024-01-01'::date + i, array['a' || i, NULL], 'x', 'v' || i, 'b' || i % 10, i / 3.0, i / 3.0, i * interval '1 min',
    int8send(i), i % 2 = 0, i, 'n' || i, 'l' || i, CASE WHEN i % 2 = 0 THEN 'sad' ELSE 'happy' END::v_app.mood,
    CASE WHEN i % 10 = 0 THEN NULL ELSE array[i, i + 1, 1 / i::float8] END
  FROM generate_series(1, 2000) i;
-- NULL in all that may be NULL; vectors that are rejected.
INSERT INTO v_app.docs (id, part, v) VALUES (3000, '', NULL), (3001, '', '{1,2,3}'), (3002, '', '{NaN,2,3}'),
  (3003, '', '{1,2}'), (3004, '', '{}'), (3005, '', '{NULL,2,3}'), (3006, '', '{{1,2,3}}'), (3007, '', '{Infinity,2,3}');
SELECT vector_fdw.create_collection('v_docs', 'v_app.docs', 'v',
  include => '{t,n,u,j,ts,d,a,c,vc,bp,f4,f8,iv,b,bo,s,nm,l,m}');
CREATE TABLE v_app.parted (id int PRIMARY KEY, v double precision[]) PARTITION BY HASH (id);
CREATE TABLE v_app.parted_0 PARTITION OF v_app.parted FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE v_app.parted_1 PARTITION OF v_app.parted FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO v_app.parted SELECT i, array[i, 1.0 / i] FROM generate_series(1, 1000) i;
INSERT INTO v_app.parted VALUES (-1, '{1e300,1}');
SELECT vector_fdw.create_collection('v_parted', 'v_app.parted', 'v', index => 'flat');
CREATE TABLE v_app.empty (id int PRIMARY KEY, v real[]);
SELECT vector_fdw.create_collection('v_empty', 'v_app.empty', 'v');

SELECT * FROM vector_fdw.verify_collection('v_docs');
SELECT * FROM vector_fdw.verify_collection('v_parted');
SELECT * FROM vector_fdw.verify_collection('v_empty', timeout => '1 min');

-- What is not committed vectord cannot have, so it shows as a difference.
BEGIN;
DELETE FROM v_app.docs WHERE id BETWEEN 1 AND 3;
INSERT INTO v_app.docs (id, part, v) VALUES (5000, '', '{1,2,3}'), (5001, '', NULL), (5002, '', '{1,2}');
UPDATE v_app.docs SET v = '{9,9,9}' WHERE id = 11;
UPDATE v_app.docs SET v = NULL WHERE id = 12;
UPDATE v_app.docs SET v = '{1,1,1}' WHERE id = 20;
UPDATE v_app.docs SET bo = NOT bo WHERE id = 31;
UPDATE v_app.docs SET n = n + 1 WHERE id = 32;
UPDATE v_app.docs SET l = '' WHERE id = 33;
UPDATE v_app.docs SET iv = NULL WHERE id = 34;
UPDATE v_app.docs SET t = t WHERE id = 35;
SELECT * FROM vector_fdw.verify_collection('v_docs');
SAVEPOINT s;
UPDATE v_app.docs SET id = id + 10000 WHERE id = 40;
UPDATE v_app.docs SET v = '{NaN,1,1}' WHERE id = 41;
SELECT * FROM vector_fdw.verify_collection('v_docs');
-- The table is not left locked.
SELECT mode FROM pg_locks WHERE relation = 'v_app.docs'::regclass AND mode = 'ShareLock';
ROLLBACK;
SELECT * FROM vector_fdw.verify_collection('v_docs');
-- A snapshot taken long before does not matter.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM v_app.docs;
SELECT * FROM vector_fdw.verify_collection('v_docs');
COMMIT;

SELECT * FROM vector_fdw.verify_collection('v_nowhere');
CREATE ROLE v_reader;
GRANT USAGE ON SCHEMA v_app TO v_reader;
GRANT SELECT ON v_app.docs TO v_reader;
SET ROLE v_reader;
SELECT * FROM vector_fdw.verify_collection('v_docs');
RESET ROLE;
SELECT vector_fdw.unload_collection('v_docs');
SELECT * FROM vector_fdw.verify_collection('v_docs');

-- A commit that is not flushed yet is, before anything is asked for.
BEGIN;
SET LOCAL synchronous_commit = off;
INSERT INTO v_app.empty VALUES (1, '{1}');
COMMIT;
SELECT pg_current_wal_insert_lsn() AS written \gset
SELECT vector_fdw.wait_for_collection('v_empty');
-- Less the header of a page that nothing stands on yet.
SELECT pg_current_wal_flush_lsn() >= :'written'::pg_lsn - 40 AS flushed;

-- Rejected rows are named by all parts of their keys, copied or written later.
CREATE TABLE v_app.parts (a text, b int, v real[], PRIMARY KEY (a, b));
INSERT INTO v_app.parts VALUES ('x', 1, '{1,1}'), ('', 2, '{NaN,1}');
SELECT vector_fdw.create_collection('v_parts', 'v_app.parts', 'v', index => 'flat');
SELECT vector_fdw.wait_for_collection('v_parts');
SELECT last_error FROM vector_fdw.stat_collections WHERE name = 'v_parts';
DELETE FROM v_app.parts WHERE a = '';
INSERT INTO v_app.parts VALUES ('', 3, '{NaN,1}');
SELECT vector_fdw.wait_for_collection('v_parts');
SELECT last_error FROM vector_fdw.stat_collections WHERE name = 'v_parts';
SELECT vector_fdw.drop_collection('v_parts');

SELECT vector_fdw.drop_collection('v_docs'), vector_fdw.drop_collection('v_parted'), vector_fdw.drop_collection('v_empty');
SET client_min_messages = warning;
DROP SCHEMA v_app CASCADE;
DROP ROLE v_reader;

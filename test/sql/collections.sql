-- Defining, altering and dropping collections: what the catalog holds, and every refusal.
-- All of it rolls back, so that no daemon builds what is defined here.

BEGIN;
CREATE SCHEMA c_app;
SET LOCAL search_path = c_app, public;
SET LOCAL vector_fdw.daemon_role = '';
CREATE TABLE docs (id bigint PRIMARY KEY, code text NOT NULL UNIQUE, title text, year int, embedding real[]);
ALTER TABLE docs REPLICA IDENTITY FULL;
CREATE VIEW shown AS SELECT name, source, vector_column, metric, index, key_columns, include, daemon, options,
  loaded, altered_at >= created_at AS ordered FROM vector_fdw.collection WHERE source::text LIKE '%docs%';

-- Defaults, and everything given.
SELECT vector_fdw.create_collection('c_docs', 'c_app.docs', 'embedding');
SELECT vector_fdw.create_collection(name => 'c_full', source => 'docs', vector_column => 'embedding',
  metric => 'cosine', index => 'hnsw', key_columns => '{code}', include => '{title,year}', daemon => 'vectord2',
  options => '{"m":16,"ef_construction":64,"ef_search":40,"target_recall":0.95,"memory_limit":"4GB","dimensions":3,
               "quantizer":"none","storage":"ram","oversample":1.5}');
SELECT * FROM shown ORDER BY name;

-- Altering: what is not named stays; only what is built in gives a new definition_id.
CREATE TABLE ids AS SELECT name, definition_id FROM vector_fdw.collection;
CREATE VIEW rebuilt AS SELECT name, c.definition_id <> ids.definition_id AS rebuilt
  FROM vector_fdw.collection c JOIN ids USING (name) WHERE name = 'c_full';
SELECT vector_fdw.alter_collection('c_full', options => '{"ef_search":80,"memory_limit":null}');
SELECT * FROM rebuilt;
SELECT vector_fdw.alter_collection('c_full', daemon => '', metric => 'cosine', include => '{title,year}', options => '{"m":16}');
SELECT * FROM rebuilt;
SELECT * FROM shown WHERE name = 'c_full';
SELECT vector_fdw.alter_collection('c_full', options => '{"m":32}');
SELECT * FROM rebuilt;
SELECT vector_fdw.alter_collection('c_full', metric => 'ip', include => '{}', key_columns => '{id}', index => 'ivf',
  options => '{"m":null,"ef_construction":null,"ef_search":null,"nlist":100,"nprobe":8}');
SELECT * FROM shown WHERE name = 'c_full';
UPDATE ids SET definition_id = c.definition_id FROM vector_fdw.collection c WHERE c.name = ids.name;
SELECT vector_fdw.alter_collection('c_full', options => '{"oversample":4}');
SELECT * FROM rebuilt;
SELECT vector_fdw.alter_collection('c_full', options => '{"quantizer":"pq"}');
SELECT * FROM rebuilt;

-- Unloading, loading, rebuilding, dropping.
SELECT vector_fdw.unload_collection('c_docs');
SELECT vector_fdw.unload_collection('c_docs');
SELECT name, loaded FROM shown WHERE name = 'c_docs';
SELECT vector_fdw.load_collection('c_docs');
UPDATE ids SET definition_id = c.definition_id FROM vector_fdw.collection c WHERE c.name = ids.name;
SELECT vector_fdw.rebuild_collection('c_full');
SELECT * FROM rebuilt;
SELECT name, loaded FROM shown WHERE name = 'c_docs';
SELECT vector_fdw.drop_collection('c_full');
SELECT vector_fdw.drop_collection('c_full', if_exists => true);
SELECT name FROM shown;

-- Each refusal leaves things as they were. A function shows error, SQLSTATE, detail and hint.
CREATE FUNCTION refused(statement text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE state text; message text; detail text; hint text;
BEGIN
  EXECUTE 'SELECT vector_fdw.' || statement;
  RETURN NEXT 'accepted';
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
    hint = PG_EXCEPTION_HINT;
  RETURN NEXT state || ' ' || message;
  IF detail <> '' THEN RETURN NEXT '  DETAIL: ' || detail; END IF;
  IF hint <> '' THEN RETURN NEXT '  HINT: ' || hint; END IF;
END $$;
\pset tuples_only on
\pset format unaligned
SELECT refused(s) FROM unnest(ARRAY[
  $$alter_collection('nowhere', metric => 'l2')$$, $$rebuild_collection('nowhere')$$, $$drop_collection('nowhere')$$,
  $$load_collection('nowhere')$$, $$unload_collection('nowhere')$$, $$drop_collection(NULL)$$,
  $$create_collection('c_docs', 'docs', 'embedding')$$,
  $$create_collection('', 'docs', 'embedding')$$,
  $$create_collection(repeat('x', 64), 'docs', 'embedding')$$,
  $$create_collection('   ', 'docs', 'embedding')$$,
  $$create_collection(E'two\nlines', 'docs', 'embedding')$$,
  $$create_collection(E'rubbed out\u007f', 'docs', 'embedding')$$,
  $$create_collection(NULL, 'docs', 'embedding')$$,
  $$create_collection('x', NULL, 'embedding')$$,
  $$create_collection('x', 'missing', 'embedding')$$,
  $$create_collection('x', 'docs', NULL)$$,
  $$create_collection('x', 'docs', 'embedding', metric => NULL)$$,
  $$create_collection('x', 'docs', 'embedding', metric => 'euclid')$$,
  $$create_collection('x', 'docs', 'embedding', index => 'btree')$$,
  $$create_collection('x', 'docs', 'embedding', daemon => '')$$,
  $$create_collection('x', 'docs', 'embedding', daemon => ' ')$$,
  $$create_collection('x', 'docs', 'embedding', daemon => 'no such é"')$$,
  $$alter_collection('c_docs', daemon => 'a/b')$$,
  $$create_collection('x', 'docs', 'embedding', include => '{{title,year}}')$$,
  $$create_collection('x', 'docs', 'embedding', key_columns => '{{id},{code}}')$$,
  $$create_collection('x', 'docs', 'embedding', key_columns => '{}')$$,
  $$alter_collection('c_docs', key_columns => '{}')$$,
  $$alter_collection('c_docs', include => '{{title,year}}')$$,
  $$alter_collection('c_docs', index => 'btree', options => '{"m":16}')$$]) AS s;

-- Columns.
CREATE DOMAIN embedding AS real[];
CREATE TABLE docs_columns (id int PRIMARY KEY, maybe int, part int UNIQUE, late int NOT NULL UNIQUE DEFERRABLE,
  a int NOT NULL, b varchar(9) NOT NULL, c uuid NOT NULL, when_ timestamptz NOT NULL UNIQUE, acl aclitem, acls aclitem[],
  e real[], d float8[], n numeric[], dom embedding, made real[] GENERATED ALWAYS AS (e || e) STORED, UNIQUE (a, b, c));
CREATE UNIQUE INDEX ON docs_columns (a) WHERE id > 0;
CREATE UNIQUE INDEX ON docs_columns (lower(b));
ALTER TABLE docs_columns REPLICA IDENTITY USING INDEX docs_columns_a_b_c_key;
SELECT refused(format($$create_collection('x', 'docs_columns', %s)$$, s)) FROM unnest(ARRAY[
  $$'nope'$$, $$'ctid'$$, $$'n'$$, $$'dom'$$, $$'made'$$,
  $$'e', key_columns => '{nope}'$$, $$'e', key_columns => '{maybe}'$$, $$'e', key_columns => '{late}'$$,
  $$'e', key_columns => '{a}'$$, $$'e', key_columns => '{b}'$$, $$'e', key_columns => '{a,b}'$$,
  $$'e', key_columns => '{when_}'$$, $$'e', key_columns => '{id,id}'$$, $$'e', key_columns => '{id,NULL}'$$,
  $$'e', include => '{nope}'$$, $$'e', include => '{acl}'$$, $$'e', include => '{acls}'$$, $$'e', include => '{made}'$$,
  $$'e', include => '{a,a}'$$, $$'e', include => '{id}'$$, $$'e', include => '{e}'$$, $$'e', include => '{NULL}'$$,
  $$'d', key_columns => '{c,a,b}', include => '{e,when_,maybe}'$$]) AS s;
SELECT key_columns, include FROM vector_fdw.collection WHERE name = 'x';

-- Source tables.
CREATE TABLE no_key (id int, e real[]);
CREATE TABLE no_identity (id int PRIMARY KEY, e real[]);
ALTER TABLE no_identity REPLICA IDENTITY NOTHING;
CREATE UNLOGGED TABLE unlogged (id int PRIMARY KEY, e real[]);
CREATE TEMP TABLE temporary (id int PRIMARY KEY, e real[]);
CREATE VIEW a_view AS TABLE docs;
CREATE MATERIALIZED VIEW a_matview AS TABLE docs;
CREATE TABLE parent (id int PRIMARY KEY, e real[]);
CREATE TABLE child () INHERITS (parent);
CREATE TABLE parted (id int PRIMARY KEY, e real[]) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (1) TO (10);
SELECT refused(format($$create_collection('y', %L, 'e')$$, s)) FROM unnest(ARRAY['no_key', 'no_identity', 'unlogged',
  'pg_temp.temporary', 'a_view', 'a_matview', 'parent', 'docs_pkey', 'pg_catalog.pg_class', 'parted']) AS s;
ALTER TABLE no_key REPLICA IDENTITY FULL;
ALTER TABLE parted_1 REPLICA IDENTITY NOTHING;
SELECT refused(format($$create_collection('z', %L, 'e')$$, s)) FROM unnest(ARRAY['no_key', 'parted']) AS s;

-- The key that a collection goes by has to be in the replica identity, of each partition.
CREATE TABLE keyed (id int PRIMARY KEY, u uuid NOT NULL UNIQUE, v real[]);
CREATE UNIQUE INDEX keyed_both ON keyed (u, id);
CREATE TABLE keyed_parts (id int, u int NOT NULL, v real[], PRIMARY KEY (u, id), UNIQUE (u)) PARTITION BY HASH (u);
CREATE TABLE keyed_part PARTITION OF keyed_parts FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE UNIQUE INDEX keyed_part_id ON keyed_part (id);
ALTER TABLE keyed_part REPLICA IDENTITY USING INDEX keyed_part_id;
SELECT refused(s) FROM unnest(ARRAY[
  $$create_collection('k', 'keyed', 'v', key_columns => '{u}')$$,
  $$create_collection('k', 'keyed', 'v')$$,
  $$alter_collection('k', key_columns => '{u}')$$,
  $$create_collection('k_parts', 'keyed_parts', 'v', key_columns => '{u}')$$,
  $$create_collection('k_parts', 'keyed_parts', 'v')$$]) AS s;
ALTER TABLE keyed REPLICA IDENTITY USING INDEX keyed_both;
SELECT refused($$alter_collection('k', key_columns => '{u}')$$);
ALTER TABLE keyed REPLICA IDENTITY USING INDEX keyed_u_key;
SELECT refused($$rebuild_collection('k')$$);
SELECT refused($$alter_collection('k', key_columns => '{id}')$$);
ALTER TABLE keyed REPLICA IDENTITY FULL;
SELECT refused($$alter_collection('k', key_columns => '{id}')$$);
ALTER TABLE keyed_part REPLICA IDENTITY DEFAULT;
SELECT refused($$create_collection('k_parts', 'keyed_parts', 'v')$$);

-- Options.
SELECT refused(format($$create_collection('w', 'docs', 'embedding', index => %L, options => %L)$$, i, o)) FROM (VALUES
  ('hnsw', '[]'), ('hnsw', '"m"'), ('hnsw', '{"lists":10}'), ('flat', '{"M":16}'), ('hnsw', '{"m":"16"}'),
  ('hnsw', '{"m":1}'), ('hnsw', '{"m":16.5}'), ('hnsw', '{"m":true}'), ('hnsw', '{"m":1e10}'),
  ('hnsw', '{"ef_search":{"a":1}}'), ('hnsw', '{"target_recall":1.01}'), ('hnsw', '{"target_recall":"high"}'),
  ('hnsw', '{"memory_limit":4}'), ('hnsw', '{"memory_limit":"4"}'), ('hnsw', '{"memory_limit":"4 GB"}'),
  ('hnsw', '{"memory_limit":"0GB"}'), ('hnsw', '{"quantizer":"sq4"}'), ('hnsw', '{"quantizer":8}'),
  ('hnsw', '{"storage":"tape"}'), ('hnsw', '{"dimensions":65536}'), ('ivf', '{"m":16}'), ('hnsw', '{"nlist":100}'),
  ('flat', '{"ef_search":40}'), ('flat', '{"quantizer":"sq8"}'), ('flat', '{"oversample":2}'), ('ivf', '{"oversample":0.5}'),
  ('hnsw', '{"m":null,"memory_limit":"512MB"}')) AS v (i, o);
-- Whoever scans all rows finds all: a target does not hurt there.
SELECT refused($$create_collection('w_flat', 'docs', 'embedding', index => 'flat', options => '{"target_recall":0.9}')$$);
SELECT options FROM vector_fdw.collection WHERE name = 'w';
SELECT word, index, refused(format($$create_collection('w_%s_%s', 'docs', 'embedding', index => %L, options => %L)$$, index, word,
    index, jsonb_build_object('quantizer', word, 'oversample', 3, 'storage', 'disk')))
  FROM unnest('{none,fp16,sq8,pq}'::text[]) AS word, unnest('{hnsw,ivf}'::text[]) AS index;
SELECT refused($$alter_collection('w', index => 'ivf', options => '{"nlist":10}')$$);
SELECT refused($$alter_collection('w', options => '{"ef_construction":50}')$$);
SELECT refused($$alter_collection('w', index => 'ivf')$$);
SELECT refused($$alter_collection('w', options => '{"lists":null}')$$);
SELECT refused($$alter_collection('w', options => '7')$$);
SELECT refused($$alter_collection('w', vector_column => 'title')$$);
SELECT index, options FROM vector_fdw.collection WHERE name = 'w';
ROLLBACK;

\pset format aligned
\pset tuples_only off
SELECT count(*) AS left_behind FROM vector_fdw.collection WHERE source::text LIKE '%docs%';

-- writers.sql - the tables, collections and functions of the scripts that write beside each other.
--
-- follow.sh says what the writers do. Run by make_tables of following.bash.
SET client_min_messages = warning;
CREATE FUNCTION vec(n int) RETURNS real[] LANGUAGE sql VOLATILE AS
  'SELECT array_agg((random() * 2 - 1)::real) FROM generate_series(1, n)';
-- own: each writer has its own rows, those with id % 16 = its number
CREATE TABLE own (id bigint PRIMARY KEY, title text, embedding real[]);
INSERT INTO own SELECT i, 'row ' || i, vec(600) FROM generate_series(1, 1000) i;
-- common: everybody writes everywhere, and empties it now and then; with the whole old row in the log
CREATE TABLE common (a text, b int, note text, v real[], PRIMARY KEY (a, b));
ALTER TABLE common REPLICA IDENTITY FULL;
-- parts: rows move between partitions
CREATE TABLE parts (id int, part int, v real[], PRIMARY KEY (id, part)) PARTITION BY RANGE (part);
CREATE TABLE parts_low PARTITION OF parts FOR VALUES FROM (0) TO (50);
CREATE TABLE parts_high PARTITION OF parts FOR VALUES FROM (50) TO (100);
INSERT INTO parts SELECT i, i % 100, vec(8) FROM generate_series(1, 500) i;

SELECT vector_fdw.create_collection('own_hnsw', 'own', 'embedding', include => '{title}');
SELECT vector_fdw.create_collection('own_flat', 'own', 'embedding', index => 'flat');
SELECT vector_fdw.create_collection('common_ivf', 'common', 'v', index => 'ivf', include => '{note}');
SELECT vector_fdw.create_collection('parts_hnsw', 'parts', 'v');
SELECT vector_fdw.wait_for_collection(name) FROM vector_fdw.collection;
IMPORT FOREIGN SCHEMA public FROM SERVER vectord INTO public;

-- One transaction's worth of changes by a writer.
CREATE FUNCTION write(w int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  what int := random() * 100;
  mine bigint := 16 * (random() * 60)::int + w;
  other bigint := 16 * (random() * 100)::int + w;
BEGIN
  IF what < 15 THEN
    INSERT INTO own VALUES (mine, 'new ' || what, vec(600)) ON CONFLICT DO NOTHING;
  ELSIF what < 25 THEN
    UPDATE own SET embedding = vec(600) WHERE id = mine;
  ELSIF what < 40 THEN
    UPDATE own SET title = 'title ' || random() WHERE id = mine;
  ELSIF what < 50 THEN
    UPDATE own SET id = other WHERE id = mine AND NOT EXISTS (SELECT FROM own WHERE id = other);
  ELSIF what < 58 THEN
    DELETE FROM own WHERE id = mine;
  ELSIF what < 66 THEN
    INSERT INTO own VALUES (mine, 'upsert', vec(600))
    ON CONFLICT (id) DO UPDATE SET title = 'upserted', embedding = excluded.embedding;
  ELSIF what < 72 THEN
    INSERT INTO own SELECT i, 'many', CASE WHEN i % 3 > 0 THEN vec(600) END
      FROM generate_series(mine, mine + 320, 16) i ON CONFLICT DO NOTHING;
  ELSIF what < 78 THEN
    BEGIN
      UPDATE own SET title = 'never', id = id + 160000 WHERE id % 16 = w;
      PERFORM 1 / 0;
    EXCEPTION WHEN division_by_zero THEN
      UPDATE own SET title = 'after the rollback' WHERE id = mine;
    END;
  ELSIF what < 82 THEN
    UPDATE own SET embedding = NULL WHERE id = mine;
  ELSE
    UPDATE own SET title = 'together' WHERE id = mine;
    INSERT INTO common SELECT 'key ' || (random() * 100)::int, i, 'note', vec(16)
      FROM generate_series(1, 5) i
      ON CONFLICT (a, b) DO UPDATE SET note = excluded.note || common.note, v = excluded.v;
    UPDATE common SET b = b + 5 WHERE a = 'key ' || w AND b < 5;
    DELETE FROM common WHERE a = 'key ' || (random() * 100)::int;
    UPDATE parts SET part = (random() * 99)::int WHERE id = mine % 500
      AND NOT EXISTS (SELECT FROM parts p WHERE p.id = parts.id AND p.part <> parts.part);
    IF random() < 0.02 THEN TRUNCATE common; END IF;
  END IF;
EXCEPTION WHEN unique_violation OR deadlock_detected THEN
  NULL;
END $$;

-- Only the writer itself writes its rows: what it reads must be what it wrote, each row once.
CREATE FUNCTION check_own(w int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  written own[] := (SELECT array_agg(row(id, title, embedding)::own ORDER BY id) FROM own WHERE id % 16 = w);
  served own[] := (SELECT array_agg(row(id, title, embedding)::own ORDER BY id) FROM own_hnsw WHERE id % 16 = w);
  difference text;
BEGIN
  IF served IS NOT DISTINCT FROM written THEN RETURN; END IF;
  SELECT string_agg(left(each, 60), ', ') INTO difference FROM (
    (SELECT 'missing ' || r AS each FROM unnest(written) r
      EXCEPT ALL SELECT 'missing ' || r FROM unnest(served) r)
    UNION ALL
    (SELECT 'extra ' || r FROM unnest(served) r
      EXCEPT ALL SELECT 'extra ' || r FROM unnest(written) r)) d;
  RAISE 'writer % reads other rows than its own: %', w, difference;
END $$;

CREATE FUNCTION search() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  query real[] := vec(600);
  found bigint[];
  distances float8[];
BEGIN
  SELECT array_agg(id), array_agg(d) INTO found, distances FROM
    (SELECT id, embedding <-> query AS d FROM own_hnsw ORDER BY embedding <-> query LIMIT 10) nearest;
  IF (SELECT count(DISTINCT i) FROM unnest(found) i) <> cardinality(found)
    OR distances <> (SELECT array_agg(d ORDER BY d) FROM unnest(distances) d) THEN
    RAISE 'rows twice or out of order: % %', found, distances;
  END IF;
END $$;

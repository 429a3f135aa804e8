-- wait_for_collection() and what stands in the way: what vectord tries again by itself is waited for, what needs
-- somebody is said at once, and the truth at the end of the time.
CREATE SCHEMA waiting;
SET search_path = waiting, public;
SET client_min_messages = error;	-- notices come or not, as the waits take longer or not
CREATE TABLE docs (id int PRIMARY KEY, v real[]);
INSERT INTO docs SELECT i, ARRAY[i, 1] FROM generate_series(1, 100) i;
SELECT vector_fdw.create_collection('waiting_docs', 'docs', 'v', index => 'flat');
SELECT vector_fdw.wait_for_collection('waiting_docs');

-- Waits until vectord says so.
CREATE PROCEDURE until_error(said text) LANGUAGE plpgsql AS $$ BEGIN
  WHILE NOT EXISTS (SELECT FROM vector_fdw.stat_collections
      WHERE name = 'waiting_docs' AND state = 'error' AND last_error LIKE '%' || said || '%') LOOP
    COMMIT;
  END LOOP;
END $$;
-- What a wait came to, and whether that took less than the time that vectord rests after a refusal.
CREATE FUNCTION waited(timeout interval, OUT said text, OUT soon boolean) LANGUAGE plpgsql AS $$
DECLARE began timestamptz := clock_timestamp(); detail text; hint text;
BEGIN
  PERFORM vector_fdw.wait_for_collection('waiting_docs', timeout);
  said := 'ready';
  soon := clock_timestamp() - began < '8 s';
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
  said := concat_ws(E'\n', SQLSTATE || ' ' || SQLERRM, 'DETAIL: ' || detail, 'HINT: ' || hint);
  soon := clock_timestamp() - began < '8 s';
END $$;
\pset format unaligned

-- No key for a while.
ALTER TABLE docs DROP CONSTRAINT docs_pkey;
CALL until_error('exactly its key columns');
SELECT * FROM waited('100 ms');
ALTER TABLE docs ADD PRIMARY KEY (id);
SELECT * FROM waited('1 min');

-- What needed somebody and has been put right before the wait is tried again before it is said.
REVOKE pg_read_all_data FROM vectord;
REVOKE ALL ON docs FROM vectord;
SELECT vector_fdw.rebuild_collection('waiting_docs');
SET statement_timeout = '30 s';
CALL until_error('permission denied');
RESET statement_timeout;
GRANT pg_read_all_data TO vectord;
GRANT SELECT ON docs TO vectord;
SELECT said FROM waited('1 min');

-- No room; what is enough of it is no other definition, but a reason to try again.
SELECT vector_fdw.alter_collection('waiting_docs', options => '{"memory_limit":"1kB"}');
SELECT vector_fdw.rebuild_collection('waiting_docs');
SELECT said ~ '^53200 .*DETAIL: .*limit.*HINT: .*tries again', soon FROM waited('10 min');
SELECT vector_fdw.alter_collection('waiting_docs', options => '{"memory_limit":"1GB"}');
SELECT * FROM waited('1 min');

-- A definition that is wrong now.
ALTER TABLE docs DROP COLUMN v;
SELECT said FROM waited('10 min');

SELECT vector_fdw.drop_collection('waiting_docs');
DROP SCHEMA waiting CASCADE;

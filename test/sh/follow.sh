#!/bin/bash
# follow.sh - collections stay equal to their tables while several sessions write.
#
# Writers do what applications do: insert, update of the vector, of other columns, of the key, delete,
# upsert, COPY, savepoints that are rolled back, transactions over several tables, TRUNCATE. After each
# transaction a writer reads its own rows through the foreign table and must find exactly them;
# vectors are long enough to be stored out of line, so unchanged ones are not in the stream. Readers
# search meanwhile. In the end table and collection must be equal, row by row, also after PostgreSQL
# or vectord were restarted, and after the replication slot was dropped.
#
# FOLLOW_WRITERS (4) and FOLLOW_TRANSACTIONS of each (1000) set the size. The seed is printed;
# FOLLOW_SEED repeats the choices of each writer.
set -euo pipefail

writers=${FOLLOW_WRITERS:-4}
transactions=${FOLLOW_TRANSACTIONS:-1000}
seed=${FOLLOW_SEED:-$RANDOM}
run=$SANDBOX_DIR/follow
sandbox=$(cd "$(dirname "$0")/.." && pwd)/sandbox
mkdir -p "$run"
chmod 777 "$run"
echo "# FOLLOW_SEED=$seed"

sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }

sql -v writers="$writers" >/dev/null <<'SQL'
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

-- Only the writer itself writes its rows: what it reads must be what it wrote.
CREATE FUNCTION check_own(w int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  difference text;
BEGIN
  SELECT string_agg(side || ' ' || id || ' ' || coalesce(title, 'NULL'), ', ') INTO difference FROM (
    (SELECT 'missing' AS side, * FROM (SELECT id, title, md5(embedding::text) FROM own WHERE id % 16 = w
      EXCEPT SELECT id, title, md5(embedding::text) FROM own_hnsw WHERE id % 16 = w) missing)
    UNION ALL
    (SELECT 'extra', * FROM (SELECT id, title, md5(embedding::text) FROM own_hnsw WHERE id % 16 = w
      EXCEPT SELECT id, title, md5(embedding::text) FROM own WHERE id % 16 = w) extra)) d;
  IF difference IS NOT NULL THEN RAISE 'writer % reads other rows than its own: %', w, difference; END IF;
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
SQL

cat >"$run/write.sql" <<'SQL'
SELECT write(:client_id);
SELECT check_own(:client_id);
SQL
echo 'SELECT search();' >"$run/search.sql"

# round TRANSACTIONS: writers with a reader and a COPY beside them.
round() {
	timeout 600 pgbench -n -c 2 -T 100000 -f "$run/search.sql" >"$run/search.log" 2>&1 &
	local reader=$!
	(
		while kill -0 $reader 2>/dev/null; do
			sql -c "COPY (SELECT 'copied ' || i, i, 'by COPY', vec(16) FROM generate_series(1, 200) i) TO STDOUT" >"$run/rows" &&
				sql -c "COPY common FROM STDIN" <"$run/rows" 2>/dev/null || true
			sql -c "DELETE FROM common WHERE a LIKE 'copied %' AND b % 2 = 0" 2>/dev/null || true
			sql -c "DELETE FROM common WHERE a LIKE 'copied %'" 2>/dev/null || true
		done
	) &
	local copier=$! status=0
	timeout 600 pgbench -n -c "$writers" -j 2 -t "$1" --random-seed="$seed" -f "$run/write.sql" \
		>"$run/write.log" 2>&1 || status=$?
	local reader_failed=no
	kill -0 $reader 2>/dev/null || reader_failed=yes
	kill $reader 2>/dev/null || true
	wait $reader $copier 2>/dev/null || true
	grep -hE 'ERROR|aborted|tps' "$run/write.log" "$run/search.log" | head -8 | sed 's/^/# /'
	if [ "$reader_failed" = yes ]; then
		echo "# a reader failed"
		tail -5 "$run/search.log" | sed 's/^/# /'
		status=1
	fi
	return $status
}

# compare: waits until all is applied, then every collection must equal its table.
compare() {
	sql -c "SELECT vector_fdw.wait_for_collection(name, '2 min') FROM vector_fdw.collection" >/dev/null
	local wrong
	wrong=$(sql <<-'SQL'
		SELECT c.name || ': ' || v FROM vector_fdw.collection c, vector_fdw.verify_collection(c.name) v
		 WHERE v.missing + v.extra + v.different > 0;
		SELECT 'missing ' || count(*) FROM (SELECT id, title, embedding FROM own EXCEPT SELECT id, title, embedding FROM own_hnsw) d HAVING count(*) > 0;
		SELECT 'extra ' || count(*) FROM (SELECT id, title, embedding FROM own_hnsw EXCEPT SELECT id, title, embedding FROM own) d HAVING count(*) > 0;
		SELECT 'doubled ' || name FROM (SELECT 'own_hnsw' AS name, count(*) AS n, (SELECT count(*) FROM own) AS m FROM own_hnsw
		  UNION ALL SELECT 'common_ivf', count(*), (SELECT count(*) FROM common) FROM common_ivf
		  UNION ALL SELECT 'parts_hnsw', count(*), (SELECT count(*) FROM parts) FROM parts_hnsw) c WHERE n <> m;
	SQL
	)
	if [ -z "$wrong" ]; then return; fi
	echo "# after $1:"
	echo "$wrong" | sed 's/^/# /'
	return 1
}

builds() { sql -c "SELECT sum(builds) FROM vector_fdw.stat_collections"; }

before=$(builds)
round "$transactions"
compare "writing"
[ "$(builds)" = "$before" ] # nothing was copied again

# A rebuild while others write: the old rows serve and follow until the new ones take over.
sql -c "SELECT vector_fdw.rebuild_collection('own_hnsw')" >/dev/null
round $((transactions / 5))
compare "a rebuild"

"$sandbox" restart-postgres "$SANDBOX_DIR"
round $((transactions / 10))
compare "a restart of PostgreSQL"

"$sandbox" kill-daemon "$SANDBOX_DIR"
sql -c "SELECT write(n % 16) FROM generate_series(1, 100) n" >/dev/null
"$sandbox" start-daemon "$SANDBOX_DIR"
round $((transactions / 10))
compare "a kill of vectord"

# The slot is lost: all is copied again, with a new one.
before=$(builds)
for _ in $(seq 200); do
	sql -c "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = 'vectord' AND active" >/dev/null
	sql -c "SELECT pg_drop_replication_slot('vectord')" >/dev/null 2>&1 && break
done
sql -c "SELECT write(n % 16) FROM generate_series(1, 100) n" >/dev/null
for _ in $(seq 600); do
	[ "$(builds)" -ge $((before + 4)) ] && break
	sleep 0.05
done
compare "the loss of the slot"
round $((transactions / 10))
compare "writing after the loss of the slot"

# DDL that the stream does not carry.
sql <<'SQL'
ALTER TABLE own ALTER COLUMN title TYPE text USING title || ' rewritten';
CREATE TABLE parts_more PARTITION OF parts FOR VALUES FROM (100) TO (200);
INSERT INTO parts VALUES (1000, 150, '{1,2,3,4,5,6,7,8}');
TRUNCATE parts_low;
SQL
sleep 1
compare "DDL"

[ "$(sql -c "SELECT count(*) FROM pg_replication_slots WHERE slot_name LIKE '%copy%'")" = 0 ]
sql -c "SELECT '# ' || name || ': ' || rows || ' rows, ' || segments || ' segments, ' || builds || ' builds, lag ' || lag_bytes FROM vector_fdw.stat_collections"

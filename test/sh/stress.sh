#!/bin/bash
# stress.sh - many sessions search while collections are created, rebuilt and dropped beside them.
#
# Each session asks a stable collection, whose answers were computed from the table before, and
# collections that come and go. Any difference, and any error but "not there" (HV00R) and "not
# ready" (57P03) from those that come and go, ends its session and fails the test. Afterwards
# vectord has as many threads and descriptors as before and no more memory than one build
# needs, and a backend that asked a thousand times has not grown either.
#
# STRESS_SESSIONS (64) and STRESS_QUERIES per session (200) set the size.
set -euo pipefail

sessions=${STRESS_SESSIONS:-64}
queries=${STRESS_QUERIES:-200}
run=$SANDBOX_DIR/stress
mkdir -p "$run"
chmod 777 "$run"

sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }
daemon_pid() { cat "$VECTORD_PIDFILE"; }
threads() { ls "/proc/$1/task" | wc -l; }
descriptors() { ls "/proc/$1/fd" | wc -l; }
resident_kb() { awk '/^VmRSS/ {print $2}' "/proc/$1/status"; }

sql <<'SQL'
CREATE TABLE items (id int PRIMARY KEY, note text, v real[] NOT NULL);
SELECT setseed(0.5);
INSERT INTO items SELECT i, 'note ' || i,
  (SELECT array_agg((random() * 2 - 1)::real) FROM generate_series(1, 32) WHERE i > 0)
  FROM generate_series(1, 5000) i;
SELECT vector_fdw.create_collection('stable', 'items', 'v', index => 'flat', include => '{note}');
SELECT vector_fdw.create_collection('restless_' || n, 'items', 'v') FROM generate_series(1, 3) n;
SELECT vector_fdw.wait_for_collection('stable');
CREATE FOREIGN TABLE stable (id int, note text, v real[]) SERVER vectord;
CREATE FOREIGN TABLE restless_1 (id int, v real[]) SERVER vectord;
CREATE FOREIGN TABLE restless_2 (id int, v real[]) SERVER vectord;
CREATE FOREIGN TABLE restless_3 (id int, v real[]) SERVER vectord;

CREATE TABLE truth AS
  SELECT q.id, (SELECT array_agg(id || ' ' || note || ' ' || d ORDER BY d, id) FROM
    (SELECT i.id, i.note, i.v <-> q.v AS d FROM items i ORDER BY d LIMIT 10) nearest) AS answer
  FROM items q WHERE q.id <= 100;
ALTER TABLE truth ADD PRIMARY KEY (id);

CREATE FUNCTION ask(n int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  query real[] := (SELECT v FROM items WHERE id = n);
  got text[];
  last float8 := 0;
  row record;
BEGIN
  SELECT array_agg(id || ' ' || note || ' ' || d ORDER BY d, id) INTO got FROM
    (SELECT id, note, v <-> query AS d FROM stable ORDER BY d LIMIT 10) nearest;
  IF got IS DISTINCT FROM (SELECT answer FROM truth WHERE id = n) THEN
    RAISE 'wrong answer for %: %', n, got;
  END IF;
  BEGIN
    FOR row IN EXECUTE format('SELECT r.id, r.v <-> $1 AS d, i.v <-> $1 AS truth
        FROM (SELECT id, v FROM restless_%s ORDER BY v <-> $1 LIMIT 5) r JOIN items i USING (id)
        ORDER BY d', 1 + n % 3) USING query
    LOOP
      IF row.d <> row.truth OR row.d < last THEN
        RAISE 'wrong distance of %: %, not %', row.id, row.d, row.truth;
      END IF;
      last := row.d;
    END LOOP;
  EXCEPTION WHEN fdw_table_not_found OR cannot_connect_now THEN
    NULL;  -- it is being dropped or built
  END;
END $$;
SQL

# One backend asks a thousand times: what it holds after the first hundred is all it ever holds.
backend_growth() {
	coproc ASKER { psql -X -q -A -t 2>&1; }
	local pid before after answer i
	ask_many() {
		for ((i = 0; i < $1; i++)); do echo "SELECT ask($((1 + i % 100)));"; done >&"${ASKER[1]}"
		echo "SELECT 'done ' || pg_backend_pid();" >&"${ASKER[1]}"
		while read -r answer <&"${ASKER[0]}"; do
			case $answer in
			done*) pid=${answer#done } && return ;;
			?*) echo "# $answer" && return 1 ;;
			esac
		done
	}
	ask_many 100
	before="$(threads "$pid") threads, $(descriptors "$pid") descriptors"
	local kb_before kb_after
	kb_before=$(resident_kb "$pid")
	ask_many 1000
	after="$(threads "$pid") threads, $(descriptors "$pid") descriptors"
	kb_after=$(resident_kb "$pid")
	echo '\q' >&"${ASKER[1]}"
	wait "$ASKER_PID" 2>/dev/null || true
	echo "# a backend: $before, $kb_before kB; then $after, $kb_after kB"
	[ "$before" = "$after" ] && [ "$kb_after" -le $((kb_before + 2048)) ]
}

stir() { # until the file is gone
	local n=0
	while [ -e "$run/stirring" ]; do
		n=$((n % 3 + 1))
		sql -c "SELECT vector_fdw.rebuild_collection('restless_$n')" >/dev/null
		sql -c "SELECT vector_fdw.drop_collection('restless_$((n % 3 + 1))')" >/dev/null
		sql -c "SELECT vector_fdw.create_collection('restless_$((n % 3 + 1))', 'items', 'v')" >/dev/null
		sql -c "SELECT vector_fdw.alter_collection('restless_$n', options => '{\"m\": $((8 + RANDOM % 8))}')" >/dev/null
	done
}

sql -c "SELECT vector_fdw.wait_for_collection(name) FROM vector_fdw.collection" >/dev/null
backend_growth

pid=$(daemon_pid)
threads_before=$(threads "$pid")
descriptors_before=$(descriptors "$pid")

touch "$run/stirring"
stir &
stirrer=$!
echo '\set n random(1, 100)
SELECT ask(:n);' >"$run/ask.sql"
status=0
pgbench -n -M prepared -c "$sessions" -j 2 -t "$queries" -f "$run/ask.sql" >"$run/pgbench.log" 2>&1 || status=$?
rm "$run/stirring"
wait "$stirrer"
grep -E 'transactions actually|ERROR|aborted|tps' "$run/pgbench.log" | head -20 | sed 's/^/# /'
[ "$status" = 0 ]
grep -q "number of transactions actually processed: $((sessions * queries))/$((sessions * queries))" "$run/pgbench.log"

sql -c "SELECT vector_fdw.wait_for_collection(name) FROM vector_fdw.collection" >/dev/null
kb_quiet=$(resident_kb "$pid")

# The same again, smaller: whatever the first round has left behind would come once more.
touch "$run/stirring"
stir &
stirrer=$!
pgbench -n -M prepared -c "$sessions" -j 2 -t $((queries / 4 + 1)) -f "$run/ask.sql" >"$run/pgbench2.log" 2>&1
rm "$run/stirring"
wait "$stirrer"
sql -c "SELECT vector_fdw.wait_for_collection(name) FROM vector_fdw.collection" >/dev/null

# Connections close when their backends have ended; that is not at once.
for _ in $(seq 100); do
	[ "$(descriptors "$pid")" -le $((descriptors_before + 4)) ] && break
	sleep 0.1
done
echo "# vectord: $threads_before threads, $descriptors_before descriptors; then $(threads "$pid") threads," \
	"$(descriptors "$pid") descriptors; $kb_quiet kB, then $(resident_kb "$pid") kB"
[ "$(daemon_pid)" = "$pid" ]
[ "$(threads "$pid")" -le $((threads_before + 2)) ]
[ "$(descriptors "$pid")" -le $((descriptors_before + 4)) ]
[ "$(resident_kb "$pid")" -le $((kb_quiet + kb_quiet / 4 + 16384)) ]

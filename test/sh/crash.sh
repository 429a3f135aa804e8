#!/bin/bash
# crash.sh - collections equal their tables whatever dies: vectord by SIGKILL, PostgreSQL by "immediate", both.
#
# The writers and readers of follow.sh go on all the time, and one that keeps changing a larger table, so
# that there is always something to index, merge and save; checkpoints come every second. The moments of
# the kills are random, or chosen: while a table is copied, an index built, files written, many rows just
# died. Only while something is down, and until all collections are ready again, may a search fail, and
# only by 08001, 08006 or 57P03, or by 72000 where that came between two batches of its rows. A writer
# never waits for vectord. No collection that nobody asked to be rebuilt is ever built again. In the end
# all of them equal their tables.
#
# CRASH_KILLS (4) of vectord, CRASH_STOPS (2) of PostgreSQL, every other one together with vectord, and
# CRASH_ROWS (20000) of the larger table set the size; CRASH_SEED the moments.
set -euo pipefail

kills=${CRASH_KILLS:-4} stops=${CRASH_STOPS:-2} rows=${CRASH_ROWS:-20000}
seed=${CRASH_SEED:-$RANDOM}
. "$(dirname "$0")/following.bash"
RANDOM=$seed
say "CRASH_SEED=$seed"

settings '[checkpoint]
interval = "1s"'
make_tables
sql -v rows="$rows" >/dev/null <<'SQL'
CREATE TABLE big (id int PRIMARY KEY, note text, v real[]);
INSERT INTO big SELECT i, 'row ' || i, vec(64) FROM generate_series(1, :rows) i;
SELECT vector_fdw.create_collection('big_hnsw', 'big', 'v', include => '{note}');
SELECT vector_fdw.create_collection('rebuilt_hnsw', 'big', 'v');
SELECT vector_fdw.wait_for_collection(name) FROM vector_fdw.collection;
IMPORT FOREIGN SCHEMA public LIMIT TO (big_hnsw, rebuilt_hnsw) FROM SERVER vectord INTO public;

CREATE FUNCTION churn(rows int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	first int := random() * rows;
BEGIN
	DELETE FROM big WHERE id BETWEEN first AND first + 99;
	INSERT INTO big SELECT i, 'again', vec(64) FROM generate_series(first, first + 99) i;
	UPDATE big SET v = vec(64) WHERE id BETWEEN first + 200 AND first + 249;
	UPDATE big SET note = note || '.' WHERE id BETWEEN first + 300 AND first + 320;
END $$;

-- When something was down, and what went wrong for readers.
CREATE TABLE outage (began timestamptz PRIMARY KEY, ended timestamptz);
CREATE TABLE read_error (began timestamptz, ended timestamptz, code text, message text);

CREATE FUNCTION attempt(search text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	began timestamptz := clock_timestamp();
BEGIN
	EXECUTE 'SELECT ' || search;
EXCEPTION WHEN OTHERS THEN
	IF SQLSTATE = 'P0001' THEN RAISE; END IF; -- what was found is wrong
	INSERT INTO read_error VALUES (began, clock_timestamp(), SQLSTATE, SQLERRM);
END $$;
SQL
cat >"$run/write.sql" <<'SQL'
SELECT write(:client_id);
SELECT attempt('check_own(:client_id)');
SQL
echo "SELECT churn($rows);" >"$run/churn.sql"
echo "SELECT attempt('search()');
SELECT attempt('count(*) FROM (SELECT id FROM big_hnsw ORDER BY v <-> vec(64) LIMIT 10) s HAVING count(*) = 10');" >"$run/search.sql"

# keep_on NAME [pgbench's options]: NAME.sql again and again, as often as PostgreSQL comes back. A new
# session does not know what the writer's last one has committed, so it is told.
keep_on() {
	local name=$1 lsn
	shift
	while [ -e "$run/going" ]; do
		if lsn=$(sql -c 'SELECT pg_current_wal_insert_lsn()' 2>/dev/null); then
			PGOPTIONS="-c vector_fdw.min_lsn=$lsn" pgbench -n -T 36000 --random-seed="$seed" -f "$run/$name.sql" "$@" >>"$run/$name.log" 2>&1 &
			echo $! >"$run/$name.pid"
			wait $! || true
		fi
		sleep 0.05
	done
}

end_all() {
	rm -f "$run/going"
	local name
	for name in write churn search; do
		kill "$(cat "$run/$name.pid" 2>/dev/null)" 2>/dev/null || true
	done
	wait 2>/dev/null || true
}
trap end_all EXIT

# What no client may report: anything but that PostgreSQL was down.
bad_lines() { grep -hE 'ERROR|PANIC' "$run"/*.log | grep -vE '57P0|terminating connection|database system is' | sort | uniq -c; }

pause_up_to() { sleep "$(printf '%d.%03d' $((RANDOM % $1 / 1000)) $((RANDOM % $1 % 1000)))"; } # milliseconds
rebuild() { sql -c "SELECT vector_fdw.rebuild_collection('rebuilt_hnsw')" >/dev/null; }
rebuilding() { holds "SELECT state = '$1' FROM vector_fdw.stat_collections WHERE name = 'rebuilt_hnsw'"; }
writes_files() { compgen -G "$data/*/*.tmp" >/dev/null; }
old_builds() { sql -c "SELECT name, builds FROM vector_fdw.stat_collections WHERE name <> 'rebuilt_hnsw' ORDER BY name"; }

# moment N: returns at the Nth sort of moment, and says which it was
moment() {
	case $(($1 % 6)) in
	0) rebuild && until_true 5 rebuilding copying && what="copying" ;;
	1) until_true 10 writes_files && what="a checkpoint" ;;
	2) rebuild && until_true 5 rebuilding building && what="building" ;;
	3) sql -c "UPDATE big SET v = vec(64) WHERE id % 3 = 0" && what="merging" && pause_up_to 1000 ;;
	4) what="anything" && pause_up_to 3000 ;;
	5) sql -c "BEGIN" -c "UPDATE big SET note = 'long'" -c "COMMIT" && what="a long transaction" && pause_up_to 300 ;;
	esac || what="anything (the moment was missed)"
}

# crash WHAT: runs the function WHAT at some moment, and waits until all is well again.
crash() {
	local started
	moment "$moments"
	moments=$((moments + 1))
	sql -c "INSERT INTO outage VALUES (clock_timestamp())" >/dev/null
	"$1"
	started=$(now_ms)
	wait_ready 120
	sql -c "UPDATE outage SET ended = clock_timestamp() WHERE ended IS NULL" >/dev/null
	say "$1 during $what: ready again after $(($(now_ms) - started)) ms"
	[ "$(old_builds)" = "$builds_before" ] || fail "built again without need; before: $builds_before, now: $(old_builds)"
	[ -z "$(bad_lines)" ] || fail "$(bad_lines)"
}

kill_vectord() {
	kill_daemon
	pause_up_to 500
	start_daemon
}

stop_postgres() {
	postgres stop -m immediate
	pause_up_to 500
	postgres start
}

stop_both() {
	kill_daemon
	postgres stop -m immediate
	postgres start
	start_daemon
}

wait_saved
builds_before=$(old_builds)
moments=$((RANDOM % 6))
touch "$run/going"
keep_on write -c 3 &
keep_on churn -R 5 &
keep_on search -c 2 &

for ((n = 1; n <= kills || n <= stops; n++)); do
	if [ $n -le "$kills" ]; then crash kill_vectord; fi
	if [ $n -le "$stops" ]; then
		if [ $((n % 2)) = 1 ]; then crash stop_postgres; else crash stop_both; fi
	fi
done
end_all
compare_writers "the crashes"
nothing_wrong "the crashes" <<'SQL'
SELECT 'missing ' || count(*) FROM (SELECT id, note, v FROM big EXCEPT SELECT id, note, v FROM big_hnsw) d HAVING count(*) > 0;
SELECT 'doubled ' || count(*) FROM big_hnsw HAVING count(*) <> (SELECT count(*) FROM big);
SELECT format('a search failed by %s: %s', code, message) FROM read_error
 WHERE code NOT IN ('08001', '08006', '57P03', '72000') GROUP BY code, message LIMIT 5;
SELECT format('a search failed while nothing was down: %s %s %s, it began %s', ended, code, message, began) FROM read_error e
 WHERE NOT EXISTS (SELECT FROM outage o WHERE e.ended >= o.began AND e.began <= o.ended) LIMIT 5;
SQL

# A last one in silence: all is saved, so nothing is read from the tables again.
before=$(builds)
wait_saved
kill_daemon
start_daemon
wait_ready
[ "$(builds)" = "$before" ] || fail "builds: $before, then $(builds)"
compare_writers "a kill in silence"

say "$(grep -hE 'number of transactions actually' "$run/write.log" | awk '{n += $NF} END {print n + 0}') transactions counted by writers;" \
	"$(sql -c "SELECT concat_ws(' ', count(*), 'failed searches while something was down:', (SELECT string_agg(code || ' ' || n, ', ') FROM (SELECT code, count(*) AS n FROM read_error GROUP BY code) c)) FROM read_error")"
show_collections

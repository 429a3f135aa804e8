#!/bin/bash
# restart.sh - after a kill vectord serves again at once, from its files; and PostgreSQL need not keep its WAL for long.
#
# Some rows are written after the last checkpoint, then vectord is killed by SIGKILL. From the start of the
# process to the first search that is right, and that has the last row committed before the kill, it may
# take RESTART_SERVES_MS (3000); nothing is built again, and all rows are the table's. Then: what the slot
# makes PostgreSQL keep. With a checkpoint each second, every position of the WAL must be confirmed soon,
# and its WAL be given free, while the table is written to, and while only a neighbouring database is.
#
# RESTART_ROWS (50000) and RESTART_DIMENSIONS (64) set the size; 500000 and 128 are the full one.
set -euo pipefail

rows=${RESTART_ROWS:-50000} dimensions=${RESTART_DIMENSIONS:-64} serves_ms=${RESTART_SERVES_MS:-3000}
. "$(dirname "$0")/following.bash"

interval() { sed -i "s/^interval = .*/interval = \"$1\"/" "$VECTORD_CONFIG"; }
reload() {
	mark
	kill -HUP "$(daemon_pid)"
	until_true 10 logs 'reloaded' || fail "vectord does not reload its settings"
}

settings '[checkpoint]
interval = "1s"'
sql -v rows="$rows" -v dimensions="$dimensions" >/dev/null <<'SQL'
CREATE FUNCTION vec(n int) RETURNS real[] LANGUAGE sql VOLATILE AS
	'SELECT array_agg((random() * 2 - 1)::real) FROM generate_series(1, n)';
CREATE TABLE items (id int PRIMARY KEY, note text, v real[]);
INSERT INTO items SELECT i, 'row ' || i, vec(:dimensions) FROM generate_series(1, :rows) i;
SELECT vector_fdw.create_collection('near', 'items', 'v', include => '{note}');
SELECT vector_fdw.wait_for_collection('near', '1 hour');
CREATE FOREIGN TABLE near (id int, note text, v real[]) SERVER vectord;
CREATE TABLE queries AS SELECT n, vec(:dimensions) AS v FROM generate_series(1, 20) n;

-- What is written after the last checkpoint; its last row is a new one.
CREATE FUNCTION write_late() RETURNS void LANGUAGE sql AS $$
	UPDATE items SET v = vec(cardinality(v)) WHERE id % 100 = 0;
	DELETE FROM items WHERE id % 100 = 1;
	INSERT INTO items SELECT max(id) + 1, 'the last', vec(cardinality(max(v))) FROM items;
$$;

-- Searches as soon as somebody answers, from the state lsn on; returns when, and how often nobody did.
CREATE FUNCTION first_search(lsn pg_lsn, OUT answered timestamptz, OUT tries int, OUT nearest int) LANGUAGE plpgsql AS $$
DECLARE
	query real[] := (SELECT v FROM items ORDER BY id DESC LIMIT 1);
BEGIN
	PERFORM set_config('vector_fdw.min_lsn', lsn::text, false);
	tries := 0;
	LOOP
		BEGIN
			SELECT id, clock_timestamp() INTO nearest, answered FROM near ORDER BY v <-> query LIMIT 1;
			RETURN;
		EXCEPTION WHEN connection_exception OR sqlclient_unable_to_establish_sqlconnection OR connection_failure OR cannot_connect_now OR fdw_table_not_found THEN
			tries := tries + 1;
			PERFORM pg_sleep(0.005);
		END;
	END LOOP;
END $$;
SQL
show_collections

# ---- serving again ----------------------------------------------------------------------------------

wait_saved 120
interval 1d
reload
before=$(builds)
sql -c "SELECT write_late()" >/dev/null
last=$(sql -c "SELECT max(id) FROM items")
kill_daemon
lsn=$(sql -c "SELECT pg_current_wal_lsn()")
rm -f "$run/answer"
sql -F ' ' -c "SELECT (extract(epoch FROM answered) * 1000)::bigint, tries, nearest FROM first_search('$lsn')" >"$run/answer" &
searcher=$!
SANDBOX_WAIT=ready start_daemon &
starter=$!
wait $searcher
wait $starter
read -r answered tries nearest <"$run/answer"
process_started() { # in ms since 1970; the clock ticks of /proc are since boot
	local ticks
	ticks=$(sed 's/.*) //' "/proc/$(daemon_pid)/stat" | cut -d' ' -f20)
	echo $(($(date +%s%3N) - $(awk '{printf "%d", $1 * 1000}' /proc/uptime) + ticks * 1000 / $(getconf CLK_TCK)))
}
took=$((answered - $(process_started)))
say "$rows x $dimensions: the first right search $took ms after the start of the process ($tries tries before)"
say "$(grep 'took over' "$log" | tail -1 | cut -c 26-)"
[ "$nearest" = "$last" ] || fail "the row nearest to row $last is row $nearest"
[ "$took" -le "$serves_ms" ] || fail "that took more than $serves_ms ms"
wait_ready
[ "$(builds)" = "$before" ] || fail "builds: $before, then $(builds)"
nothing_wrong "the restart" <<'SQL'
SET vector_fdw.exact = on;
SELECT format('query %s: %s instead of %s', n, got, want) FROM (SELECT q.n,
	(SELECT array_agg(id ORDER BY d, id) FROM (SELECT id, v <-> q.v AS d FROM near ORDER BY v <-> q.v LIMIT 10) s) AS got,
	(SELECT array_agg(id ORDER BY d, id) FROM (SELECT id, v <-> q.v AS d FROM items ORDER BY v <-> q.v LIMIT 10) s) AS want
	FROM queries q) a WHERE got IS DISTINCT FROM want;
SQL
compare "the restart"

# ---- the slot ---------------------------------------------------------------------------------------

interval 1s
sql -c 'CREATE DATABASE "a neighbour"' >/dev/null
stop_daemon
start_daemon
wait_ready
sql -d "a neighbour" -c "CREATE TABLE busy (n int, filler text)"

# write_wal WHERE: some 4 MB of it, and what lets PostgreSQL move restart_lsn (it does so itself every 15 s)
write_wal() {
	if [ "$1" = neighbour ]; then
		sql -d "a neighbour" -c "INSERT INTO busy SELECT n, repeat(md5(n::text), 100) FROM generate_series(1, 1200) n" -c "CHECKPOINT"
	else
		local first=$((RANDOM * 32768 % rows))
		sql -c "UPDATE items SET note = repeat(md5(note), 10) WHERE id BETWEEN $first AND $((first + 2000))" -c "CHECKPOINT"
	fi
}

# released WHERE: while that is written to, no position of the WAL is kept for longer than checkpoints take.
released() {
	local n here written=0 kept most=0 started longest=0
	for n in 1 2 3; do
		here=$(sql -c "SELECT pg_current_wal_lsn()")
		started=$(now_ms)
		until holds "SELECT confirmed_flush_lsn >= '$here' AND restart_lsn >= '$here' FROM pg_replication_slots WHERE slot_name = 'vectord'"; do
			[ $(($(now_ms) - started)) -lt 10000 ] || {
				sql -c "SELECT '# ' || s, pg_current_wal_lsn() FROM pg_replication_slots s"
				show_collections
				fail "while $1 is written to: WAL of $here is still kept after 10 s"
			}
			write_wal "$1" >/dev/null
			kept=$(sql -c "SELECT pg_current_wal_lsn() - restart_lsn FROM pg_replication_slots WHERE slot_name = 'vectord'")
			[ "$kept" -le "$most" ] || most=$kept
		done
		[ $(($(now_ms) - started)) -le $longest ] || longest=$(($(now_ms) - started))
		written=$(sql -c "SELECT pg_current_wal_lsn() - '$here'")
	done
	say "while $1 is written to: WAL is kept for at most $longest ms; at most $((most >> 20)) MB, $((written >> 20)) MB written meanwhile"
}
released "the table"
released neighbour
compare "all that"
show_collections

#!/bin/bash
# sessions.sh - nothing is loaded per session: the index is vectord's, whatever becomes of PostgreSQL.
#
# After a restart of PostgreSQL, and in many new connections, vectord is the same process, has built nothing
# and copied nothing again, and the first search of a new connection takes less than 5 ms (median). Where more
# work waits than there are cores, times say nothing about us; then the fastest twentieth counts.
#
# SESSIONS_CONNECTIONS (200), SESSIONS_ROWS (20000) and SESSIONS_LIMIT_MS (5) set the size.
# alone: it bounds the time of a first search.
set -euo pipefail

connections=${SESSIONS_CONNECTIONS:-200}
sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }
fail() {
	echo "# $1"
	exit 1
}

sql -v rows="${SESSIONS_ROWS:-20000}" <<'SQL' >/dev/null
SET client_min_messages = warning;
CREATE TABLE items (id int PRIMARY KEY, v real[] NOT NULL);
SELECT setseed(0.5);
INSERT INTO items SELECT i, (SELECT array_agg((random() * 2 - 1)::real) FROM generate_series(1, 64) WHERE i > 0)
	FROM generate_series(1, :rows) i;
ANALYZE items;
SELECT vector_fdw.create_collection('near', 'items', 'v');
SELECT vector_fdw.wait_for_collection('near');
CREATE FOREIGN TABLE near (id int, v real[]) SERVER vectord;
SQL
search="SELECT id FROM near ORDER BY v <-> '$(sql -c 'SELECT v FROM items WHERE id = 7')' LIMIT 10"
wanted=$(sql -c "$search")

# All that would change if anything were loaded again.
state() {
	sql -c "SELECT 'pid ' || pid || ', started ' || started_at FROM vector_fdw.stat_daemon" \
		-c "SELECT name || ' ' || state || ', builds ' || builds || ', rows ' || rows || ', memory ' || memory_bytes
			FROM vector_fdw.stat_collections"
}
before=$(state)
[[ $before == "pid $(cat "$VECTORD_PIDFILE"), "* ]] || fail "stat_daemon names another process: $before"

test/sandbox restart-postgres "$SANDBOX_DIR"
[ "$(sql -c "$search")" = "$wanted" ] || fail "another answer after the restart of PostgreSQL"
[ "$(state)" = "$before" ] || fail "after the restart of PostgreSQL: $(state), before: $before"

# In a process of its own each time: connect, then time the first statement.
for ((i = 0; i < connections; i++)); do
	answer=$(printf '%s\n' '\timing on' "$search;" | sql)
	[ "${answer%Time: *}" = "$wanted"$'\n' ] || fail "another answer in a new connection: $answer"
	echo "${answer##*Time: }"
done | sort -n >"$SANDBOX_DIR/times"
percentile() { sed -n "$((1 + connections * $1 / 100))s/ ms.*//p" "$SANDBOX_DIR/times"; }
read -r load _ </proc/loadavg
echo "# first search of $connections connections: median $(percentile 50) ms, fastest twentieth $(percentile 5) ms," \
	"slowest $(tail -n 1 "$SANDBOX_DIR/times"); load $load on $(nproc) cores"
judged=50
if awk "BEGIN {exit !($load > $(nproc))}"; then judged=5; fi
awk "BEGIN {exit !($(percentile $judged) < ${SESSIONS_LIMIT_MS:-5})}" || fail "it takes too long"

# A backend holds no copy of the index either, nor a connection that is not its own.
sql <<SQL >"$SANDBOX_DIR/backend"
$search \g /dev/null
SELECT pg_read_file('/proc/self/status');
SQL
kb=$(awk '/^RssAnon/ {print $2}' "$SANDBOX_DIR/backend")
echo "# a backend after its first search: $kb kB of its own"
[ "$kb" -lt 8192 ] || fail "that is too much"
[ "$(state)" = "$before" ] || fail "after $connections connections: $(state), before: $before"
echo "# then as before: ${before//$'\n'/; }"

#!/bin/bash
# memory.sh - vectord uses the memory that it says it uses, and gives back what it does not need.
#
# Resident memory beside stat_daemon.memory_bytes after a build, after changes, after rebuilds, after
# unloading, loading and dropping. What a process without collections has (code, stacks, ZeroMQ) is
# measured at the start and stands apart; beyond it the two may differ by 10 % and MEMORY_SLACK_MB (12:
# buffers of connections, pages that the allocator keeps for a moment). Then limits: a collection that does not
# fit is refused before it is copied, with the bytes that it needs and those that there are.
#
# MEMORY_ROWS (40000) and MEMORY_DIMENSIONS (64) set the size; the full one is 200000 and 128.
set -euo pipefail

rows=${MEMORY_ROWS:-40000} dimensions=${MEMORY_DIMENSIONS:-64} slack_mb=${MEMORY_SLACK_MB:-12}
sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 -v rows="$rows" -v dimensions="$dimensions" "$@"; }
failed=0
fail() {
	echo "# $1"
	failed=1
}
memory() { sql -F ' ' -c 'SELECT resident_bytes, memory_bytes FROM vector_fdw.stat_daemon'; }
fits() { awk -v rss="$1" -v base="$2" -v mem="$3" -v slack="$slack_mb" 'BEGIN {
	over = rss - base - mem; if (over < 0) over = -over; exit !(over <= 0.1 * mem + slack * 1048576) }'; }

# check WHEN: prints both, and waits a little for what is still being given back.
check() {
	local resident used deadline=$((SECONDS + 20))
	read -r resident used <<<"$(memory)"
	until fits "$resident" "$base" "$used" || [ $SECONDS -ge $deadline ]; do
		sleep 0.5
		read -r resident used <<<"$(memory)"
	done
	printf '# %-28s %7.1f MB resident, of them %5.1f MB of the process itself; says %7.1f MB\n' "$1" \
		"$(awk "BEGIN { print $resident / 1048576 }")" "$(awk "BEGIN { print $base / 1048576 }")" \
		"$(awk "BEGIN { print $used / 1048576 }")"
	fits "$resident" "$base" "$used" || fail "$1: that is too far apart"
}

sql <<'SQL' >/dev/null
SELECT setseed(0.42);
CREATE TABLE items (id int PRIMARY KEY, note text, v real[] NOT NULL);
INSERT INTO items SELECT i, 'note ' || i % 1000, (SELECT array_agg(random()::real) FROM generate_series(1, :dimensions + 0 * i)) FROM generate_series(1, :rows) i;
VACUUM ANALYZE;
SQL
wait_for() { sql -c "SELECT vector_fdw.wait_for_collection('$1', '30 min')" >/dev/null; }

read -r base used <<<"$(memory)"
[ "$used" -lt 1048576 ] || fail "without collections $used bytes are said to be used"
sql -c "SELECT vector_fdw.create_collection('near', 'items', 'v', include => '{note}')" >/dev/null
wait_for near
check 'after the build'
sql -c "CREATE FOREIGN TABLE near (id int, note text, v real[]) SERVER vectord" \
	-c "SELECT count(*) FROM (SELECT n.id FROM items i CROSS JOIN LATERAL (SELECT id FROM near ORDER BY v <-> i.v LIMIT 10) n WHERE i.id <= 500) x" \
	-c "SELECT count(*) FROM near WHERE note = 'note 7'" -c "SELECT count(v) FROM near" >/dev/null
check 'after searches'
for turn in 0 1 2 3; do
	sql -c "UPDATE items SET v = (SELECT array_agg(x + 0.01) FROM unnest(v) x) WHERE id % 10 = $turn" -c "DELETE FROM items WHERE id % 40 = $turn"
	wait_for near
done
check 'after changes'
for turn in 1 2 3; do
	sql -c "SELECT vector_fdw.rebuild_collection('near')" >/dev/null
	wait_for near
	check "after rebuild $turn"
done
sql -c "SELECT vector_fdw.unload_collection('near')" >/dev/null
until [ "$(sql -c "SELECT state FROM vector_fdw.stat_collections")" = unloaded ]; do sleep 0.1; done
check 'unloaded'
[ "$(sql -c "SELECT sum(memory_bytes) < 1048576 FROM vector_fdw.stat_collections")" = t ] || fail "unloaded, it has memory"
sql -c "SELECT vector_fdw.load_collection('near')" >/dev/null
wait_for near
check 'loaded again'

# ---- limits --------------------------------------------------------------------------------------

needed=$((rows * dimensions * 4))
sql -c "SELECT vector_fdw.create_collection('small', 'items', 'v', options => '{\"memory_limit\": \"4MB\"}')" >/dev/null
until [ "$(sql -c "SELECT state FROM vector_fdw.stat_collections WHERE name = 'small'")" = error ]; do sleep 0.1; done
reason=$(sql -c "SELECT last_error FROM vector_fdw.stat_collections WHERE name = 'small'")
echo "# refused: $reason"
asked=$(sed -n 's/.*Asked for \([0-9.]* [kMG]*B\).*/\1/p' <<<"$reason")
[ -n "$asked" ] && [ "$(sql -c "SELECT pg_size_bytes('$asked') > $needed * 0.7")" = t ] || fail "the refusal does not say how much it needs"
grep -q 'limit of 4 MB' <<<"$reason" || fail "the refusal does not name the limit"
error=$(sql -v VERBOSITY=verbose -c "CREATE FOREIGN TABLE small (id int, v real[]) SERVER vectord" -c "SELECT id FROM small LIMIT 1" 2>&1 || true)
grep -q 'ERROR:  53200' <<<"$error" && grep -q 'HINT:' <<<"$error" || fail "a query of it says: $error"
check 'after a refusal'
sql -c "SELECT vector_fdw.alter_collection('small', options => '{\"memory_limit\": \"1GB\"}')" \
	-c "SELECT vector_fdw.rebuild_collection('small')" >/dev/null
wait_for small
check 'with room for it'
sql -c "SELECT vector_fdw.drop_collection('small'), vector_fdw.drop_collection('near')" >/dev/null
until [ "$(sql -c "SELECT count(*) FROM vector_fdw.stat_collections")" = 0 ]; do sleep 0.1; done
check 'after dropping all'

printf '\n[memory]\nlimit = "16MB"\n' >>"$VECTORD_CONFIG"
kill -HUP "$(cat "$VECTORD_PIDFILE")"
until [ "$(sql -c "SELECT memory_limit = 16 * 1024 * 1024 FROM vector_fdw.stat_daemon")" = t ]; do sleep 0.1; done
if [ $((needed)) -gt $((8 * 1048576)) ]; then
	sql -c "SELECT vector_fdw.create_collection('large', 'items', 'v')" >/dev/null
	until [ "$(sql -c "SELECT state FROM vector_fdw.stat_collections")" = error ]; do sleep 0.1; done
	reason=$(sql -c "SELECT last_error FROM vector_fdw.stat_collections")
	echo "# refused: $reason"
	grep -q 'limit of 16 MB' <<<"$reason" || fail "the refusal does not name the limit of vectord"
fi
exit $failed

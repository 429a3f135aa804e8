#!/bin/bash
# concurrency.sh - many clients at once, and short searches beside long work.
#
# Queries per second, median and 99th percentile of searches by 1, 8 and 64 clients; then of 8 clients
# while exact scans loop (more of them than cores), and while an index is built over and over. More
# clients than cores must not cost throughput, nobody may wait much longer than his share, and long work
# must leave short searches their share of the cores.
#
# The conditions are ratios within this run, wide enough for a busy machine; CONCURRENCY_STRICT=1 holds
# them to what a quiet one shows. CONCURRENCY_ROWS (20000), CONCURRENCY_DIMENSIONS (64) and
# CONCURRENCY_SECONDS (2) set the size; the full one is 500000, 128 and 10.
# alone: it compares how many queries a second are answered.
set -euo pipefail

rows=${CONCURRENCY_ROWS:-20000} dimensions=${CONCURRENCY_DIMENSIONS:-64} seconds=${CONCURRENCY_SECONDS:-2}
strict=${CONCURRENCY_STRICT:-0}
run=$SANDBOX_DIR/run
mkdir -p "$run"
bench="$("${PG_CONFIG:-pg_config}" --bindir)/pgbench"
sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 -v rows="$rows" -v dimensions="$dimensions" "$@"; }
failed=0

# A scan of "bulk" is long for vectord: more than 16 million elements.
sql <<'SQL' >/dev/null
SET client_min_messages = warning;
SELECT setseed(0.42);
CREATE TABLE items (id int PRIMARY KEY, v real[] NOT NULL);
INSERT INTO items SELECT i, (SELECT array_agg(random()::real) FROM generate_series(1, :dimensions + 0 * i)) FROM generate_series(1, :rows) i;
CREATE TABLE queries AS SELECT id, v FROM items WHERE id <= 1000;
ALTER TABLE queries ADD PRIMARY KEY (id);
CREATE TABLE bulk (id int PRIMARY KEY, v real[] NOT NULL);
INSERT INTO bulk SELECT i, (SELECT array_agg(random()::real) FROM generate_series(1, 512 + 0 * i)) FROM generate_series(1, 33000) i;
VACUUM ANALYZE;
SELECT vector_fdw.create_collection('near', 'items', 'v');
SELECT vector_fdw.create_collection('bulk_near', 'bulk', 'v', index => 'flat');
SELECT vector_fdw.create_collection('built', 'bulk', 'v');
SELECT vector_fdw.wait_for_collection('near', '30 min');
SELECT vector_fdw.wait_for_collection('bulk_near', '30 min');
SELECT vector_fdw.wait_for_collection('built', '30 min');
CREATE FOREIGN TABLE near (id int, v real[]) SERVER vectord;
CREATE FOREIGN TABLE bulk_near (id int, v real[]) SERVER vectord;
SQL
cat >"$run/short.sql" <<'SQL'
\set i random(1, 1000)
SELECT id FROM near ORDER BY v <-> (SELECT v FROM queries WHERE id = :i) LIMIT 10;
SQL
cat >"$run/long.sql" <<'SQL'
\set i random(1, 33000)
SELECT id FROM bulk_near ORDER BY v <-> (SELECT v FROM bulk WHERE id = :i) LIMIT 10;
SQL

# measure NAME CLIENTS: prints a line and sets qps, p50 and p99 (microseconds). A client's first search,
# which connects, is left out: of 64 clients in two seconds these would be the slowest 1 %.
measure() {
	rm -f "$run"/log.*
	"$bench" -n -M prepared -f "$run/short.sql" -c "$2" -T "$seconds" -l --log-prefix="$run/log" >"$run/bench.out" 2>&1 || {
		cat "$run/bench.out"
		echo "# $1: a client failed"
		exit 1
	}
	local count
	cat "$run"/log.* | awk 'seen[$1]++ { print $3 }' | sort -n >"$run/times"
	count=$(wc -l <"$run/times")
	qps=$(awk '/^tps/ { print int($3) }' "$run/bench.out")
	p50=$(sed -n "$((count / 2 + 1))p" "$run/times")
	p99=$(sed -n "$((count * 99 / 100 + 1))p" "$run/times")
	printf '# %-34s %3d clients %7d q/s  p50 %6d us  p99 %7d us\n' "$1" "$2" "$qps" "$p50" "$p99"
}
# must WHAT EXPRESSION: of awk
must() {
	if awk "BEGIN { exit !($2) }"; then
		echo "# so: $1"
	else
		echo "# not so: $1 ($2)"
		failed=1
	fi
}
# limit CI STRICT
limit() { if [ "$strict" = 1 ]; then echo "$2"; else echo "$1"; fi; }
# best_of CLIENTS: the better figures of two runs, so that what disturbed one of them does not decide
best_of() {
	measure alone "$1"
	local first_qps=$qps first_p99=$p99
	measure alone "$1"
	qps=$((first_qps > qps ? first_qps : qps))
	p99=$((first_p99 < p99 ? first_p99 : p99))
}

measure "warming up" 2
best_of 1
p99_of_1=$p99
best_of 8
qps_of_8=$qps
best_of 64
must "64 clients get what 8 get" "$qps >= $(limit 0.6 0.95) * $qps_of_8"
must "none of 64 waits much longer than its share" "$p99 <= $(limit 15 5) * 1000000 * 64 / $qps"

long_clients=$((2 * $(nproc)))
"$bench" -n -M prepared -f "$run/long.sql" -c "$long_clients" -T $((4 * seconds + 60)) >"$run/long.out" 2>&1 &
long=$!
trap 'kill $long 2>/dev/null || true' EXIT
until [ "$(sql -c "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgbench' AND query LIKE '%bulk_near%'")" = "$long_clients" ]; do sleep 0.1; done
measure "while $long_clients exact scans loop" 1
must "a short search does not wait for scans to end" "$p50 <= $(limit 20 6) * $p99_of_1"
measure "while $long_clients exact scans loop" 8
must "short searches keep their share beside scans" "$qps >= $(limit 0.08 0.25) * $qps_of_8"
kill $long
wait $long 2>/dev/null || true

builds() { sql -c "SELECT builds FROM vector_fdw.stat_collections WHERE name = 'built'"; }
before=$(builds)
(while :; do
	sql -c "SELECT vector_fdw.rebuild_collection('built')" -c "SELECT vector_fdw.wait_for_collection('built', '10 min')" >/dev/null || exit
done) &
long=$!
until [ "$(sql -c "SELECT phase <> '' FROM vector_fdw.stat_collections WHERE name = 'built'")" = t ]; do sleep 0.02; done
measure "while an index is built" 1
must "a short search does not wait for a build" "$p50 <= $(limit 20 6) * $p99_of_1"
measure "while an index is built" 8
must "short searches keep their share beside a build" "$qps >= $(limit 0.15 0.5) * $qps_of_8"
until [ "$(builds)" -gt "$before" ]; do sleep 0.1; done
echo "# builds that ended meanwhile: $(($(builds) - before))"
kill $long
wait $long 2>/dev/null || true
exit $failed

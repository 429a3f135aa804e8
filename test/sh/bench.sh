#!/bin/bash
# bench.sh - `make bench` works from end to end, at a size that says nothing about speed.
#
# Every part runs; the files have every row and column that a report needs; what exact searches find is exact;
# a wrong setting is refused; one that is ended in the middle leaves nothing behind.
set -euo pipefail

fail() {
	echo "# $1"
	exit 1
}
out=$SANDBOX_DIR-bench
trap 'rm -rf "$out"' EXIT
export BENCH=tiny BENCH_OUT=$out
unset BENCH_SETS BENCH_ONLY BENCH_QUERIES BENCH_SECONDS

test/bench/run >"$SANDBOX_DIR/table" 2>"$SANDBOX_DIR/progress" || fail "it failed: $(tail -n 5 "$SANDBOX_DIR/progress")"
# value SYSTEM MEASURE: of bench.csv
value() { awk -F, -v s="$1" -v m="$2" '$(NF - 2) == s && $(NF - 1) == m {print $NF}' "$out/bench.csv"; }
for system in ours ours_default; do
	for measure in build_s recall p50_ms_1 p99_ms_1 qps_8 qps_64 insert_rows_per_s ram_bytes_per_vector disk_bytes_per_vector; do
		awk "BEGIN {exit !($(value $system $measure) > 0)}" || fail "$system has no $measure"
	done
done
for measure in build_s recall p50_ms_1 qps_8 insert_rows_per_s ram_bytes_per_vector; do
	awk "BEGIN {exit !($(value hnswlib $measure) > 0)}" || fail "hnswlib has no $measure"
done
awk "BEGIN {exit !($(value ours recall) >= 0.98)}" || fail "recall at equal terms is $(value ours recall)"
awk "BEGIN {exit !($(value exact recall) == 1)}" || fail "the exact scan's recall is $(value exact recall)"
[ -n "$(value pgvector build_s)$(value pgvector missing)" ] || fail "nothing is said of pgvector"
# By their first words: what each must show.
for target in 'SQL latency' 'SQL queries/s' 'build' 'rows/s' 'engine search' 'exact scan' 'execution' 'sq8' '10000 x 128'; do
	tr -d '",' <"$out/targets.csv" | grep -q "$target" || fail "no target \"$target\""
done
[ "$(tail -n +2 "$out/curves.csv" | wc -l)" -ge 10 ] || fail "curves.csv is too short"
head -c 8 "$out/recall.png" | grep -q PNG || fail "there is no picture"
grep -q 'must show' "$SANDBOX_DIR/table" || fail "no table was printed"
echo "# $(grep -c . "$out/bench.csv") values; pgvector: $(value pgvector missing)"

if BENCH_ONLY=nonsense test/bench/run 2>"$SANDBOX_DIR/refused"; then fail "a wrong setting is taken"; fi
grep -q 'BENCH_ONLY has nonsense' "$SANDBOX_DIR/refused" || fail "it does not say what is wrong"

# Ended while it loads, builds or searches.
BENCH_ONLY=sql test/bench/run >/dev/null 2>"$SANDBOX_DIR/progress" &
pid=$!
for ((i = 0; i < 600; i++)); do
	if grep -q 'loading' "$SANDBOX_DIR/progress"; then break; fi
	sleep 0.1
done
made=$(sed -n 's/^bench: .* starting a sandbox in //p' "$SANDBOX_DIR/progress")
[ -d "$made" ] || fail "it made no sandbox: $(tail -n 1 "$SANDBOX_DIR/progress")"
kill -TERM $pid
if wait $pid; then fail "it says that all is well although it was ended"; fi
[ ! -e "$made" ] || fail "its files are still in $made"
if grep -l -s -a -F "$made" /proc/[0-9]*/cmdline; then fail "a process of its sandbox is still there"; fi

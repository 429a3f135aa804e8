#!/bin/bash
# side_by_side.sh - sandboxes on one machine do not notice each other.
#
# Two are made at the same moment beside the one that this script was given. They hold collections of the same
# name with other data. In one of them vectord is killed, PostgreSQL restarted, all removed and made anew; in the
# other one a session that was open from the start goes on, with its own answers.
set -euo pipefail

one=$SANDBOX_DIR-one
two=$SANDBOX_DIR-two # of names that test/run removes, should this script be cut off
export SANDBOX_FSYNC=off
trap 'test/sandbox down "$one"; test/sandbox down "$two"' EXIT

fail() {
	echo "# $1"
	exit 1
}
# in_ DIR COMMAND...: as a user of that sandbox
in_() { (. "$1/env" && shift && "$@"); }
sql() { in_ "$1" psql -X -q -A -t -v VERBOSITY=${VERBOSITY:-default} -c "$2" 2>&1; }
pid() { in_ "$1" sh -c 'cat "$VECTORD_PIDFILE"'; }
alive() { grep -q '^State:.[^ZX]' "/proc/$1/status" 2>/dev/null; } # one that nobody has waited for yet has ended
readonly STATE="SELECT pid, started_at, (SELECT sum(builds) FROM vector_fdw.stat_collections) FROM vector_fdw.stat_daemon"
readonly SEARCH="SELECT note FROM near ORDER BY v <-> '{5,5}' LIMIT 3"

test/sandbox up "$one" &
first=$!
test/sandbox up "$two" &
second=$!
wait $first && wait $second || fail "not both came up"

for name in PGHOST PGPORT VECTORD_ENDPOINT VECTORD_PIDFILE VECTORD_CONFIG; do
	count=$(for dir in "$SANDBOX_DIR" "$one" "$two"; do in_ "$dir" printenv $name; done | sort -u | wc -l)
	[ "$count" = 3 ] || fail "$name is not another one in each sandbox"
done
count=$(for dir in "$SANDBOX_DIR" "$one" "$two"; do in_ "$dir" sh -c 'grep ^address "$VECTORD_CONFIG"'; done | sort -u | wc -l)
[ "$count" = 3 ] || fail "two sandboxes have the same address for HTTP"
for dir in "$one" "$two"; do
	if sql "$dir" 'SHOW listen_addresses' | grep -q .; then fail "PostgreSQL opens a TCP port"; fi
done

fill() { # DIR WORD
	local output
	output=$(sql "$1" "SET client_min_messages = warning;
		CREATE TABLE items (id int PRIMARY KEY, note text, v real[]);
		INSERT INTO items SELECT i, '$2 ' || i, ARRAY[i, i] FROM generate_series(1, 10) i;
		SELECT vector_fdw.create_collection('near', 'items', 'v', include => '{note}');
		CREATE FOREIGN TABLE near (id int, note text, v real[]) SERVER vectord") ||
		fail "$(basename "$1") could not be filled: $output"
	output=$(sql "$1" "SELECT vector_fdw.wait_for_collection('near')") || fail "$(basename "$1") does not become ready: $output"
}
# expect DIR WORD: the three nearest are of that sandbox
expect() {
	local got
	got=$(sql "$1" "$SEARCH") || true
	[ "$(sort <<<"$got")" = "$2 4"$'\n'"$2 5"$'\n'"$2 6" ] || fail "$(basename "$1") answers $got"
}
fill "$one" one
fill "$two" two
expect "$one" one
expect "$two" two
[ "$(sql "$SANDBOX_DIR" 'SELECT count(*) FROM vector_fdw.stat_collections')" = 0 ] || fail "a third sandbox has collections"

# A session of the second that lives as long as all this.
coproc SESSION { in_ "$two" psql -X -q -A -t 2>&1; }
session_answers() {
	local line got=''
	printf '%s;\n\\echo end\n' "$SEARCH" >&"${SESSION[1]}"
	while read -r -t 60 line <&"${SESSION[0]}" && [ "$line" != end ]; do got+="${got:+ }$line"; done
	[ "$(tr ' ' '\n' <<<"$got" | grep -c two)" = 3 ] && [ "$line" = end ] || fail "the session answers: $got $line"
}
# the_other_is_untouched WHAT
the_other_is_untouched() {
	[ "$(pid "$two")" = "$two_pid" ] && alive "$two_pid" || fail "$1: vectord of the other ended"
	session_answers
	expect "$two" two
	local state
	state=$(sql "$two" "$STATE") || true
	[ "$state" = "$two_state" ] || fail "$1: vectord of the other was $two_state and is $state"
	echo "# $1: the other goes on"
}
two_pid=$(pid "$two")
two_state=$(sql "$two" "$STATE")
session_answers

one_pid=$(pid "$one")
test/sandbox kill-daemon "$one"
if alive "$one_pid"; then fail "kill-daemon returned while vectord lives"; fi
got=$(VERBOSITY=sqlstate sql "$one" "$SEARCH") || true
[ "$got" = 'ERROR:  08001' ] || fail "without vectord: $got"
the_other_is_untouched kill-daemon
test/sandbox start-daemon "$one"
expect "$one" one
test/sandbox restart-postgres "$one"
expect "$one" one
the_other_is_untouched restart-postgres
test/sandbox stop-daemon "$one"
test/sandbox start-daemon "$one"
expect "$one" one
the_other_is_untouched stop-daemon

postmaster=$(head -n 1 "$one/pgdata/postmaster.pid")
one_pid=$(pid "$one")
test/sandbox down "$one"
if alive "$one_pid" || alive "$postmaster"; then fail "down left a process"; fi
[ ! -e "$one" ] || fail "down left $(ls -A "$one")"
the_other_is_untouched down
test/sandbox up "$one"
[ "$(sql "$one" 'SELECT count(*) FROM vector_fdw.collection')" = 0 ] || fail "a new sandbox is not empty"
fill "$one" new
expect "$one" new
the_other_is_untouched "up again"

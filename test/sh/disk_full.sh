#!/bin/bash
# disk_full.sh - the disk of vectord's data is full for a while, and then is not: nothing is lost, nobody has to do anything.
#
# The data directory is a small tmpfs. It is filled up; writers and searches go on, last_error says what is
# wrong. vectord is even killed and started while it is full, and gets a transaction that does not fit in
# memory. When there is room again, the stream and checkpoints go on by themselves, and all collections
# equal their tables, also after a kill, without having been built again.
#
# DISK_FULL_TRANSACTIONS (300) while it is full and DISK_FULL_MB (192) of the file system set the size.
# Mounting one takes root.
set -euo pipefail

transactions=${DISK_FULL_TRANSACTIONS:-300} megabytes=${DISK_FULL_MB:-192}
. "$(dirname "$0")/following.bash"

stop_daemon
if ! mount -t tmpfs -o "size=${megabytes}m,mode=0700,uid=$(stat -c %u "$data"),gid=$(stat -c %g "$data")" tmpfs "$data" 2>/dev/null; then
	say "SKIPPED: this user may not mount a small file system to fill up"
	exit 0
fi
trap 'umount -l "$data"' EXIT
printf '\n[checkpoint]\ninterval = "1s"\n' >>"$VECTORD_CONFIG"
start_daemon

fill() { dd if=/dev/zero of="$data/filler" bs=4k 2>/dev/null || true; }
room() { df --output=avail -k "$data" | tail -1; }

make_tables
wait_ready
wait_saved
before=$(builds)
started_with=$(daemon_pid)

fill
say "$(room) kB are left"
write_some 20
must_become 30 "SELECT bool_or(last_error ~* 'no space|disk.*full') FROM vector_fdw.stat_collections"
say "last_error: $(sql -c "SELECT max(last_error) FROM vector_fdw.stat_collections")"

# Writers, and what they read: all of it fresh.
pgbench -n -c 3 -t "$((transactions / 3))" -f "$run/write.sql" >"$run/write.log" 2>&1 ||
	fail "$(grep -hE 'ERROR|error' "$run/write.log" | head -5)"
fill
compare_writers "writing to a full disk"
[ "$(daemon_pid)" = "$started_with" ] || fail "vectord was restarted"
[ "$(builds)" = "$before" ] || fail "builds: $before, then $(builds)"
must_become 30 "SELECT bool_or(last_error ~* 'no space|disk.*full') FROM vector_fdw.stat_collections"

# A start from what was saved before it was full; the slot has the rest.
kill_daemon
fill
start_daemon
wait_ready
write_some 20
compare_writers "a kill with a full disk"
[ "$(builds)" = "$before" ] || fail "builds: $before, then $(builds)"

# vectord keeps a long transaction in a file until it commits. It cannot, so it waits for room, and with it all that comes later.
mark
sql -c "BEGIN" -c "INSERT INTO common SELECT 'long ' || i, i, repeat('note ', 150), vec(16) FROM generate_series(1, 40000) i" \
	-c "DELETE FROM common WHERE a LIKE 'long %' AND b % 100 > 0" -c "COMMIT"
until_true 60 logs 'changes of slot.*No space left' || fail "the log does not say that a long transaction does not fit"
say "log: $(first_logged 'changes of slot.*No space left')"
write_some 20
sql -c "SET vector_fdw.consistency = eventual" -c "SELECT search() FROM generate_series(1, 20)" >/dev/null
[ "$(builds)" = "$before" ] || fail "builds: $before, then $(builds)"

rm "$data/filler"
started=$(now_ms)
wait_saved 60
must_become 10 "SELECT bool_and(coalesce(last_error, '') = '') FROM vector_fdw.stat_collections"
say "all is saved $(($(now_ms) - started)) ms after there was room again"
compare_writers "there is room again"
kill_daemon
start_daemon
wait_ready
compare_writers "a kill when there was room again"
[ "$(builds)" = "$before" ] || fail "builds: $before, then $(builds)"
[ -z "$(find "$data" -name '*.corrupt-*')" ] || fail "set aside: $(find "$data" -name '*.corrupt-*')"
show_collections

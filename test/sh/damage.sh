#!/bin/bash
# damage.sh - whatever happens to vectord's files, its slot or the cluster, it finds out, says so and makes good by itself.
#
# A dropped slot; one beyond max_slot_wal_keep_size; a data directory that is deleted, with vectord running
# or not, or is that of another cluster; a byte flipped in each kind of file; a cluster restored from a base
# backup, on another timeline, with vectord running or not. After each, without any manual step, all
# collections are ready and equal their tables, the log says what happened, and only what was damaged has
# been built again.
#
# DAMAGE_FLIPS (1) bytes of each kind of file, one after the other; DAMAGE_CASES names some of the cases.
# The seed is printed; DAMAGE_SEED repeats the choice of bytes.
set -euo pipefail

flips=${DAMAGE_FLIPS:-1}
cases=${DAMAGE_CASES:-drop_slot_running drop_slot_stopped overtake_slot delete_stopped delete_running foreign_directory flip_bytes restore_running restore_paused restore_stopped}
seed=${DAMAGE_SEED:-$RANDOM}
. "$(dirname "$0")/following.bash"
RANDOM=$seed
say "DAMAGE_SEED=$seed"

sql -c "ALTER SYSTEM SET max_wal_size = '64MB'" -c "SELECT pg_reload_conf()" >/dev/null
settings '[checkpoint]
interval = "1s"'
make_tables
sql >/dev/null <<'SQL'
-- One that nobody writes to, one with rows that cannot be searched, one whose vectors stay in their files.
CREATE TABLE still (id int PRIMARY KEY, v real[]);
INSERT INTO still SELECT i, vec(8) FROM generate_series(1, 500) i;
CREATE TABLE spoilt (id int PRIMARY KEY, v real[]);
INSERT INTO spoilt SELECT i, CASE WHEN i % 50 = 0 THEN '{NaN,1,1,1}' ELSE vec(4) END FROM generate_series(1, 300) i;
CREATE TABLE large (id int PRIMARY KEY, v real[]);
INSERT INTO large SELECT i, vec(128) FROM generate_series(1, 4000) i;
SELECT vector_fdw.create_collection('still_flat', 'still', 'v', index => 'flat');
SELECT vector_fdw.create_collection('spoilt_hnsw', 'spoilt', 'v');
SELECT vector_fdw.create_collection('large_disk', 'large', 'v', index => 'ivf', options => '{"storage": "disk"}');
SQL
wait_ready
wait_saved

builds_of() { sql -c "SELECT builds FROM vector_fdw.stat_collections WHERE name = '$1'"; }

# recovers WHAT PATTERN: everything is well again, and log or last_error have said it.
recovers() {
	wait_ready
	until_true 20 logs "$2" || {
		logged | tail -20 | sed 's/^/# vectord.log: /'
		fail "$1: the log does not say \"$2\""
	}
	compare_writers "$1"
	write_some 20
	compare_writers "$1 and more writing"
	wait_saved
	say "$1: $(first_logged "$2")"
}

# All have been built anew: the number of builds of each begins again or has grown, so the log is what tells.
all_copied() {
	local name
	for name in $(sql -c 'SELECT name FROM vector_fdw.collection'); do
		logs "collection=$name copied [0-9]" || fail "$1: $name was not copied"
	done
}

case_drop_slot_running() {
	drop_slot
	write_some 50
	until_true 30 logs "collection=large_disk copied [0-9]" || fail "nothing happens after the slot was dropped"
	recovers "a dropped slot" "[Ss]lot .*(not exist|missing|no slot|gone|dropped)"
	all_copied "a dropped slot"
}

case_drop_slot_stopped() {
	stop_daemon
	drop_slot
	write_some 50
	start_daemon
	recovers "a slot dropped before a start" "[Ss]lot .*(not exist|missing|no slot|gone|dropped)"
	all_copied "a slot dropped before a start"
}

# Slots keep 1 MB at most from now on, and much more than that is written.
case_overtake_slot() {
	kill_daemon
	sql -c "ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'" -c "SELECT pg_reload_conf()" >/dev/null
	sql -c "CREATE TABLE ballast (filler text)" -c "ALTER TABLE ballast ALTER filler SET STORAGE EXTERNAL"
	write_some 50
	overtaken() {
		sql -c "INSERT INTO ballast SELECT repeat(i::text, 100000) FROM generate_series(1, 100) i" -c "SELECT pg_switch_wal()" -c "CHECKPOINT" >/dev/null
		holds "SELECT wal_status = 'lost' FROM pg_replication_slots WHERE slot_name = 'vectord'"
	}
	until_true 60 overtaken || fail "the slot has kept all WAL: $(sql -c "SELECT wal_status, restart_lsn FROM pg_replication_slots")"
	start_daemon
	recovers "an overtaken slot" "has lost WAL"
	all_copied "an overtaken slot"
	sql -c "ALTER SYSTEM RESET max_slot_wal_keep_size" -c "SELECT pg_reload_conf()" -c "DROP TABLE ballast" >/dev/null
}

case_delete_stopped() {
	kill_daemon
	write_some 50
	as_owner rm -rf "$data"
	start_daemon
	recovers "a data directory that is gone" "copied [0-9]"
	all_copied "a data directory that is gone"
}

# It has everything in memory: nothing is copied again, and the next checkpoints write all of it.
case_delete_running() {
	local before
	before=$(builds)
	as_owner sh -c 'rm -rf "$1"/*' sh "$data"
	write_some 50
	everything_there() { [ "$(find "$data" -name MANIFEST 2>/dev/null | wc -l)" = "$(sql -c 'SELECT count(*) FROM vector_fdw.collection')" ]; }
	until_true 30 everything_there || fail "not everything is saved again: $(find "$data" -name MANIFEST)"
	must_become 10 "SELECT bool_and(coalesce(last_error, '') !~ 'sav') FROM vector_fdw.stat_collections"
	recovers "a data directory deleted while vectord runs" "saving the collection failed|director"
	[ "$(builds)" = "$before" ] || fail "builds: $before, then $(builds)"
	kill_daemon
	start_daemon
	wait_ready
	compare_writers "a kill after the data directory was deleted"
	[ "$(builds)" = "$before" ] || fail "builds: $before, then $(builds)"
}

# exchange_cluster DIRECTORY: it becomes the data directory of the cluster, which is stopped
exchange_cluster() {
	as_owner rm -rf "$pgdata"
	as_owner mv "$1" "$pgdata"
}

# The hardest sort of another cluster: made from a dump, so that databases and definitions are the same.
case_foreign_directory() {
	local bin
	bin=$("${PG_CONFIG:-pg_config}" --bindir)
	stop_daemon
	(cd "$run" && "$bin/pg_dumpall" >dump.sql 2>/dev/null)
	as_owner "$bin/initdb" -D "$base/other" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync >/dev/null
	as_owner cp "$pgdata/postgresql.conf" "$pgdata/postgresql.auto.conf" "$base/other/"
	postgres stop
	exchange_cluster "$base/other"
	postgres start
	psql -X -q -d postgres -f "$run/dump.sql" >"$run/restore.log" 2>&1 || true
	start_daemon
	recovers "the data directory of another cluster" "another database system"
	all_copied "the data directory of another cluster"
}

# flip FILE: another value for one of its bytes that are not 0; those that mean nothing all are.
flip() {
	as_owner perl -e '
		my ($file, $random) = @ARGV;
		open(my $f, "+<:raw", $file) or die "$file: $!\n";
		my $bytes = do { local $/; <$f> };
		my $at = $random % length $bytes;
		$at = ($at + 1) % length $bytes while substr($bytes, $at, 1) eq "\0";
		seek($f, $at, 0);
		print $f substr($bytes, $at, 1) ^ chr(1 << $random % 8);
		printf "byte %d of %d\n", $at, length $bytes;' "$1" $((RANDOM * 32768 + RANDOM))
}

case_flip_bytes() {
	local pattern files file name n where others
	for pattern in MANIFEST 'seg-*.vseg' '*.large_disk.*/seg-*.vseg' 'live-*.bits' 'rejected-*.keys'; do
		for ((n = 0; n < flips; n++)); do
			kill_daemon
			mapfile -t files < <(find "$data" -path "*/$pattern" | sort)
			[ ${#files[@]} -gt 0 ] || fail "there is no file $pattern"
			file=${files[RANDOM % ${#files[@]}]}
			name=$(basename "$(dirname "$file")" | cut -d. -f2)
			where="$name/$(basename "$file"), $(flip "$file")"
			say "$where"
			mark
			start_daemon
			until_true 30 logs "collection=$name copied [0-9]" || fail "not noticed: $where"
			recovers "a damaged file" "(collection=$name |app[.]${name}[.]).*not used"
			others=$(grep -E 'copied [0-9]+ rows' < <(logged) | grep -v "collection=$name " || true)
			[ -z "$others" ] || fail "others were copied, too: $others"
		done
	done
}

# A backup from before some changes takes the cluster's place. Its timeline is another one then, and the
# changes are gone, so the rows of vectord's that have them must go, too.
restore() {
	"$("${PG_CONFIG:-pg_config}" --bindir)/pg_basebackup" -D "$run/backup" -X stream -c fast
	if [ "$(id -u)" = 0 ]; then chown -R postgres: "$run/backup"; fi
	as_owner mv "$run/backup" "$base/backup"
	write_some 50
	sql -c "UPDATE still SET v = vec(8) WHERE id < 100" -c "DELETE FROM large WHERE id < 100"
	wait_saved
	if [ "$1" = stopped ]; then stop_daemon; fi
	postgres stop
	as_owner sh -c 'touch "$1/recovery.signal" && echo "restore_command = false" >>"$1/postgresql.auto.conf"' sh "$base/backup"
	if [ "$1" = paused ]; then
		as_owner sh -c 'printf "%s\n" "recovery_target = immediate" "recovery_target_action = pause" >>"$1/postgresql.auto.conf"' sh "$base/backup"
	fi
	exchange_cluster "$base/backup"
	postgres start
	if [ "$1" = paused ]; then
		until_true 60 logs "the source is in recovery" || fail "not noticed: the cluster recovers"
		! logs "copied anew" || fail "rows were given up while the cluster recovers"
		sql -c "SELECT pg_wal_replay_resume()" >/dev/null
	fi
	must_become 60 "SELECT NOT pg_is_in_recovery()"
	[ "$1" != stopped ] || start_daemon
	until_true 60 logs "collection=still_flat copied [0-9]" || fail "not noticed: the cluster was restored from a backup"
	sql -c "ALTER SYSTEM RESET recovery_target" -c "ALTER SYSTEM RESET recovery_target_action" >/dev/null
	recovers "a restored backup ($1)" "timeline"
	all_copied "a restored backup ($1)"
}
case_restore_running() { restore running; }
case_restore_paused() { restore paused; } # held before it has recovered, which takes no time here
case_restore_stopped() { restore stopped; }

for name in $cases; do
	mark
	"case_$name"
done
show_collections

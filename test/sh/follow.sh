#!/bin/bash
# follow.sh - collections stay equal to their tables while several sessions write.
#
# Writers do what applications do: insert, update of the vector, of other columns, of the key, delete,
# upsert, COPY, savepoints that are rolled back, transactions over several tables, TRUNCATE. After each
# transaction a writer reads its own rows through the foreign table and must find exactly them;
# vectors are long enough to be stored out of line, so unchanged ones are not in the stream. Readers
# search meanwhile. In the end table and collection must be equal, row by row, also after PostgreSQL
# or vectord were restarted, and after the replication slot was dropped.
#
# FOLLOW_WRITERS (4) and FOLLOW_TRANSACTIONS of each (1000) set the size; SUITE_LIMIT_SH must leave the
# time for it. The seed is printed; FOLLOW_SEED repeats the choices of each writer.
set -euo pipefail

writers=${FOLLOW_WRITERS:-4}
transactions=${FOLLOW_TRANSACTIONS:-1000}
seed=${FOLLOW_SEED:-$RANDOM}
. "$(dirname "$0")/following.bash"
echo "# FOLLOW_SEED=$seed"

make_tables
longest=$((600 + transactions / 5)) # seconds

# round TRANSACTIONS: writers with a reader and a COPY beside them. A writer's rows are also those of the
# sessions before it, which it must ask for: its own first transaction may find nothing to change.
round() {
	timeout "$longest" pgbench -n -c 2 -T 100000 -f "$run/search.sql" >"$run/search.log" 2>&1 &
	local reader=$!
	(
		while kill -0 $reader 2>/dev/null; do
			sql -c "COPY (SELECT 'copied ' || i, i, 'by COPY', vec(16) FROM generate_series(1, 200) i) TO STDOUT" >"$run/rows" &&
				sql -c "COPY common FROM STDIN" <"$run/rows" 2>/dev/null || true
			sql -c "DELETE FROM common WHERE a LIKE 'copied %' AND b % 2 = 0" 2>/dev/null || true
			sql -c "DELETE FROM common WHERE a LIKE 'copied %'" 2>/dev/null || true
		done
	) &
	local copier=$! status=0 written
	written=$(sql -c 'SELECT pg_current_wal_insert_lsn()')
	PGOPTIONS="-c vector_fdw.min_lsn=$written" \
		timeout "$longest" pgbench -n -c "$writers" -j 2 -t "$1" --random-seed="$seed" -f "$run/write.sql" \
		>"$run/write.log" 2>&1 || status=$?
	local reader_failed=no
	kill -0 $reader 2>/dev/null || reader_failed=yes
	kill $reader 2>/dev/null || true
	wait $reader $copier 2>/dev/null || true
	grep -hE 'ERROR|aborted|tps' "$run/write.log" "$run/search.log" | head -8 | sed 's/^/# /'
	if [ "$reader_failed" = yes ]; then
		echo "# a reader failed"
		tail -5 "$run/search.log" | sed 's/^/# /'
		status=1
	fi
	return $status
}

before=$(builds)
round "$transactions"
compare_writers "writing"
[ "$(builds)" = "$before" ] # nothing was copied again

# A rebuild while others write: the old rows serve and follow until the new ones take over.
sql -c "SELECT vector_fdw.rebuild_collection('own_hnsw')" >/dev/null
round $((transactions / 5))
compare_writers "a rebuild"

"$sandbox" restart-postgres "$SANDBOX_DIR"
round $((transactions / 10))
compare_writers "a restart of PostgreSQL"

kill_daemon
write_some 100
start_daemon
round $((transactions / 10))
compare_writers "a kill of vectord"

# The slot is lost: all is copied again, with a new one.
before=$(builds)
drop_slot
write_some 100
must_become 60 "SELECT sum(builds) >= $((before + 4)) FROM vector_fdw.stat_collections"
compare_writers "the loss of the slot"
round $((transactions / 10))
compare_writers "writing after the loss of the slot"

# DDL that the stream does not carry.
sql <<'SQL'
ALTER TABLE own ALTER COLUMN title TYPE text USING title || ' rewritten';
CREATE TABLE parts_more PARTITION OF parts FOR VALUES FROM (100) TO (200);
INSERT INTO parts VALUES (1000, 150, '{1,2,3,4,5,6,7,8}');
TRUNCATE parts_low;
SQL
compare_writers "DDL"

[ "$(sql -c "SELECT count(*) FROM pg_replication_slots WHERE slot_name LIKE '%copy%'")" = 0 ]
show_collections

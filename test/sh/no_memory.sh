#!/bin/bash
# no_memory.sh - a system that refuses memory does not end vectord.
#
# Less than what [memory] limit would grant: vm.overcommit_memory = 2, or "ulimit -v", which is used here.
# Bounded vectord gets a large transaction while searches go on, and must not end. Without the bound every
# collection is then what its table is.
set -euo pipefail

sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }
pid=$(cat "$VECTORD_PIDFILE")

sql <<'SQL' >/dev/null
SET client_min_messages = warning;
CREATE TABLE large (id int PRIMARY KEY, body text, v real[]);
CREATE TABLE small (id int PRIMARY KEY, v real[]);
INSERT INTO small SELECT i, ARRAY[i, i] FROM generate_series(1, 1000) i;
SELECT vector_fdw.create_collection('large', 'large', 'v', include => '{body}');
SELECT vector_fdw.create_collection('small', 'small', 'v');
SELECT vector_fdw.wait_for_collection('large');
SELECT vector_fdw.wait_for_collection('small');
CREATE FOREIGN TABLE near_large (id int, body text, v real[]) SERVER vectord OPTIONS (collection 'large');
CREATE FOREIGN TABLE near_small (id int, v real[]) SERVER vectord OPTIONS (collection 'small');
SELECT count(*) FROM near_large;
SELECT count(*) FROM near_small;
SQL

vectord=${VECTORD:-$(command -v vectord || echo /usr/local/bin/vectord)}
printf '#!/bin/sh\nulimit -v "$(cat "%s")"\nexec "%s" "$@"\n' "$SANDBOX_DIR/bound" "$vectord" >"$SANDBOX_DIR/bounded"
chmod 755 "$SANDBOX_DIR/bounded"
restart() { # PROGRAM
	test/sandbox stop-daemon "$SANDBOX_DIR" >/dev/null
	VECTORD=$1 test/sandbox start-daemon "$SANDBOX_DIR" >/dev/null
	pid=$(cat "$VECTORD_PIDFILE")
}

for room in 8 24 72; do
	echo "$(($(awk '/^VmSize/ { print $2 }' "/proc/$pid/status") + room * 1024))" >"$SANDBOX_DIR/bound"
	chmod 644 "$SANDBOX_DIR/bound"
	restart "$SANDBOX_DIR/bounded"
	sql -v room="$room" <<'SQL' >/dev/null
INSERT INTO large SELECT i * 100 + :room, repeat(md5(i::text), 250), ARRAY[i, :room] FROM generate_series(1, 20000) i;
UPDATE small SET v = ARRAY[id, :room];
SQL
	refused=0
	for _ in $(seq 30); do
		sql -c 'SET vector_fdw.consistency = eventual' -c 'SELECT id FROM near_small ORDER BY v <-> ARRAY[7, 7]::real[] LIMIT 10' >/dev/null 2>&1 || refused=$((refused + 1))
		sleep 0.1
	done
	if ! kill -0 "$pid" || [ "$(cat "/proc/$pid/comm")" != vectord ]; then
		echo "# with room for $room MB vectord ended"
		exit 1
	fi
	echo "# room for $room MB: $refused of 30 searches refused; $(sql -c "SELECT string_agg(name || ' ' || state || coalesce(' (' || nullif(last_error, '') || ')', ''), '; ' ORDER BY name) FROM vector_fdw.stat_collections")"
	restart "$vectord"
	sql -c "SELECT vector_fdw.wait_for_collection('large', '5 min')" -c "SELECT vector_fdw.wait_for_collection('small', '5 min')" >/dev/null
	for collection in large small; do
		wrong=$(sql -c "SELECT missing || '/' || extra || '/' || different FROM vector_fdw.verify_collection('$collection')")
		echo "# room for $room MB: then $collection has $wrong rows missing/extra/different"
		[ "$wrong" = 0/0/0 ]
	done
done

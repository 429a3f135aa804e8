#!/bin/bash
# redeploy.sh - a script that drops the extension, creates all anew and waits, gets what it waits for.
#
# The publication goes with the extension, and the replication slot cannot see the new one: vectord has to take
# another slot, and must neither give up nor rest for long meanwhile.
# REDEPLOY_TIMES (5) is how often; each may take REDEPLOY_SECONDS (8).
set -euo pipefail

sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }

sql <<'SQL'
CREATE TABLE docs (id int PRIMARY KEY, v real[]);
INSERT INTO docs SELECT i, ARRAY[i, 1] FROM generate_series(1, 1000) i;
SQL
for n in $(seq "${REDEPLOY_TIMES:-5}"); do
	started=$SECONDS
	sql -v endpoint="$VECTORD_ENDPOINT" <<-'SQL'
		SET client_min_messages = warning;
		\o /dev/null
		DROP EXTENSION vector_fdw CASCADE;
		CREATE EXTENSION vector_fdw;
		CREATE SERVER vectord FOREIGN DATA WRAPPER vector_fdw OPTIONS (endpoint :'endpoint');
		CREATE USER MAPPING FOR CURRENT_USER SERVER vectord;
		SELECT vector_fdw.create_collection('docs', 'docs', 'v');
		SELECT vector_fdw.wait_for_collection('docs', '1 min');
		CREATE FOREIGN TABLE near (id int, v real[]) SERVER vectord OPTIONS (collection 'docs');
	SQL
	took=$((SECONDS - started))
	found=$(sql -c "INSERT INTO docs VALUES ($n + 1000, '{-$n, 1}')" -c "SELECT id FROM near ORDER BY v <-> '{-$n, 1}' LIMIT 1")
	echo "# deployment $n: ready after $took s, the nearest row is $found"
	[ "$found" = $((n + 1000)) ] || exit 1
	[ "$took" -le "${REDEPLOY_SECONDS:-8}" ] || exit 1
done

#!/bin/bash
# no_replication.sh - a source's role that may not replicate is a matter for people: waiting ends at once, with the
# reason, and all goes well when the right is given.
set -euo pipefail

sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }

sql <<'SQL' >/dev/null
SET client_min_messages = warning;
ALTER ROLE vectord NOREPLICATION NOSUPERUSER;
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'walsender';
CREATE TABLE items (id int PRIMARY KEY, v real[]);
INSERT INTO items VALUES (1, '{1,1}');
SELECT vector_fdw.create_collection('near', 'items', 'v');
SQL

said=$(psql -X -q -A -t -v VERBOSITY=verbose -c "SELECT vector_fdw.wait_for_collection('near', '120 s')" 2>&1) || true
if ! grep -q '^ERROR:  42501: .*near' <<<"$said" ||
	! grep -q '^DETAIL:  .*(SQLSTATE 42501).* needs ALTER ROLE \.\.\. REPLICATION' <<<"$said"; then
	echo "# it is not said that the role lacks REPLICATION, but: $said"
	exit 1
fi
echo "# $(grep -E '^(ERROR|DETAIL|HINT)' <<<"$said" | tr '\n' ' ')"
[ "$(sql -c "SELECT state FROM vector_fdw.stat_collections WHERE name = 'near'")" = error ] ||
	{ echo "# its state is not error"; exit 1; }

sql -c 'ALTER ROLE vectord REPLICATION'
for _ in $(seq 600); do
	state=$(sql -c "SELECT state FROM vector_fdw.stat_collections WHERE name = 'near'")
	[ "$state" != ready ] || break
	sleep 0.05
done
[ "$state" = ready ] || { echo "# the right was given, but the state is $state"; exit 1; }
echo "# with the right it is built"

#!/bin/bash
# metrics.sh - /metrics counts what happens to sources, copies and builds.
#
# Each figure is asked for after something that must move it.
set -euo pipefail

failed=0
sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }
readonly ADDRESS=$(sed -n 's/^address = "\(.*\)"/\1/p' "$SANDBOX_DIR/vectord.toml")

page() {
	exec 3<>"/dev/tcp/${ADDRESS%:*}/${ADDRESS#*:}"
	printf 'GET /metrics HTTP/1.1\r\nConnection: close\r\n\r\n' >&3
	cat <&3
	exec 3>&-
}
metric() { page | tr -d '\r' | sed -n "s/^vectord_$1 //p"; }

# is METRIC OPERATOR NUMBER: becomes so
is() {
	local value
	for _ in $(seq 600); do
		value=$(metric "$1")
		if [ -n "$value" ] && [ "$value" "$2" "$3" ]; then
			echo "# $1: $value"
			return
		fi
		sleep 0.05
	done
	echo "# not so: $1 is \"$value\", not $2 $3"
	failed=1
}

before_builds=$(metric builds_total) before_copied=$(metric rows_copied_total)
sql <<'SQL' >/dev/null
SET client_min_messages = warning;
CREATE TABLE counted (id int PRIMARY KEY, v real[]);
INSERT INTO counted SELECT i, ARRAY[i, i] FROM generate_series(1, 1000) i;
INSERT INTO counted VALUES (-1, '{NaN,1}'), (-2, '{1,2,3}');
SELECT vector_fdw.create_collection('counted', 'counted', 'v', options => '{"dimensions": 2}');
SELECT vector_fdw.wait_for_collection('counted');
SQL
is sources -ge 1
is sources_connected -eq "$(metric sources)"
is rows_copied_total -eq $((before_copied + 1002))
is rows_rejected_total -eq 2
is builds_total -eq $((before_builds + 1))
is builds_failed_total -eq 0
sql -c "INSERT INTO counted VALUES (-3, '{NaN,1}')"
is rows_rejected_total -eq 3

# More than there is memory for.
sql <<'SQL' >/dev/null
SET client_min_messages = warning;
SELECT vector_fdw.create_collection('large', 'counted', 'v', options => '{"dimensions": 2, "memory_limit": "1MB"}');
SQL
is builds_failed_total -ge 1
sql -c "SELECT vector_fdw.drop_collection('large')" >/dev/null

failures=$(metric source_failures_total)
sql -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'vectord' AND backend_type = 'client backend'" >/dev/null
is source_failures_total -gt "$failures"
is sources_connected -eq "$(metric sources)"
failures=$(metric source_failures_total)
sql -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'vectord' AND backend_type = 'walsender'" >/dev/null
is source_failures_total -gt "$failures"

exit $failed

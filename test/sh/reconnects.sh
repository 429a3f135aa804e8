#!/bin/bash
# reconnects.sh - what becomes of open cursors, late replies and descriptors when a session's connection to vectord ends
# or is given up, while the session lives on.
set -euo pipefail

failed=0
sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }
pid() { cat "$VECTORD_PIDFILE"; }
readonly SEARCH="SELECT id FROM near ORDER BY v <-> '{3,3}' LIMIT 1"

# is WHAT EXPECTED SCRIPT: what psql prints for the script, in one session
is() {
	local said
	said=$(psql -X -q -A -t -v VERBOSITY=sqlstate <<<"$3" 2>&1 | tr -s '\n ' ' ')
	if [ "$said" = "$2 " ]; then
		echo "# $1: $2"
	else
		echo "# not so: $1: expected \"$2\", but: \"$said\""
		failed=1
	fi
}

sql <<'SQL' >/dev/null
SET client_min_messages = warning;
CREATE TABLE items (id int PRIMARY KEY, v real[]);
INSERT INTO items SELECT i, ARRAY[i, i] FROM generate_series(1, 5000) i;
SELECT vector_fdw.create_collection('near', 'items', 'v', index => 'flat');
SELECT vector_fdw.wait_for_collection('near');
CREATE FOREIGN TABLE near (id int, v real[]) SERVER vectord OPTIONS (fetch_size '10');
SQL

is 'an open cursor goes on after another statement had no reply' '3 ERROR: 08006 40 3' "BEGIN;
DECLARE c CURSOR FOR SELECT id FROM near ORDER BY v <-> '{1,1}' LIMIT 4500;
MOVE 2 FROM c; FETCH 1 FROM c; SAVEPOINT a; SET vector_fdw.request_timeout = '300ms';
\\! test/sandbox freeze-daemon $SANDBOX_DIR
$SEARCH;
\\! kill -CONT $(pid)
ROLLBACK TO a; MOVE 36 FROM c; FETCH 1 FROM c; $SEARCH; COMMIT;"

is 'a late reply does not hide a restart' '3 ERROR: 57014 3' "$SEARCH; SET statement_timeout = 200;
BEGIN; DECLARE c CURSOR FOR SELECT id FROM near ORDER BY v <-> '{1,1}' LIMIT 4500; MOVE 2 FROM c;
\\! test/sandbox freeze-daemon $SANDBOX_DIR
$SEARCH;
\\! kill -CONT $(pid)
ROLLBACK; RESET statement_timeout;
\\! test/sandbox stop-daemon $SANDBOX_DIR && test/sandbox start-daemon $SANDBOX_DIR
$SEARCH;"

# become N: waits until vectord has so many connections beside the one that asks
cat >"$SANDBOX_DIR/become" <<'SH'
for _ in $(seq 200); do
	now=$(psql -X -A -t -c 'SELECT connections - 1 FROM vector_fdw.stat_daemon')
	if [ "$now" = "$1" ]; then break; fi
	sleep 0.05
done
echo "$now connections"
SH

# Nobody reads what comes after a cancel, so vectord must not keep it.
is 'a cancelled statement leaves no connection behind' '0 connections 3 1 connections ERROR: 57014 0 connections 3' \
	"\\! bash $SANDBOX_DIR/become 0
$SEARCH;
\\! bash $SANDBOX_DIR/become 1
SET statement_timeout = 200;
\\! test/sandbox freeze-daemon $SANDBOX_DIR
$SEARCH;
\\! kill -CONT $(pid)
\\! bash $SANDBOX_DIR/become 0
$SEARCH;"

# Both the cursor's endpoints and those after the change are asked for by turns.
rounds=$(for _ in $(seq 60); do echo "MOVE 12 FROM c; SELECT id FROM near ORDER BY v <-> '{3,3}' LIMIT 1 \\gset"; done)
is 'ALTER SERVER beside an open cursor costs few descriptors' 'few 733' "SELECT pg_backend_pid() AS backend \\gset
\\setenv BACKEND :backend
$SEARCH \\gset
BEGIN; DECLARE c CURSOR FOR SELECT id FROM near ORDER BY v <-> '{1,1}' LIMIT 4500; MOVE 12 FROM c;
\\! ls /proc/\$BACKEND/fd | wc -l >$SANDBOX_DIR/before
\\! psql -X -q -c \"ALTER SERVER vectord OPTIONS (SET endpoint 'ipc://$(dirname "$VECTORD_PIDFILE")/vectord.sock,ipc:///tmp/none')\"
$rounds
\\! [ \$(ls /proc/\$BACKEND/fd | wc -l) -le \$((\$(cat $SANDBOX_DIR/before) + 8)) ] && echo few || ls /proc/\$BACKEND/fd | wc -l
FETCH 1 FROM c; COMMIT;"

# A session that connects and disconnects in one transaction needs no more descriptors than others.
is 'disconnecting many times in one transaction' '400 3' "SELECT count(vector_fdw.disconnect()) FROM generate_series(1, 400) i
	WHERE (SELECT id FROM near ORDER BY v <-> ARRAY[i, i]::real[] LIMIT 1) = i;
$SEARCH;"

# vectord ends a cursor that nobody uses; what it began with is still there, until the table changes.
printf '\n[cursor]\nidle_timeout = "1s"\n' >>"$VECTORD_CONFIG"
kill -HUP "$(pid)"
is 'an open cursor goes on after an idle time' '13 4500' "BEGIN;
DECLARE c CURSOR FOR SELECT id FROM near ORDER BY v <-> '{1,1}' LIMIT 4500; MOVE 12 FROM c;
\\! sleep 2.5
FETCH 1 FROM c; MOVE 4486 FROM c; FETCH 2 FROM c; COMMIT;"
exit $failed

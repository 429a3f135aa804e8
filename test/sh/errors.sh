#!/bin/bash
# errors.sh - what goes wrong is told by its SQLSTATE, with a detail and a hint, and the session goes on.
#
# One check or more for each kind of error that a user may meet: vectord away, lost in mid-request, stopped, still
# building or out of memory; collections, columns, types, options and vectors that are not as they should be; cancel
# and time-outs. All through SQL, each in a session that answers a query before and after it.
set -euo pipefail

failed=0
sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }
pid() { cat "$VECTORD_PIDFILE"; }
readonly SEARCH="SELECT id FROM near ORDER BY v <-> '{3,3}' LIMIT 1"

# expect WHAT SQLSTATE DETAIL HINT STATEMENT [AFTERWARDS]: DETAIL and HINT are patterns, "-" for what PostgreSQL
# itself says without. AFTERWARDS is what the next statement of the session must print.
expect() {
	local said
	said=$(printf '%s;\n\\echo then\n%s;\n' "$5" "$SEARCH" |
		psql -X -q -A -t -v VERBOSITY=verbose 2>&1 | grep -v '^LOCATION\|^LINE\|^ *^$')
	if ! grep -q "^ERROR:  $2: " <<<"$said" ||
		{ [ "$3" != - ] && ! grep -qE "^DETAIL:  .*$3" <<<"$said"; } ||
		{ [ "$4" != - ] && ! grep -qE "^HINT:  .*$4" <<<"$said"; } ||
		! [[ ${said##*then$'\n'} == ${6:-3}* ]]; then
		echo "# not so: $1: $2 with detail /$3/, hint /$4/, then ${6:-3}; but:"
		tail -n 12 <<<"$said" | sed 's/^/#     /'
		failed=1
	else
		echo "# $1: $(grep -E '^(ERROR|DETAIL|HINT)' <<<"$said" | head -n 3 | tr '\n' ' ')"
	fi
}

until_state() { # COLLECTION STATE
	for _ in $(seq 600); do
		[ "$(sql -c "SELECT state FROM vector_fdw.stat_collections WHERE name = '$1'")" = "$2" ] && return
		sleep 0.1
	done
	echo "# collection $1 does not become $2"
	exit 1
}

sql <<'SQL' >/dev/null
SET client_min_messages = warning;
CREATE TABLE items (id int PRIMARY KEY, note text, v real[]);
INSERT INTO items SELECT i, 'note ' || i, ARRAY[i, i] FROM generate_series(1, 5000) i;
SELECT vector_fdw.create_collection('near', 'items', 'v', include => '{note}');
SELECT vector_fdw.wait_for_collection('near');
CREATE FOREIGN TABLE near (id int, note text, v real[]) SERVER vectord;
CREATE FOREIGN TABLE no_collection (id int, v real[]) SERVER vectord OPTIONS (collection 'never_made');
CREATE FOREIGN TABLE no_schema (id int, v real[]) SERVER vectord OPTIONS (collection 'near', schema_name 'elsewhere');
CREATE FOREIGN TABLE no_column (id int, price numeric, v real[]) SERVER vectord OPTIONS (collection 'near');
CREATE FOREIGN TABLE no_vector (id int, w real[]) SERVER vectord OPTIONS (collection 'near');
CREATE FOREIGN TABLE wrong_type (id int, note bytea, v real[]) SERVER vectord OPTIONS (collection 'near');
CREATE FOREIGN TABLE wrong_vector (id int, v text) SERVER vectord OPTIONS (collection 'near');
CREATE FOREIGN TABLE wrong_key (id uuid, v real[]) SERVER vectord OPTIONS (collection 'near');
SQL

# ---- what is not there, or of another kind -----------------------------------------------------------

expect 'no such collection' HV00R '.' 'create_collection' 'SELECT * FROM no_collection LIMIT 1'
expect 'no such collection, ordered' HV00R '.' 'create_collection' "SELECT id FROM no_collection ORDER BY v <-> '{1,1}' LIMIT 1"
expect 'no such collection in this schema' HV00R 'schema "public"' 'schema_name' 'SELECT * FROM no_schema LIMIT 1'
expect 'no such collection, waited for' HV00R '.' 'vector_fdw.collection' "SELECT vector_fdw.wait_for_collection('never_made')"
expect 'no such column' HV005 '"id", "v", "note"' 'include' 'SELECT price FROM no_column LIMIT 1'
expect 'no such vector column' HV005 '"v"' '.' "SELECT id FROM no_vector ORDER BY w <-> '{1,1}' LIMIT 1"
expect 'wrong type' HV004 'text' 'type of the source column' 'SELECT note FROM wrong_type LIMIT 1'
expect 'wrong type of the vector' HV004 'vector' 'type of the source column' 'SELECT v FROM wrong_vector LIMIT 1'
expect 'wrong type of the key' HV004 'integer' 'type of the source column' 'SELECT id FROM wrong_key LIMIT 1'

# ---- options -----------------------------------------------------------------------------------------

expect 'unknown option of a server' HV00D '.' 'endpoint, dbname' "ALTER SERVER vectord OPTIONS (ADD colour 'red')"
expect 'unknown option of a table' HV00D '.' 'collection, schema_name' "ALTER FOREIGN TABLE near OPTIONS (ADD colour 'red')"
expect 'unknown option of a column' HV00D '.' 'column_name' "ALTER FOREIGN TABLE near ALTER id OPTIONS (ADD colour 'red')"
expect 'unknown option of a user mapping' HV00D '.' 'public_key, secret_key' \
	"CREATE USER MAPPING FOR PUBLIC SERVER vectord OPTIONS (colour 'red')"
expect 'unknown option of the wrapper' HV00D '.' '.' "ALTER FOREIGN DATA WRAPPER vector_fdw OPTIONS (ADD colour 'red')"
expect 'unknown option of a collection' HV00D '.' 'ef_construction' \
	"SELECT vector_fdw.create_collection('c', 'items', 'v', options => '{\"colour\": \"red\"}')"
expect 'unknown option of an import' HV00D '.' '.' \
	"IMPORT FOREIGN SCHEMA public FROM SERVER vectord INTO public OPTIONS (colour 'red')"
expect 'bad value of an option' 22023 'duration' - "ALTER SERVER vectord OPTIONS (ADD request_timeout 'soon')"
expect 'bad value of an option of a collection' 22023 'between' - \
	"SELECT vector_fdw.create_collection('c', 'items', 'v', options => '{\"m\": -1}')"

# ---- query vectors -----------------------------------------------------------------------------------

expect 'too few dimensions' 22023 'have 2 dimensions' '.' "SELECT id FROM near ORDER BY v <-> '{1}' LIMIT 1"
expect 'too many dimensions' 22023 'have 2 dimensions' '.' "SELECT id FROM near ORDER BY v <-> '{1,2,3}' LIMIT 1"
expect 'no dimensions' 22023 '.' '.' "SELECT id FROM near ORDER BY v <-> '{}' LIMIT 1"
expect 'NaN' 22023 'Element 2 is NaN' '.' "SELECT id FROM near ORDER BY v <-> '{1,NaN}' LIMIT 1"
expect 'infinite' 22023 'Element 1 is -Infinity' '.' "SELECT id FROM near ORDER BY v <-> '{-Infinity,1}' LIMIT 1"
expect 'NULL element' 22023 '.' '.' "SELECT id FROM near ORDER BY v <-> '{NULL,1}' LIMIT 1"
expect 'matrix' 22023 '2 dimensions' '.' "SELECT id FROM near ORDER BY v <-> '{{1,1}}' LIMIT 1"
expect 'as a parameter' 22023 'have 2 dimensions' '.' "PREPARE p(real[]) AS SELECT id FROM near ORDER BY v <-> \$1 LIMIT 1; EXECUTE p('{1}')"

# ---- building, unloaded, over a limit, gone ----------------------------------------------------------

sql <<'SQL' >/dev/null
SET client_min_messages = warning;
CREATE TABLE many (id int PRIMARY KEY, v real[]);
INSERT INTO many SELECT i, (SELECT array_agg(random()) FROM generate_series(1, 64) WHERE i > 0) FROM generate_series(1, 30000) i;
SELECT vector_fdw.create_collection('slow', 'many', 'v', options => '{"m": 64, "ef_construction": 2000}');
CREATE FOREIGN TABLE slow (id int, v real[]) SERVER vectord;
SQL
until_state slow building
expect 'still building' 57P03 'building' 'wait_for_collection' 'SELECT id FROM slow LIMIT 1'
expect 'waited for in vain' 57P03 '.' 'stat_collections' "SELECT vector_fdw.wait_for_collection('slow', '10 ms')"
sql -c "SELECT vector_fdw.unload_collection('slow')" >/dev/null
until_state slow unloaded
expect 'unloaded' 57P03 '.' 'load_collection' 'SELECT id FROM slow LIMIT 1'
expect 'unloaded, waited for' 57P03 '.' 'load_collection' "SELECT vector_fdw.wait_for_collection('slow')"
sql -c "SELECT vector_fdw.drop_collection('slow')" >/dev/null

# ---- changes that are not applied --------------------------------------------------------------------

sql <<'SQL' >/dev/null
SET client_min_messages = warning;
CREATE TABLE altered (id int PRIMARY KEY, year int, v real[]);
INSERT INTO altered VALUES (1, 2001, '{1,1}');
SELECT vector_fdw.create_collection('altered', 'altered', 'v', include => '{year}');
SELECT vector_fdw.wait_for_collection('altered');
CREATE FOREIGN TABLE altered_f (id int, v real[]) SERVER vectord OPTIONS (collection 'altered');
CREATE FUNCTION ask_for_the_future() RETURNS int LANGUAGE plpgsql SET vector_fdw.min_lsn = 'F0000000/0' SET vector_fdw.request_timeout = '2s'
	AS 'BEGIN RETURN (SELECT id FROM altered_f LIMIT 1); END';
SQL
expect 'asked for what has not happened' 57P03 'All commits before F0000000/0 are asked for' 'request_timeout' \
	'SELECT ask_for_the_future()'
expect 'a table that cannot be followed any more' 57P03 '"year"' 'stat_collections' \
	"SET client_min_messages = error; ALTER TABLE altered DROP COLUMN year; SELECT id FROM altered_f LIMIT 1"
sql -c "SELECT vector_fdw.drop_collection('altered')" >/dev/null

# ---- vectord stopped, lost, away ---------------------------------------------------------------------

in_mid_request() { # SIGNAL: to vectord, once a session waits for the reply of a daemon that is stopped
	for _ in $(seq 600); do
		[ "$(sql -c "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Extension' AND query LIKE '%LIMIT 1 /* mid */%'")" = 1 ] && break
		sleep 0.05
	done
	"$@"
}
test/sandbox freeze-daemon "$SANDBOX_DIR"
expect 'statement_timeout' 57014 - - "SET statement_timeout = 200; $SEARCH;
	RESET statement_timeout; \\! kill -CONT $(pid)
	SELECT WHERE false"
test/sandbox freeze-daemon "$SANDBOX_DIR"
expect 'request_timeout' 08006 'within 200 ms' 'request_timeout' "\\! kill -CONT $(pid)
	SELECT id FROM near LIMIT 0; $SEARCH;
	\\! test/sandbox freeze-daemon $SANDBOX_DIR
	SET vector_fdw.request_timeout = 200; $SEARCH; RESET vector_fdw.request_timeout; \\! kill -CONT $(pid)
	SELECT WHERE false"
test/sandbox freeze-daemon "$SANDBOX_DIR"
expect 'stopped before the first query' 08001 '.' 'vectord' "ALTER SERVER vectord OPTIONS (ADD connect_timeout '200'); $SEARCH;
	ALTER SERVER vectord OPTIONS (DROP connect_timeout); \\! kill -CONT $(pid)
	SELECT WHERE false"

kill -CONT "$(pid)"
in_mid_request sql -c "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Extension' AND query LIKE '%LIMIT 1 /* mid */%' AND pid <> pg_backend_pid()" >/dev/null &
canceller=$!
expect 'canceled' 57014 - - "$SEARCH; \\! test/sandbox freeze-daemon $SANDBOX_DIR
	SELECT id FROM near ORDER BY v <-> '{3,3}' LIMIT 1 /* mid */; \\! kill -CONT $(pid)
	SELECT WHERE false"
wait $canceller
in_mid_request kill -KILL "$(pid)" &
killer=$!
expect 'lost in mid-request' 08006 '.' '.' "$SEARCH; \\! test/sandbox freeze-daemon $SANDBOX_DIR
	SELECT id FROM near ORDER BY v <-> '{3,3}' LIMIT 1 /* mid */; \\! test/sandbox start-daemon $SANDBOX_DIR
	SELECT WHERE false"
wait $killer
test/sandbox kill-daemon "$SANDBOX_DIR"
expect 'away' 08001 'socket' 'vectord' "$SEARCH; \\! test/sandbox start-daemon $SANDBOX_DIR
	SELECT WHERE false"
test/sandbox stop-daemon "$SANDBOX_DIR"
expect 'away after a graceful stop' 08001 'socket' 'vectord' "$SEARCH; \\! test/sandbox start-daemon $SANDBOX_DIR
	SELECT WHERE false"

# ---- over a limit, too old ---------------------------------------------------------------------------

sql <<'SQL' >/dev/null
SET client_min_messages = warning;
SELECT vector_fdw.create_collection('large', 'many', 'v', options => '{"memory_limit": "1MB"}');
CREATE FOREIGN TABLE large (id int, v real[]) SERVER vectord;
SQL
until_state large error
expect 'over the limit of memory' 53200 '[^.]\.$' 'memory_limit' 'SELECT id FROM large LIMIT 1'
expect 'over the limit of memory, waited for' 53200 'memory' 'tries again by itself' "SELECT vector_fdw.wait_for_collection('large')"
expect 'over the limit of memory, but the table will do' 22012 - - "SET vector_fdw.on_unavailable = scan;
	SELECT 1 / (count(*) - 30000) FROM large"

# Only one continuation is kept at a time: the first is given up for the second.
printf '\n[cursor]\nmax = 1\n' >>"$VECTORD_CONFIG"
SANDBOX_WAIT=ready test/sandbox stop-daemon "$SANDBOX_DIR"
SANDBOX_WAIT=ready test/sandbox start-daemon "$SANDBOX_DIR"
sql -c "SELECT vector_fdw.wait_for_collection('near')" -c "ALTER FOREIGN TABLE near OPTIONS (ADD fetch_size '100')" >/dev/null
expect 'the continuation of an open cursor is gone' 72000 '.' '.' "BEGIN;
	DECLARE c CURSOR FOR SELECT id FROM near ORDER BY v <-> '{1,1}'; MOVE 10 FROM c;
	DECLARE d CURSOR FOR SELECT id FROM near ORDER BY v <-> '{9,9}'; MOVE 10 FROM d;
	\\! psql -X -q -c \"SELECT vector_fdw.rebuild_collection('near')\" -c \"SELECT vector_fdw.wait_for_collection('near')\" >/dev/null
	MOVE ALL FROM c; MOVE ALL FROM d; ROLLBACK"
exit $failed

# following.bash - what the scripts about following tables share. Sourced by them, not run.
#
# Gives the sandbox's paths, settings of both servers, waiting for a condition, writers and readers,
# and the comparison of all collections with their tables. Sourcing it changes nothing in the sandbox.
# shellcheck shell=bash

sandbox=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/sandbox
base=$PGHOST # where the sandbox's files are, behind all links
pgdata=$base/pgdata
data=$base/vectord-data # [data] directory
run=$SANDBOX_DIR/run
log=$VECTORD_LOG
mkdir -p "$run"
chmod 777 "$run"

sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }
say() { echo "# $*"; }
fail() {
	say "$*"
	exit 1
}
now_ms() { date +%s%3N; }

# As the user whose servers these are.
as_owner() {
	if [ "$(id -u)" = 0 ]; then
		(cd / && runuser -u postgres -- env LC_ALL=C.UTF-8 "$@")
	else
		(cd / && "$@")
	fi
}

# ---- waiting ----------------------------------------------------------------------------------------

# until_true SECONDS COMMAND...: polls; false when the time is over.
until_true() {
	local deadline=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt $deadline ] || return 1
		sleep 0.02
	done
}

# holds QUERY: true when it answers t; a server that is away says no.
holds() { [ "$(sql -c "$1" 2>/dev/null)" = t ]; }

# must_become SECONDS QUERY: waits for it, or fails the script and shows what there is.
must_become() {
	until_true "$1" holds "$2" && return
	show_collections
	tail -n 5 "$log" | sed 's/^/# vectord.log: /'
	fail "not within $1 s: $2"
}

readonly ALL_READY="SELECT count(*) > 0 AND bool_and(state = 'ready') FROM vector_fdw.stat_collections"
wait_ready() { must_become "${1:-60}" "$ALL_READY"; }

# The lines that vectord has logged since `mark`.
mark() { marked=$(wc -l <"$log"); }
logged() { tail -n +$((${marked:-0} + 1)) "$log"; }
logs() { grep -qE "$1" < <(logged); }
first_logged() { grep -m 1 -E "$1" < <(logged) | cut -c 26-320; } # without the time

# ---- the servers ------------------------------------------------------------------------------------

daemon_pid() { cat "$VECTORD_PIDFILE"; }
kill_daemon() { "$sandbox" kill-daemon "$SANDBOX_DIR"; }
stop_daemon() { "$sandbox" stop-daemon "$SANDBOX_DIR"; }
start_daemon() { "$sandbox" start-daemon "$SANDBOX_DIR"; }

# settings TEXT: adds it to vectord.toml, and restarts vectord.
settings() {
	stop_daemon
	printf '\n%s\n' "$1" >>"$VECTORD_CONFIG"
	start_daemon
}

# postgres start|stop|restart [pg_ctl's options]
postgres() {
	local output=()
	if [ "$1" != stop ]; then output=(-l "$base/postgres.log"); fi
	as_owner "$("${PG_CONFIG:-pg_config}" --bindir)/pg_ctl" "$@" -D "$pgdata" -w -t 60 "${output[@]}" >/dev/null 2>&1 </dev/null
}

drop_slot() {
	local n
	for ((n = 0; n < 500; n++)); do
		sql -c "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = 'vectord' AND active" >/dev/null
		sql -c "SELECT pg_drop_replication_slot('vectord')" >/dev/null 2>&1 && return
	done
	fail "could not drop the slot"
}

# ---- collections ------------------------------------------------------------------------------------

builds() { sql -c "SELECT coalesce(sum(builds), 0) FROM vector_fdw.stat_collections"; }

# saved LSN: everything up to there is in the files, so PostgreSQL was told that it need not keep it.
saved_query() { echo "SELECT coalesce(bool_and(confirmed_flush_lsn >= '$1'), false) FROM pg_replication_slots WHERE slot_name = 'vectord'"; }

# Waits for a checkpoint that holds all that has been committed; the next commit goes beyond it.
wait_saved() { must_become "${1:-60}" "$(saved_query "$(sql -c 'SELECT pg_current_wal_lsn()')")"; }

show_collections() {
	sql -c "SELECT '# ' || concat_ws(', ', name || ' ' || state, phase, rows || ' rows', deleted_rows || ' deleted', segments || ' segments', builds || ' builds', 'lag ' || lag_bytes, last_error)
		FROM vector_fdw.stat_collections ORDER BY name" || true
}

# nothing_wrong WHAT: each row of the query on standard input says what is wrong.
nothing_wrong() {
	local wrong
	if wrong=$(sql 2>&1) && [ -z "$wrong" ]; then return; fi
	say "after $1:"
	echo "${wrong:-the query failed}" | sed 's/^/# /'
	show_collections
	return 1
}

# compare WHAT: waits until all is applied; then every collection must equal its table.
compare() {
	nothing_wrong "$1" <<-'SQL'
		DO 'BEGIN PERFORM vector_fdw.wait_for_collection(name, ''2 min'') FROM vector_fdw.collection; END';
		SELECT concat_ws(' ', c.name, missing, 'missing,', extra, 'extra,', different, 'different')
		  FROM vector_fdw.collection c, vector_fdw.verify_collection(c.name)
		 WHERE missing + extra + different > 0;
	SQL
}

# ---- writers ----------------------------------------------------------------------------------------

# The tables and collections of writers.sql, ready.
make_tables() {
	sql -f "$(dirname "${BASH_SOURCE[0]}")/writers.sql" >/dev/null
	cat >"$run/write.sql" <<-'SQL'
		SELECT write(:client_id);
		SELECT check_own(:client_id);
	SQL
	echo 'SELECT search();' >"$run/search.sql"
}

# write_some N: N transactions of the writers, by one session.
write_some() { sql -c "SELECT write(n % 16) FROM generate_series(1, $1) n" >/dev/null; }

# compare_writers WHAT: `compare`, and by other means the collections of writers.sql.
compare_writers() {
	compare "$1" && nothing_wrong "$1" <<-'SQL'
		SELECT 'missing ' || count(*) FROM (SELECT id, title, embedding FROM own EXCEPT SELECT id, title, embedding FROM own_hnsw) d HAVING count(*) > 0;
		SELECT 'extra ' || count(*) FROM (SELECT id, title, embedding FROM own_hnsw EXCEPT SELECT id, title, embedding FROM own) d HAVING count(*) > 0;
		SELECT 'doubled ' || name FROM (SELECT 'own_hnsw' AS name, count(*) AS n, (SELECT count(*) FROM own) AS m FROM own_hnsw
		  UNION ALL SELECT 'common_ivf', count(*), (SELECT count(*) FROM common) FROM common_ivf
		  UNION ALL SELECT 'parts_hnsw', count(*), (SELECT count(*) FROM parts) FROM parts_hnsw) c WHERE n <> m;
	SQL
}

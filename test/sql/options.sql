-- Options of servers, user mappings, foreign tables and columns: which there are, what values they take.

BEGIN;
CREATE SERVER o_server FOREIGN DATA WRAPPER vector_fdw OPTIONS (
  endpoint 'ipc:///run/vectord/a.sock, tcp://vectors.example:5970', dbname 'app', connect_timeout '1500',
  request_timeout '10s', fetch_size '100', consistency 'eventual', ef_search '80', nprobe '4',
  target_recall '0.95', on_unavailable 'scan', server_public_key 'rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7',
  fdw_startup_cost '10', fdw_tuple_cost '0.5');
CREATE USER MAPPING FOR CURRENT_USER SERVER o_server OPTIONS (
  public_key 'Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID', secret_key 'D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs');
CREATE FOREIGN TABLE o_table (id bigint OPTIONS (column_name 'key'), e real[]) SERVER o_server OPTIONS (
  collection 'docs', schema_name 'app', consistency 'session', ef_search '40', nprobe '1',
  target_recall '1', fetch_size '0', on_unavailable 'error');
ALTER SERVER o_server OPTIONS (DROP dbname, SET request_timeout '2min');
-- An option that may be anywhere has a place in the list of options, and the other way round.
SELECT object, string_agg(option, ' ' ORDER BY option COLLATE "C") FROM vector_fdw.options() GROUP BY object ORDER BY object;
SELECT count(*) AS without_meaning FROM vector_fdw.options() WHERE meaning = '' OR value = '';
ROLLBACK;

-- Without any option: the defaults.
BEGIN;
CREATE SERVER o_server FOREIGN DATA WRAPPER vector_fdw;
SELECT option, default_value FROM vector_fdw.options() WHERE default_value IS NOT NULL GROUP BY 1, 2 ORDER BY option COLLATE "C";
ROLLBACK;

-- Unknown names are refused with those that are valid there.
CREATE SERVER o_server FOREIGN DATA WRAPPER vector_fdw OPTIONS (endpoint 'ipc:///a', colection 'x');
\echo :SQLSTATE
CREATE SERVER o_server FOREIGN DATA WRAPPER vector_fdw;
CREATE FOREIGN TABLE o_table (id int OPTIONS (name 'id')) SERVER o_server;
CREATE FOREIGN TABLE o_table (id int) SERVER o_server OPTIONS (endpoint 'ipc:///a');
\echo :SQLSTATE
CREATE USER MAPPING FOR CURRENT_USER SERVER o_server OPTIONS ("user" 'me');
ALTER FOREIGN DATA WRAPPER vector_fdw OPTIONS (ADD debug 'on');
\echo :SQLSTATE
-- Secrets stand on user mappings only: everybody may read the options of a server.
ALTER SERVER o_server OPTIONS (ADD secret_key 'D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs');

-- Wrong values are refused with what was expected.
ALTER SERVER o_server OPTIONS (ADD endpoint '/run/vectord/vectord.sock');
\echo :SQLSTATE
ALTER SERVER o_server OPTIONS (ADD endpoint 'ipc://run/vectord.sock');
ALTER SERVER o_server OPTIONS (ADD endpoint 'tcp://host');
ALTER SERVER o_server OPTIONS (ADD endpoint 'tcp://host:70000');
ALTER SERVER o_server OPTIONS (ADD endpoint 'ipc:///a,,ipc:///b');
ALTER SERVER o_server OPTIONS (ADD endpoint 'ipc:///a,');
ALTER SERVER o_server OPTIONS (ADD endpoint '');
DO $$ BEGIN EXECUTE format('ALTER SERVER o_server OPTIONS (ADD endpoint %L)', 'ipc:///' || repeat('p', 107)); END $$;
DO $$ BEGIN EXECUTE format('ALTER SERVER o_server OPTIONS (ADD endpoint %L)', 'ipc:///' || repeat('p', 106)); END $$;
ALTER SERVER o_server OPTIONS (ADD connect_timeout '0');
ALTER SERVER o_server OPTIONS (ADD request_timeout 'soon');
ALTER SERVER o_server OPTIONS (ADD ef_search '0');
\echo :SQLSTATE
ALTER SERVER o_server OPTIONS (ADD ef_search '12.5cm');
ALTER SERVER o_server OPTIONS (ADD nprobe '99999999999');
ALTER SERVER o_server OPTIONS (ADD target_recall '1.5');
ALTER SERVER o_server OPTIONS (ADD target_recall 'NaN');
ALTER SERVER o_server OPTIONS (ADD fdw_tuple_cost '-1');
ALTER SERVER o_server OPTIONS (ADD fetch_size '-1');
ALTER SERVER o_server OPTIONS (ADD consistency 'default');
ALTER SERVER o_server OPTIONS (ADD consistency 'strong');
ALTER SERVER o_server OPTIONS (ADD on_unavailable 'retry');
ALTER SERVER o_server OPTIONS (ADD dbname '');
ALTER SERVER o_server OPTIONS (ADD server_public_key 'too short');
CREATE FOREIGN TABLE o_table (id int) SERVER o_server OPTIONS (collection '');
CREATE FOREIGN TABLE o_table (id int OPTIONS (column_name '')) SERVER o_server;
-- A key that is malformed is not repeated in the message, which may be logged.
CREATE USER MAPPING FOR CURRENT_USER SERVER o_server OPTIONS (secret_key 'almost-a-secret');
\echo :SQLSTATE
-- Twice the same.
ALTER SERVER o_server OPTIONS (ADD nprobe '1', ADD nprobe '2');
\echo :SQLSTATE

SELECT srvoptions IS NOT NULL AS has_options FROM pg_foreign_server WHERE srvname = 'o_server';
DROP SERVER o_server;

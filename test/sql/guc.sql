-- Settings of the session: which there are, their defaults and what they refuse.

-- Settings exist once the library is loaded; before, any vector_fdw.* may be set, and is checked then.
SELECT '{1}'::real[] <-> '{1}' AS loads_the_library;
SELECT name, setting, unit, vartype, context, min_val, max_val, enumvals
FROM pg_settings WHERE name LIKE 'vector\_fdw.%' AND name <> 'vector_fdw.daemon_role' ORDER BY name COLLATE "C";
SELECT name, boot_val FROM pg_settings WHERE name = 'vector_fdw.daemon_role';
SELECT count(*) AS without_description FROM pg_settings WHERE name LIKE 'vector\_fdw.%' AND short_desc = '';

SET vector_fdw.ef_search = 200;
SET vector_fdw.nprobe = 16;
SET vector_fdw.target_recall = 0.99;
SET vector_fdw.exact = on;
SET vector_fdw.consistency = 'eventual';
SET vector_fdw.consistency = 'session';
SET vector_fdw.consistency = 'snapshot';
SET vector_fdw.on_unavailable = 'scan';
SET vector_fdw.on_unavailable = 'error';
SET vector_fdw.request_timeout = '1500ms';
SHOW vector_fdw.request_timeout;
SET vector_fdw.request_timeout = '2s';
SHOW vector_fdw.request_timeout;
SET vector_fdw.min_lsn = '16/B374D848';
SHOW vector_fdw.min_lsn;
SET vector_fdw.min_lsn = '0/0';
SET vector_fdw.min_lsn = '';
SELECT set_config('vector_fdw.min_lsn', pg_current_wal_insert_lsn()::text, true) <> '' AS from_a_function;

SET vector_fdw.ef_search = -1;
\echo :SQLSTATE
SET vector_fdw.ef_search = 100001;
SET vector_fdw.nprobe = 'many';
SET vector_fdw.target_recall = 1.1;
SET vector_fdw.target_recall = 0.001;
SET vector_fdw.exact = 'maybe';
SET vector_fdw.consistency = 'strong';
\echo :SQLSTATE
SET vector_fdw.on_unavailable = 'retry';
SET vector_fdw.request_timeout = '-1';
SET vector_fdw.min_lsn = 'now';
\echo :SQLSTATE
SET vector_fdw.min_lsn = '16/B374D8481';
SET vector_fdw.min_lsn = '16/B374 D848';
SET vector_fdw.min_lsn = '16';
SET vector_fdw.min_lsn = '-1/0';

-- A transaction's setting ends with it.
BEGIN;
SET LOCAL vector_fdw.ef_search = 7;
SHOW vector_fdw.ef_search;
ROLLBACK;
SHOW vector_fdw.ef_search;

-- The prefix is reserved: a typo is an error (since PostgreSQL 15).
SET vector_fdw.ef_serach = 7;
\echo :SQLSTATE

-- vector_fdw.sql - the whole definition of the extension, as of the version in the Makefile.
--
-- Operators go to the schema of CREATE EXTENSION, where an unqualified query finds them; all else
-- goes to the schema vector_fdw. Each object has a comment: \dd and \df+ are its documentation.
-- What C expects of vector_fdw.collection stands in fdw/definition.h.
--
-- 0.1.0 is the first release: there is no older one to upgrade from, hence no vector_fdw--A--B.sql.

\echo Use "CREATE EXTENSION vector_fdw" to load this file. \quit

CREATE SCHEMA vector_fdw;
COMMENT ON SCHEMA vector_fdw IS 'nearest-neighbour search by vectord: collections, their status, distance functions';
GRANT USAGE ON SCHEMA vector_fdw TO PUBLIC;

-- ---- distances ------------------------------------------------------------------------------------
-- The cost makes a scan that computes many distances be worth parallel workers. double precision[]
-- is rounded to real first, as vectord stores it.

CREATE FUNCTION vector_fdw.l2_distance(real[], real[]) RETURNS double precision
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'vfdw_l2_distance';
COMMENT ON FUNCTION vector_fdw.l2_distance(real[], real[]) IS 'Euclidean distance';
CREATE FUNCTION vector_fdw.negative_inner_product(real[], real[]) RETURNS double precision
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'vfdw_negative_inner_product';
COMMENT ON FUNCTION vector_fdw.negative_inner_product(real[], real[]) IS 'negative inner product';
CREATE FUNCTION vector_fdw.inner_product(real[], real[]) RETURNS double precision
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'vfdw_inner_product';
COMMENT ON FUNCTION vector_fdw.inner_product(real[], real[]) IS 'inner product';
CREATE FUNCTION vector_fdw.cosine_distance(real[], real[]) RETURNS double precision
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'vfdw_cosine_distance';
COMMENT ON FUNCTION vector_fdw.cosine_distance(real[], real[]) IS 'cosine distance: 1 - cosine similarity; NaN if a vector is zero';
CREATE FUNCTION vector_fdw.l1_distance(real[], real[]) RETURNS double precision
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'vfdw_l1_distance';
COMMENT ON FUNCTION vector_fdw.l1_distance(real[], real[]) IS 'Manhattan distance';
CREATE FUNCTION vector_fdw.l2_distance(double precision[], double precision[]) RETURNS double precision
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'vfdw_l2_distance';
COMMENT ON FUNCTION vector_fdw.l2_distance(double precision[], double precision[]) IS 'Euclidean distance';
CREATE FUNCTION vector_fdw.negative_inner_product(double precision[], double precision[]) RETURNS double precision
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'vfdw_negative_inner_product';
COMMENT ON FUNCTION vector_fdw.negative_inner_product(double precision[], double precision[]) IS 'negative inner product';
CREATE FUNCTION vector_fdw.inner_product(double precision[], double precision[]) RETURNS double precision
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'vfdw_inner_product';
COMMENT ON FUNCTION vector_fdw.inner_product(double precision[], double precision[]) IS 'inner product';
CREATE FUNCTION vector_fdw.cosine_distance(double precision[], double precision[]) RETURNS double precision
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'vfdw_cosine_distance';
COMMENT ON FUNCTION vector_fdw.cosine_distance(double precision[], double precision[]) IS 'cosine distance: 1 - cosine similarity; NaN if a vector is zero';
CREATE FUNCTION vector_fdw.l1_distance(double precision[], double precision[]) RETURNS double precision
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'vfdw_l1_distance';
COMMENT ON FUNCTION vector_fdw.l1_distance(double precision[], double precision[]) IS 'Manhattan distance';

CREATE OPERATOR @extschema@.<-> (
	LEFTARG = real[], RIGHTARG = real[], FUNCTION = vector_fdw.l2_distance, COMMUTATOR = <->);
COMMENT ON OPERATOR @extschema@.<-> (real[], real[]) IS 'Euclidean distance';
CREATE OPERATOR @extschema@.<#> (
	LEFTARG = real[], RIGHTARG = real[], FUNCTION = vector_fdw.negative_inner_product, COMMUTATOR = <#>);
COMMENT ON OPERATOR @extschema@.<#> (real[], real[]) IS 'negative inner product';
CREATE OPERATOR @extschema@.<=> (
	LEFTARG = real[], RIGHTARG = real[], FUNCTION = vector_fdw.cosine_distance, COMMUTATOR = <=>);
COMMENT ON OPERATOR @extschema@.<=> (real[], real[]) IS 'cosine distance: 1 - cosine similarity; NaN if a vector is zero';
CREATE OPERATOR @extschema@.<+> (
	LEFTARG = real[], RIGHTARG = real[], FUNCTION = vector_fdw.l1_distance, COMMUTATOR = <+>);
COMMENT ON OPERATOR @extschema@.<+> (real[], real[]) IS 'Manhattan distance';
CREATE OPERATOR @extschema@.<-> (
	LEFTARG = double precision[], RIGHTARG = double precision[], FUNCTION = vector_fdw.l2_distance, COMMUTATOR = <->);
COMMENT ON OPERATOR @extschema@.<-> (double precision[], double precision[]) IS 'Euclidean distance';
CREATE OPERATOR @extschema@.<#> (
	LEFTARG = double precision[], RIGHTARG = double precision[], FUNCTION = vector_fdw.negative_inner_product, COMMUTATOR = <#>);
COMMENT ON OPERATOR @extschema@.<#> (double precision[], double precision[]) IS 'negative inner product';
CREATE OPERATOR @extschema@.<=> (
	LEFTARG = double precision[], RIGHTARG = double precision[], FUNCTION = vector_fdw.cosine_distance, COMMUTATOR = <=>);
COMMENT ON OPERATOR @extschema@.<=> (double precision[], double precision[]) IS 'cosine distance: 1 - cosine similarity; NaN if a vector is zero';
CREATE OPERATOR @extschema@.<+> (
	LEFTARG = double precision[], RIGHTARG = double precision[], FUNCTION = vector_fdw.l1_distance, COMMUTATOR = <+>);
COMMENT ON OPERATOR @extschema@.<+> (double precision[], double precision[]) IS 'Manhattan distance';

-- ---- the foreign-data wrapper -----------------------------------------------------------------------

CREATE FUNCTION vector_fdw.handler() RETURNS fdw_handler
LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'vfdw_handler';
COMMENT ON FUNCTION vector_fdw.handler() IS 'callbacks of the foreign-data wrapper';

CREATE FUNCTION vector_fdw.validator(text[], oid) RETURNS void
LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'vfdw_validator';
COMMENT ON FUNCTION vector_fdw.validator(text[], oid) IS 'checks options of servers, user mappings, foreign tables and columns';

-- For scans of the source table where vectord is away.
CREATE FUNCTION vector_fdw.stored_vector(vector anyelement, dimensions integer) RETURNS real[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'vfdw_stored_vector_as_array';
COMMENT ON FUNCTION vector_fdw.stored_vector(anyelement, integer) IS 'the vector as a collection of these dimensions (0: of any) holds it; NULL if it rejects it';

-- For vectord, which copies a table's vectors by it.
CREATE FUNCTION vector_fdw.packed_vector(real[]) RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vfdw_packed_vector';
COMMENT ON FUNCTION vector_fdw.packed_vector(real[]) IS 'the array in the binary format that vectord reads fastest';
CREATE FUNCTION vector_fdw.packed_vector(double precision[]) RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vfdw_packed_vector';
COMMENT ON FUNCTION vector_fdw.packed_vector(double precision[]) IS 'the array, in single precision, in the binary format that vectord reads fastest';

CREATE FOREIGN DATA WRAPPER vector_fdw
	HANDLER vector_fdw.handler VALIDATOR vector_fdw.validator;
COMMENT ON FOREIGN DATA WRAPPER vector_fdw IS 'shows collections of vectord as foreign tables';

CREATE FUNCTION vector_fdw.options(
	OUT object text, OUT option text, OUT value text, OUT default_value text, OUT meaning text)
RETURNS SETOF record
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 30 AS 'MODULE_PATHNAME', 'vfdw_options';
COMMENT ON FUNCTION vector_fdw.options() IS 'every option of the foreign-data wrapper: where it may stand and what it means';

-- ---- the catalog ------------------------------------------------------------------------------------
-- Written by the functions below only, which check what is written. pg_dump dumps the rows; the source
-- is restored by its name. The name has the collation "C", so that its index is the same everywhere.

CREATE TABLE vector_fdw.collection (
	name text COLLATE "C" NOT NULL,
	source regclass NOT NULL,
	vector_column name NOT NULL,
	metric text NOT NULL,
	index text NOT NULL,
	key_columns name[] NOT NULL,
	include name[] NOT NULL DEFAULT '{}',
	daemon text,
	options jsonb NOT NULL DEFAULT '{}',
	loaded boolean NOT NULL DEFAULT true,
	definition_id uuid NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	altered_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT collection_pkey PRIMARY KEY (name),
	CONSTRAINT collection_name_check CHECK (octet_length(name) BETWEEN 1 AND 63),
	CONSTRAINT collection_metric_check CHECK (metric IN ('l2', 'ip', 'cosine', 'l1')),
	CONSTRAINT collection_index_check CHECK (index IN ('hnsw', 'ivf', 'flat')),
	CONSTRAINT collection_key_columns_check CHECK (cardinality(key_columns) > 0),
	CONSTRAINT collection_daemon_check CHECK (daemon <> ''),
	CONSTRAINT collection_options_check CHECK (jsonb_typeof(options) = 'object')
);
GRANT SELECT ON vector_fdw.collection TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('vector_fdw.collection', '');

COMMENT ON TABLE vector_fdw.collection IS 'the collections of this database: what vectord copies, follows and indexes';
COMMENT ON COLUMN vector_fdw.collection.name IS 'unique in the database';
COMMENT ON COLUMN vector_fdw.collection.source IS 'table whose rows the collection holds';
COMMENT ON COLUMN vector_fdw.collection.vector_column IS 'column that is searched';
COMMENT ON COLUMN vector_fdw.collection.metric IS 'distance that the index serves: l2, ip, cosine or l1';
COMMENT ON COLUMN vector_fdw.collection.index IS 'kind of index: hnsw, ivf or flat (exact)';
COMMENT ON COLUMN vector_fdw.collection.key_columns IS 'columns that tell rows apart';
COMMENT ON COLUMN vector_fdw.collection.include IS 'further columns that are served and can be filtered by';
COMMENT ON COLUMN vector_fdw.collection.daemon IS 'name of the vectord that holds it; NULL: each that follows this database';
COMMENT ON COLUMN vector_fdw.collection.options IS 'parameters of the index and defaults of its searches';
COMMENT ON COLUMN vector_fdw.collection.loaded IS 'false after unload_collection()';
COMMENT ON COLUMN vector_fdw.collection.definition_id IS 'a new one asks for a rebuild';
COMMENT ON COLUMN vector_fdw.collection.created_at IS 'when it was created';
COMMENT ON COLUMN vector_fdw.collection.altered_at IS 'when its definition last changed';

CREATE FUNCTION vector_fdw.collection_changed() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'vfdw_collection_changed';
COMMENT ON FUNCTION vector_fdw.collection_changed() IS 'makes all sessions read vector_fdw.collection again';

CREATE TRIGGER collection_changed
	AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON vector_fdw.collection
	FOR EACH STATEMENT EXECUTE FUNCTION vector_fdw.collection_changed();
ALTER TABLE vector_fdw.collection ENABLE ALWAYS TRIGGER collection_changed;
COMMENT ON TRIGGER collection_changed ON vector_fdw.collection IS 'makes all sessions read the catalog again';

-- ---- definitions ------------------------------------------------------------------------------------
-- For the owner of the source table. Transactional: vectord sees what is committed.

CREATE FUNCTION vector_fdw.create_collection(
	name text, source regclass, vector_column text,
	metric text DEFAULT 'l2', index text DEFAULT 'hnsw',
	key_columns name[] DEFAULT NULL, include name[] DEFAULT '{}',
	daemon text DEFAULT NULL, options jsonb DEFAULT '{}')
RETURNS void LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'vfdw_create_collection';
COMMENT ON FUNCTION vector_fdw.create_collection(text, regclass, text, text, text, name[], name[], text, jsonb)
	IS 'defines a collection over a table; vectord builds it in the background';

CREATE FUNCTION vector_fdw.alter_collection(
	name text, vector_column text DEFAULT NULL,
	metric text DEFAULT NULL, index text DEFAULT NULL,
	key_columns name[] DEFAULT NULL, include name[] DEFAULT NULL,
	daemon text DEFAULT NULL, options jsonb DEFAULT NULL)
RETURNS void LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'vfdw_alter_collection';
COMMENT ON FUNCTION vector_fdw.alter_collection(text, text, text, text, name[], name[], text, jsonb)
	IS 'changes what is not NULL; options are merged by key, a null removes one; daemon '''' means each; rebuilt in the background if needed';

CREATE FUNCTION vector_fdw.rebuild_collection(name text)
RETURNS void LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'vfdw_rebuild_collection';
COMMENT ON FUNCTION vector_fdw.rebuild_collection(text) IS 'copies and indexes the source table anew, in the background';

CREATE FUNCTION vector_fdw.drop_collection(name text, if_exists boolean DEFAULT false)
RETURNS void LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'vfdw_drop_collection';
COMMENT ON FUNCTION vector_fdw.drop_collection(text, boolean) IS 'removes the definition; vectord frees what it held';

CREATE FUNCTION vector_fdw.load_collection(name text)
RETURNS void LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'vfdw_load_collection';
COMMENT ON FUNCTION vector_fdw.load_collection(text) IS 'makes vectord hold an unloaded collection again';

CREATE FUNCTION vector_fdw.unload_collection(name text)
RETURNS void LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'vfdw_unload_collection';
COMMENT ON FUNCTION vector_fdw.unload_collection(text) IS 'frees the memory of a collection; its definition stays';

-- ---- what is going on -------------------------------------------------------------------------------
-- From the daemons of all servers of this wrapper that the user may use.

CREATE FUNCTION vector_fdw.stat_collections(
	OUT server text, OUT schema_name text, OUT name text, OUT state text,
	OUT rows bigint, OUT deleted_rows bigint, OUT null_vectors bigint, OUT rejected_rows bigint,
	OUT dimensions integer, OUT metric text, OUT index text, OUT segments integer,
	OUT memory_bytes bigint, OUT disk_bytes bigint,
	OUT applied_lsn pg_lsn, OUT lag_bytes bigint, OUT lag_ms bigint,
	OUT phase text, OUT phase_done bigint, OUT phase_total bigint, OUT builds bigint,
	OUT last_error text,
	OUT serving boolean, OUT effort integer, OUT measured_recall double precision,
	OUT definition_id text, OUT endpoint text)
RETURNS SETOF record
LANGUAGE C VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'vfdw_stat_collections';
COMMENT ON FUNCTION vector_fdw.stat_collections() IS 'state of each collection, asked of the daemons of all servers that the user may use';

CREATE VIEW vector_fdw.stat_collections AS SELECT * FROM vector_fdw.stat_collections();
COMMENT ON VIEW vector_fdw.stat_collections IS 'state of each collection in each daemon; unreachable daemons included';

CREATE FUNCTION vector_fdw.stat_daemon(
	OUT server text, OUT endpoint text, OUT version text, OUT protocol_version integer,
	OUT pid integer, OUT started_at timestamptz,
	OUT memory_bytes bigint, OUT memory_limit bigint, OUT connections bigint,
	OUT requests bigint, OUT errors bigint, OUT search_p50_us bigint, OUT search_p99_us bigint,
	OUT name text, OUT state text, OUT resident_bytes bigint, OUT last_error text)
RETURNS SETOF record
LANGUAGE C VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'vfdw_stat_daemon';
COMMENT ON FUNCTION vector_fdw.stat_daemon() IS 'state of each daemon, asked of all servers that the user may use';

CREATE VIEW vector_fdw.stat_daemon AS SELECT * FROM vector_fdw.stat_daemon();
COMMENT ON VIEW vector_fdw.stat_daemon IS 'state of each daemon; unreachable ones have only server, endpoint, state and last_error';

-- Share of the k nearest rows that the index finds, over sample rows as queries; times per query.
CREATE FUNCTION vector_fdw.recall(foreign_table regclass, k integer DEFAULT 10, samples integer DEFAULT 100,
	OUT recall double precision, OUT search_ms double precision, OUT exact_ms double precision)
RETURNS record
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'vfdw_recall';
COMMENT ON FUNCTION vector_fdw.recall(regclass, integer, integer) IS 'share of the k nearest rows that the index finds, with sample rows as queries; milliseconds per query';

-- The k nearest rows of each query vector (the rows of the array, counted from 1), in the order of their distances.
-- Many requests are under way at a time. The filter is a WHERE clause of the foreign table that vectord can answer
-- as a whole; key is the key column as text, or, of several, the row of them.
CREATE FUNCTION vector_fdw.search(foreign_table regclass, queries real[], k integer, filter text DEFAULT NULL,
	OUT query_no integer, OUT key text, OUT distance double precision)
RETURNS SETOF record
LANGUAGE C VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'vfdw_search_batch';
COMMENT ON FUNCTION vector_fdw.search(regclass, real[], integer, text) IS 'the k nearest rows of each of many query vectors, asked of the daemon side by side';

-- Returns once the collection is ready and holds all that was committed before the call.
CREATE FUNCTION vector_fdw.wait_for_collection(name text, timeout interval DEFAULT '10 min')
RETURNS void
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'vfdw_wait_for_collection';
COMMENT ON FUNCTION vector_fdw.wait_for_collection(text, interval) IS 'returns when the collection is ready and holds all that was committed before the call';

-- Compares what vectord has with the source table, row by row, at one moment; for the table's owner.
-- Locks the table in SHARE mode while vectord catches up, not while rows are compared.
CREATE FUNCTION vector_fdw.verify_collection(name text, timeout interval DEFAULT '10 min',
	OUT missing bigint, OUT extra bigint, OUT different bigint)
RETURNS record
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'vfdw_verify_collection';
COMMENT ON FUNCTION vector_fdw.verify_collection(text, interval) IS 'compares the collection with its source table: rows that vectord lacks, has too many, or has with other values; rejected rows do not count';

-- Closes this session's connections to vectord; returns how many there were.
CREATE FUNCTION vector_fdw.disconnect() RETURNS integer
LANGUAGE C VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'vfdw_disconnect';
COMMENT ON FUNCTION vector_fdw.disconnect() IS 'closes the connections of this session to vectord, those in use at the end of the transaction; returns how many';

GRANT SELECT ON vector_fdw.stat_collections, vector_fdw.stat_daemon TO PUBLIC;

-- ---- DDL of others ----------------------------------------------------------------------------------
-- Last, so that they do not run for this script.

CREATE FUNCTION vector_fdw.on_sql_drop() RETURNS event_trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'vfdw_on_sql_drop';
COMMENT ON FUNCTION vector_fdw.on_sql_drop() IS 'deletes the collections of dropped tables; has vectord copy anew what lost a partition or a column';

CREATE FUNCTION vector_fdw.before_alter_table() RETURNS event_trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'vfdw_before_alter_table';
COMMENT ON FUNCTION vector_fdw.before_alter_table() IS 'takes a source out of the publication while its published columns change';

CREATE FUNCTION vector_fdw.on_table_rewrite() RETURNS event_trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'vfdw_on_table_rewrite';
COMMENT ON FUNCTION vector_fdw.on_table_rewrite() IS 'has vectord copy anew what was rewritten';

CREATE FUNCTION vector_fdw.on_alter_table() RETURNS event_trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'vfdw_on_alter_table';
COMMENT ON FUNCTION vector_fdw.on_alter_table() IS 'follows renamed columns; has vectord copy anew what the stream of changes does not tell';

CREATE FUNCTION vector_fdw.on_alter_type() RETURNS event_trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'vfdw_on_alter_type';
COMMENT ON FUNCTION vector_fdw.on_alter_type() IS 'has vectord copy anew what holds values of an altered type';

CREATE EVENT TRIGGER vector_fdw_sql_drop ON sql_drop
	EXECUTE FUNCTION vector_fdw.on_sql_drop();
ALTER EVENT TRIGGER vector_fdw_sql_drop ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER vector_fdw_sql_drop IS 'drops collections with their source table, and follows dropped partitions and columns';

CREATE EVENT TRIGGER vector_fdw_before_alter_table ON ddl_command_start WHEN TAG IN ('ALTER TABLE')
	EXECUTE FUNCTION vector_fdw.before_alter_table();
ALTER EVENT TRIGGER vector_fdw_before_alter_table ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER vector_fdw_before_alter_table IS 'lets published columns of sources be altered';

CREATE EVENT TRIGGER vector_fdw_table_rewrite ON table_rewrite
	EXECUTE FUNCTION vector_fdw.on_table_rewrite();
ALTER EVENT TRIGGER vector_fdw_table_rewrite ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER vector_fdw_table_rewrite IS 'has vectord copy rewritten sources anew';

CREATE EVENT TRIGGER vector_fdw_alter_table ON ddl_command_end
	WHEN TAG IN ('ALTER TABLE', 'CREATE TABLE', 'ALTER FOREIGN TABLE', 'CREATE FOREIGN TABLE')
	EXECUTE FUNCTION vector_fdw.on_alter_table();
ALTER EVENT TRIGGER vector_fdw_alter_table ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER vector_fdw_alter_table IS 'follows columns, partitions, children and replica identities of sources';

CREATE EVENT TRIGGER vector_fdw_alter_type ON ddl_command_end WHEN TAG IN ('ALTER TYPE')
	EXECUTE FUNCTION vector_fdw.on_alter_type();
ALTER EVENT TRIGGER vector_fdw_alter_type ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER vector_fdw_alter_type IS 'has vectord copy anew what holds values of an altered type';

/*
 * vector_fdw.h
 *	  What the C files of the extension share, grouped by the file that
 *	  defines it.
 *
 * Planning never contacts the daemon (EXPLAIN must not, and the planner cannot
 * tell EXPLAIN from execution). What it knows of a collection comes from the
 * catalog of this database (catalog.c), from pg_class, and from what earlier
 * replies of this session said (connection.c remembers the size).
 */
#ifndef VECTOR_FDW_H
#define VECTOR_FDW_H

#include "postgres.h"

#include "access/xlogdefs.h"
#include "commands/explain.h"
#if PG_VERSION_NUM >= 180000
#include "commands/explain_state.h"
#endif
#include "foreign/fdwapi.h"
#include "foreign/foreign.h"
#include "nodes/pathnodes.h"
#include "utils/guc.h"
#include "utils/rel.h"

#include "fdw/client.h"
#include "shared/errors.h"
#include "shared/limits.h"
#include "shared/metric.h"

#define VFDW_EXTENSION "vector_fdw"
#define VFDW_SCHEMA	   "vector_fdw"

typedef enum VfdwConsistency
{
	VFDW_CONSISTENCY_DEFAULT = 0,
	VFDW_CONSISTENCY_EVENTUAL = 1,
	VFDW_CONSISTENCY_SESSION = 2,
	VFDW_CONSISTENCY_SNAPSHOT = 3
} VfdwConsistency;

typedef enum VfdwOnUnavailable
{
	VFDW_ON_UNAVAILABLE_DEFAULT = 0,
	VFDW_ON_UNAVAILABLE_ERROR = 1,
	VFDW_ON_UNAVAILABLE_SCAN = 2
} VfdwOnUnavailable;

/* option.c */

/*
 * Options after precedence: session GUC, then table, then server, then the
 * built-in default. 0 in ef_search, nprobe and target_recall means that the
 * collection's own value counts. Strings live in the caller's memory context.
 */
typedef struct VfdwOptions
{
	Oid serverid;
	Oid tableid; /* InvalidOid when resolved for a server only */
	char *server_name;
	List *endpoints;		 /* of char *, tried in turn */
	char *dbname;			 /* of the source; default the current database */
	char *server_public_key; /* NULL without CURVE */
	int connect_timeout_ms;
	int request_timeout_ms;
	double startup_cost;
	double tuple_cost;
	/* of a table */
	char *schema_name;
	char *collection;
	/* of either */
	int fetch_size; /* most rows per reply; 0: the daemon's choice */
	int ef_search;
	int nprobe;
	double target_recall;
	VfdwConsistency consistency;	  /* never DEFAULT */
	VfdwOnUnavailable on_unavailable; /* never DEFAULT */
	/* GUCs without an option */
	bool exact;
	XLogRecPtr min_lsn;
} VfdwOptions;

extern VfdwOptions *vfdw_table_options(Oid foreigntableid);
extern VfdwOptions *vfdw_server_options(Oid serverid);
/* Name of the collection's column behind a column of a foreign table. */
extern char *vfdw_remote_column(Oid foreigntableid, AttrNumber attnum);

/* guc.c: what the session set; 0 / DEFAULT / -1 where it set nothing */
extern void vfdw_define_gucs(void);
extern int vfdw_guc_ef_search;
extern int vfdw_guc_nprobe;
extern double vfdw_guc_target_recall;
extern bool vfdw_guc_exact;
extern int vfdw_guc_consistency;
extern int vfdw_guc_on_unavailable;
extern int vfdw_guc_request_timeout_ms; /* 0: not set */
extern char *vfdw_guc_min_lsn;
extern char *vfdw_guc_daemon_role; /* create_collection() grants to it; empty: to nobody */
/* Names of values, for settings and options alike. */
extern const struct config_enum_entry vfdw_consistency_names[];
extern const struct config_enum_entry vfdw_on_unavailable_names[];
extern XLogRecPtr vfdw_min_lsn(void);

/* catalog.c: definitions, from vector_fdw.collection of this database */

typedef struct VfdwCollectionFacts
{
	char *name;
	Oid source; /* the source table */
	char *vector_column;
	enum vfdw_metric metric;
	char *index;		 /* "hnsw", "ivf", "flat" */
	List *key_columns;	 /* of char * */
	List *include;		 /* of char * */
	char *definition_id; /* uuid as text */
	char *daemon;		 /* that is to hold it; NULL: each that follows this database */
	int dimensions;		 /* of options; 0: those of the first row */
	int ef_search;		 /* of options; 0: built-in default */
	int nprobe;
	double target_recall;
	bool loaded;
} VfdwCollectionFacts;

/*
 * The definition of a collection, or NULL when options name another database
 * or none of that name is defined here for a table of that schema. Cached for
 * the session, valid until the next command; invalidated when the catalog
 * changes.
 */
extern const VfdwCollectionFacts *vfdw_collection_facts(const VfdwOptions *options);
/* The same, whatever the schema of its source table: names are unique in a database. */
extern const VfdwCollectionFacts *vfdw_collection_named(const VfdwOptions *options);
/* Do the options name this database, so that its catalog knows all of their collections? */
extern bool vfdw_is_local(const VfdwOptions *options);
extern void vfdw_catalog_init(void);

/* freshness.c */
extern void vfdw_freshness_init(void);

/* privilege.c */

/*
 * A foreign table is like a view: its owner must be allowed to read the source
 * table, and its users the foreign table. Checked when a scan begins and the
 * source table is of this database: ereports 42501, and HV00R when this database
 * defines no such collection. Returns the source table, which the daemon must be
 * told with each request; InvalidOid for another database.
 */
extern Oid vfdw_check_source_privileges(Relation foreign_table, const VfdwOptions *options);

/* collection_ref.c: what requests name a collection by; source as above */
extern vfdw_collection_ref vfdw_name_collection(const VfdwOptions *options, Oid source);

/* connection.c: the only file that waits */

typedef struct VfdwConnection VfdwConnection;

/* The session's connection to the daemon of a server, for a user (CURVE keys). Does not wait. */
extern VfdwConnection *vfdw_connection(const VfdwOptions *options, Oid userid);

/*
 * Waits until the daemon is connected and returns the client to send with, which is valid until the
 * end of the transaction (also for memory context callbacks of an abort); tries
 * the endpoints in turn, each for connect_timeout. ereports 08001; with noerror
 * set returns NULL instead (interrupts still throw).
 */
extern vfdw_client *vfdw_connected_client(VfdwConnection *connection, const VfdwOptions *options,
										  bool noerror, vfdw_error *why);

/*
 * Waits for the reply of a request: Ctrl-C, statement_timeout and request_timeout end it and cancel
 * the request in the daemon. ereports the daemon's error; with noerror set returns NULL with *why
 * for errors of class "unavailable" (UNAVAILABLE, CONNECTION_LOST, NOT_READY, UNLOADED,
 * SHUTTING_DOWN, request_timeout) so that the caller may scan the source table instead.
 * The reply is freed with the memory context that is current at the call (reset callback), or by
 * vfdw_free_reply(); when that context goes away during the wait, the request is forgotten.
 */
extern vfdw_reply *vfdw_wait_reply(VfdwConnection *connection, vfdw_client *client,
								   uint64 request_id, const VfdwOptions *options, bool noerror,
								   vfdw_error *why);
extern void vfdw_free_reply(vfdw_reply *reply);

/* ereports what a daemon or client.cpp said, in the encoding of the database. options may be NULL.
 */
#if PG_VERSION_NUM >= 180000
pg_noreturn extern void vfdw_throw(const vfdw_error *error, const VfdwOptions *options);
#else
extern void vfdw_throw(const vfdw_error *error, const VfdwOptions *options) pg_attribute_noreturn();
#endif
/* A text of a daemon (valid UTF-8) in the encoding of the database; palloc'ed, never fails. */
extern char *vfdw_printable(const char *utf8);

/* remembered_rows.c */

/* Size of a collection as the last reply of this session told it; -1 if none did. */
extern double vfdw_remembered_rows(Oid foreigntableid);
extern void vfdw_remember_rows(Oid foreigntableid, double rows);

/* value.c: values of replies to Datums and back */

struct VfdwValueReader; /* how one foreign column is read from a vfdw_column */
typedef struct VfdwValueReader VfdwValueReader;
/* source_is_here: the daemon's types are those of this database: vfdw_is_local(). */
extern VfdwValueReader *vfdw_make_reader(const char *column, Oid type, int32 typmod,
										 bool source_is_here);
/* ereports HV004 when what the daemon sent does not fit the local type. */
extern Datum vfdw_read_value(VfdwValueReader *reader, const vfdw_rows *rows, size_t column,
							 uint32 row, bool *isnull);
/*
 * The elements of a query vector (real[], float8[], vector, halfvec), converted to float and
 * checked: no NULL element, one dimension, finite (22023). Result is palloc'ed.
 */
extern float *vfdw_query_vector(Datum value, Oid type, size_t *dimensions);

/* pushdown.c: may this distance go over? */

/*
 * Whether the foreign table shows the vectors themselves, not rounded to halves: only then are the
 * daemon's distances those of what the query sees.
 */
extern bool vfdw_shows_stored_vectors(Oid foreigntableid, AttrNumber column,
									  const VfdwCollectionFacts *facts);
/*
 * If expr is distance(vector column of rel, expression without vars of rel) by an operator of this
 * extension (or of pgvector), returns true with the column, the metric and the other argument.
 */
extern bool vfdw_match_distance(PlannerInfo *root, RelOptInfo *rel, Expr *expr, AttrNumber *column,
								enum vfdw_metric *metric, Expr **query);
/* A clause "distance < operand" or "<=", either way round. */
typedef struct VfdwRange
{
	Expr *clause;
	Expr *distance;
	Expr *query;
	AttrNumber column;
	enum vfdw_metric metric;
	int bound;		/* enum vfdw_range */
	Expr *farthest; /* the operand, of type float8 or float4 */
	Relids outer;	/* relations whose columns are parameters; NULL: none */
} VfdwRange;
extern bool vfdw_match_range(PlannerInfo *root, RelOptInfo *rel, Expr *clause, Relids outer,
							 VfdwRange *range);
/* Metric of a distance operator, by OID; false if it is none of ours or pgvector's. */
extern bool vfdw_operator_metric(Oid opno, enum vfdw_metric *metric);
extern const char *vfdw_metric_name(enum vfdw_metric metric);
extern const char *vfdw_metric_operator(enum vfdw_metric metric);
extern void vfdw_pushdown_init(void);

/* relsize.c, path.c, scan.c, explain.c, analyze.c, import.c: callbacks, see vector_fdw.c */
extern void vectorGetForeignRelSize(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid);
extern void vectorGetForeignPaths(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid);
extern void vectorGetForeignUpperPaths(PlannerInfo *root, UpperRelationKind stage,
									   RelOptInfo *input_rel, RelOptInfo *output_rel, void *extra);
extern ForeignScan *vectorGetForeignPlan(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid,
										 ForeignPath *best_path, List *tlist, List *scan_clauses,
										 Plan *outer_plan);
extern void vectorBeginForeignScan(ForeignScanState *node, int eflags);
extern TupleTableSlot *vectorIterateForeignScan(ForeignScanState *node);
extern void vectorReScanForeignScan(ForeignScanState *node);
extern void vectorEndForeignScan(ForeignScanState *node);
extern bool vectorRecheckForeignScan(ForeignScanState *node, TupleTableSlot *slot);
extern bool vectorIsForeignScanParallelSafe(PlannerInfo *root, RelOptInfo *rel, RangeTblEntry *rte);
extern void vectorExplainForeignScan(ForeignScanState *node, ExplainState *es);
extern bool vectorAnalyzeForeignTable(Relation relation, AcquireSampleRowsFunc *func,
									  BlockNumber *totalpages);
extern List *vectorImportForeignSchema(ImportForeignSchemaStmt *stmt, Oid serverOid);
extern int vectorIsForeignRelUpdatable(Relation rel);
extern void vectorAddForeignUpdateTargets(PlannerInfo *root, Index rtindex,
										  RangeTblEntry *target_rte, Relation target_relation);
extern List *vectorPlanForeignModify(PlannerInfo *root, ModifyTable *plan, Index resultRelation,
									 int subplan_index);
extern TupleTableSlot *vectorExecForeignInsert(EState *estate, ResultRelInfo *result,
											   TupleTableSlot *slot, TupleTableSlot *plan_slot);
extern void vectorExecForeignTruncate(List *rels, DropBehavior behavior, bool restart_seqs);

#endif /* VECTOR_FDW_H */

/*
 * local_scan.c
 *	  The same rows from the source table, for "on_unavailable" = "scan".
 *
 * A query over the source table under the snapshot of the statement: exact, in
 * the order of the distance, with this extension's operator on real[], so that
 * distances are the same bits as the daemon's.
 *
 * It is run by an executor of its own, as the queries of SQL functions are, and
 * not through a portal: what it holds belongs to whoever runs the scan, while a
 * portal would be gone after ROLLBACK TO a savepoint older than the scan's
 * first row, under a cursor that lives on.
 *
 * Conditions that the daemon would have answered are left to the caller.
 *
 * It runs as the owner of the foreign table, as a view would: that this user
 * may read the source was checked when the scan began.
 *
 * Rows that the daemon would reject (NaN, other dimensions) are left out. What
 * dimensions the collection has is known if they are declared; else those of
 * the query vector count.
 *
 * Known limit: where nothing is declared and there is no query vector, rows of
 * any dimensions come.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/params.h"
#include "tcop/dest.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "fdw/definition.h"
#include "fdw/local_scan.h"
#include "fdw/vector_value.h"

#define ROWS_PER_FETCH 200

/* Where the executor puts rows. */
typedef struct Receiver
{
	DestReceiver functions; /* must be first */
	VfdwLocalScan *scan;
} Receiver;

struct VfdwLocalScan
{
	MemoryContext context;		 /* all of this */
	MemoryContext batch_context; /* rows fetched */
	QueryDesc *query;
	Receiver receiver;
	Oid owner;
	List *targets; /* VfdwPlan.targets */
	/* Rows fetched: distance, the columns of the plan, those of its filter. */
	HeapTuple rows[ROWS_PER_FETCH];
	int row_count;
	int next_row;
	char *doubt;  /* finds vectors that the query vector does not suit, to be asked once; or NULL */
	char *misfit; /* what to say then */
	char *misfit_detail;
	bool at_end; /* the query has no more: executor nodes may begin again if asked */
};

/* vector: the vector as a real[], which can be cast to each type of vectors. */
static void
append_column(StringInfo sql, const VfdwCollectionFacts *facts, const char *vector,
			  Relation foreign_table, AttrNumber attnum)
{
	Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(foreign_table), attnum - 1);
	const char *column = vfdw_remote_column(RelationGetRelid(foreign_table), attnum);

	appendStringInfo(sql, ", (%s)::%s",
					 strcmp(column, facts->vector_column) == 0 ? vector : quote_identifier(column),
					 format_type_with_typemod(attribute->atttypid, attribute->atttypmod));
}

/* Behind the operators, whose schema is that of the extension. */
static const char *
function_of_metric(enum vfdw_metric metric)
{
	switch (metric)
	{
		case VFDW_METRIC_L2:
			return "l2_distance";
		case VFDW_METRIC_IP:
			return "negative_inner_product";
		case VFDW_METRIC_COSINE:
			return "cosine_distance";
		case VFDW_METRIC_L1:
			return "l1_distance";
	}
	elog(ERROR, "unknown metric %d", (int) metric);
	return NULL;
}

/* The dimensions that the definition names, or the type of the column does; 0: neither. */
static int
declared_dimensions(const VfdwCollectionFacts *facts)
{
	AttrNumber attribute = get_attnum(facts->source, facts->vector_column);
	VfdwVectorType vector_type;
	int32 modifier;
	Oid type;
	Oid collation;

	if (facts->dimensions > 0 || attribute == InvalidAttrNumber)
		return facts->dimensions;
	get_atttypetypmodcoll(facts->source, attribute, &type, &modifier, &collation);
	type = getBaseTypeAndTypmod(type, &modifier);
	vector_type = vfdw_vector_type(type);
	return vector_type == VFDW_TYPE_VECTOR || vector_type == VFDW_TYPE_HALFVEC ? Max(modifier, 0)
																			   : 0;
}

/* The first column is the distance, $1 the query vector. */
static char *
build_query(const VfdwPlan *plan, const VfdwRequest *request, Relation foreign_table,
			const VfdwCollectionFacts *facts, int dimensions)
{
	const char *column = quote_identifier(facts->vector_column);
	const char *vector = psprintf("%s.stored_vector(%s, %d)", VFDW_SCHEMA, column, dimensions);
	StringInfoData sql;
	ListCell *lc;

	initStringInfo(&sql);
	if (request->query != NULL)
		appendStringInfo(&sql, "SELECT %s.%s(%s, $1)", VFDW_SCHEMA,
						 function_of_metric(request->metric), vector);
	else
		appendStringInfoString(&sql, "SELECT NULL::double precision");
	foreach (lc, plan->columns)
		append_column(&sql, facts, vector, foreign_table, lfirst_int(lc));
	foreach (lc, plan->filter_columns)
		append_column(&sql, facts, vector, foreign_table, lfirst_int(lc));
	appendStringInfo(&sql, " FROM %s WHERE %s IS NULL OR %s IS NOT NULL",
					 vfdw_qualified_name(facts->source), column, vector);
	if (request->query != NULL)
		appendStringInfoString(&sql, " ORDER BY 1");
	return sql.data;
}

static void
refuse_dimensions(const char *message, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg_internal("%s", message),
			 errdetail_internal("%s", detail),
			 errhint("Search with a vector of the collection's dimensions and finite elements.")));
}

/* vectord refuses a query vector of other dimensions; here they may have to be found out. */
static void
check_dimensions(VfdwLocalScan *scan, const VfdwCollectionFacts *facts, const VfdwRequest *request,
				 int declared)
{
	char *source = vfdw_qualified_name(facts->source);
	StringInfoData sql;

	if (request->query == NULL || declared == (int) request->dimensions)
		return;
	if (declared != 0)
		refuse_dimensions(psprintf("query vector has %zu dimensions, collection \"%s\" has %d",
								   request->dimensions, facts->name, declared),
						  psprintf("The vectors of column \"%s\" of %s have %d dimensions.",
								   facts->vector_column, source, declared));
	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT FROM %s WHERE %s.stored_vector(%s, 0) IS NOT NULL LIMIT 1",
					 source, VFDW_SCHEMA, quote_identifier(facts->vector_column));
	scan->doubt = sql.data;
	scan->misfit = psprintf("query vector has %zu dimensions, collection \"%s\" has others",
							request->dimensions, facts->name);
	scan->misfit_detail = psprintf("No vector of column \"%s\" of %s has %zu dimensions.",
								   facts->vector_column, source, request->dimensions);
}

/* ---- the query's rows ---- */

static bool
receive_row(TupleTableSlot *slot, DestReceiver *self)
{
	VfdwLocalScan *scan = ((Receiver *) self)->scan;
	MemoryContext old_context = MemoryContextSwitchTo(scan->batch_context);

	Assert(scan->row_count < ROWS_PER_FETCH);
	scan->rows[scan->row_count++] = ExecCopySlotHeapTuple(slot);
	MemoryContextSwitchTo(old_context);
	return true;
}

static void
begin_rows(DestReceiver *self, int operation, TupleDesc descriptor)
{
}

static void
end_rows(DestReceiver *self)
{
}

static DestReceiver *
make_receiver(VfdwLocalScan *scan)
{
	scan->receiver.functions = (DestReceiver){.receiveSlot = receive_row,
											  .rStartup = begin_rows,
											  .rShutdown = end_rows,
											  .rDestroy = end_rows,
											  .mydest = DestNone};
	scan->receiver.scan = scan;
	return &scan->receiver.functions;
}

static ParamListInfo
make_parameters(const VfdwRequest *request)
{
	ParamListInfo parameters;

	if (request->query == NULL)
		return NULL;
	parameters = makeParamList(1);
	parameters->params[0] =
		(ParamExternData){.value = vfdw_float4_array(request->query, request->dimensions),
						  .isnull = false,
						  .pflags = PARAM_FLAG_CONST,
						  .ptype = FLOAT4ARRAYOID};
	return parameters;
}

static PlannedStmt *
plan_query(const char *sql, ParamListInfo parameters)
{
	Oid types[1] = {FLOAT4ARRAYOID};
	RawStmt *statement = linitial_node(RawStmt, pg_parse_query(sql));
	List *queries;

#if PG_VERSION_NUM >= 150000
	queries = pg_analyze_and_rewrite_fixedparams(statement, sql, types, lengthof(types), NULL);
#else
	queries = pg_analyze_and_rewrite(statement, sql, types, lengthof(types), NULL);
#endif
	return pg_plan_query(linitial_node(Query, queries), sql, 0, parameters);
}

/* Who one was; an error puts it back by ending the (sub)transaction. */
typedef struct Identity
{
	Oid user;
	int security;
} Identity;

/* The query runs as the owner of the foreign table, under the statement's snapshot. */
static Identity
begin_as_owner(const VfdwLocalScan *scan, Snapshot snapshot)
{
	Identity before;

	GetUserIdAndSecContext(&before.user, &before.security);
	SetUserIdAndSecContext(scan->owner, before.security | SECURITY_LOCAL_USERID_CHANGE);
	PushActiveSnapshot(snapshot);
	return before;
}

static void
end_as_owner(Identity before)
{
	PopActiveSnapshot();
	SetUserIdAndSecContext(before.user, before.security);
}

VfdwLocalScan *
vfdw_local_scan_open(const VfdwPlan *plan, const VfdwRequest *request, Relation foreign_table,
					 Snapshot snapshot)
{
	const VfdwCollectionFacts *facts = vfdw_collection_facts(request->options);
	VfdwLocalScan *scan;
	MemoryContext context;
	MemoryContext old_context;
	Identity before;
	ParamListInfo parameters;
	int declared;
	char *sql;

	if (facts == NULL || get_rel_name(facts->source) == NULL)
		return NULL;

	context = AllocSetContextCreate(CurrentMemoryContext, "vector_fdw local scan",
									ALLOCSET_DEFAULT_SIZES);
	old_context = MemoryContextSwitchTo(context);
	scan = palloc0(sizeof(VfdwLocalScan));
	scan->context = context;
	scan->batch_context =
		AllocSetContextCreate(context, "vector_fdw local rows", ALLOCSET_DEFAULT_SIZES);
	scan->owner = foreign_table->rd_rel->relowner;
	scan->targets = plan->targets;
	declared = declared_dimensions(facts);
	check_dimensions(scan, facts, request, declared);
	sql =
		build_query(plan, request, foreign_table, facts,
					declared != 0 || request->query == NULL ? declared : (int) request->dimensions);
	parameters = make_parameters(request);

	before = begin_as_owner(scan, snapshot);
	scan->query = CreateQueryDesc(plan_query(sql, parameters), sql, GetActiveSnapshot(),
								  InvalidSnapshot, make_receiver(scan), parameters, NULL, 0);
	ExecutorStart(scan->query, EXEC_FLAG_SKIP_TRIGGERS);
	end_as_owner(before);
	MemoryContextSwitchTo(old_context);
	return scan;
}

/* Of the first rows by distance, none has one: there is nothing but NULL, or but other dimensions.
 */
static void
settle_doubt(VfdwLocalScan *scan)
{
	const char *doubt = scan->doubt;
	bool is_misfit;

	scan->doubt = NULL;
	if (doubt == NULL ||
		(scan->row_count > 0 && !heap_attisnull(scan->rows[0], 1, scan->query->tupDesc)))
		return;
	if (SPI_connect() != SPI_OK_CONNECT || SPI_execute(doubt, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not look for vectors of other dimensions");
	is_misfit = SPI_processed > 0;
	SPI_finish();
	if (is_misfit)
		refuse_dimensions(scan->misfit, scan->misfit_detail);
}

static void
fetch_rows(VfdwLocalScan *scan)
{
	Identity before;

	MemoryContextReset(scan->batch_context);
	scan->row_count = scan->next_row = 0;
	if (scan->at_end)
		return;
	before = begin_as_owner(scan, scan->query->snapshot);
#if PG_VERSION_NUM >= 180000
	ExecutorRun(scan->query, ForwardScanDirection, ROWS_PER_FETCH);
#else
	ExecutorRun(scan->query, ForwardScanDirection, ROWS_PER_FETCH, false);
#endif
	settle_doubt(scan);
	end_as_owner(before);
	scan->at_end = scan->row_count < ROWS_PER_FETCH;
}

bool
vfdw_local_scan_next(VfdwLocalScan *scan, Datum *values, bool *nulls)
{
	HeapTuple row;
	ListCell *lc;
	int i = 0;

	if (scan->next_row == scan->row_count)
		fetch_rows(scan);
	if (scan->row_count == 0)
		return false;
	row = scan->rows[scan->next_row++];
	foreach (lc, scan->targets)
	{
		int target = lfirst_int(lc);

		values[i] = (Datum) 0;
		nulls[i] = true;
		if (target != VFDW_TARGET_UNUSED)
			values[i] = heap_getattr(row, target == VFDW_TARGET_DISTANCE ? 1 : target + 2,
									 scan->query->tupDesc, &nulls[i]);
		i++;
	}
	return true;
}

void
vfdw_local_scan_close(VfdwLocalScan *scan)
{
	ExecutorFinish(scan->query);
	ExecutorEnd(scan->query);
	FreeQueryDesc(scan->query);
	MemoryContextDelete(scan->context);
}

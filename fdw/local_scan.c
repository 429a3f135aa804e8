/*
 * local_scan.c
 *	  The same rows from the source table, for "on_unavailable" = "scan".
 *
 * A query over the source table, run through a portal under the snapshot of the
 * statement: exact, in the order of the distance, with this extension's
 * operator on real[], so that distances are the same bits as the daemon's.
 *
 * Conditions that the daemon would have answered are left to the caller.
 *
 * It runs as the owner of the foreign table, as a view would: that this user
 * may read the source was checked when the scan began.
 *
 * Known limit: rows that the daemon would reject (NaN, other dimensions) make
 * the operator fail here, instead of being left out.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "fdw/local_scan.h"
#include "fdw/vector_value.h"

#define ROWS_PER_FETCH 200

struct VfdwLocalScan
{
	MemoryContext context;		 /* all of this */
	MemoryContext batch_context; /* rows fetched */
	char *portal_name;
	Oid owner;
	List *targets;		  /* VfdwPlan.targets */
	TupleDesc descriptor; /* of rows: distance, the columns of the plan, those of its filter */
	HeapTuple *rows;
	uint64 row_count;
	uint64 next_row;
};

static void
append_column(StringInfo sql, Relation foreign_table, AttrNumber attnum)
{
	Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(foreign_table), attnum - 1);

	appendStringInfo(sql, ", (%s)::%s",
					 quote_identifier(vfdw_remote_column(RelationGetRelid(foreign_table), attnum)),
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

/* The first column is the distance, $1 the query vector. */
static char *
build_query(const VfdwPlan *plan, const VfdwRequest *request, Relation foreign_table, Oid source)
{
	StringInfoData sql;
	ListCell *lc;

	initStringInfo(&sql);
	if (request->query != NULL)
		appendStringInfo(&sql, "SELECT %s.%s((%s)::real[], $1)", VFDW_SCHEMA,
						 function_of_metric(request->metric),
						 quote_identifier(vfdw_remote_column(RelationGetRelid(foreign_table),
															 plan->vector_column)));
	else
		appendStringInfoString(&sql, "SELECT NULL::double precision");
	foreach (lc, plan->columns)
		append_column(&sql, foreign_table, lfirst_int(lc));
	foreach (lc, plan->filter_columns)
		append_column(&sql, foreign_table, lfirst_int(lc));
	appendStringInfo(&sql, " FROM %s.%s",
					 quote_identifier(get_namespace_name(get_rel_namespace(source))),
					 quote_identifier(get_rel_name(source)));
	if (request->query != NULL)
		appendStringInfoString(&sql, " ORDER BY 1");
	return sql.data;
}

static Portal
open_portal(const char *query, const VfdwRequest *request)
{
	Oid types[1] = {FLOAT4ARRAYOID};
	Datum values[1] = {(Datum) 0};
	char nulls[1] = {'n'};

	if (request->query == NULL)
		return SPI_cursor_open_with_args(NULL, query, 0, NULL, NULL, NULL, true, 0);
	values[0] = vfdw_float4_array(request->query, request->dimensions);
	nulls[0] = ' ';
	return SPI_cursor_open_with_args(NULL, query, 1, types, values, nulls, true, 0);
}

VfdwLocalScan *
vfdw_local_scan_open(const VfdwPlan *plan, const VfdwRequest *request, Relation foreign_table,
					 Snapshot snapshot)
{
	const VfdwCollectionFacts *facts = vfdw_collection_facts(request->options);
	VfdwLocalScan *scan;
	MemoryContext context;
	MemoryContext old_context;
	Oid user;
	int security;
	char *query;

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
	query = build_query(plan, request, foreign_table, facts->source);

	GetUserIdAndSecContext(&user, &security);
	SetUserIdAndSecContext(scan->owner, security | SECURITY_LOCAL_USERID_CHANGE);
	PushActiveSnapshot(snapshot);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	scan->portal_name = MemoryContextStrdup(context, open_portal(query, request)->name);
	SPI_finish();
	PopActiveSnapshot();
	SetUserIdAndSecContext(user, security);
	MemoryContextSwitchTo(old_context);
	return scan;
}

static void
fetch_rows(VfdwLocalScan *scan)
{
	Oid user;
	int security;
	Portal portal;
	MemoryContext old_context;

	MemoryContextReset(scan->batch_context);
	scan->row_count = scan->next_row = 0;
	GetUserIdAndSecContext(&user, &security);
	SetUserIdAndSecContext(scan->owner, security | SECURITY_LOCAL_USERID_CHANGE);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	portal = SPI_cursor_find(scan->portal_name);
	if (portal == NULL)
		elog(ERROR, "portal \"%s\" does not exist", scan->portal_name);
	SPI_cursor_fetch(portal, true, ROWS_PER_FETCH);

	old_context = MemoryContextSwitchTo(scan->batch_context);
	scan->descriptor = CreateTupleDescCopy(SPI_tuptable->tupdesc);
	scan->rows = palloc(sizeof(HeapTuple) * (SPI_processed + 1));
	for (uint64 i = 0; i < SPI_processed; i++)
		scan->rows[i] = heap_copytuple(SPI_tuptable->vals[i]);
	scan->row_count = SPI_processed;
	MemoryContextSwitchTo(old_context);
	SPI_finish();
	SetUserIdAndSecContext(user, security);
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
									 scan->descriptor, &nulls[i]);
		i++;
	}
	return true;
}

void
vfdw_local_scan_close(VfdwLocalScan *scan)
{
	Portal portal = GetPortalByName(scan->portal_name);

	/* The end of the transaction may have closed it already. */
	if (PortalIsValid(portal))
		PortalDrop(portal, false);
	MemoryContextDelete(scan->context);
}

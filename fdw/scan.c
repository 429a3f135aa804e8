/*
 * scan.c
 *	  Runs a foreign scan.
 *
 * Begin contacts nobody: parameters of InitPlans are not there yet, and the
 * scan may never be asked for a row. The first Iterate evaluates the query
 * vector and the LIMIT and sends the request; if more rows are wanted than
 * were asked for, the stream goes on, so LIMIT is never more than a hint.
 *
 * A MergeAppend asks its children for their first rows one after another. The
 * first child asked sends the requests of all its siblings before it waits for
 * its own, so the daemons work at the same time; unless some of them may never
 * be asked (siblings.c).
 *
 * When the daemon is away and "on_unavailable" is "scan", local_scan.c gives
 * the rows instead; only as long as none was given. The daemon is not asked
 * again for a rescan: it may cost connect_timeout each time.
 *
 * Values of a row live in row_context until the next Iterate.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "fdw/clause.h"
#include "fdw/local_scan.h"
#include "fdw/plan.h"
#include "fdw/scan.h"
#include "fdw/siblings.h"
#include "fdw/stream.h"

struct VfdwScan
{
	ForeignScanState *node;
	Relation table; /* the foreign table, also where the node scans no relation */
	VfdwPlan *plan;
	VfdwOptions *options;
	VfdwRequest *request;
	List *expressions;	/* of ExprState, in the order of VfdwPlanExpression */
	List *operands;		/* of those, the filter's */
	Oid *operand_types; /* base types */
	int target_count;
	int *targets;				 /* plan->targets */
	VfdwValueReader **readers;	 /* one per target; NULL for distance and unused */
	bool started;				 /* the request was made of the current parameters */
	MemoryContext query_context; /* the query vector and the filter */
	MemoryContext row_context;

	VfdwStream *stream;
	const vfdw_rows *batch; /* NULL before the first and after the last */
	uint32 next_row;
	bool at_end;
	VfdwLocalScan *local; /* instead of the stream, when the daemon is away */
	bool is_local;		  /* it was once, so it will be */

	/* Siblings find each other here until the executor's memory goes away. */
	bool linked;
	dlist_node link;
	MemoryContextCallback unlink;
};

/* Scans of running queries that have siblings, of all queries of this session. */
static dlist_head scans_with_siblings = DLIST_STATIC_INIT(scans_with_siblings);

static void
unlink_scan(void *arg)
{
	dlist_delete(&((VfdwScan *) arg)->link);
}

static void
link_to_siblings(VfdwScan *scan, EState *estate)
{
	if (scan->plan->siblings == 0 || !scan->plan->ordered ||
		!vfdw_siblings_are_asked(estate->es_plannedstmt, scan->node->ss.ps.plan))
		return;
	scan->linked = true;
	dlist_push_tail(&scans_with_siblings, &scan->link);
	scan->unlink.func = unlink_scan;
	scan->unlink.arg = scan;
	MemoryContextRegisterResetCallback(estate->es_query_cxt, &scan->unlink);
}

/* Who the daemon is asked for: as postgres_fdw, the view's owner if the table is used through one.
 */
static Oid
scan_user(const ForeignScan *plan, EState *estate)
{
#if PG_VERSION_NUM >= 160000
	return OidIsValid(plan->checkAsUser) ? plan->checkAsUser : GetUserId();
#else
	const RangeTblEntry *rte = exec_rt_fetch(vfdw_scanned_relation(plan), estate);

	return OidIsValid(rte->checkAsUser) ? rte->checkAsUser : GetUserId();
#endif
}

static void
make_readers(VfdwScan *scan)
{
	TupleDesc descriptor = scan->node->ss.ss_ScanTupleSlot->tts_tupleDescriptor;
	TupleDesc table = RelationGetDescr(scan->table);
	bool is_local = vfdw_is_local(scan->options);
	ListCell *lc;

	scan->targets = palloc0(sizeof(int) * (descriptor->natts + 1));
	scan->readers = palloc0(sizeof(VfdwValueReader *) * (descriptor->natts + 1));
	foreach (lc, scan->plan->targets)
	{
		int i = scan->target_count++;
		int target = lfirst_int(lc);
		Form_pg_attribute attribute;

		scan->targets[i] = target;
		if (target < 0 || target >= list_length(scan->plan->columns))
			continue;
		attribute = TupleDescAttr(table, list_nth_int(scan->plan->columns, target) - 1);
		scan->readers[i] = vfdw_make_reader(NameStr(attribute->attname), attribute->atttypid,
											attribute->atttypmod, is_local);
	}
	if (scan->target_count != descriptor->natts)
		elog(ERROR, "foreign scan gives %d columns, but %d are expected", scan->target_count,
			 descriptor->natts);
}

/* Opened and locked by the executor, and closed with the other relations of the query. */
static Relation
scanned_table(const ForeignScanState *node)
{
	const ForeignScan *plan = (const ForeignScan *) node->ss.ps.plan;

	if (node->ss.ss_currentRelation != NULL)
		return node->ss.ss_currentRelation;
#if PG_VERSION_NUM >= 180000
	return ExecGetRangeTableRelation(node->ss.ps.state, vfdw_scanned_relation(plan), false);
#else
	return ExecGetRangeTableRelation(node->ss.ps.state, vfdw_scanned_relation(plan));
#endif
}

static void
init_expressions(VfdwScan *scan, const ForeignScan *plan)
{
	int count = list_length(plan->fdw_exprs) - VFDW_EXPR_OPERANDS;

	scan->expressions = ExecInitExprList(plan->fdw_exprs, (PlanState *) scan->node);
	scan->operands = list_copy_tail(scan->expressions, VFDW_EXPR_OPERANDS);
	scan->operand_types = palloc(sizeof(Oid) * (count + 1));
	for (int i = 0; i < count; i++)
		scan->operand_types[i] =
			getBaseType(exprType(list_nth(plan->fdw_exprs, VFDW_EXPR_OPERANDS + i)));
}

/* Callback: makes the scan ready, contacts nobody. */
void
vectorBeginForeignScan(ForeignScanState *node, int eflags)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	EState *estate = node->ss.ps.state;
	Relation table;
	VfdwScan *scan;
	Oid source;

	if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
		return;

	scan = palloc0(sizeof(VfdwScan));
	scan->node = node;
	scan->table = table = scanned_table(node);
	scan->plan = vfdw_plan_of(plan);
	scan->options = vfdw_table_options(RelationGetRelid(table));
	source = vfdw_check_source_privileges(table, scan->options);
	scan->request =
		vfdw_make_request(scan->plan, table, scan->options, source, scan_user(plan, estate));
	scan->request->tolerant =
		scan->options->on_unavailable == VFDW_ON_UNAVAILABLE_SCAN && !scan->plan->count_only;
	init_expressions(scan, plan);
	scan->query_context = AllocSetContextCreate(estate->es_query_cxt, "vector_fdw query vector",
												ALLOCSET_SMALL_SIZES);
	scan->row_context =
		AllocSetContextCreate(estate->es_query_cxt, "vector_fdw row", ALLOCSET_DEFAULT_SIZES);
	make_readers(scan);
	scan->stream = vfdw_stream_open(scan->request, estate->es_query_cxt);
	link_to_siblings(scan, estate);
	node->fdw_state = scan;
}

/* The value lies in the context of expressions, until the next row. */
static Datum
evaluate(VfdwScan *scan, enum VfdwPlanExpression which, bool *isnull)
{
	return ExecEvalExprSwitchContext(list_nth(scan->expressions, which),
									 scan->node->ss.ps.ps_ExprContext, isnull);
}

static void
fill_filter(VfdwScan *scan)
{
	VfdwRequest *request = scan->request;
	VfdwFilter filter;

	vfdw_make_filter(&filter, scan->options, scan->plan->steps, scan->operands, scan->operand_types,
					 scan->node->ss.ps.ps_ExprContext);
	request->filter = filter.nodes;
	request->filter_count = filter.count;
	request->nothing = filter.nothing;
}

/* The distance to NULL is NULL: all rows are equal, so they come in no order. */
static void
fill_query(VfdwScan *scan)
{
	const ForeignScan *plan = (const ForeignScan *) scan->node->ss.ps.plan;
	VfdwRequest *request = scan->request;
	bool isnull;
	Datum query = evaluate(scan, VFDW_EXPR_QUERY, &isnull);

	if (!isnull)
		request->query = vfdw_query_vector(
			query, exprType(list_nth(plan->fdw_exprs, VFDW_EXPR_QUERY)), &request->dimensions);
}

/* The distance to NULL is NULL, which no range includes. */
static void
fill_range(VfdwScan *scan)
{
	const ForeignScan *plan = (const ForeignScan *) scan->node->ss.ps.plan;
	VfdwRequest *request = scan->request;
	bool isnull;
	Datum farthest = evaluate(scan, VFDW_EXPR_FARTHEST, &isnull);

	request->farthest =
		isnull ? 0
		: getBaseType(exprType(list_nth(plan->fdw_exprs, VFDW_EXPR_FARTHEST))) == FLOAT4OID
			? (double) DatumGetFloat4(farthest)
			: DatumGetFloat8(farthest);
	request->nothing = isnull || request->query == NULL;
}

/*
 * Puts the current values of the parameters into the request. What no row can
 * pass needs no query vector: it may be there only for values that a condition
 * lets through.
 */
static void
fill_request(VfdwScan *scan)
{
	VfdwRequest *request = scan->request;
	MemoryContext old_context;
	bool no_limit;
	bool no_offset;
	int64 count;
	int64 offset;

	MemoryContextReset(scan->query_context);
	old_context = MemoryContextSwitchTo(scan->query_context);
	count = DatumGetInt64(evaluate(scan, VFDW_EXPR_LIMIT_COUNT, &no_limit));
	offset = DatumGetInt64(evaluate(scan, VFDW_EXPR_LIMIT_OFFSET, &no_offset));
	request->query = NULL;
	request->range = scan->plan->range;
	fill_filter(scan);
	if (scan->plan->ordered && !request->nothing)
		fill_query(scan);
	if (request->range != VFDW_RANGE_NONE && !request->nothing)
		fill_range(scan);
	MemoryContextSwitchTo(old_context);

	request->rows = vfdw_rows_wanted(scan->plan, no_limit, count, no_offset ? 0 : offset);
	request->exact = scan->options->exact || scan->plan->exact || request->rows == 0;
	request->min_lsn = vfdw_required_lsn(scan->options);
}

static void
start_scan(VfdwScan *scan)
{
	if (scan->started)
		return;
	fill_request(scan);
	scan->started = true;
	if (!scan->is_local)
		vfdw_stream_send(scan->stream);
}

static void
start_siblings(VfdwScan *scan)
{
	EState *estate = scan->node->ss.ps.state;
	dlist_iter iterator;

	if (!scan->linked || estate->es_epq_active != NULL)
		return;
	dlist_foreach(iterator, &scans_with_siblings)
	{
		VfdwScan *other = dlist_container(VfdwScan, link, iterator.cur);

		if (other->node->ss.ps.state != estate || other->plan->siblings != scan->plan->siblings)
			continue;
		/* MergeAppend leaves the rescan of its children to their first call: this is it. */
		if (other->node->ss.ps.chgParam != NULL)
			ExecReScan(&other->node->ss.ps);
		start_scan(other);
	}
}

/* False: there is no table to scan. */
static bool
open_local_scan(VfdwScan *scan)
{
	EState *estate = scan->node->ss.ps.state;
	MemoryContext old_context = MemoryContextSwitchTo(estate->es_query_cxt);

	scan->local = vfdw_local_scan_open(scan->plan, scan->request, scan->table, estate->es_snapshot);
	MemoryContextSwitchTo(old_context);
	return scan->local != NULL;
}

/*
 * Gets the next batch, or opens the local scan instead of the first. False at
 * the end.
 */
static bool
next_batch(VfdwScan *scan)
{
	const vfdw_error *why;

	scan->batch = NULL;
	scan->next_row = 0;
	if (scan->is_local && scan->request->nothing)
		return false;
	if (!scan->is_local)
		switch (vfdw_stream_next(scan->stream, &scan->batch))
		{
			case VFDW_STREAM_BATCH:
				return true;
			case VFDW_STREAM_END:
				return false;
			case VFDW_STREAM_UNAVAILABLE:
				break;
		}
	if (!open_local_scan(scan))
		vfdw_throw(vfdw_stream_failure(scan->stream), scan->options);
	if (scan->is_local)
		return true;
	scan->is_local = true;
	why = vfdw_stream_failure(scan->stream);
	ereport(NOTICE,
			(errmsg("vector daemon of server \"%s\" is unavailable, scanning the source of "
					"\"%s\" instead",
					scan->options->server_name, RelationGetRelationName(scan->table)),
			 errdetail_internal(
				 "%s", vfdw_printable(why->detail[0] != '\0' ? why->detail : why->message))));
	return true;
}

/*
 * The next row of the source table that passes what the daemon would have
 * filtered; false at the end.
 */
static bool
next_local_row(VfdwScan *scan, TupleTableSlot *slot)
{
	ForeignScanState *node = scan->node;
	ExprContext *context = node->ss.ps.ps_ExprContext;

	while (vfdw_local_scan_next(scan->local, slot->tts_values, slot->tts_isnull))
	{
		ExecStoreVirtualTuple(slot);
		ResetExprContext(context);
		context->ecxt_scantuple = slot;
		if (ExecQual(node->fdw_recheck_quals, context))
			return true;
		ExecClearTuple(slot);
		CHECK_FOR_INTERRUPTS();
	}
	return false;
}

static void
fill_slot(VfdwScan *scan, TupleTableSlot *slot)
{
	const vfdw_rows *batch = scan->batch;
	uint32 row = scan->next_row++;

	for (int i = 0; i < scan->target_count; i++)
	{
		int target = scan->targets[i];

		slot->tts_isnull[i] = true;
		slot->tts_values[i] = (Datum) 0;
		if (scan->readers[i] != NULL)
			slot->tts_values[i] =
				vfdw_read_value(scan->readers[i], batch, target, row, &slot->tts_isnull[i]);
		else if (target == VFDW_TARGET_DISTANCE && batch->distances != NULL &&
				 row < batch->ordered_rows)
		{
			slot->tts_values[i] = Float8GetDatum(batch->distances[row]);
			slot->tts_isnull[i] = false;
		}
	}
}

/* The only row of a plan that counts. */
static void
count_rows(VfdwScan *scan, TupleTableSlot *slot)
{
	const vfdw_rows *batch = NULL;
	uint64 count = 0;

	if (vfdw_stream_next(scan->stream, &batch) == VFDW_STREAM_BATCH)
		count = batch->matching_rows;
	for (int i = 0; i < scan->target_count; i++)
	{
		slot->tts_isnull[i] = scan->targets[i] != VFDW_TARGET_COUNT;
		slot->tts_values[i] = slot->tts_isnull[i] ? (Datum) 0 : Int64GetDatum((int64) count);
	}
	ExecStoreVirtualTuple(slot);
	scan->at_end = true;
}

/* Callback: the next row. */
TupleTableSlot *
vectorIterateForeignScan(ForeignScanState *node)
{
	VfdwScan *scan = node->fdw_state;
	TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;
	MemoryContext old_context;

	ExecClearTuple(slot);
	MemoryContextReset(scan->row_context);
	if (!scan->started)
	{
		start_scan(scan);
		start_siblings(scan);
	}
	if (scan->plan->count_only)
	{
		if (!scan->at_end)
			count_rows(scan, slot);
		return slot;
	}
	while (!scan->at_end && scan->local == NULL &&
		   (scan->batch == NULL || scan->next_row >= scan->batch->rows))
		scan->at_end = !next_batch(scan);
	if (scan->at_end)
		return slot;

	old_context = MemoryContextSwitchTo(scan->row_context);
	if (scan->local != NULL)
		scan->at_end = !next_local_row(scan, slot);
	else
	{
		fill_slot(scan, slot);
		ExecStoreVirtualTuple(slot);
	}
	MemoryContextSwitchTo(old_context);
	return slot;
}

/* Callback: begins again, with other parameters or with the same rows. */
void
vectorReScanForeignScan(ForeignScanState *node)
{
	VfdwScan *scan = node->fdw_state;

	if (!scan->started)
		return;
	if (scan->local != NULL)
		vfdw_local_scan_close(scan->local);
	if (node->ss.ps.chgParam != NULL || scan->local != NULL)
	{
		vfdw_stream_reset(scan->stream);
		scan->started = false;
	}
	else
	{
		vfdw_stream_rewind(scan->stream);
	}
	scan->local = NULL;
	scan->batch = NULL;
	scan->next_row = 0;
	scan->at_end = false;
}

/* Callback: gives up what the daemon and the local scan hold. Memory goes with the executor's. */
void
vectorEndForeignScan(ForeignScanState *node)
{
	VfdwScan *scan = node->fdw_state;

	if (scan == NULL)
		return;
	if (scan->local != NULL)
		vfdw_local_scan_close(scan->local);
	scan->local = NULL;
	vfdw_stream_close(scan->stream);
	scan->stream = NULL;
}

/* Callback: core checks the quals that went over, and nothing else can have changed. */
bool
vectorRecheckForeignScan(ForeignScanState *node, TupleTableSlot *slot)
{
	return true;
}

const VfdwStreamStats *
vfdw_scan_stats(const ForeignScanState *node)
{
	const VfdwScan *scan = node->fdw_state;

	return scan == NULL ? NULL : vfdw_stream_stats(scan->stream);
}

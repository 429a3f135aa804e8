/*
 * explain.c
 *	  What EXPLAIN shows of a foreign scan.
 *
 * Never contacts the daemon. Always: what goes over, conditions included, and
 * through which index.
 * VERBOSE: where to, how fresh, which columns, and why an ORDER BY did not go
 * over. ANALYZE: what the daemon did; figures that vary from run to run only
 * with TIMING, so that tests can leave them out.
 */
#include "postgres.h"

#include "commands/explain.h"
#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#include "commands/explain_state.h"
#endif
#include "lib/stringinfo.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "parser/parsetree.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"

#include "fdw/plan.h"
#include "fdw/scan.h"

static const Const *
known_value(const Node *expression)
{
	return IsA(expression, Const) ? (const Const *) expression : NULL;
}

/* "10", "$2 + $3", "all": how many rows are asked for at first. */
static char *
rows_text(const VfdwPlan *plan, List *expressions)
{
	Node *count = list_nth(expressions, VFDW_EXPR_LIMIT_COUNT);
	Node *offset = list_nth(expressions, VFDW_EXPR_LIMIT_OFFSET);
	const Const *known_count = known_value(count);
	const Const *known_offset = known_value(offset);
	StringInfoData text;

	if (!plan->limited || (known_count != NULL && known_count->constisnull))
		return "all";
	if (known_count != NULL && known_offset != NULL)
		return psprintf(
			UINT64_FORMAT,
			(uint64) Max(DatumGetInt64(known_count->constvalue), 0) +
				(known_offset->constisnull ? 0 : Max(DatumGetInt64(known_offset->constvalue), 0)));
	initStringInfo(&text);
	appendStringInfoString(&text, deparse_expression(count, NIL, false, false));
	if (known_offset == NULL || !known_offset->constisnull)
		appendStringInfo(&text, " + %s", deparse_expression(offset, NIL, false, false));
	return text.data;
}

/*
 * "auto": the daemon measured, when it built the index, which effort a target
 * needs; shown with the target that somebody named.
 */
static char *
effort_text(const char *name, int of_session, int of_collection, double target)
{
	int effort = of_session != 0 ? of_session : of_collection;

	if (effort != 0)
		return psprintf("%s=%d", name, effort);
	if (target != 0)
		return psprintf("%s=auto target_recall=%g", name, target);
	return psprintf("%s=auto", name);
}

static void
explain_index(const VfdwPlan *plan, const VfdwOptions *options, const VfdwCollectionFacts *facts,
			  bool all_rows, const VfdwStreamStats *stats, ExplainState *es)
{
	const char *index = facts != NULL ? facts->index : NULL;
	bool asked = stats != NULL && stats->round_trips > 0;
	double target = options->target_recall;
	char *text;

	if (target == 0 && facts != NULL)
		target = facts->target_recall;
	if (index == NULL && asked && stats->index[0] != '\0')
		index = stats->index;
	if (index == NULL)
		return; /* of another database: only the daemon knows */
	if (options->exact || plan->exact || all_rows)
		text = psprintf("%s (exact)", index);
	else if (strcmp(index, "hnsw") == 0)
		text = effort_text("hnsw ef_search", options->ef_search,
						   facts != NULL ? facts->ef_search : 0, target);
	else if (strcmp(index, "ivf") == 0)
		text =
			effort_text("ivf nprobe", options->nprobe, facts != NULL ? facts->nprobe : 0, target);
	else
		text = pstrdup(index);
	ExplainPropertyText("Index", text, es);
}

static const char *
consistency_name(VfdwConsistency consistency)
{
	switch (consistency)
	{
		case VFDW_CONSISTENCY_EVENTUAL:
			return "eventual";
		case VFDW_CONSISTENCY_SNAPSHOT:
			return "snapshot";
		default:
			return "session";
	}
}

static void
explain_verbose(const VfdwPlan *plan, const VfdwOptions *options, ExplainState *es)
{
	List *columns = NIL;
	ListCell *lc;

	foreach (lc, plan->columns)
		columns = lappend(columns, vfdw_remote_column(options->tableid, lfirst_int(lc)));
	if (columns != NIL || es->format != EXPLAIN_FORMAT_TEXT)
		ExplainPropertyList("Remote Columns", columns, es);
	ExplainPropertyList("Endpoint", options->endpoints, es);
	ExplainPropertyText("Consistency", consistency_name(options->consistency), es);
	if (plan->not_pushed != NULL)
		ExplainPropertyText("Not Pushed", plan->not_pushed, es);
}

/* Conditions that went over. Values of other nodes are shown by number: $0. */
static void
explain_conditions(const VfdwPlan *plan, ForeignScan *scan, ExplainState *es)
{
	List *filter = list_copy(scan->fdw_recheck_quals);
	List *context;
	bool prefix = list_length(es->rtable) > 1 || es->verbose;

	if (filter == NIL)
		return;
	context = set_deparse_context_plan(es->deparse_cxt, (Plan *) scan, NIL);
	if (plan->range != VFDW_RANGE_NONE)
	{
		ExplainPropertyText("Remote Range",
							deparse_expression(llast(filter), context, prefix, false), es);
		filter = list_delete_last(filter);
	}
	if (filter != NIL)
		ExplainPropertyText(
			"Remote Filter",
			deparse_expression((Node *) make_ands_explicit(filter), context, prefix, false), es);
}

static void
explain_run(const VfdwStreamStats *stats, ExplainState *es)
{
	ExplainPropertyText("Strategy", stats->strategy, es);
	ExplainPropertyInteger("Round Trips", NULL, (int64) stats->round_trips, es);
	if (!es->timing)
		return;
	if (stats->effort > 0)
		ExplainPropertyInteger("Search Effort", NULL, (int64) stats->effort, es);
	ExplainPropertyInteger("Candidates", NULL, (int64) stats->candidates, es);
	ExplainPropertyFloat("Daemon Time", "ms", (double) stats->engine_us / 1000.0, 3, es);
	if (stats->waited_us > 0)
		ExplainPropertyFloat("Daemon Wait", "ms", (double) stats->waited_us / 1000.0, 3, es);
}

/* Callback. */
void
vectorExplainForeignScan(ForeignScanState *node, ExplainState *es)
{
	ForeignScan *scan = (ForeignScan *) node->ss.ps.plan;
	VfdwPlan *plan = vfdw_plan_of(scan);
	VfdwOptions *options =
		vfdw_table_options(rt_fetch(vfdw_scanned_relation(scan), es->rtable)->relid);
	const VfdwStreamStats *stats = es->analyze ? vfdw_scan_stats(node) : NULL;

	if (plan->count_only)
		ExplainPropertyText("Collection Count", options->collection, es);
	else if (plan->ordered)
	{
		char *rows = rows_text(plan, scan->fdw_exprs);

		ExplainPropertyText(
			"Vector Search",
			psprintf("%s %s k=%s", options->collection, vfdw_metric_operator(plan->metric), rows),
			es);
		explain_index(plan, options, vfdw_collection_facts(options), strcmp(rows, "all") == 0,
					  stats, es);
	}
	else
		ExplainPropertyText("Collection Scan", options->collection, es);
	explain_conditions(plan, scan, es);
	if (es->verbose)
		explain_verbose(plan, options, es);
	if (stats != NULL && stats->round_trips > 0)
		explain_run(stats, es);
}

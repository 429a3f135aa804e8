/*
 * count_path.c
 *	  count(*) of a collection, answered by the daemon with a number.
 *
 * An upper path for "SELECT count(*) FROM near WHERE ...", when the whole WHERE
 * clause goes over: neither a row nor a local condition is left. Everything
 * that is done to rows before or after they are counted keeps core's Aggregate.
 *
 * The plan scans no relation (scanrelid 0). Its scan tuple is the count, and
 * after it, always NULL, the columns that the conditions name, so that EXPLAIN
 * can show them.
 *
 * Known limit: a plan made before on_unavailable became "scan" fails when the
 * daemon is away, because there are no rows to count instead.
 */
#include "postgres.h"

#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/planmain.h"
#include "optimizer/tlist.h"
#include "parser/parsetree.h"
#include "utils/fmgroids.h"

#include "fdw/plan.h"

/* RelOptInfo.fdw_private of the upper relation. */
typedef struct CountedRelation
{
	RelOptInfo *baserel;
	int range; /* as of vfdw_find_range(); -1: none */
} CountedRelation;

/* count(*), or of a constant that is not NULL. */
static bool
counts_rows(const Aggref *aggregate)
{
	const TargetEntry *argument;

	if (aggregate->aggfilter != NULL || aggregate->aggdistinct != NIL ||
		aggregate->aggorder != NIL || aggregate->aggsplit != AGGSPLIT_SIMPLE)
		return false;
	if (aggregate->aggfnoid == F_COUNT_)
		return true;
	if (aggregate->aggfnoid != F_COUNT_ANY)
		return false;
	argument = linitial_node(TargetEntry, aggregate->args);
	return IsA(argument->expr, Const) && !((const Const *) argument->expr)->constisnull;
}

static bool
needs_rows(Node *node, List **counts)
{
	if (node == NULL)
		return false;
	if (IsA(node, Aggref))
	{
		if (!counts_rows((const Aggref *) node))
			return true;
		*counts = list_append_unique(*counts, node);
		return false;
	}
	if (IsA(node, Var) || IsA(node, PlaceHolderVar) || IsA(node, GroupingFunc) ||
		IsA(node, SubPlan) || IsA(node, AlternativeSubPlan))
		return true;
	return expression_tree_walker(node, needs_rows, counts);
}

/* Whether one number is all that the query asks of the relation. */
static bool
asks_for_count(const PlannerInfo *root, const RelOptInfo *baserel)
{
	const Query *parse = root->parse;
	List *counts = NIL;

	return parse->commandType == CMD_SELECT && parse->hasAggs && parse->groupClause == NIL &&
		   parse->groupingSets == NIL && parse->havingQual == NULL && !parse->hasTargetSRFs &&
		   root->rowMarks == NIL && baserel->reloptkind == RELOPT_BASEREL &&
		   bms_is_empty(baserel->lateral_relids) &&
		   !needs_rows((Node *) root->upper_targets[UPPERREL_GROUP_AGG]->exprs, &counts) &&
		   counts != NIL;
}

/* Whether all conditions go over, and with which range. */
static bool
conditions_go_over(const RelOptInfo *baserel, int *range)
{
	const VfdwRelation *relation = baserel->fdw_private;
	ListCell *lc;

	foreach (lc, baserel->baserestrictinfo)
		if (lfirst_node(RestrictInfo, lc)->pseudoconstant)
			return false;
	*range = vfdw_find_range(relation, NULL);
	return vfdw_local_conditions(baserel, *range) == NIL;
}

/* Callback. */
void
vectorGetForeignUpperPaths(PlannerInfo *root, UpperRelationKind stage, RelOptInfo *input_rel,
						   RelOptInfo *output_rel, void *extra)
{
	const VfdwRelation *relation = input_rel->fdw_private;
	CountedRelation *counted;
	int range;
	Cost cost;

	if (stage != UPPERREL_GROUP_AGG || relation == NULL || output_rel->fdw_private != NULL ||
		!asks_for_count(root, input_rel) ||
		relation->options->on_unavailable == VFDW_ON_UNAVAILABLE_SCAN ||
		!conditions_go_over(input_rel, &range))
		return;
	counted = palloc0(sizeof(CountedRelation));
	counted->baserel = input_rel;
	counted->range = range;
	output_rel->fdw_private = counted;
	cost = relation->options->startup_cost + relation->options->tuple_cost +
		   0.1 * cpu_operator_cost * relation->rows;
	add_path(output_rel, (Path *) create_foreign_upper_path(
							 root, output_rel, root->upper_targets[UPPERREL_GROUP_AGG], 1,
#if PG_VERSION_NUM >= 180000
							 0, /* disabled_nodes */
#endif
							 cost, cost, NIL, NULL,
#if PG_VERSION_NUM >= 170000
							 NIL, /* fdw_restrictinfo */
#endif
							 NIL));
}

/* The counts of the target list, which are all the same, and the columns of the conditions. */
static List *
count_targets(VfdwPlan *plan, const PathTarget *target, const VfdwConditions *conditions)
{
	List *counts = NIL;
	List *scan_tlist = NIL;
	List *vars = pull_var_clause((Node *) conditions->pushed, 0);
	ListCell *lc;

	needs_rows((Node *) target->exprs, &counts);
	foreach (lc, counts)
	{
		vfdw_add_scan_target(&scan_tlist, lfirst(lc));
		plan->targets = lappend_int(plan->targets, VFDW_TARGET_COUNT);
	}
	foreach (lc, vars)
	{
		if (tlist_member(lfirst(lc), scan_tlist) != NULL)
			continue;
		vfdw_add_scan_target(&scan_tlist, lfirst(lc));
		plan->targets = lappend_int(plan->targets, VFDW_TARGET_UNUSED);
	}
	return scan_tlist;
}

ForeignScan *
vfdw_plan_count(PlannerInfo *root, RelOptInfo *upper_rel, List *tlist)
{
	const CountedRelation *counted = upper_rel->fdw_private;
	const RelOptInfo *baserel = counted->baserel;
	const VfdwConditions conditions =
		vfdw_plan_conditions(baserel, baserel->baserestrictinfo, NULL, counted->range);
	VfdwPlan plan = {.steps = conditions.steps, .count_only = true, .rows_per_match = 1};
	List *scan_tlist;

	if (conditions.range != NULL)
	{
		plan.ordered = true;
		plan.vector_column = conditions.range->column;
		plan.metric = conditions.range->metric;
		plan.range = conditions.range->bound;
		plan.exact = true;
	}
	scan_tlist = count_targets(&plan, root->upper_targets[UPPERREL_GROUP_AGG], &conditions);
	return vfdw_make_scan(root, baserel, &plan, &conditions,
						  conditions.range != NULL ? conditions.range->query : NULL, tlist,
						  scan_tlist);
}

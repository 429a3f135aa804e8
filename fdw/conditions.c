/*
 * conditions.c
 *	  Which of a scan's conditions go over to the daemon, and which stay.
 *
 * Sorted once per relation, before there are paths, because row estimates and
 * costs depend on it, and again for the plan, where the filter is built. A
 * range of distances goes over only with the search by that very distance.
 *
 * Not here: whether a single clause can go over (clause.c, pushdown.c).
 */
#include "postgres.h"

#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "optimizer/restrictinfo.h"
#include "rewrite/rewriteManip.h"
#include "utils/lsyscache.h"
#include "utils/partcache.h"

#include "fdw/clause.h"
#include "fdw/plan.h"

static VfdwFilterBuilder
make_builder(const RelOptInfo *baserel, const VfdwRelation *relation, Relids outer)
{
	VfdwFilterBuilder builder = {.foreigntableid = relation->options->tableid,
								 .relid = baserel->relid,
								 .facts = relation->facts,
								 .outer = outer};

	return builder;
}

/* Whether every row of a partition passes: queries of the parent bring their quals along. */
static bool
holds_for_partition(const RelOptInfo *baserel, Oid foreigntableid, Node *clause)
{
	List *partition_qual;

	if (!get_rel_relispartition(foreigntableid))
		return false;
	partition_qual =
		make_ands_implicit(expression_planner(get_partition_qual_relid(foreigntableid)));
	ChangeVarNodes((Node *) partition_qual, 1, baserel->relid, 0);
	return predicate_implied_by(list_make1(clause), partition_qual, false);
}

/* Whether a clause is "distance IS NOT NULL", or the same of the vector. */
static bool
asks_for_distance(const Node *clause, const Expr *distance, AttrNumber column)
{
	const NullTest *test = (const NullTest *) clause;

	if (!IsA(clause, NullTest) || test->nulltesttype != IS_NOT_NULL || test->argisrow)
		return false;
	return IsA(test->arg, Var) ? ((const Var *) test->arg)->varattno == column
							   : equal(test->arg, distance);
}

/*
 * That there is a distance picks none of the rows that have one; the others
 * come last anyway.
 */
bool
vfdw_quals_pick(const List *clauses, const RelOptInfo *baserel, const Expr *distance,
				AttrNumber column)
{
	const VfdwRelation *relation = baserel->fdw_private;
	ListCell *lc;

	foreach (lc, clauses)
		if (!asks_for_distance(lfirst(lc), distance, column) &&
			!holds_for_partition(baserel, relation->options->tableid, lfirst(lc)))
			return true;
	return false;
}

bool
vfdw_add_range(PlannerInfo *root, RelOptInfo *baserel, VfdwRelation *relation, Expr *clause,
			   Relids outer)
{
	VfdwRange *range = palloc0(sizeof(VfdwRange));
	const VfdwCollectionFacts *facts = relation->facts;

	if (facts == NULL || !vfdw_match_range(root, baserel, clause, outer, range) ||
		range->metric != facts->metric ||
		strcmp(vfdw_remote_column(relation->options->tableid, range->column),
			   facts->vector_column) != 0 ||
		!vfdw_shows_stored_vectors(relation->options->tableid, range->column, facts))
		return false;
	relation->ranges = lappend(relation->ranges, range);
	return true;
}

void
vfdw_sort_conditions(PlannerInfo *root, RelOptInfo *baserel, VfdwRelation *relation)
{
	VfdwFilterBuilder builder = make_builder(baserel, relation, NULL);
	ListCell *lc;

	foreach (lc, baserel->baserestrictinfo)
	{
		RestrictInfo *info = lfirst_node(RestrictInfo, lc);

		if (info->pseudoconstant ||
			holds_for_partition(baserel, relation->options->tableid, (Node *) info->clause))
			continue;
		if (vfdw_add_clause(&builder, info->clause))
			relation->pushed = lappend(relation->pushed, info);
		else
			vfdw_add_range(root, baserel, relation, info->clause, NULL);
	}
	relation->remote_rows = clamp_row_est(
		relation->rows * clauselist_selectivity(root, relation->pushed, 0, JOIN_INNER, NULL));
}

int
vfdw_find_range(const VfdwRelation *relation, const Expr *distance)
{
	ListCell *lc;

	foreach (lc, relation->ranges)
	{
		const VfdwRange *range = lfirst(lc);

		if (range->outer == NULL && (distance == NULL || equal(range->distance, distance)))
			return foreach_current_index(lc);
	}
	return -1;
}

static const VfdwRange *
range_at(const VfdwRelation *relation, int position)
{
	return position < 0 ? NULL : list_nth(relation->ranges, position);
}

List *
vfdw_local_conditions(const RelOptInfo *baserel, int range)
{
	const VfdwRelation *relation = baserel->fdw_private;
	const VfdwRange *remote_range = range_at(relation, range);
	List *local = NIL;
	ListCell *lc;

	foreach (lc, baserel->baserestrictinfo)
	{
		RestrictInfo *info = lfirst_node(RestrictInfo, lc);

		if (!list_member_ptr(relation->pushed, info) && !info->pseudoconstant &&
			(remote_range == NULL || remote_range->clause != info->clause))
			local = lappend(local, info->clause);
	}
	return local;
}

VfdwConditions
vfdw_plan_conditions(const RelOptInfo *baserel, List *scan_clauses, Relids outer, int range)
{
	const VfdwRelation *relation = baserel->fdw_private;
	VfdwFilterBuilder builder = make_builder(baserel, relation, outer);
	VfdwConditions conditions = {.range = range_at(relation, range)};
	ListCell *lc;

	foreach (lc, scan_clauses)
	{
		RestrictInfo *info = lfirst_node(RestrictInfo, lc);

		if (info->pseudoconstant ||
			(conditions.range != NULL && conditions.range->clause == info->clause))
			continue;
		if ((list_member_ptr(relation->pushed, info) ||
			 !list_member_ptr(baserel->baserestrictinfo, info)) &&
			vfdw_add_clause(&builder, info->clause))
			conditions.pushed = lappend(conditions.pushed, info->clause);
		else
			conditions.local = lappend(conditions.local, info->clause);
	}
	vfdw_join_clauses(&builder, list_length(conditions.pushed));
	if (conditions.range != NULL)
		conditions.pushed = lappend(conditions.pushed, conditions.range->clause);
	conditions.steps = builder.steps;
	conditions.operands = builder.operands;
	return conditions;
}

/*
 * lookup_path.c
 *	  Paths that ask for the rows that match a row of another relation.
 *
 * A join with the foreign table inside: for each outer row one request, whose
 * filter takes values of that row. Worth it when there are few outer rows, or
 * the join is by the collection's key, which the daemon need not scan for.
 */
#include "postgres.h"

#include "nodes/nodeFuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"

#include "fdw/clause.h"
#include "fdw/plan.h"

/* Which column of the foreign table an equivalence class is searched for. */
typedef struct WantedMember
{
	Expr *current; /* NULL: any that was not used yet */
	List *used;
} WantedMember;

static bool
is_wanted(PlannerInfo *root, RelOptInfo *rel, EquivalenceClass *ec, EquivalenceMember *member,
		  void *arg)
{
	WantedMember *wanted = arg;

	if (wanted->current != NULL)
		return equal(member->em_expr, wanted->current);
	if (list_member(wanted->used, member->em_expr))
		return false;
	wanted->current = member->em_expr;
	return true;
}

/* Adds the parameters that a join clause needs, if it can go over with them. */
static List *
add_parameters(List *parameters, PlannerInfo *root, RelOptInfo *baserel, RestrictInfo *info)
{
	VfdwRelation *relation = baserel->fdw_private;
	VfdwFilterBuilder builder = {.foreigntableid = relation->options->tableid,
								 .relid = baserel->relid,
								 .facts = relation->facts};
	Relids outer;

	if (!join_clause_is_movable_to(info, baserel))
		return parameters;
	outer = bms_union(info->clause_relids, baserel->lateral_relids);
	outer = bms_del_member(outer, baserel->relid);
	builder.outer = outer;
	if (bms_is_empty(outer) || (!vfdw_add_clause(&builder, info->clause) &&
								!vfdw_add_range(root, baserel, relation, info->clause, outer)))
		return parameters;
	return list_append_unique_ptr(parameters, get_baserel_parampathinfo(root, baserel, outer));
}

/* Join clauses that follow from equalities of the query: "a = b AND b = c". */
static List *
add_implied_parameters(List *parameters, PlannerInfo *root, RelOptInfo *baserel)
{
	WantedMember wanted = {0};
	ListCell *lc;

	for (;;)
	{
		List *clauses;

		wanted.current = NULL;
		clauses = generate_implied_equalities_for_column(root, baserel, is_wanted, &wanted,
														 baserel->lateral_referencers);
		if (wanted.current == NULL)
			return parameters;
		foreach (lc, clauses)
			parameters = add_parameters(parameters, root, baserel, lfirst(lc));
		wanted.used = lappend(wanted.used, wanted.current);
	}
}

/*
 * Whether the filter names one value, or a list of them, of the collection's only key column. With
 * OR or NOT anywhere it counts as none.
 */
static bool
is_key_lookup(const RelOptInfo *baserel, const List *steps)
{
	const VfdwRelation *relation = baserel->fdw_private;
	bool found = false;
	const char *key;
	ListCell *lc;

	if (list_length(relation->facts->key_columns) != 1)
		return false;
	key = linitial(relation->facts->key_columns);
	foreach (lc, steps)
	{
		int kind = list_nth_int(lfirst(lc), VFDW_STEP_KIND);
		AttrNumber attribute = (AttrNumber) list_nth_int(lfirst(lc), VFDW_STEP_ATTRIBUTE);

		if (kind == VFDW_FILTER_OR || kind == VFDW_FILTER_NOT)
			return false;
		if ((kind == VFDW_FILTER_EQUAL || kind == VFDW_FILTER_IN) &&
			strcmp(vfdw_remote_column(relation->options->tableid, attribute), key) == 0)
			found = true;
	}
	return found;
}

double
vfdw_rows_compared(const RelOptInfo *baserel, const List *steps)
{
	const VfdwRelation *relation = baserel->fdw_private;

	return steps != NIL && is_key_lookup(baserel, steps) ? 1 : relation->rows;
}

List *
vfdw_lookup_parameters(PlannerInfo *root, RelOptInfo *baserel)
{
	const VfdwRelation *relation = baserel->fdw_private;
	List *parameters = NIL;
	ListCell *lc;

	if (relation->facts == NULL)
		return NIL;
	foreach (lc, baserel->joininfo)
		parameters = add_parameters(parameters, root, baserel, lfirst(lc));
	if (baserel->has_eclass_joins)
		parameters = add_implied_parameters(parameters, root, baserel);
	return parameters;
}

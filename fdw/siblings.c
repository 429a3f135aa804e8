/*
 * siblings.c
 *	  Whether the scans of one MergeAppend can be started together.
 *
 * A MergeAppend needs the first row of each child before it gives one. But a
 * child may be pruned while the query runs, by a value that was not known
 * before; and a scan on one side of a join below it may get by without being
 * asked. Neither daemon nor network must be troubled for those: it may be down.
 *
 * Nodes do not know their parents, so the plan is looked through.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "fdw/siblings.h"

typedef struct Search
{
	const PlannedStmt *statement;
	const Plan *scan;
	bool certain; /* once it is found: its MergeAppend asks it */
} Search;

static bool find_in(Search *search, const Plan *node, bool certain);

/* Children that go while the plan is made ready are not begun at all, and do not matter. */
static bool
prunes_while_running(const PlannedStmt *statement, const MergeAppend *append)
{
	const PartitionPruneInfo *info;
	const ListCell *lc;
	const ListCell *lc2;

#if PG_VERSION_NUM >= 180000
	info = append->part_prune_index < 0
			   ? NULL
			   : list_nth(statement->partPruneInfos, append->part_prune_index);
#else
	info = append->part_prune_info;
#endif
	if (info == NULL)
		return false;
	foreach (lc, info->prune_infos)
		foreach (lc2, (const List *) lfirst(lc))
			if (lfirst_node(PartitionedRelPruneInfo, lc2)->exec_pruning_steps != NIL)
				return true;
	return false;
}

static bool
find_among(Search *search, const List *nodes, bool certain)
{
	const ListCell *lc;

	foreach (lc, nodes)
		if (find_in(search, lfirst(lc), certain))
			return true;
	return false;
}

/* Whether a node that is asked for a row asks its only child first, whatever the values are. */
static bool
asks_its_child(const Plan *node)
{
	return node->righttree == NULL && !IsA(node, Limit) &&
		   !(IsA(node, Result) && ((const Result *) node)->resconstantqual != NULL);
}

/* certain: the MergeAppend above asks this node. */
static bool
find_in(Search *search, const Plan *node, bool certain)
{
	if (node == NULL)
		return false;
	if (node == search->scan)
	{
		search->certain = certain;
		return true;
	}
	check_stack_depth();
	switch (nodeTag(node))
	{
		case T_MergeAppend:
			return find_among(search, ((const MergeAppend *) node)->mergeplans,
							  !prunes_while_running(search->statement, (const MergeAppend *) node));
		case T_Append:
			return find_among(search, ((const Append *) node)->appendplans, false);
		case T_SubqueryScan:
			return find_in(search, ((const SubqueryScan *) node)->subplan, certain);
		case T_CustomScan:
			return find_among(search, ((const CustomScan *) node)->custom_plans, false);
		default:
			certain = certain && asks_its_child(node);
			return find_in(search, node->lefttree, certain) ||
				   find_in(search, node->righttree, certain);
	}
}

bool
vfdw_siblings_are_asked(const PlannedStmt *statement, const Plan *scan)
{
	Search search = {.statement = statement, .scan = scan};

	if (!find_in(&search, statement->planTree, false))
		(void) find_among(&search, statement->subplans, false);
	return search.certain;
}

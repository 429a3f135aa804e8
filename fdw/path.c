/*
 * path.c
 *	  The ways to read a collection, and what they cost.
 *
 * There is always a path that reads all rows in no order. A second one gives
 * them by distance when the first sort key of the query is a distance that the
 * collection serves. It promises that one key only: core puts an Incremental
 * Sort on top for more keys. A search by distance is also the way to the rows
 * within a range of it, when no order by it is asked for. All promise all rows
 * that pass; LIMIT is no part of a path, its gain is that of a cheap start.
 *
 * Costs are in the planner's usual unit and never zero. The daemon's work is
 * taken from the kind of index; a row costs its transfer.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/typcache.h"

#include "fdw/clause.h"
#include "fdw/plan.h"
#include "fdw/vector_value.h"

#if PG_VERSION_NUM >= 180000
#include "access/cmptype.h"
#else
#include "access/stratnum.h"
#endif

/* A graph search looks at about that many rows for each step of the tree's height. */
#define GRAPH_ROWS_PER_STEP 40
/* Share of an ivf index that a search reads, roughly: nprobe / nlist. */
#define LISTS_SHARE 0.05
/* Distances are computed by SIMD in another process: cheaper than an SQL operator. */
#define DISTANCE_COST_FACTOR 0.4

/* A sort key that is a distance of this relation. */
typedef struct DistanceKey
{
	Expr *distance;
	Expr *query;
	AttrNumber column;
	enum vfdw_metric metric;
} DistanceKey;

static ForeignPath *
make_path(PlannerInfo *root, RelOptInfo *baserel, double rows, Cost startup, Cost total,
		  List *pathkeys, Relids outer, List *fdw_private)
{
	return create_foreignscan_path(root, baserel, NULL, rows,
#if PG_VERSION_NUM >= 180000
								   0, /* disabled_nodes */
#endif
								   startup, total, pathkeys, outer, NULL,
#if PG_VERSION_NUM >= 170000
								   NIL, /* fdw_restrictinfo */
#endif
								   fdw_private);
}

/* Whether a member of the sort key's equivalence class is a distance of baserel. */
static bool
member_is_distance(PlannerInfo *root, RelOptInfo *baserel, EquivalenceMember *member,
				   DistanceKey *key)
{
	if (!bms_equal(member->em_relids, baserel->relids))
		return false;
	if (!vfdw_match_distance(root, baserel, member->em_expr, &key->column, &key->metric,
							 &key->query))
		return false;
	key->distance = member->em_expr;
	return true;
}

/* Child members included, so that each partition of a MergeAppend finds its own. */
static bool
find_distance_key(PlannerInfo *root, RelOptInfo *baserel, EquivalenceClass *class, DistanceKey *key)
{
#if PG_VERSION_NUM >= 180000
	EquivalenceMemberIterator iterator;
	EquivalenceMember *member;

	setup_eclass_member_iterator(&iterator, class, baserel->relids);
	while ((member = eclass_member_iterator_next(&iterator)) != NULL)
		if (member_is_distance(root, baserel, member, key))
			return true;
#else
	ListCell *lc;

	foreach (lc, class->ec_members)
		if (member_is_distance(root, baserel, lfirst(lc), key))
			return true;
#endif
	return false;
}

static bool
is_ascending(const PathKey *pathkey)
{
#if PG_VERSION_NUM >= 180000
	return pathkey->pk_cmptype == COMPARE_LT;
#else
	return pathkey->pk_strategy == BTLessStrategyNumber;
#endif
}

/*
 * Why a query vector has no value before the scan begins; NULL when it has one.
 * It holds no columns: those of this relation were looked for, and sort keys of
 * a relation name no other.
 */
static char *
reason_against_query(const RelOptInfo *baserel, Expr *query)
{
	Node *node = (Node *) query;

	if (contain_volatile_functions(node))
		return "the query vector is volatile";
	if (contain_window_function(node))
		return "the query vector depends on a window function";
	if (contain_agg_clause(node))
		return "the query vector depends on an aggregate";
	if (expression_returns_set(node))
		return "the query vector depends on a set-returning function";
	if (!vfdw_is_operand(baserel->relid, NULL, node))
		return "the query vector has no single value for the scan";
	return NULL;
}

/* Why the daemon cannot give this order; NULL when it can. */
static char *
reason_against(const RelOptInfo *baserel, Oid foreigntableid, const PathKey *pathkey,
			   const DistanceKey *key)
{
	const VfdwRelation *relation = baserel->fdw_private;
	const VfdwCollectionFacts *facts = relation->facts;
	char *reason = reason_against_query(baserel, key->query);
	char *column;

	if (reason != NULL)
		return reason;
	if (!is_ascending(pathkey))
		return "the order is descending";
	if (pathkey->pk_nulls_first)
		return "NULLs come first in the order";
	if (pathkey->pk_opfamily != lookup_type_cache(FLOAT8OID, TYPECACHE_BTREE_OPFAMILY)->btree_opf)
		return "the order is not that of double precision";
	if (facts == NULL)
		return NULL; /* the daemon will check */

	column = vfdw_remote_column(foreigntableid, key->column);
	if (strcmp(column, facts->vector_column) != 0)
		return psprintf("column \"%s\" is not the vector column of collection \"%s\"", column,
						facts->name);
	if (!vfdw_shows_stored_vectors(foreigntableid, key->column, facts))
		return psprintf("column \"%s\" is a halfvec here, and of another type in the source table",
						column);
	if (key->metric != facts->metric)
		return psprintf("collection \"%s\" serves %s (%s), not %s (%s)", facts->name,
						vfdw_metric_operator(facts->metric), vfdw_metric_name(facts->metric),
						vfdw_metric_operator(key->metric), vfdw_metric_name(key->metric));
	return NULL;
}

/* Distances that the daemon computes before it can send the first row. */
static double
rows_looked_at(const VfdwRelation *relation, bool exact)
{
	const char *index = relation->facts != NULL ? relation->facts->index : "hnsw";
	double rows = relation->rows;

	if (exact || strcmp(index, "flat") == 0)
		return relation->remote_rows;
	if (strcmp(index, "ivf") == 0)
		return sqrt(rows) + rows * LISTS_SHARE;
	return Min(rows, GRAPH_ROWS_PER_STEP * (1 + log2(rows + 1)));
}

/*
 * What a path costs for the rows that come over: transfer, local quals, target
 * list. What goes over to be evaluated costs nothing worth telling there.
 */
static Cost
cost_of_rows(PlannerInfo *root, const RelOptInfo *baserel, double remote_rows, List *local,
			 Cost *startup)
{
	const VfdwRelation *relation = baserel->fdw_private;
	double pages_per_row = (double) baserel->reltarget->width / BLCKSZ;
	QualCost local_cost;

	cost_qual_eval(&local_cost, local, root);
	*startup =
		relation->options->startup_cost + local_cost.startup + baserel->reltarget->cost.startup;
	return remote_rows * (relation->options->tuple_cost + cpu_tuple_cost +
						  seq_page_cost * pages_per_row + local_cost.per_tuple) +
		   baserel->rows * baserel->reltarget->cost.per_tuple;
}

/* What becomes of the clauses of a path; parameters NULL: none of other relations. */
static VfdwConditions
clauses_left(const RelOptInfo *baserel, const ParamPathInfo *parameters, int range)
{
	if (parameters == NULL)
		return vfdw_plan_conditions(baserel, baserel->baserestrictinfo, baserel->lateral_relids,
									range);
	return vfdw_plan_conditions(
		baserel, list_concat_copy(baserel->baserestrictinfo, parameters->ppi_clauses),
		parameters->ppi_req_outer, range);
}

/*
 * Adds a path by distance; without pathkeys for the sake of its range (a
 * position, -1: none) only.
 */
static void
add_search_path(PlannerInfo *root, RelOptInfo *baserel, List *pathkeys, const DistanceKey *key,
				int range, ParamPathInfo *parameters)
{
	const VfdwRelation *relation = baserel->fdw_private;
	Relids outer = parameters != NULL ? parameters->ppi_req_outer : baserel->lateral_relids;
	double rows = parameters != NULL ? parameters->ppi_rows : baserel->rows;
	List *local = clauses_left(baserel, parameters, range).local;
	bool exact = relation->options->exact || pathkeys == NIL ||
				 vfdw_quals_pick(local, baserel, key->distance, key->column) ||
				 !vfdw_limit_counts_rows(root->parse);
	double remote_rows = relation->remote_rows;
	Cost search;
	Cost startup;
	Cost run;

	if (local == NIL)
		remote_rows = Min(remote_rows, rows);
	run = cost_of_rows(root, baserel, remote_rows, local, &startup);
	search = cpu_operator_cost * DISTANCE_COST_FACTOR * rows_looked_at(relation, exact);
	/*
	 * Who reads to the end pays for the whole order as well: half of what a
	 * Sort would cost here, so that sorting remotely wins, but not against
	 * those who need no order. Without an order the search counts as part of
	 * the run, so that nothing but the total tells it from reading all rows.
	 */
	if (pathkeys != NIL)
	{
		startup += search;
		run += cpu_operator_cost * remote_rows * log2(remote_rows + 1);
	}
	else
		run += search;
	add_path(baserel,
			 (Path *) make_path(root, baserel, rows, startup, startup + run, pathkeys, outer,
								list_make5(key->distance, key->query, makeInteger(key->column),
										   makeInteger((int) key->metric), makeInteger(range))));
}

static void
add_ordered_path(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid)
{
	VfdwRelation *relation = baserel->fdw_private;
	PathKey *pathkey;
	DistanceKey key;

	if (root->query_pathkeys == NIL)
		return;
	pathkey = linitial(root->query_pathkeys);
	if (!find_distance_key(root, baserel, pathkey->pk_eclass, &key))
		return;
	relation->not_pushed = reason_against(baserel, foreigntableid, pathkey, &key);
	if (relation->not_pushed == NULL)
		add_search_path(root, baserel, list_make1(pathkey), &key,
						vfdw_find_range(relation, key.distance), NULL);
}

/* Adds a path of the rows that pass, in no order; parameters NULL: none of other relations. */
static void
add_unordered_path(PlannerInfo *root, RelOptInfo *baserel, ParamPathInfo *parameters)
{
	const VfdwRelation *relation = baserel->fdw_private;
	Relids outer = parameters != NULL ? parameters->ppi_req_outer : baserel->lateral_relids;
	double rows = parameters != NULL ? parameters->ppi_rows : baserel->rows;
	const VfdwConditions conditions = clauses_left(baserel, parameters, -1);
	double remote_rows = rows;
	Cost startup;
	Cost run;

	if (conditions.local != NIL)
		remote_rows *= Max(relation->remote_rows / baserel->rows, 1);
	run = cost_of_rows(root, baserel, remote_rows, conditions.local, &startup);
	/* A tenth of an operator per row: comparing it in the daemon's memory. */
	run += 0.1 * cpu_operator_cost * vfdw_rows_compared(baserel, conditions.steps);
	add_path(baserel,
			 (Path *) make_path(root, baserel, rows, startup, startup + run, NIL, outer, NIL));
}

static void
add_range_path(PlannerInfo *root, RelOptInfo *baserel, int range, ParamPathInfo *parameters)
{
	const VfdwRelation *relation = baserel->fdw_private;
	const VfdwRange *found = list_nth(relation->ranges, range);
	DistanceKey key = {.distance = found->distance,
					   .query = found->query,
					   .column = found->column,
					   .metric = found->metric};

	add_search_path(root, baserel, NIL, &key, range, parameters);
}

/* Paths that take values of other relations, for conditions and for ranges. */
static void
add_lookup_paths(PlannerInfo *root, RelOptInfo *baserel, ParamPathInfo *parameters)
{
	const VfdwRelation *relation = baserel->fdw_private;
	ListCell *lc;

	add_unordered_path(root, baserel, parameters);
	foreach (lc, relation->ranges)
	{
		const VfdwRange *range = lfirst(lc);

		if (range->outer != NULL && bms_is_subset(range->outer, parameters->ppi_req_outer))
			add_range_path(root, baserel, foreach_current_index(lc), parameters);
	}
}

/* Callback: adds the paths. */
void
vectorGetForeignPaths(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid)
{
	const VfdwRelation *relation = baserel->fdw_private;
	int range = vfdw_find_range(relation, NULL);
	ListCell *lc;

	add_unordered_path(root, baserel, NULL);
	if (range >= 0)
		add_range_path(root, baserel, range, NULL);
	add_ordered_path(root, baserel, foreigntableid);
	foreach (lc, vfdw_lookup_parameters(root, baserel))
		add_lookup_paths(root, baserel, lfirst(lc));
}

/*
 * A foreign scan in a worker would have a connection of its own, and would not
 * know this session's last commit, which "session" consistency promises to see.
 */
bool
vectorIsForeignScanParallelSafe(PlannerInfo *root, RelOptInfo *rel, RangeTblEntry *rte)
{
	return false;
}

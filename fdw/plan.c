/*
 * plan.c
 *	  Turns the chosen path into a plan node, and reads that node back.
 *
 * What goes over is the order, conditions that the daemon can answer exactly,
 * the columns needed, and a hint of how many rows. LIMIT is only a hint: the
 * Limit node stays, and the scan gives more rows when it is asked, hence
 * joins, quals, ties and cursors above cannot be wronged by it.
 *
 * Conditions that went over are the plan's recheck quals: EXPLAIN shows them, a
 * scan of the source table instead evaluates them, and so does EvalPlanQual.
 *
 * An ordered scan also gives the distance itself, as an attribute of the scan
 * tuple: whatever the plan computes that is equal() to it reads the attribute
 * (set_foreignscan_references does that), and the vector need not be sent.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "catalog/heap.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "optimizer/planmain.h"
#include "parser/parsetree.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "fdw/definition.h"
#include "fdw/plan.h"

/* How fdw_private is laid out. */
enum PlanPrivate
{
	PRIVATE_COLUMNS,
	PRIVATE_FILTER_COLUMNS,
	PRIVATE_TARGETS,
	PRIVATE_STEPS,
	PRIVATE_NUMBERS,   /* IntList, in the order of PlanNumber */
	PRIVATE_NOT_PUSHED /* String; "" for none */
};

enum PlanNumber
{
	NUMBER_ORDERED,
	NUMBER_VECTOR_COLUMN,
	NUMBER_METRIC,
	NUMBER_RANGE,
	NUMBER_COUNT_ONLY,
	NUMBER_EXACT,
	NUMBER_LIMITED,
	NUMBER_CONTINUES,
	NUMBER_SLACK,
	NUMBER_ROWS_PER_MATCH,
	NUMBER_SIBLINGS,
	NUMBERS
};

#define MAX_ROWS_PER_MATCH 1000000

static List *
plan_to_private(const VfdwPlan *plan)
{
	int numbers[NUMBERS] = {
		[NUMBER_ORDERED] = plan->ordered,		[NUMBER_VECTOR_COLUMN] = plan->vector_column,
		[NUMBER_METRIC] = (int) plan->metric,	[NUMBER_RANGE] = plan->range,
		[NUMBER_COUNT_ONLY] = plan->count_only, [NUMBER_EXACT] = plan->exact,
		[NUMBER_LIMITED] = plan->limited,		[NUMBER_CONTINUES] = plan->continues,
		[NUMBER_SLACK] = plan->slack,			[NUMBER_ROWS_PER_MATCH] = plan->rows_per_match,
		[NUMBER_SIBLINGS] = plan->siblings,
	};
	List *list = NIL;

	for (int i = 0; i < NUMBERS; i++)
		list = lappend_int(list, numbers[i]);
	return lappend(
		list_make5(plan->columns, plan->filter_columns, plan->targets, plan->steps, list),
		makeString(plan->not_pushed != NULL ? plan->not_pushed : ""));
}

VfdwPlan *
vfdw_plan_of(const ForeignScan *scan)
{
	VfdwPlan *plan = palloc0(sizeof(VfdwPlan));
	List *numbers = list_nth(scan->fdw_private, PRIVATE_NUMBERS);
	char *not_pushed = strVal(list_nth(scan->fdw_private, PRIVATE_NOT_PUSHED));

	plan->columns = list_nth(scan->fdw_private, PRIVATE_COLUMNS);
	plan->filter_columns = list_nth(scan->fdw_private, PRIVATE_FILTER_COLUMNS);
	plan->targets = list_nth(scan->fdw_private, PRIVATE_TARGETS);
	plan->steps = list_nth(scan->fdw_private, PRIVATE_STEPS);
	plan->ordered = list_nth_int(numbers, NUMBER_ORDERED) != 0;
	plan->vector_column = (AttrNumber) list_nth_int(numbers, NUMBER_VECTOR_COLUMN);
	plan->metric = (enum vfdw_metric) list_nth_int(numbers, NUMBER_METRIC);
	plan->range = list_nth_int(numbers, NUMBER_RANGE);
	plan->count_only = list_nth_int(numbers, NUMBER_COUNT_ONLY) != 0;
	plan->exact = list_nth_int(numbers, NUMBER_EXACT) != 0;
	plan->limited = list_nth_int(numbers, NUMBER_LIMITED) != 0;
	plan->continues = list_nth_int(numbers, NUMBER_CONTINUES) != 0;
	plan->slack = list_nth_int(numbers, NUMBER_SLACK);
	plan->rows_per_match = list_nth_int(numbers, NUMBER_ROWS_PER_MATCH);
	plan->siblings = list_nth_int(numbers, NUMBER_SIBLINGS);
	plan->not_pushed = not_pushed[0] != '\0' ? not_pushed : NULL;
	return plan;
}

bool
vfdw_limit_counts_rows(const Query *parse)
{
	return parse->limitCount != NULL && parse->groupClause == NIL && parse->groupingSets == NIL &&
		   parse->distinctClause == NIL && parse->havingQual == NULL && !parse->hasAggs &&
		   !parse->hasWindowFuncs && !parse->hasTargetSRFs &&
		   !contain_volatile_functions(parse->limitCount) &&
		   !contain_volatile_functions(parse->limitOffset);
}

/* What of the relation some expressions look at. */
typedef struct Needs
{
	Index relid;
	const Expr *distance;  /* not looked into; NULL: nothing is spared */
	Bitmapset *attributes; /* offset by FirstLowInvalidHeapAttributeNumber */
	bool distance_found;
} Needs;

static bool
find_needs(Node *node, Needs *needs)
{
	if (node == NULL)
		return false;
	if (needs->distance != NULL && equal(node, needs->distance))
	{
		needs->distance_found = true;
		return false;
	}
	if (IsA(node, Var))
	{
		Var *var = (Var *) node;

		if (var->varno == needs->relid && var->varlevelsup == 0)
			needs->attributes = bms_add_member(needs->attributes,
											   var->varattno - FirstLowInvalidHeapAttributeNumber);
		return false;
	}
	return expression_tree_walker(node, find_needs, needs);
}

static bool
needs_attribute(const Needs *needs, AttrNumber attribute)
{
	return bms_is_member(attribute - FirstLowInvalidHeapAttributeNumber, needs->attributes);
}

/* Of the system columns only tableoid has a meaning here. */
static bool
needs_system_column(const Needs *needs, Oid foreigntableid)
{
	for (AttrNumber attribute = FirstLowInvalidHeapAttributeNumber + 1; attribute < 0; attribute++)
	{
		if (!needs_attribute(needs, attribute))
			continue;
		if (attribute != TableOidAttributeNumber)
			ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
							errmsg("foreign table \"%s\" has no system column \"%s\"",
								   get_rel_name(foreigntableid),
								   NameStr(SystemAttributeDefinition(attribute)->attname)),
							errhint("Use the key columns instead.")));
		return true;
	}
	return false;
}

/* Who looks at a column of the scan tuple. */
typedef struct TargetUse
{
	const Needs *needs;	 /* nodes above and local quals: its value is fetched */
	const Needs *pushed; /* conditions that went over */
} TargetUse;

/*
 * Adds a column to the scan tuple. Until all columns to be fetched are known,
 * those of filter_columns are numbered from the other end.
 */
static void
add_target(VfdwPlan *plan, AttrNumber attribute, const TargetUse *use)
{
	if (needs_attribute(use->needs, attribute) || needs_attribute(use->needs, InvalidAttrNumber))
	{
		plan->targets = lappend_int(plan->targets, list_length(plan->columns));
		plan->columns = lappend_int(plan->columns, attribute);
	}
	else if (needs_attribute(use->pushed, attribute))
	{
		plan->filter_columns = lappend_int(plan->filter_columns, attribute);
		plan->targets =
			lappend_int(plan->targets, VFDW_TARGET_UNUSED - list_length(plan->filter_columns));
	}
	else
		plan->targets = lappend_int(plan->targets, VFDW_TARGET_UNUSED);
}

/* Lets the columns of filter_columns follow those that are fetched. */
static void
number_filter_columns(VfdwPlan *plan)
{
	ListCell *lc;

	foreach (lc, plan->targets)
		if (lfirst_int(lc) < VFDW_TARGET_UNUSED)
			lfirst_int(lc) = list_length(plan->columns) + VFDW_TARGET_UNUSED - 1 - lfirst_int(lc);
}

/* The scan tuple is the table's row; what nobody looks at is left NULL. */
static void
plan_whole_rows(VfdwPlan *plan, const TargetUse *use, Relation table)
{
	TupleDesc descriptor = RelationGetDescr(table);

	for (int i = 0; i < descriptor->natts; i++)
	{
		if (TupleDescAttr(descriptor, i)->attisdropped)
			plan->targets = lappend_int(plan->targets, VFDW_TARGET_UNUSED);
		else
			add_target(plan, i + 1, use);
	}
}

void
vfdw_add_scan_target(List **scan_tlist, Expr *expr)
{
	*scan_tlist =
		lappend(*scan_tlist, makeTargetEntry(expr, list_length(*scan_tlist) + 1, NULL, false));
}

/*
 * The scan tuple is the distance and the columns needed. "offered" are columns
 * that a target list of the whole row names but nobody reads: they must be
 * there to be found, but are not fetched.
 */
static List *
plan_distance_rows(VfdwPlan *plan, const TargetUse *use, const Needs *offered, Expr *distance,
				   Relation table)
{
	TupleDesc descriptor = RelationGetDescr(table);
	List *scan_tlist = NIL;

	vfdw_add_scan_target(&scan_tlist, copyObject(distance));
	plan->targets = lappend_int(plan->targets, VFDW_TARGET_DISTANCE);
	for (int i = 0; i < descriptor->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(descriptor, i);

		if (attribute->attisdropped ||
			!(needs_attribute(use->needs, i + 1) || needs_attribute(use->pushed, i + 1) ||
			  needs_attribute(offered, i + 1)))
			continue;
		vfdw_add_scan_target(&scan_tlist,
							 (Expr *) makeVar(offered->relid, i + 1, attribute->atttypid,
											  attribute->atttypmod, attribute->attcollation, 0));
		add_target(plan, i + 1, use);
	}
	return scan_tlist;
}

/*
 * Scans below the same MergeAppend get the same number. Children of one parent
 * are planned one after another, and numbers are never given twice, so it is
 * enough to remember the last one.
 */
static int
sibling_number(const PlannerInfo *root, const RelOptInfo *baserel)
{
	static const PlannerInfo *last_root = NULL;
	static Bitmapset *last_parent = NULL;
	static int last_number = 0;
	MemoryContext old_context;

	if (baserel->top_parent_relids == NULL)
		return 0;
	if (last_root == root && bms_equal(last_parent, baserel->top_parent_relids))
		return last_number;

	old_context = MemoryContextSwitchTo(TopMemoryContext);
	bms_free(last_parent);
	last_parent = bms_copy(baserel->top_parent_relids);
	MemoryContextSwitchTo(old_context);
	last_root = root;
	last_number = last_number == INT_MAX ? 1 : last_number + 1;
	return last_number;
}

/* Whether the query reads nothing but this relation, or but partitions of its parent. */
static bool
is_alone(PlannerInfo *root, const RelOptInfo *baserel)
{
#if PG_VERSION_NUM >= 160000
	const Relids all = root->all_query_rels;
#else
	const Relids all = root->all_baserels;
#endif

	return bms_equal(
		baserel->top_parent_relids != NULL ? baserel->top_parent_relids : baserel->relids, all);
}

/*
 * Whether LIMIT tells how many rows of this path are wanted. Of a range without
 * an order all are, unless nothing else is read: who joins may need each.
 */
static bool
limit_counts(PlannerInfo *root, const RelOptInfo *baserel, const ForeignPath *path)
{
	if (!vfdw_limit_counts_rows(root->parse))
		return false;
	if (path->path.pathkeys != NIL)
		return true;
	return root->parse->sortClause == NIL && (path->fdw_private == NIL || is_alone(root, baserel));
}

/* How many rows to ask for, and whether what the index misses may be missed. */
static void
plan_search(VfdwPlan *plan, PlannerInfo *root, const RelOptInfo *baserel, const ForeignPath *path,
			const VfdwConditions *conditions)
{
	const List *path_private = path->fdw_private;

	plan->ordered = true;
	plan->vector_column = intVal(list_nth(path_private, VFDW_PATH_COLUMN));
	plan->metric = (enum vfdw_metric) intVal(list_nth(path_private, VFDW_PATH_METRIC));
	plan->range = conditions->range != NULL ? conditions->range->bound : VFDW_RANGE_NONE;
	/*
	 * Rows that an index missed among the first k cannot be given later without
	 * breaking the order. Under a LIMIT on this scan alone that is what was
	 * asked for; where a qual picks among the rows, the one missed may be the
	 * only one that passes.
	 */
	plan->exact = vfdw_quals_pick(conditions->local, baserel,
								  list_nth(path_private, VFDW_PATH_DISTANCE), plan->vector_column);
	/* WITH TIES and Incremental Sort look at the row after the last one. */
	if (root->parse->limitOption == LIMIT_OPTION_WITH_TIES || list_length(root->query_pathkeys) > 1)
		plan->slack = 1;
	plan->continues = conditions->local != NIL || plan->slack > 0 || !is_alone(root, baserel);
	plan->siblings = sibling_number(root, baserel);
}

/* Attributes of the scan tuple; returns the fdw_scan_tlist, or NIL for rows as the table has them.
 */
static List *
plan_targets(VfdwPlan *plan, PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid,
			 const ForeignPath *path, List *tlist, const VfdwConditions *conditions)
{
	Relation table = RelationIdGetRelation(foreigntableid);
	Expr *distance = NULL;
	List *scan_tlist = NIL;
	Needs needs = {.relid = baserel->relid};
	Needs offered = {.relid = baserel->relid};
	Needs pushed = {.relid = baserel->relid};
	TargetUse use = {.needs = &needs, .pushed = &pushed};

	/*
	 * Not with row marks, because EvalPlanQual stores whole rows into the scan
	 * tuple; not with parameters of other relations, because they have been
	 * replaced in tlist but not in the path's expression.
	 */
	if (plan->ordered && root->rowMarks == NIL && root->parse->commandType == CMD_SELECT &&
		bms_is_empty(PATH_REQ_OUTER(&path->path)))
		distance = list_nth(path->fdw_private, VFDW_PATH_DISTANCE);

	/*
	 * What is needed stands in the relation's target: the path's may be that of
	 * before a projection, and tlist may name the whole row because nobody cares.
	 */
	needs.distance = offered.distance = pushed.distance = distance;
	find_needs((Node *) baserel->reltarget->exprs, &needs);
	find_needs((Node *) conditions->local, &needs);
	find_needs((Node *) conditions->pushed, &pushed);
	find_needs((Node *) tlist, &offered);

	/*
	 * If tlist does not give the distance, nodes above will compute it of the
	 * vector. No tlist means that a projection of the target will be put here.
	 */
	if (needs_system_column(&needs, foreigntableid) || needs_attribute(&needs, InvalidAttrNumber) ||
		needs_attribute(&offered, InvalidAttrNumber) ||
		needs_attribute(&offered, TableOidAttributeNumber) || !needs.distance_found ||
		(tlist != NIL && !offered.distance_found))
	{
		needs.distance = pushed.distance = NULL;
		find_needs((Node *) baserel->reltarget->exprs, &needs);
		find_needs((Node *) conditions->local, &needs);
		find_needs((Node *) conditions->pushed, &pushed);
		plan_whole_rows(plan, &use, table);
	}
	else
		scan_tlist = plan_distance_rows(plan, &use, &offered, distance, table);
	number_filter_columns(plan);
	RelationClose(table);
	return scan_tlist;
}

/* LIMIT or OFFSET as an expression of this scan. They hold no variables of the query. */
static Node *
limit_expression(const VfdwPlan *plan, Node *expression)
{
	if (!plan->limited || expression == NULL)
		return (Node *) makeNullConst(INT8OID, -1, InvalidOid);
	return copyObject(expression);
}

/*
 * A plan compares with the types that the source table's columns have now, and
 * relies on what is defined, or not defined, of the collection: it is made anew
 * when the former is altered, or any statement changes the catalog. Nothing
 * but those invalidates the catalog's relcache entry, VACUUM and ANALYZE apart.
 */
static void
note_dependencies(PlannerInfo *root, const VfdwCollectionFacts *facts)
{
	List *relations = root->glob->relationOids;
	Oid catalog = vfdw_catalog_oid();

	if (OidIsValid(catalog))
		relations = list_append_unique_oid(relations, catalog);
	if (facts != NULL)
		relations = list_append_unique_oid(relations, facts->source);
	root->glob->relationOids = relations;
}

Index
vfdw_scanned_relation(const ForeignScan *scan)
{
	return scan->scan.scanrelid > 0 ? scan->scan.scanrelid : bms_next_member(scan->fs_relids, -1);
}

ForeignScan *
vfdw_make_scan(PlannerInfo *root, const RelOptInfo *baserel, VfdwPlan *plan,
			   const VfdwConditions *conditions, Expr *query, List *tlist, List *scan_tlist)
{
	const VfdwRelation *relation = baserel->fdw_private;
	Node *no_query = (Node *) makeNullConst(FLOAT4ARRAYOID, -1, InvalidOid);
	Node *no_farthest = (Node *) makeNullConst(FLOAT8OID, -1, InvalidOid);
	List *expressions;

	expressions = list_make4(
		query != NULL ? copyObject((Node *) query) : no_query,
		limit_expression(plan, root->parse->limitCount),
		limit_expression(plan, root->parse->limitOffset),
		conditions->range != NULL ? copyObject((Node *) conditions->range->farthest) : no_farthest);
	expressions = list_concat(expressions, copyObject(conditions->operands));
	note_dependencies(root, relation->facts);
	return make_foreignscan(tlist, conditions->local, plan->count_only ? 0 : baserel->relid,
							expressions, plan_to_private(plan), scan_tlist, conditions->pushed,
							NULL);
}

/* Callback: the plan node for the path that won. */
ForeignScan *
vectorGetForeignPlan(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid,
					 ForeignPath *best_path, List *tlist, List *scan_clauses, Plan *outer_plan)
{
	const List *path_private = best_path->fdw_private;
	const VfdwRelation *relation = baserel->fdw_private;
	VfdwPlan plan = {.rows_per_match = 1};
	VfdwConditions conditions;
	Expr *query = NULL;
	List *scan_tlist;

	if (IS_UPPER_REL(baserel))
		return vfdw_plan_count(root, baserel, tlist);
	conditions = vfdw_plan_conditions(
		baserel, scan_clauses, PATH_REQ_OUTER(&best_path->path),
		path_private == NIL ? -1 : intVal(list_nth(path_private, VFDW_PATH_RANGE)));
	plan.limited = limit_counts(root, baserel, best_path);
	plan.not_pushed = relation->not_pushed;
	plan.steps = conditions.steps;
	if (conditions.local != NIL)
		plan.rows_per_match = (int) Min(
			Max(relation->remote_rows / Max(best_path->path.rows, 1.0), 1.0), MAX_ROWS_PER_MATCH);
	if (path_private != NIL)
	{
		plan_search(&plan, root, baserel, best_path, &conditions);
		query = list_nth(path_private, VFDW_PATH_QUERY);
	}
	scan_tlist = plan_targets(&plan, root, baserel, foreigntableid, best_path, tlist, &conditions);
	return vfdw_make_scan(root, baserel, &plan, &conditions, query, tlist, scan_tlist);
}

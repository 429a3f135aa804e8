/*
 * plan.h
 *	  What a planned scan carries: the contract between path.c, plan.c, scan.c
 *	  and explain.c.
 *
 * A plan may be copied, stored, and printed before it is run, so it holds
 * nothing but nodes: expressions in ForeignScan.fdw_exprs, the rest in
 * fdw_private. Only plan.c knows how the latter is laid out.
 */
#ifndef VECTOR_FDW_PLAN_H
#define VECTOR_FDW_PLAN_H

#include "fdw/vector_fdw.h"

/* Positions in ForeignScan.fdw_exprs. Each is always there; a NULL constant where nothing applies.
 */
enum VfdwPlanExpression
{
	VFDW_EXPR_QUERY,
	VFDW_EXPR_LIMIT_COUNT, /* NULL: no LIMIT */
	VFDW_EXPR_LIMIT_OFFSET,
	VFDW_EXPR_FARTHEST, /* float8 or float4 */
	VFDW_EXPR_OPERANDS	/* the filter's, from here on */
};

/*
 * Where an attribute of the scan tuple comes from; from 0 on: position in VfdwPlan.columns, and,
 * after those, in VfdwPlan.filter_columns.
 */
#define VFDW_TARGET_DISTANCE (-1)
#define VFDW_TARGET_COUNT	 (-2) /* of rows that pass */
#define VFDW_TARGET_UNUSED	 (-3) /* nobody looks: NULL */

typedef struct VfdwPlan
{
	List *columns;		  /* IntList: attributes of the foreign table to fetch */
	List *filter_columns; /* IntList: attributes that only conditions sent over look at */
	List *targets;		  /* IntList: for each attribute of the scan tuple, its source */
	List *steps;		  /* the filter: clause.h */
	bool ordered;		  /* by distance to the query vector; the following belongs to it */
	AttrNumber vector_column;
	enum vfdw_metric metric;
	int range;			/* enum vfdw_range, of the distance; its clause is the last recheck qual */
	bool count_only;	/* the only row is the number of rows that pass */
	bool exact;			/* rows that the index misses would be missed in the result */
	bool limited;		/* the LIMIT expressions tell how many rows to ask for at first */
	bool continues;		/* more rows than the LIMIT may well be asked for */
	int slack;			/* rows read beyond the LIMIT by nodes above */
	int rows_per_match; /* rows to read until one passes the local quals */
	int siblings;		/* scans of one MergeAppend share this number; 0: none */
	char *not_pushed;	/* why ORDER BY distance stayed local; NULL: no reason to tell */
} VfdwPlan;

extern VfdwPlan *vfdw_plan_of(const ForeignScan *scan);
/* Number of the foreign table among the plan's relations; also of a plan that scans none. */
extern Index vfdw_scanned_relation(const ForeignScan *scan);

/* RelOptInfo.fdw_private, from relsize.c to plan.c. */
typedef struct VfdwRelation
{
	VfdwOptions *options;
	const VfdwCollectionFacts *facts; /* NULL: not known here */
	double rows;					  /* of the whole collection */
	double remote_rows;				  /* of them, those that pass what goes over */
	char *not_pushed;
	List *pushed; /* of RestrictInfo: conditions that go over, of baserestrictinfo */
	List *ranges; /* of VfdwRange *, by any distance; none is in "pushed"; some are join clauses */
} VfdwRelation;

/* Positions in ForeignPath.fdw_private of a search by distance; a path of all rows has NIL. */
enum VfdwPathPrivate
{
	VFDW_PATH_DISTANCE, /* the whole expression, as the sort key has it */
	VFDW_PATH_QUERY,
	VFDW_PATH_COLUMN, /* Integer: attribute number */
	VFDW_PATH_METRIC, /* Integer */
	VFDW_PATH_RANGE	  /* Integer: position in VfdwRelation.ranges; -1: none */
};

/*
 * False if something above the scan may leave rows out or merge them, so that LIMIT tells nothing,
 * or if LIMIT or OFFSET is volatile: the scan would evaluate it once more.
 */
extern bool vfdw_limit_counts_rows(const Query *parse);

/* conditions.c: what becomes of the relation's WHERE clauses */

/* Fills in what goes over, and how many rows pass it. */
extern void vfdw_sort_conditions(PlannerInfo *root, RelOptInfo *baserel, VfdwRelation *relation);
/* Adds a range if the clause is one that the collection serves. */
extern bool vfdw_add_range(PlannerInfo *root, RelOptInfo *baserel, VfdwRelation *relation,
						   Expr *clause, Relids outer);
/* Position of a range of that distance (NULL: of any) without parameters; -1: there is none. */
extern int vfdw_find_range(const VfdwRelation *relation, const Expr *distance);
/* Expressions of baserestrictinfo that stay local, when that range (-1: none) goes over. */
extern List *vfdw_local_conditions(const RelOptInfo *baserel, int range);
/* Whether a row that the index misses may be missed in the result because of these clauses. */
extern bool vfdw_quals_pick(const List *clauses, const RelOptInfo *baserel, const Expr *distance,
							AttrNumber column);

/* What the clauses of a scan turned out to be. */
typedef struct VfdwConditions
{
	List *local;	/* of Expr */
	List *pushed;	/* of Expr; a range comes last */
	List *steps;	/* of the filter */
	List *operands; /* of the filter */
	const VfdwRange *range;
} VfdwConditions;

/* Of the clauses of a plan: baserestrictinfo's and, for a path with parameters, join clauses. */
extern VfdwConditions vfdw_plan_conditions(const RelOptInfo *baserel, List *scan_clauses,
										   Relids outer, int range);

/* plan.c, for count_path.c */
extern void vfdw_add_scan_target(List **scan_tlist, Expr *expr);
/* query NULL: no search by distance. A plan for an upper relation scans no relation. */
extern ForeignScan *vfdw_make_scan(PlannerInfo *root, const RelOptInfo *baserel, VfdwPlan *plan,
								   const VfdwConditions *conditions, Expr *query, List *tlist,
								   List *scan_tlist);

/* count_path.c */
extern ForeignScan *vfdw_plan_count(PlannerInfo *root, RelOptInfo *upper_rel, List *tlist);

/* lookup_path.c */

/* Parameters (ParamPathInfo) with which join clauses can go over. Ranges are added to the others.
 */
extern List *vfdw_lookup_parameters(PlannerInfo *root, RelOptInfo *baserel);
/* Rows that the daemon looks at to find those that pass a filter. */
extern double vfdw_rows_compared(const RelOptInfo *baserel, const List *steps);

/* deparse.c: from the plan to the request */

struct VfdwRequest;
extern struct VfdwRequest *vfdw_make_request(const VfdwPlan *plan, Relation foreign_table,
											 const VfdwOptions *options, Oid source, Oid userid);
/* Rows to ask for at first, from the values of LIMIT and OFFSET. 0: all. */
extern uint64 vfdw_rows_wanted(const VfdwPlan *plan, bool no_limit, int64 count, int64 offset);

/* freshness.c: the WAL position that an answer must include. */
extern XLogRecPtr vfdw_required_lsn(const VfdwOptions *options);

#endif /* VECTOR_FDW_PLAN_H */

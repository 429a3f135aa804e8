/*
 * clause.h
 *	  WHERE clauses on their way to the daemon: from expressions to steps of a
 *	  plan (clause.c), and from those, with values, to a request (filter.c).
 *
 * A filter is a list of steps in postfix order, each an IntList, because a plan
 * holds nothing but nodes. The operands are expressions of the plan, which are
 * evaluated when a scan begins and at each rescan with other parameters.
 */
#ifndef VECTOR_FDW_CLAUSE_H
#define VECTOR_FDW_CLAUSE_H

#include "nodes/execnodes.h"

#include "fdw/vector_fdw.h"

/* Fields of a step. */
enum VfdwStepField
{
	VFDW_STEP_KIND,		   /* enum vfdw_filter_kind, or one of those below */
	VFDW_STEP_ARITY,	   /* of AND, OR, ALL: how many results are joined */
	VFDW_STEP_ATTRIBUTE,   /* of the foreign table; 0: none */
	VFDW_STEP_COLUMN_TYPE, /* Oid: base type of the collection's column */
	VFDW_STEP_TYPE, /* Oid: of what is compared: the same, or the type of its elements or members */
	VFDW_STEP_OPERAND, /* position among the operands; -1: none */
	VFDW_STEP_OPERAND2,
	VFDW_STEP_FIELDS
};

#define VFDW_STEP_CONSTANT 1000 /* a boolean expression without columns: its operand */
#define VFDW_STEP_ALL	   1001 /* AND at the top, where unknown is as good as false */

typedef struct VfdwFilterBuilder
{
	Oid foreigntableid;
	Index relid;					  /* number of the foreign table among the query's relations */
	const VfdwCollectionFacts *facts; /* NULL: nothing is known, so nothing goes over */
	Relids outer;					  /* relations whose columns are parameters of this scan */
	List *steps;					  /* of IntList */
	List *operands;					  /* of Expr; not copied */
	int depth;						  /* of the expression being added */
} VfdwFilterBuilder;

/* Adds a clause; false, and nothing is added, if it cannot go over. */
extern bool vfdw_add_clause(VfdwFilterBuilder *builder, Expr *clause);
/* Joins the clauses added. To be called once, at the end. */
extern void vfdw_join_clauses(VfdwFilterBuilder *builder, int clauses);
/* Has this expression one value throughout a scan? Columns of "outer" have. */
extern bool vfdw_is_operand(Index relid, Relids outer, Node *expression);

/* clause_column.c */

typedef struct VfdwColumn
{
	AttrNumber attribute; /* of the foreign table */
	Oid type;			  /* of the collection's column, base type */
	Oid local_type;		  /* of the foreign table's, base type */
} VfdwColumn;

/* Does the collection serve the values of the column that the expression is? Fills it in. */
extern bool vfdw_match_column(const VfdwFilterBuilder *builder, Expr *expr, VfdwColumn *column);
/* Is it the collection's vector column, of which only IS NULL goes over as a condition? */
extern bool vfdw_match_vector(const VfdwFilterBuilder *builder, Expr *expr, VfdwColumn *column);
extern bool vfdw_is_text(Oid type);

/* comparison.c */

extern bool vfdw_is_built_in(Oid oid);
/* May texts be compared by their bytes? Without a collation the comparison fails: locally. */
extern bool vfdw_texts_are_bytes(Oid collation, bool ordered);
/* Whether the daemon can compare a column of that type; ordered: less and greater, too. */
extern bool vfdw_compares(Oid type, Oid collation, bool ordered);
/* The kind of a comparison with a column of that type on the left; 0 if it is none. */
extern int vfdw_kind_of_comparison(Oid opno, Oid column_type);

/* filter.c */

typedef struct VfdwFilter
{
	const vfdw_filter_node *nodes;
	size_t count; /* 0: all rows */
	bool nothing; /* no row can pass */
} VfdwFilter;

/*
 * Evaluates the operands (ExprStates) and fills in what to ask for, in the
 * current memory context. types are those of the operands.
 */
extern void vfdw_make_filter(VfdwFilter *filter, const VfdwOptions *options, const List *steps,
							 const List *operands, const Oid *types, ExprContext *context);

/* operand.c */

/* Where a value lies among those that a column's type has. */
typedef enum VfdwFit
{
	VFDW_FIT_EQUAL,	  /* it is one of them */
	VFDW_FIT_BETWEEN, /* just after the one given, before the next */
	VFDW_FIT_BEFORE	  /* before the one given, which is the first */
} VfdwFit;

/* Whether values of a type can be compared with a column exactly; both are base types. */
extern bool vfdw_operand_fits(Oid column_type, Oid operand_type);
/* The value, or its neighbour, in the bytes of the column's encoding; palloc'ed. */
extern VfdwFit vfdw_encode_operand(Oid column_type, Oid operand_type, Datum value,
								   vfdw_bytes *bytes);
/* Whether the daemon takes a jsonb as the operand of @>: it may be nested only so deep. */
extern bool vfdw_takes_jsonb(Datum value);
/* How the daemon holds values of a base type. */
extern int vfdw_encoding_of(Oid type);

#endif /* VECTOR_FDW_CLAUSE_H */

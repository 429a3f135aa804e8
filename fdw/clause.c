/*
 * clause.c
 *	  May this WHERE clause go over to the daemon?
 *
 * A clause goes over if the daemon can answer it exactly as PostgreSQL would,
 * NULLs and all; any other stays local and does not stop the rest. So:
 *
 *  - Operators and functions are built in and known by OID; comparisons are
 *    members of the default btree family of the column's type.
 *  - Texts are compared by their bytes: equal under deterministic collations,
 *    less or greater under C only, and in databases of UTF-8.
 *  - The other side is an operand: it has one value throughout the scan.
 *  - The column of the collection has the same type as that of the foreign
 *    table, or a narrower one of the same kind. What type that is, only the
 *    source table tells: collections of other databases get no filters.
 *
 * Not here: columns (clause_column.c), comparisons (comparison.c), values
 * (operand.c), ranges of distances (pushdown.c).
 */
#include "postgres.h"

#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "fdw/clause.h"

/* Built-in operators without a name in PostgreSQL's headers: pg_operator.dat. */
#define OID_TEXT_NOT_LIKE_OP	1210
#define OID_TEXT_STARTS_WITH_OP 3877
#define OID_JSONB_CONTAINS_OP_	3246
#define OID_JSONB_HAS_KEY_OP	3247
#define OID_JSONB_AS_TEXT_OP	3477

/* The daemon takes 10000 nodes in 200 levels; a step becomes up to four nodes, in two levels more.
 */
#define MOST_STEPS	2000
#define MOST_LEVELS 80

static bool add_expression(VfdwFilterBuilder *builder, Expr *clause);

/* ---- steps ---- */

static void
add_step(VfdwFilterBuilder *builder, int kind, int arity, const VfdwColumn *column, Oid type,
		 int operand, int operand2)
{
	List *step = NIL;
	int fields[VFDW_STEP_FIELDS] = {
		[VFDW_STEP_KIND] = kind,
		[VFDW_STEP_ARITY] = arity,
		[VFDW_STEP_ATTRIBUTE] = column == NULL ? 0 : column->attribute,
		[VFDW_STEP_COLUMN_TYPE] = (int) (column == NULL ? InvalidOid : column->type),
		[VFDW_STEP_TYPE] = (int) type,
		[VFDW_STEP_OPERAND] = operand,
		[VFDW_STEP_OPERAND2] = operand2,
	};

	for (int i = 0; i < VFDW_STEP_FIELDS; i++)
		step = lappend_int(step, fields[i]);
	builder->steps = lappend(builder->steps, step);
}

static int
add_operand(VfdwFilterBuilder *builder, Expr *operand)
{
	builder->operands = lappend(builder->operands, operand);
	return list_length(builder->operands) - 1;
}

static void
add_not(VfdwFilterBuilder *builder)
{
	add_step(builder, VFDW_FILTER_NOT, 1, NULL, InvalidOid, -1, -1);
}

/* ---- operands ---- */

typedef struct OperandContext
{
	Index relid;
	Relids outer;
} OperandContext;

static bool
is_no_operand(Node *node, OperandContext *context)
{
	if (node == NULL)
		return false;
	switch (nodeTag(node))
	{
		case T_Var:
		{
			const Var *var = (const Var *) node;

			return var->varlevelsup != 0 || var->varno == context->relid ||
				   !bms_is_member(var->varno, context->outer);
		}
		case T_Param:
			return ((const Param *) node)->paramkind != PARAM_EXTERN &&
				   ((const Param *) node)->paramkind != PARAM_EXEC;
		case T_PlaceHolderVar:
		case T_SubLink:
		case T_SubPlan:
		case T_AlternativeSubPlan:
		case T_Aggref:
		case T_WindowFunc:
		case T_GroupingFunc:
		case T_CurrentOfExpr:
			return true;
		default:
			return expression_tree_walker(node, is_no_operand, context);
	}
}

bool
vfdw_is_operand(Index relid, Relids outer, Node *expression)
{
	OperandContext context = {.relid = relid, .outer = outer};

	return !is_no_operand(expression, &context) && !contain_volatile_functions(expression) &&
		   !expression_returns_set(expression);
}

static bool
is_operand(const VfdwFilterBuilder *builder, Expr *expr)
{
	return vfdw_is_operand(builder->relid, builder->outer, (Node *) expr);
}

static Oid
operand_type(Expr *operand)
{
	return getBaseType(exprType((Node *) operand));
}

/* ---- operators ---- */

static bool
add_comparison(VfdwFilterBuilder *builder, const VfdwColumn *column, Oid opno, Oid collation,
			   Expr *operand)
{
	int kind = vfdw_kind_of_comparison(opno, column->local_type);
	bool ordered = kind != VFDW_FILTER_EQUAL && kind != VFDW_FILTER_NOT_EQUAL;

	if (kind == 0 || !vfdw_compares(column->type, collation, ordered) ||
		!vfdw_operand_fits(column->type, operand_type(operand)))
		return false;
	add_step(builder, kind, 0, column, column->type, add_operand(builder, operand), -1);
	return true;
}

/* ---- LIKE ---- */

/*
 * The text that a pattern asks for at the beginning, if "%" at its end is all
 * that follows: *whole is set if there is none. NULL for other patterns.
 */
static char *
literal_pattern(const char *pattern, bool *whole)
{
	StringInfoData literal;

	initStringInfo(&literal);
	*whole = true;
	for (const char *c = pattern; *c != '\0'; c++)
	{
		if (*c == '_' || (*c == '%' && c[1] != '\0'))
			return NULL;
		if (*c == '%')
		{
			*whole = false;
			break;
		}
		if (*c == '\\' && *++c == '\0')
			return NULL; /* an error, which PostgreSQL reports */
		appendStringInfoChar(&literal, *c);
	}
	return literal.data;
}

static bool
add_like(VfdwFilterBuilder *builder, const VfdwColumn *column, const OpExpr *op, Expr *operand)
{
	const Const *pattern = (const Const *) operand;
	char *literal;
	bool whole;
	Const *value;

	if (!vfdw_is_text(column->type) || !vfdw_texts_are_bytes(op->inputcollid, false) ||
		operand_type(operand) != TEXTOID)
		return false;
	if (op->opno == OID_TEXT_STARTS_WITH_OP)
	{
		add_step(builder, VFDW_FILTER_PREFIX, 0, column, column->type,
				 add_operand(builder, operand), -1);
		return true;
	}
	if (!IsA(operand, Const) || pattern->constisnull)
		return false;
	literal = literal_pattern(TextDatumGetCString(pattern->constvalue), &whole);
	if (literal == NULL)
		return false;
	value = makeNode(Const);
	*value = *pattern;
	value->constvalue = CStringGetTextDatum(literal);
	value->location = -1;
	add_step(builder, whole ? VFDW_FILTER_EQUAL : VFDW_FILTER_PREFIX, 0, column, column->type,
			 add_operand(builder, (Expr *) value), -1);
	if (op->opno == OID_TEXT_NOT_LIKE_OP)
		add_not(builder);
	return true;
}

/* ---- arrays and jsonb ---- */

/* Element type of an array column if its elements can be compared over there; else InvalidOid. */
static Oid
comparable_element(const VfdwColumn *column, Oid collation)
{
	Oid element = get_element_type(column->type);

	switch (element)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case UUIDOID:
			return element;
		case TEXTOID:
		case VARCHAROID:
			return vfdw_texts_are_bytes(collation, false) ? element : InvalidOid;
		default:
			return InvalidOid;
	}
}

static bool
add_array_operator(VfdwFilterBuilder *builder, const VfdwColumn *column, Oid opno, Oid collation,
				   Expr *operand)
{
	Oid element = comparable_element(column, collation);
	Oid other = getBaseType(get_element_type(operand_type(operand)));

	if (!OidIsValid(element) ||
		!(other == element || (vfdw_is_text(other) && vfdw_is_text(element))))
		return false;
	add_step(builder,
			 opno == OID_ARRAY_OVERLAP_OP ? VFDW_FILTER_ARRAY_OVERLAPS : VFDW_FILTER_ARRAY_CONTAINS,
			 0, column, element, add_operand(builder, operand), -1);
	return true;
}

/* Of a parameter it is not known before there is a value: encode_jsonb(). */
static bool
is_too_deep(const Expr *operand)
{
	const Const *constant = (const Const *) operand;

	return IsA(operand, Const) && !constant->constisnull && !vfdw_takes_jsonb(constant->constvalue);
}

static bool
add_jsonb_operator(VfdwFilterBuilder *builder, const VfdwColumn *column, Oid opno, Expr *operand)
{
	bool contains = opno == OID_JSONB_CONTAINS_OP_;

	if (column->type != JSONBOID || GetDatabaseEncoding() != PG_UTF8 ||
		operand_type(operand) != (contains ? JSONBOID : TEXTOID) ||
		(contains && is_too_deep(operand)))
		return false;
	add_step(builder, contains ? VFDW_FILTER_JSON_CONTAINS : VFDW_FILTER_JSON_HAS_KEY, 0, column,
			 contains ? JSONBOID : TEXTOID, add_operand(builder, operand), -1);
	return true;
}

/* (column ->> key) = value, or <> */
static bool
add_jsonb_text(VfdwFilterBuilder *builder, Expr *left, Oid opno, Oid collation, Expr *value)
{
	const OpExpr *member = (const OpExpr *) left;
	int kind = vfdw_kind_of_comparison(opno, TEXTOID);
	VfdwColumn column;
	int key;

	if (!IsA(left, OpExpr) || member->opno != OID_JSONB_AS_TEXT_OP ||
		(kind != VFDW_FILTER_EQUAL && kind != VFDW_FILTER_NOT_EQUAL) ||
		!vfdw_texts_are_bytes(collation, false) ||
		!vfdw_match_column(builder, linitial(member->args), &column) || column.type != JSONBOID ||
		!is_operand(builder, lsecond(member->args)) || operand_type(value) != TEXTOID)
		return false;
	key = add_operand(builder, lsecond(member->args));
	add_step(builder, VFDW_FILTER_JSON_TEXT_EQUAL, 0, &column, TEXTOID, key,
			 add_operand(builder, value));
	if (kind == VFDW_FILTER_NOT_EQUAL)
		add_not(builder);
	return true;
}

/* ---- expressions ---- */

/* An operator with the column, or an expression of it, on the left. */
static bool
add_operator(VfdwFilterBuilder *builder, const OpExpr *op, Oid opno, Expr *left, Expr *operand)
{
	VfdwColumn column;

	if (!vfdw_is_built_in(opno) || !is_operand(builder, operand))
		return false;
	if (!vfdw_match_column(builder, left, &column))
		return add_jsonb_text(builder, left, opno, op->inputcollid, operand);
	switch (opno)
	{
		case OID_TEXT_LIKE_OP:
		case OID_TEXT_NOT_LIKE_OP:
		case OID_TEXT_STARTS_WITH_OP:
			return add_like(builder, &column, op, operand);
		case OID_ARRAY_OVERLAP_OP:
		case OID_ARRAY_CONTAINS_OP:
			return add_array_operator(builder, &column, opno, op->inputcollid, operand);
		case OID_JSONB_CONTAINS_OP_:
		case OID_JSONB_HAS_KEY_OP:
			return add_jsonb_operator(builder, &column, opno, operand);
		default:
			return add_comparison(builder, &column, opno, op->inputcollid, operand);
	}
}

static bool
add_op_expr(VfdwFilterBuilder *builder, const OpExpr *op)
{
	Expr *left;
	Expr *right;

	if (list_length(op->args) != 2)
		return false;
	left = linitial(op->args);
	right = lsecond(op->args);
	return add_operator(builder, op, op->opno, left, right) ||
		   add_operator(builder, op, get_commutator(op->opno), right, left);
}

static bool
add_distinct(VfdwFilterBuilder *builder, const DistinctExpr *distinct)
{
	VfdwColumn column;

	for (int side = 0; side < 2; side++)
	{
		Expr *operand = list_nth(distinct->args, 1 - side);
		Oid opno = side == 0 ? distinct->opno : get_commutator(distinct->opno);

		if (!vfdw_match_column(builder, list_nth(distinct->args, side), &column) ||
			!is_operand(builder, operand) ||
			vfdw_kind_of_comparison(opno, column.local_type) != VFDW_FILTER_EQUAL ||
			!vfdw_compares(column.type, distinct->inputcollid, false) ||
			!vfdw_operand_fits(column.type, operand_type(operand)))
			continue;
		add_step(builder, VFDW_FILTER_NOT_DISTINCT, 0, &column, column.type,
				 add_operand(builder, operand), -1);
		add_not(builder);
		return true;
	}
	return false;
}

/* column = ANY (array), column <> ALL (array), value = ANY (column), value <> ALL (column) */
static bool
add_array_expr(VfdwFilterBuilder *builder, const ScalarArrayOpExpr *op)
{
	Expr *scalar = linitial(op->args);
	Expr *array = lsecond(op->args);
	int wanted = op->useOr ? VFDW_FILTER_EQUAL : VFDW_FILTER_NOT_EQUAL;
	VfdwColumn column;

	if (vfdw_match_column(builder, scalar, &column))
	{
		Oid element = getBaseType(get_element_type(operand_type(array)));

		if (!is_operand(builder, array) ||
			vfdw_kind_of_comparison(op->opno, column.local_type) != wanted ||
			!vfdw_compares(column.type, op->inputcollid, false) ||
			!vfdw_operand_fits(column.type, element))
			return false;
		add_step(builder, VFDW_FILTER_IN, 0, &column, column.type, add_operand(builder, array), -1);
	}
	else if (vfdw_match_column(builder, array, &column))
	{
		Oid element = comparable_element(&column, op->inputcollid);

		Oid other = operand_type(scalar);

		/* The element is on the right here, but equality has no sides. */
		if (!OidIsValid(element) || !is_operand(builder, scalar) ||
			vfdw_kind_of_comparison(op->opno, element) != wanted ||
			!(other == element || (vfdw_is_text(other) && vfdw_is_text(element))))
			return false;
		add_step(builder, VFDW_FILTER_ARRAY_HAS_ELEMENT, 0, &column, element,
				 add_operand(builder, scalar), -1);
	}
	else
		return false;
	if (!op->useOr)
		add_not(builder);
	return true;
}

static bool
add_bool_expr(VfdwFilterBuilder *builder, const BoolExpr *expr)
{
	ListCell *lc;

	foreach (lc, expr->args)
		if (!add_expression(builder, lfirst(lc)))
			return false;
	if (expr->boolop == NOT_EXPR)
		add_not(builder);
	else
		add_step(builder, expr->boolop == AND_EXPR ? VFDW_FILTER_AND : VFDW_FILTER_OR,
				 list_length(expr->args), NULL, InvalidOid, -1, -1);
	return true;
}

static bool
add_boolean_test(VfdwFilterBuilder *builder, const BooleanTest *test)
{
	static const struct
	{
		int kind;
		bool negated;
	} steps[] = {
		[IS_TRUE] = {VFDW_FILTER_IS_TRUE, false},
		[IS_NOT_TRUE] = {VFDW_FILTER_IS_TRUE, true},
		[IS_FALSE] = {VFDW_FILTER_IS_FALSE, false},
		[IS_NOT_FALSE] = {VFDW_FILTER_IS_FALSE, true},
		[IS_UNKNOWN] = {VFDW_FILTER_IS_UNKNOWN, false},
		[IS_NOT_UNKNOWN] = {VFDW_FILTER_IS_UNKNOWN, true},
	};

	if (!add_expression(builder, test->arg))
		return false;
	add_step(builder, steps[test->booltesttype].kind, 1, NULL, InvalidOid, -1, -1);
	if (steps[test->booltesttype].negated)
		add_not(builder);
	return true;
}

static bool
add_null_test(VfdwFilterBuilder *builder, const NullTest *test)
{
	VfdwColumn column;

	if (test->argisrow)
		return false;
	if (vfdw_match_column(builder, test->arg, &column) ||
		vfdw_match_vector(builder, test->arg, &column))
		add_step(builder, VFDW_FILTER_IS_NULL, 0, &column, column.type, -1, -1);
	else if (exprType((Node *) test->arg) == BOOLOID && add_expression(builder, test->arg))
		add_step(builder, VFDW_FILTER_IS_UNKNOWN, 1, NULL, InvalidOid, -1, -1);
	else
		return false;
	if (test->nulltesttype == IS_NOT_NULL)
		add_not(builder);
	return true;
}

static bool
add_column(VfdwFilterBuilder *builder, Expr *expr)
{
	VfdwColumn column;

	if (!vfdw_match_column(builder, expr, &column) || column.type != BOOLOID)
		return false;
	add_step(builder, VFDW_FILTER_COLUMN_TRUE, 0, &column, column.type, -1, -1);
	return true;
}

static bool
add_by_tag(VfdwFilterBuilder *builder, Expr *clause)
{
	switch (nodeTag(clause))
	{
		case T_BoolExpr:
			return add_bool_expr(builder, (const BoolExpr *) clause);
		case T_BooleanTest:
			return add_boolean_test(builder, (const BooleanTest *) clause);
		case T_NullTest:
			return add_null_test(builder, (const NullTest *) clause);
		case T_OpExpr:
			return add_op_expr(builder, (const OpExpr *) clause);
		case T_DistinctExpr:
			return add_distinct(builder, (const DistinctExpr *) clause);
		case T_ScalarArrayOpExpr:
			return add_array_expr(builder, (const ScalarArrayOpExpr *) clause);
		default:
			return add_column(builder, clause);
	}
}

/* May leave steps behind when it fails: vfdw_add_clause() takes them away. */
static bool
add_expression(VfdwFilterBuilder *builder, Expr *clause)
{
	bool added;

	if (is_operand(builder, clause))
	{
		add_step(builder, VFDW_STEP_CONSTANT, 0, NULL, InvalidOid, add_operand(builder, clause),
				 -1);
		return true;
	}
	if (++builder->depth > MOST_LEVELS || list_length(builder->steps) > MOST_STEPS)
		return false;
	added = add_by_tag(builder, clause);
	builder->depth--;
	return added;
}

bool
vfdw_add_clause(VfdwFilterBuilder *builder, Expr *clause)
{
	int steps = list_length(builder->steps);
	int operands = list_length(builder->operands);

	builder->depth = 0;
	if (builder->facts != NULL && add_expression(builder, clause))
		return true;
	builder->steps = list_truncate(builder->steps, steps);
	builder->operands = list_truncate(builder->operands, operands);
	return false;
}

void
vfdw_join_clauses(VfdwFilterBuilder *builder, int clauses)
{
	if (clauses > 0)
		add_step(builder, VFDW_STEP_ALL, clauses, NULL, InvalidOid, -1, -1);
}

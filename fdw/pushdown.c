/*
 * pushdown.c
 *	  May this distance, as a sort key or below a bound, go over to the daemon?
 *
 * Recognises distances: an operator of ours or of pgvector between a vector
 * column and something that does not depend on the table. Operators are known
 * by their OID and the extension they belong to, never by name alone: a "<->"
 * that somebody put into a schema of the search_path is none of ours.
 *
 * Not here: whether a collection serves the column and the metric (path.c);
 * conditions on other columns (clause.c).
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/transam.h"
#include "catalog/dependency.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "fdw/clause.h"
#include "fdw/vector_value.h"

/* What an operator turned out to be. Finding out takes a scan of pg_depend. */
typedef struct OperatorEntry
{
	Oid opno;	/* key */
	int metric; /* enum vfdw_metric; 0: no distance */
} OperatorEntry;

static HTAB *operators = NULL;

static void
forget_operators(Datum arg, int cacheid, uint32 hashvalue)
{
	if (operators != NULL)
		hash_destroy(operators);
	operators = NULL;
}

void
vfdw_pushdown_init(void)
{
	CacheRegisterSyscacheCallback(OPEROID, forget_operators, (Datum) 0);
	/* An operator can also be moved into or out of an extension; that touches the operator's row.
	 */
}

static int
metric_of_name(const char *name)
{
#define NAMED_METRIC(value, metric_name, operator_name)                                            \
	if (strcmp(name, operator_name) == 0)                                                          \
		return value;
	VFDW_METRICS(NAMED_METRIC)
#undef NAMED_METRIC
	return 0;
}

static int
look_up_metric(Oid opno)
{
	HeapTuple tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(opno));
	Form_pg_operator operator;
	int metric;
	Oid extension;

	if (!HeapTupleIsValid(tuple))
		return 0;
	operator=(Form_pg_operator) GETSTRUCT(tuple);
	metric = operator->oprresult == FLOAT8OID ? metric_of_name(NameStr(operator->oprname)) : 0;
	if (metric != 0 && (vfdw_vector_type(operator->oprleft) == VFDW_TYPE_NO_VECTOR ||
						vfdw_vector_type(operator->oprright) == VFDW_TYPE_NO_VECTOR))
		metric = 0;
	ReleaseSysCache(tuple);
	if (metric == 0)
		return 0;

	extension = getExtensionOfObject(OperatorRelationId, opno);
	if (!OidIsValid(extension) || (extension != get_extension_oid(VFDW_EXTENSION, true) &&
								   extension != get_extension_oid(VFDW_PGVECTOR, true)))
		return 0;
	return metric;
}

bool
vfdw_operator_metric(Oid opno, enum vfdw_metric *metric)
{
	OperatorEntry *entry = NULL;
	int found;

	if (operators != NULL)
		entry = hash_search(operators, &opno, HASH_FIND, NULL);
	if (entry != NULL)
		found = entry->metric;
	else
	{
		/* The look-up may deliver an invalidation that empties the table, so it comes first. */
		found = look_up_metric(opno);
		if (operators == NULL)
		{
			HASHCTL control = {.keysize = sizeof(Oid), .entrysize = sizeof(OperatorEntry)};

			operators = hash_create("vector_fdw operators", 32, &control, HASH_ELEM | HASH_BLOBS);
		}
		entry = hash_search(operators, &opno, HASH_ENTER, NULL);
		entry->metric = found;
	}
	if (found == 0)
		return false;
	*metric = (enum vfdw_metric) found;
	return true;
}

const char *
vfdw_metric_name(enum vfdw_metric metric)
{
#define METRIC_NAME(value, metric_name, operator_name)                                             \
	if (metric == value)                                                                           \
		return metric_name;
	VFDW_METRICS(METRIC_NAME)
#undef METRIC_NAME
	return "unknown";
}

const char *
vfdw_metric_operator(enum vfdw_metric metric)
{
#define METRIC_OPERATOR(value, metric_name, operator_name)                                         \
	if (metric == value)                                                                           \
		return operator_name;
	VFDW_METRICS(METRIC_OPERATOR)
#undef METRIC_OPERATOR
	return "unknown";
}

/*
 * The column below what changes neither the value nor its bits as the daemon
 * has them: relabelling, and float8[] to real[], which is how float8[] columns
 * are stored there.
 */
static Var *
column_of(Expr *expr, const RelOptInfo *rel)
{
	for (;;)
	{
		if (IsA(expr, RelabelType))
			expr = ((RelabelType *) expr)->arg;
		else if (IsA(expr, PlaceHolderVar))
			expr = ((PlaceHolderVar *) expr)->phexpr;
		else if (IsA(expr, ArrayCoerceExpr) &&
				 ((ArrayCoerceExpr *) expr)->resulttype == FLOAT4ARRAYOID &&
				 exprType((Node *) ((ArrayCoerceExpr *) expr)->arg) == FLOAT8ARRAYOID)
			expr = ((ArrayCoerceExpr *) expr)->arg;
		else
			break;
	}
	if (IsA(expr, Var))
	{
		Var *var = (Var *) expr;

		if (var->varlevelsup == 0 && var->varno == rel->relid && var->varattno > 0 &&
			vfdw_vector_type(var->vartype) != VFDW_TYPE_NO_VECTOR)
			return var;
	}
	return NULL;
}

bool
vfdw_shows_stored_vectors(Oid foreigntableid, AttrNumber column, const VfdwCollectionFacts *facts)
{
	AttrNumber source = get_attnum(facts->source, facts->vector_column);

	return vfdw_vector_type(get_atttype(foreigntableid, column)) != VFDW_TYPE_HALFVEC ||
		   (source != InvalidAttrNumber &&
			vfdw_vector_type(get_atttype(facts->source, source)) == VFDW_TYPE_HALFVEC);
}

bool
vfdw_match_distance(PlannerInfo *root, RelOptInfo *rel, Expr *expr, AttrNumber *column,
					enum vfdw_metric *metric, Expr **query)
{
	OpExpr *op;

	while (IsA(expr, RelabelType) || IsA(expr, PlaceHolderVar))
		expr = IsA(expr, RelabelType) ? ((RelabelType *) expr)->arg
									  : ((PlaceHolderVar *) expr)->phexpr;
	if (!IsA(expr, OpExpr) || list_length(((OpExpr *) expr)->args) != 2)
		return false;
	op = (OpExpr *) expr;
	if (!vfdw_operator_metric(op->opno, metric))
		return false;

	/* All metrics are symmetric, so the column may stand on either side. */
	for (int side = 0; side < 2; side++)
	{
		Var *var = column_of(list_nth(op->args, side), rel);
		Expr *other = list_nth(op->args, 1 - side);

		if (var == NULL || vfdw_vector_type(exprType((Node *) other)) == VFDW_TYPE_NO_VECTOR)
			continue;
		if (bms_overlap(pull_varnos(root, (Node *) other), rel->relids))
			continue;
		*column = var->varattno;
		*query = other;
		return true;
	}
	return false;
}

/* enum vfdw_range of an operator with the distance on the left; 0 for any other. */
static int
bound_of_operator(Oid opno)
{
	Oid family = lookup_type_cache(FLOAT8OID, TYPECACHE_BTREE_OPFAMILY)->btree_opf;
	int strategy;
	Oid left;
	Oid right;

	if (!OidIsValid(opno) || opno >= FirstNormalObjectId || !op_in_opfamily(opno, family))
		return VFDW_RANGE_NONE;
	get_op_opfamily_properties(opno, family, false, &strategy, &left, &right);
	if (left != FLOAT8OID)
		return VFDW_RANGE_NONE;
	return strategy == BTLessStrategyNumber		   ? VFDW_RANGE_LESS
		   : strategy == BTLessEqualStrategyNumber ? VFDW_RANGE_LESS_EQUAL
												   : VFDW_RANGE_NONE;
}

bool
vfdw_match_range(PlannerInfo *root, RelOptInfo *rel, Expr *clause, Relids outer, VfdwRange *range)
{
	const OpExpr *op = (const OpExpr *) clause;

	if (!IsA(clause, OpExpr) || list_length(op->args) != 2)
		return false;
	for (int side = 0; side < 2; side++)
	{
		range->clause = clause;
		range->outer = outer;
		range->distance = list_nth(op->args, side);
		range->farthest = list_nth(op->args, 1 - side);
		range->bound = bound_of_operator(side == 0 ? op->opno : get_commutator(op->opno));
		if (range->bound != VFDW_RANGE_NONE &&
			vfdw_match_distance(root, rel, range->distance, &range->column, &range->metric,
								&range->query) &&
			vfdw_is_operand(rel->relid, outer, (Node *) range->query) &&
			vfdw_is_operand(rel->relid, outer, (Node *) range->farthest))
			return true;
	}
	return false;
}

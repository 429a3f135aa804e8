/*
 * filter.c
 *	  A plan's filter, with the values of this scan, as the daemon gets it.
 *
 * What is known without looking at a row is settled here: conditions without a
 * column, comparisons with NULL, lists without elements, values that no column
 * of that type can hold. Logic is three-valued throughout, so the rest means
 * for every row what the whole clause would.
 *
 * Arms of AND and OR are taken from left to right, as the executor does, and
 * what those before an arm have decided is not evaluated: in "$1 = '' OR year =
 * $1::int" the cast is safe. An operand after an arm that only rows can decide
 * is evaluated all the same, once and before there are rows, as the keys of an
 * index scan are; should it fail, the query fails, even if no row would have
 * come that far. Nothing says which arms rows leave open, and PostgreSQL
 * promises an order of evaluation for CASE only.
 *
 * Each step gives a known truth value, or adds the nodes that will give it.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "utils/array.h"
#include "utils/lsyscache.h"

#include "fdw/clause.h"
#include "fdw/daemon_error.h"

typedef enum Truth
{
	TRUTH_FALSE,
	TRUTH_TRUE,
	TRUTH_UNKNOWN,
	TRUTH_OF_NODES
} Truth;

typedef struct Maker
{
	Oid foreigntableid;
	const List *steps;
	const int *starts;	  /* of each step, the first of those that belong to it */
	const List *operands; /* of ExprState */
	const Oid *types;
	ExprContext *context;

	vfdw_filter_node *nodes;
	int node_count;
	int node_room;
	const char *key; /* a column that can be compared, whatever the conditions' columns are */
	Oid type;		 /* base type of the current step's column */
} Maker;

/* ---- nodes ---- */

static vfdw_filter_node *
add_node(Maker *maker, int kind, const char *column)
{
	vfdw_filter_node *node;

	if (maker->node_count == maker->node_room)
	{
		maker->node_room = Max(8, maker->node_room * 2);
		maker->nodes = maker->nodes == NULL
						   ? palloc(sizeof(vfdw_filter_node) * maker->node_room)
						   : repalloc(maker->nodes, sizeof(vfdw_filter_node) * maker->node_room);
	}
	node = &maker->nodes[maker->node_count++];
	memset(node, 0, sizeof(*node));
	node->kind = kind;
	node->column = column;
	if (column != NULL && column != maker->key)
		node->type_oid = maker->type;
	return node;
}

static void
add_join(Maker *maker, int kind, int arity)
{
	if (arity > 1)
		add_node(maker, kind, NULL)->arity = arity;
}

static void
add_unknown(Maker *maker)
{
	add_node(maker, VFDW_FILTER_EQUAL, maker->key)->has_null = true;
}

/* ---- leaves ---- */

static Datum
evaluate(Maker *maker, int operand, bool *isnull)
{
	return ExecEvalExprSwitchContext(list_nth(maker->operands, operand), maker->context, isnull);
}

static void
set_values(vfdw_filter_node *node, const vfdw_bytes *values, int count)
{
	node->values = values;
	node->value_count = count;
}

static vfdw_bytes *
copy_bytes(const vfdw_bytes *bytes)
{
	vfdw_bytes *copy = palloc(sizeof(vfdw_bytes));

	*copy = *bytes;
	return copy;
}

/* False for every value, unknown for NULL: IS NULL AND unknown. */
static void
add_never(Maker *maker, const char *column)
{
	add_unknown(maker);
	add_node(maker, VFDW_FILTER_IS_NULL, column);
	add_join(maker, VFDW_FILTER_AND, 2);
}

/*
 * A comparison with a value that the column cannot have. It lies after the one
 * given, "column < 10.5" is "column <= 10", or before it if that is the first.
 */
static void
add_misfit(Maker *maker, int kind, const char *column, VfdwFit fit, const vfdw_bytes *value)
{
	bool less = kind == VFDW_FILTER_LESS || kind == VFDW_FILTER_LESS_EQUAL;

	if (kind == VFDW_FILTER_EQUAL || kind == VFDW_FILTER_NOT_EQUAL)
	{
		add_never(maker, column);
		if (kind == VFDW_FILTER_NOT_EQUAL)
			add_node(maker, VFDW_FILTER_NOT, NULL);
		return;
	}
	if (fit == VFDW_FIT_BETWEEN)
		kind = less ? VFDW_FILTER_LESS_EQUAL : VFDW_FILTER_GREATER;
	else
		kind = less ? VFDW_FILTER_LESS : VFDW_FILTER_GREATER_EQUAL;
	set_values(add_node(maker, kind, column), copy_bytes(value), 1);
}

/* Comparisons with one value, IS NOT DISTINCT FROM, LIKE, jsonb operators. */
static Truth
add_single(Maker *maker, int kind, const char *column, Oid type, int operand)
{
	bool isnull;
	Datum value = evaluate(maker, operand, &isnull);
	vfdw_bytes bytes;
	VfdwFit fit;

	if (isnull && kind == VFDW_FILTER_NOT_DISTINCT)
	{
		add_node(maker, VFDW_FILTER_IS_NULL, column);
		return TRUTH_OF_NODES;
	}
	if (isnull)
		return TRUTH_UNKNOWN;
	fit = vfdw_encode_operand(type, maker->types[operand], value, &bytes);
	if (fit != VFDW_FIT_EQUAL && kind == VFDW_FILTER_NOT_DISTINCT)
		return TRUTH_FALSE;
	if (fit == VFDW_FIT_EQUAL)
		set_values(add_node(maker, kind, column), copy_bytes(&bytes), 1);
	else
		add_misfit(maker, kind, column, fit, &bytes);
	return TRUTH_OF_NODES;
}

/* The elements of an array that values of "type" can be equal to. Returns how many there were. */
static int
encode_elements(Maker *maker, Oid type, Oid array_type, Datum array, vfdw_bytes **values,
				int *count, bool *has_null)
{
	Oid element = get_element_type(array_type);
	int16 length;
	bool by_value;
	char align;
	Datum *elements;
	bool *nulls;
	int element_count;

	get_typlenbyvalalign(element, &length, &by_value, &align);
	deconstruct_array(DatumGetArrayTypeP(array), element, length, by_value, align, &elements,
					  &nulls, &element_count);
	*values = palloc(sizeof(vfdw_bytes) * (element_count + 1));
	*count = 0;
	*has_null = false;
	for (int i = 0; i < element_count; i++)
	{
		if (nulls[i])
			*has_null = true;
		else if (vfdw_encode_operand(type, getBaseType(element), elements[i], &(*values)[*count]) ==
				 VFDW_FIT_EQUAL)
			(*count)++;
	}
	return element_count;
}

/* column = ANY (array) */
static Truth
add_in(Maker *maker, const char *column, Oid type, int operand)
{
	bool isnull;
	Datum array = evaluate(maker, operand, &isnull);
	vfdw_bytes *values;
	vfdw_filter_node *node;
	int count;
	bool has_null;

	if (isnull)
		return TRUTH_UNKNOWN;
	if (encode_elements(maker, type, maker->types[operand], array, &values, &count, &has_null) == 0)
		return TRUTH_FALSE;
	if (count == 0 && has_null)
		return TRUTH_UNKNOWN;
	if (count == 0)
		add_never(maker, column);
	else
	{
		node = add_node(maker, VFDW_FILTER_IN, column);
		node->has_null = has_null;
		set_values(node, values, count);
	}
	return TRUTH_OF_NODES;
}

/* column && array, column @> array. A NULL element equals none: nothing contains it. */
static Truth
add_array(Maker *maker, int kind, const char *column, Oid type, int operand)
{
	bool isnull;
	Datum array = evaluate(maker, operand, &isnull);
	vfdw_bytes *values;
	vfdw_filter_node *node;
	int count;
	bool has_null;

	if (isnull)
		return TRUTH_UNKNOWN;
	encode_elements(maker, type, maker->types[operand], array, &values, &count, &has_null);
	if (has_null && kind == VFDW_FILTER_ARRAY_CONTAINS)
		add_never(maker, column);
	else
	{
		node = add_node(maker, kind, column);
		node->element = vfdw_encoding_of(type);
		set_values(node, values, count);
	}
	return TRUTH_OF_NODES;
}

/* value = ANY (column). An empty array has no element that NULL could be equal to. */
static Truth
add_has_element(Maker *maker, const char *column, Oid type, int operand)
{
	bool isnull;
	Datum value = evaluate(maker, operand, &isnull);
	vfdw_filter_node *node = add_node(maker, VFDW_FILTER_ARRAY_HAS_ELEMENT, column);
	vfdw_bytes bytes;

	node->element = vfdw_encoding_of(type);
	node->has_null = isnull;
	if (!isnull)
	{
		vfdw_encode_operand(type, maker->types[operand], value, &bytes);
		set_values(node, copy_bytes(&bytes), 1);
	}
	return TRUTH_OF_NODES;
}

static Truth
add_json_text(Maker *maker, const char *column, int key, int text)
{
	vfdw_bytes *values = palloc(sizeof(vfdw_bytes) * 2);
	bool no_key;
	bool no_text;
	Datum key_value = evaluate(maker, key, &no_key);
	Datum text_value = evaluate(maker, text, &no_text);

	if (no_key || no_text)
		return TRUTH_UNKNOWN;
	vfdw_encode_operand(TEXTOID, TEXTOID, key_value, &values[0]);
	vfdw_encode_operand(TEXTOID, TEXTOID, text_value, &values[1]);
	set_values(add_node(maker, VFDW_FILTER_JSON_TEXT_EQUAL, column), values, 2);
	return TRUTH_OF_NODES;
}

static Truth
add_constant(Maker *maker, int operand)
{
	bool isnull;
	Datum value = evaluate(maker, operand, &isnull);

	if (isnull)
		return TRUTH_UNKNOWN;
	return DatumGetBool(value) ? TRUTH_TRUE : TRUTH_FALSE;
}

static Truth
add_column_leaf(Maker *maker, int kind, const char *column)
{
	add_node(maker, kind, column);
	return TRUTH_OF_NODES;
}

/* ---- steps ---- */

static Truth
take_leaf(Maker *maker, const List *step, int kind)
{
	AttrNumber attribute = (AttrNumber) list_nth_int(step, VFDW_STEP_ATTRIBUTE);
	Oid type = (Oid) list_nth_int(step, VFDW_STEP_TYPE);
	int operand = list_nth_int(step, VFDW_STEP_OPERAND);
	const char *column = NULL;

	if (attribute != 0)
	{
		column = vfdw_to_utf8(vfdw_remote_column(maker->foreigntableid, attribute));
		maker->type = (Oid) list_nth_int(step, VFDW_STEP_COLUMN_TYPE);
	}
	switch (kind)
	{
		case VFDW_STEP_CONSTANT:
			return add_constant(maker, operand);
		case VFDW_FILTER_COLUMN_TRUE:
		case VFDW_FILTER_IS_NULL:
			return add_column_leaf(maker, kind, column);
		case VFDW_FILTER_IN:
			return add_in(maker, column, type, operand);
		case VFDW_FILTER_ARRAY_OVERLAPS:
		case VFDW_FILTER_ARRAY_CONTAINS:
			return add_array(maker, kind, column, type, operand);
		case VFDW_FILTER_ARRAY_HAS_ELEMENT:
			return add_has_element(maker, column, type, operand);
		case VFDW_FILTER_JSON_TEXT_EQUAL:
			return add_json_text(maker, column, operand, list_nth_int(step, VFDW_STEP_OPERAND2));
		default:
			return add_single(maker, kind, column, type, operand);
	}
}

static Truth take_step(Maker *maker, int position);

/*
 * AND (OR: the same with true and false exchanged). With ALL, a row for which
 * the result is unknown is as good as one for which it is false.
 */
static Truth
join(Maker *maker, int position, int kind, int arity)
{
	const Truth decisive = kind == VFDW_FILTER_OR ? TRUTH_TRUE : TRUTH_FALSE;
	const Truth neutral = kind == VFDW_FILTER_OR ? TRUTH_FALSE : TRUTH_TRUE;
	int first_node = maker->node_count;
	int *arms = palloc(sizeof(int) * arity);
	int arm = position - 1;
	int open = 0;
	bool unknown = false;

	for (int i = arity - 1; i >= 0; i--)
	{
		arms[i] = arm;
		arm = maker->starts[arm] - 1;
	}
	for (int i = 0; i < arity; i++)
	{
		Truth truth = take_step(maker, arms[i]);

		if (truth == decisive || (truth == TRUTH_UNKNOWN && kind == VFDW_STEP_ALL))
		{
			maker->node_count = first_node;
			return decisive;
		}
		unknown |= truth == TRUTH_UNKNOWN;
		open += truth == TRUTH_OF_NODES;
	}
	if (open == 0)
		return unknown ? TRUTH_UNKNOWN : neutral;
	if (unknown)
		add_unknown(maker);
	add_join(maker, kind == VFDW_FILTER_OR ? VFDW_FILTER_OR : VFDW_FILTER_AND,
			 open + (unknown ? 1 : 0));
	return TRUTH_OF_NODES;
}

/* NOT, IS TRUE, IS FALSE, IS UNKNOWN. */
static Truth
apply(Maker *maker, int kind, Truth truth)
{
	if (truth == TRUTH_OF_NODES)
	{
		add_node(maker, kind, NULL);
		return TRUTH_OF_NODES;
	}
	switch (kind)
	{
		case VFDW_FILTER_NOT:
			return truth == TRUTH_UNKNOWN ? TRUTH_UNKNOWN
				   : truth == TRUTH_TRUE  ? TRUTH_FALSE
										  : TRUTH_TRUE;
		case VFDW_FILTER_IS_TRUE:
			return truth == TRUTH_TRUE ? TRUTH_TRUE : TRUTH_FALSE;
		case VFDW_FILTER_IS_FALSE:
			return truth == TRUTH_FALSE ? TRUTH_TRUE : TRUTH_FALSE;
		default:
			return truth == TRUTH_UNKNOWN ? TRUTH_TRUE : TRUTH_FALSE;
	}
}

/* As deep as clauses may be: clause.c. */
static Truth
take_step(Maker *maker, int position)
{
	const List *step = list_nth(maker->steps, position);
	int kind = list_nth_int(step, VFDW_STEP_KIND);

	switch (kind)
	{
		case VFDW_FILTER_AND:
		case VFDW_FILTER_OR:
		case VFDW_STEP_ALL:
			return join(maker, position, kind, list_nth_int(step, VFDW_STEP_ARITY));
		case VFDW_FILTER_NOT:
		case VFDW_FILTER_IS_TRUE:
		case VFDW_FILTER_IS_FALSE:
		case VFDW_FILTER_IS_UNKNOWN:
			return apply(maker, kind, take_step(maker, position - 1));
		default:
			return take_leaf(maker, step, kind);
	}
}

/* The arms of a step lie before it, one after another. */
static int *
find_starts(const List *steps)
{
	int *starts = palloc(sizeof(int) * list_length(steps));
	ListCell *lc;

	foreach (lc, steps)
	{
		int position = foreach_current_index(lc);

		starts[position] = position;
		for (int i = list_nth_int(lfirst(lc), VFDW_STEP_ARITY); i > 0; i--)
			starts[position] = starts[starts[position] - 1];
	}
	return starts;
}

void
vfdw_make_filter(VfdwFilter *filter, const VfdwOptions *options, const List *steps,
				 const List *operands, const Oid *types, ExprContext *context)
{
	const VfdwCollectionFacts *facts = vfdw_collection_facts(options);
	Maker maker = {.foreigntableid = options->tableid,
				   .steps = steps,
				   .operands = operands,
				   .types = types,
				   .context = context};
	Truth truth;

	memset(filter, 0, sizeof(*filter));
	if (steps == NIL)
		return;
	if (facts == NULL)
		ereport(ERROR, (errcode(ERRCODE_FDW_TABLE_NOT_FOUND),
						errmsg("collection \"%s\" is no longer defined", options->collection),
						errdetail("The plan of this query sends a filter to it."),
						errhint("Plan the query anew.")));
	maker.key = pstrdup(vfdw_to_utf8(linitial(facts->key_columns)));
	maker.starts = find_starts(steps);
	truth = take_step(&maker, list_length(steps) - 1);
	Assert(maker.starts[list_length(steps) - 1] == 0);
	Assert(truth != TRUTH_UNKNOWN);
	filter->nothing = truth == TRUTH_FALSE;
	if (truth == TRUTH_OF_NODES)
	{
		filter->nodes = maker.nodes;
		filter->count = maker.node_count;
	}
}

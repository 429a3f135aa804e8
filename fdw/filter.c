/*
 * filter.c
 *	  A plan's filter, with the values of this scan, as the daemon gets it.
 *
 * What is known without looking at a row is settled here: conditions without a
 * column, comparisons with NULL, lists without elements, values that no column
 * of that type can hold. Logic is three-valued throughout, so the rest means
 * for every row what the whole clause would.
 *
 * Each step pushes one result, which is a known truth value or the nodes that
 * will give it. Known ones have no nodes, so the nodes of results that are
 * joined always lie side by side.
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

typedef struct Outcome
{
	Truth truth;
	int first_node; /* where its nodes begin, or would */
} Outcome;

typedef struct Maker
{
	Oid foreigntableid;
	const List *operands; /* of ExprState */
	const Oid *types;
	ExprContext *context;

	Outcome *results;
	int result_count;
	vfdw_filter_node *nodes;
	int node_count;
	int node_room;
	const char *key; /* a column that can be compared, whatever the conditions' columns are */
	Oid type; /* base type of the current step's column; not of arrays, whose elements tell */
} Maker;

/* ---- nodes and results ---- */

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

/* Pushes a result whose nodes, if any, were added since "first". */
static void
push(Maker *maker, Truth truth, int first)
{
	maker->results[maker->result_count++] = (Outcome){.truth = truth, .first_node = first};
}

/* ---- joining ---- */

/*
 * AND (OR: the same with true and false exchanged). With ALL, a row for which
 * the result is unknown is as good as one for which it is false.
 */
static void
join(Maker *maker, int kind, int arity)
{
	const Truth decisive = kind == VFDW_FILTER_OR ? TRUTH_TRUE : TRUTH_FALSE;
	const Truth neutral = kind == VFDW_FILTER_OR ? TRUTH_FALSE : TRUTH_TRUE;
	Outcome *joined = &maker->results[maker->result_count - arity];
	int first = joined[0].first_node;
	int open = 0;
	bool decided = false;
	bool unknown = false;

	for (int i = 0; i < arity; i++)
	{
		decided |= joined[i].truth == decisive;
		unknown |= joined[i].truth == TRUTH_UNKNOWN;
		open += joined[i].truth == TRUTH_OF_NODES;
	}
	maker->result_count -= arity;
	if (decided || (unknown && kind == VFDW_STEP_ALL))
	{
		maker->node_count = first;
		push(maker, decisive, first);
	}
	else if (open == 0)
		push(maker, unknown ? TRUTH_UNKNOWN : neutral, first);
	else
	{
		if (unknown)
			add_unknown(maker);
		add_join(maker, kind == VFDW_FILTER_OR ? VFDW_FILTER_OR : VFDW_FILTER_AND,
				 open + (unknown ? 1 : 0));
		push(maker, TRUTH_OF_NODES, first);
	}
}

/* NOT, IS TRUE, IS FALSE, IS UNKNOWN of the last result. */
static void
apply(Maker *maker, int kind)
{
	Outcome *last = &maker->results[maker->result_count - 1];

	if (last->truth == TRUTH_OF_NODES)
		add_node(maker, kind, NULL);
	else if (kind == VFDW_FILTER_NOT)
		last->truth = last->truth == TRUTH_UNKNOWN ? TRUTH_UNKNOWN
					  : last->truth == TRUTH_TRUE  ? TRUTH_FALSE
												   : TRUTH_TRUE;
	else if (last->truth == (kind == VFDW_FILTER_IS_TRUE	? TRUTH_TRUE
							 : kind == VFDW_FILTER_IS_FALSE ? TRUTH_FALSE
															: TRUTH_UNKNOWN))
		last->truth = TRUTH_TRUE;
	else
		last->truth = TRUTH_FALSE;
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
static void
add_single(Maker *maker, int kind, const char *column, Oid type, int operand)
{
	int first = maker->node_count;
	bool isnull;
	Datum value = evaluate(maker, operand, &isnull);
	vfdw_bytes bytes;
	VfdwFit fit;

	if (isnull && kind == VFDW_FILTER_NOT_DISTINCT)
	{
		add_node(maker, VFDW_FILTER_IS_NULL, column);
		push(maker, TRUTH_OF_NODES, first);
		return;
	}
	if (isnull)
	{
		push(maker, TRUTH_UNKNOWN, first);
		return;
	}
	fit = vfdw_encode_operand(type, maker->types[operand], value, &bytes);
	if (fit != VFDW_FIT_EQUAL && kind == VFDW_FILTER_NOT_DISTINCT)
	{
		push(maker, TRUTH_FALSE, first);
		return;
	}
	if (fit == VFDW_FIT_EQUAL)
		set_values(add_node(maker, kind, column), copy_bytes(&bytes), 1);
	else
		add_misfit(maker, kind, column, fit, &bytes);
	push(maker, TRUTH_OF_NODES, first);
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
static void
add_in(Maker *maker, const char *column, Oid type, int operand)
{
	int first = maker->node_count;
	bool isnull;
	Datum array = evaluate(maker, operand, &isnull);
	vfdw_bytes *values;
	vfdw_filter_node *node;
	int count;
	bool has_null;

	if (isnull)
	{
		push(maker, TRUTH_UNKNOWN, first);
		return;
	}
	if (encode_elements(maker, type, maker->types[operand], array, &values, &count, &has_null) == 0)
	{
		push(maker, TRUTH_FALSE, first);
		return;
	}
	if (count == 0 && has_null)
	{
		push(maker, TRUTH_UNKNOWN, first);
		return;
	}
	if (count == 0)
		add_never(maker, column);
	else
	{
		node = add_node(maker, VFDW_FILTER_IN, column);
		node->has_null = has_null;
		set_values(node, values, count);
	}
	push(maker, TRUTH_OF_NODES, first);
}

/* column && array, column @> array. A NULL element equals none: nothing contains it. */
static void
add_array(Maker *maker, int kind, const char *column, Oid type, int operand)
{
	int first = maker->node_count;
	bool isnull;
	Datum array = evaluate(maker, operand, &isnull);
	vfdw_bytes *values;
	vfdw_filter_node *node;
	int count;
	bool has_null;

	if (isnull)
	{
		push(maker, TRUTH_UNKNOWN, first);
		return;
	}
	encode_elements(maker, type, maker->types[operand], array, &values, &count, &has_null);
	if (has_null && kind == VFDW_FILTER_ARRAY_CONTAINS)
		add_never(maker, column);
	else
	{
		node = add_node(maker, kind, column);
		node->element = vfdw_encoding_of(type);
		set_values(node, values, count);
	}
	push(maker, TRUTH_OF_NODES, first);
}

/* value = ANY (column). An empty array has no element that NULL could be equal to. */
static void
add_has_element(Maker *maker, const char *column, Oid type, int operand)
{
	int first = maker->node_count;
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
	push(maker, TRUTH_OF_NODES, first);
}

static void
add_json_text(Maker *maker, const char *column, int key, int text)
{
	int first = maker->node_count;
	vfdw_bytes *values = palloc(sizeof(vfdw_bytes) * 2);
	bool no_key;
	bool no_text;
	Datum key_value = evaluate(maker, key, &no_key);
	Datum text_value = evaluate(maker, text, &no_text);

	if (no_key || no_text)
	{
		push(maker, TRUTH_UNKNOWN, first);
		return;
	}
	vfdw_encode_operand(TEXTOID, TEXTOID, key_value, &values[0]);
	vfdw_encode_operand(TEXTOID, TEXTOID, text_value, &values[1]);
	set_values(add_node(maker, VFDW_FILTER_JSON_TEXT_EQUAL, column), values, 2);
	push(maker, TRUTH_OF_NODES, first);
}

static void
add_constant(Maker *maker, int operand)
{
	bool isnull;
	Datum value = evaluate(maker, operand, &isnull);

	push(maker,
		 isnull				   ? TRUTH_UNKNOWN
		 : DatumGetBool(value) ? TRUTH_TRUE
							   : TRUTH_FALSE,
		 maker->node_count);
}

static void
add_column_leaf(Maker *maker, int kind, const char *column)
{
	int first = maker->node_count;

	add_node(maker, kind, column);
	push(maker, TRUTH_OF_NODES, first);
}

/* ---- the whole ---- */

static void
take_step(Maker *maker, const List *step)
{
	int kind = list_nth_int(step, VFDW_STEP_KIND);
	AttrNumber attribute = (AttrNumber) list_nth_int(step, VFDW_STEP_ATTRIBUTE);
	Oid type = (Oid) list_nth_int(step, VFDW_STEP_TYPE);
	int operand = list_nth_int(step, VFDW_STEP_OPERAND);
	const char *column = NULL;

	if (attribute != 0)
	{
		column = vfdw_to_utf8(vfdw_remote_column(maker->foreigntableid, attribute));
		maker->type = kind >= VFDW_FILTER_ARRAY_OVERLAPS ? InvalidOid : type;
	}
	switch (kind)
	{
		case VFDW_STEP_CONSTANT:
			add_constant(maker, operand);
			break;
		case VFDW_FILTER_AND:
		case VFDW_FILTER_OR:
		case VFDW_STEP_ALL:
			join(maker, kind, list_nth_int(step, VFDW_STEP_ARITY));
			break;
		case VFDW_FILTER_NOT:
		case VFDW_FILTER_IS_TRUE:
		case VFDW_FILTER_IS_FALSE:
		case VFDW_FILTER_IS_UNKNOWN:
			apply(maker, kind);
			break;
		case VFDW_FILTER_COLUMN_TRUE:
		case VFDW_FILTER_IS_NULL:
			add_column_leaf(maker, kind, column);
			break;
		case VFDW_FILTER_IN:
			add_in(maker, column, type, operand);
			break;
		case VFDW_FILTER_ARRAY_OVERLAPS:
		case VFDW_FILTER_ARRAY_CONTAINS:
			add_array(maker, kind, column, type, operand);
			break;
		case VFDW_FILTER_ARRAY_HAS_ELEMENT:
			add_has_element(maker, column, type, operand);
			break;
		case VFDW_FILTER_JSON_TEXT_EQUAL:
			add_json_text(maker, column, operand, list_nth_int(step, VFDW_STEP_OPERAND2));
			break;
		default:
			add_single(maker, kind, column, type, operand);
	}
}

void
vfdw_make_filter(VfdwFilter *filter, const VfdwOptions *options, const List *steps,
				 const List *operands, const Oid *types, ExprContext *context)
{
	const VfdwCollectionFacts *facts = vfdw_collection_facts(options);
	Maker maker = {.foreigntableid = options->tableid,
				   .operands = operands,
				   .types = types,
				   .context = context};
	ListCell *lc;

	memset(filter, 0, sizeof(*filter));
	if (steps == NIL)
		return;
	if (facts == NULL)
		ereport(ERROR, (errcode(ERRCODE_FDW_TABLE_NOT_FOUND),
						errmsg("collection \"%s\" is no longer defined", options->collection),
						errdetail("The plan of this query sends a filter to it."),
						errhint("Plan the query anew.")));
	maker.key = pstrdup(vfdw_to_utf8(linitial(facts->key_columns)));
	maker.results = palloc(sizeof(Outcome) * list_length(steps));
	foreach (lc, steps)
		take_step(&maker, lfirst(lc));
	Assert(maker.result_count == 1);
	filter->nothing = maker.results[0].truth == TRUTH_FALSE;
	if (maker.results[0].truth == TRUTH_OF_NODES)
	{
		filter->nodes = maker.nodes;
		filter->count = maker.node_count;
	}
}

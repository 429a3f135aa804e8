/*
 * batch_search.c
 *	  vector_fdw.search(): the nearest rows of many query vectors in one call.
 *
 * The executor asks a foreign scan inside a LATERAL subquery for one query
 * vector after another, so each costs a round trip. Here several requests are
 * under way at any time on the session's connection, and the daemon answers
 * them in parallel.
 *
 * The filter is a WHERE clause of the foreign table. PostgreSQL parses it, and
 * it must go over as a whole: there is no plan here that could evaluate the
 * rest. It is never part of a statement, so nothing can be smuggled in.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/analyze.h"
#include "parser/parse_coerce.h"
#include "parser/parse_collate.h"
#include "parser/parse_expr.h"
#include "parser/parse_relation.h"
#include "parser/parser.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/ruleutils.h"
#include "utils/typcache.h"

#include "fdw/clause.h"
#include "fdw/daemon_error.h"
#include "fdw/description.h"
#include "fdw/plan.h"
#include "fdw/row_set.h"
#include "fdw/stream.h"
#include "fdw/vector_value.h"

PG_FUNCTION_INFO_V1(vfdw_search_batch);

/* Requests under way at a time: enough to keep the daemon's threads busy. */
#define REQUESTS_IN_FLIGHT	32
#define MOST_ROWS_PER_QUERY 100000

/* What is asked, the same for each query vector. */
typedef struct Batch
{
	VfdwRequest request; /* without query */
	int64 k;
	const float *elements; /* of all query vectors */
	int query_count;
	int dimensions;

	/* the key, as text */
	VfdwValueReader **readers;
	FmgrInfo *outputs;
	TupleDesc key; /* of keys of several columns, which are shown as rows; else NULL */

	ReturnSetInfo *result;
} Batch;

/* One query vector. */
typedef struct OneQuery
{
	VfdwRequest request;
	VfdwStream *stream;
	MemoryContext context;
} OneQuery;

/* ---- the filter ---- */

/* Positions of errors count in the filter's statement, not in the caller's. */
static void
point_into_filter(void *statement)
{
	int position = geterrposition();

	if (position <= 0)
		return;
	errposition(0);
	internalerrposition(position);
	internalerrquery(statement);
}

/* The only expression of "SELECT (text)", and nothing else. */
static Node *
parse_expression(const char *text)
{
	char *statement = psprintf("SELECT (%s\n)", text);
	ErrorContextCallback callback = {
		.callback = point_into_filter, .arg = statement, .previous = error_context_stack};
	const SelectStmt *select = NULL;
	List *statements;

	error_context_stack = &callback;
	statements = raw_parser(statement, RAW_PARSE_DEFAULT);
	error_context_stack = callback.previous;
	if (list_length(statements) == 1)
		select = (const SelectStmt *) linitial_node(RawStmt, statements)->stmt;
	if (select == NULL || !IsA(select, SelectStmt) || select->op != SETOP_NONE ||
		list_length(select->targetList) != 1 || select->distinctClause != NIL ||
		select->intoClause != NULL || select->fromClause != NIL || select->whereClause != NULL ||
		select->groupClause != NIL || select->havingClause != NULL || select->windowClause != NIL ||
		select->sortClause != NIL || select->limitCount != NULL || select->limitOffset != NULL ||
		select->lockingClause != NIL || select->withClause != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR), errmsg("the filter is not a condition: %s", text),
				 errhint("Give what would stand after WHERE in a query of the foreign table.")));
	return linitial_node(ResTarget, select->targetList)->val;
}

/* The clauses of the filter; the foreign table is relation 1. */
static List *
analyze_filter(const char *text, Relation table)
{
	ParseState *state = make_parsestate(NULL);
	ParseNamespaceItem *item =
		addRangeTableEntryForRelation(state, table, AccessShareLock, NULL, false, true);
	Node *filter;

	addNSItemToQuery(state, item, false, true, true);
	filter = transformExpr(state, parse_expression(text), EXPR_KIND_WHERE);
	filter = coerce_to_boolean(state, filter, "filter");
	assign_expr_collations(state, filter);
	if (state->p_hasSubLinks)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("the filter must not contain a subquery"),
						errhint("Use a query with a LATERAL subquery instead.")));
	free_parsestate(state);
	return make_ands_implicit(
		(Expr *) canonicalize_qual((Expr *) expression_planner((Expr *) filter), false));
}

static void
make_batch_filter(Batch *batch, const char *text, Relation table)
{
	Oid tableid = RelationGetRelid(table);
	VfdwFilterBuilder builder = {.foreigntableid = tableid,
								 .relid = 1,
								 .facts = vfdw_collection_facts(batch->request.options)};
	List *clauses = analyze_filter(text, table);
	EState *estate = CreateExecutorState();
	VfdwFilter filter;
	List *operands = NIL;
	Oid *types;
	ListCell *lc;

	foreach (lc, clauses)
		if (!vfdw_add_clause(&builder, lfirst(lc)))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("the vector daemon cannot answer the filter"),
					 errdetail("This part of it would have to be evaluated here: %s.",
							   deparse_expression(
								   lfirst(lc),
								   deparse_context_for(RelationGetRelationName(table), tableid),
								   false, false)),
					 errhint("Use a query with a LATERAL subquery instead.")));
	vfdw_join_clauses(&builder, list_length(clauses));
	types = palloc(sizeof(Oid) * (list_length(builder.operands) + 1));
	foreach (lc, builder.operands)
	{
		types[foreach_current_index(lc)] = getBaseType(exprType(lfirst(lc)));
		operands = lappend(operands, ExecPrepareExpr(lfirst(lc), estate));
	}
	vfdw_make_filter(&filter, batch->request.options, builder.steps, operands, types,
					 GetPerTupleExprContext(estate));
	batch->request.filter = filter.nodes;
	batch->request.filter_count = filter.count;
	batch->request.nothing = filter.nothing;
	FreeExecutorState(estate);
}

/* ---- the key ---- */

static AttrNumber
local_column(Relation table, const char *remote)
{
	TupleDesc descriptor = RelationGetDescr(table);

	for (int i = 0; i < descriptor->natts; i++)
		if (!TupleDescAttr(descriptor, i)->attisdropped &&
			strcmp(vfdw_to_utf8(vfdw_remote_column(RelationGetRelid(table), i + 1)), remote) == 0)
			return i + 1;
	ereport(ERROR, (errcode(ERRCODE_FDW_COLUMN_NAME_NOT_FOUND),
					errmsg("foreign table \"%s\" has no column for the key column \"%s\"",
						   RelationGetRelationName(table), vfdw_printable(remote)),
					errhint("Add it to the foreign table.")));
}

static void
read_keys_of(Batch *batch, const VfdwDescription *description, Relation table)
{
	int count = description->key_column_count;
	const char **columns = palloc(sizeof(char *) * count);
	bool is_local = vfdw_is_local(batch->request.options);

	batch->readers = palloc(sizeof(VfdwValueReader *) * count);
	batch->outputs = palloc(sizeof(FmgrInfo) * count);
	batch->key = CreateTemplateTupleDesc(count);
	for (int i = 0; i < count; i++)
	{
		AttrNumber attribute = local_column(table, description->key_columns[i]);
		Form_pg_attribute column = TupleDescAttr(RelationGetDescr(table), attribute - 1);
		Oid function;
		bool is_varlena;

		columns[i] = description->key_columns[i];
		batch->readers[i] = vfdw_make_reader(NameStr(column->attname), column->atttypid,
											 column->atttypmod, is_local);
		getTypeOutputInfo(column->atttypid, &function, &is_varlena);
		fmgr_info(function, &batch->outputs[i]);
		TupleDescInitEntry(batch->key, i + 1, NameStr(column->attname), column->atttypid,
						   column->atttypmod, 0);
	}
	BlessTupleDesc(batch->key);
	batch->request.columns = columns;
	batch->request.column_count = count;
}

/* The only column as text, or all as a row: '(1,"a b")'. */
static char *
key_text(const Batch *batch, const vfdw_rows *rows, uint32 row)
{
	Datum values[INDEX_MAX_KEYS];
	bool nulls[INDEX_MAX_KEYS];
	int count = batch->request.column_count;

	for (int i = 0; i < count; i++)
		values[i] = vfdw_read_value(batch->readers[i], rows, i, row, &nulls[i]);
	if (count == 1)
		return nulls[0] ? NULL : OutputFunctionCall(&batch->outputs[0], values[0]);
	return DatumGetCString(OidFunctionCall1(
		F_RECORD_OUT, HeapTupleGetDatum(heap_form_tuple(batch->key, values, nulls))));
}

/* ---- asking ---- */

static void
start_query(const Batch *batch, OneQuery *query, int number)
{
	MemoryContext old_context;
	Datum vector;

	query->context = AllocSetContextCreate(CurrentMemoryContext, "vector_fdw query of a batch",
										   ALLOCSET_SMALL_SIZES);
	old_context = MemoryContextSwitchTo(query->context);
	query->request = batch->request;
	vector =
		vfdw_float4_array(batch->elements + (Size) number * batch->dimensions, batch->dimensions);
	query->request.query = vfdw_query_vector(vector, FLOAT4ARRAYOID, &query->request.dimensions);
	query->stream = vfdw_stream_open(&query->request, query->context);
	vfdw_stream_send(query->stream);
	MemoryContextSwitchTo(old_context);
}

static void
put_row(const Batch *batch, int number, const vfdw_rows *rows, uint32 row)
{
	char *key = key_text(batch, rows, row);
	Datum values[3] = {Int32GetDatum(number + 1), (Datum) 0, (Datum) 0};
	bool nulls[3] = {false, key == NULL, row >= rows->ordered_rows};

	if (key != NULL)
		values[1] = CStringGetTextDatum(key);
	if (!nulls[2])
		values[2] = Float8GetDatum(rows->distances[row]);
	tuplestore_putvalues(batch->result->setResult, batch->result->setDesc, values, nulls);
}

static void
finish_query(const Batch *batch, OneQuery *query, int number)
{
	MemoryContext old_context = MemoryContextSwitchTo(query->context);
	const vfdw_rows *rows;
	int64 missing = batch->k;

	while (missing > 0 && vfdw_stream_next(query->stream, &rows) == VFDW_STREAM_BATCH)
		for (uint32 row = 0; row < rows->rows && missing > 0; row++, missing--)
			put_row(batch, number, rows, row);
	MemoryContextSwitchTo(old_context);
	vfdw_stream_close(query->stream);
	MemoryContextDelete(query->context);
}

static void
ask_all(const Batch *batch)
{
	OneQuery *queries = palloc0(sizeof(OneQuery) * REQUESTS_IN_FLIGHT);
	int started = 0;

	for (int i = 0; i < batch->query_count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		for (; started < batch->query_count && started < i + REQUESTS_IN_FLIGHT; started++)
			start_query(batch, &queries[started % REQUESTS_IN_FLIGHT], started);
		finish_query(batch, &queries[i % REQUESTS_IN_FLIGHT], i);
	}
}

/* ---- the function ---- */

static void
read_queries(Batch *batch, ArrayType *queries)
{
	int dimensions = ARR_NDIM(queries);

	if (dimensions > 2)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
						errmsg("query vectors must be an array of one or two dimensions"),
						errdetail("The array has %d dimensions.", dimensions)));
	if (ARR_HASNULL(queries) && array_contains_nulls(queries))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("a vector must not have NULL elements")));
	if (dimensions == 0)
		return;
	batch->query_count = dimensions == 1 ? 1 : ARR_DIMS(queries)[0];
	batch->dimensions = ARR_DIMS(queries)[dimensions - 1];
	batch->elements = (const float *) ARR_DATA_PTR(queries);
}

static void
prepare_request(Batch *batch, Relation table)
{
	const VfdwOptions *options = vfdw_table_options(RelationGetRelid(table));
	VfdwConnection *connection;
	VfdwDescription description;
	vfdw_error unused;
	const vfdw_collection_ref collection =
		vfdw_name_collection(options, vfdw_check_source_privileges(table, options));

	connection = vfdw_connection(options, GetUserId());
	vfdw_describe(connection, vfdw_connected_client(connection, options, false, &unused), options,
				  &collection, &description);
	batch->request = (VfdwRequest){.options = options,
								   .collection = collection,
								   .userid = GetUserId(),
								   .vector_column = description.vector_column,
								   .metric = description.metric,
								   .rows = batch->k,
								   .exact = options->exact,
								   .min_lsn = vfdw_required_lsn(options)};
	read_keys_of(batch, &description, table);
}

Datum
vfdw_search_batch(PG_FUNCTION_ARGS)
{
	Batch batch = {.result = vfdw_start_rows(fcinfo)};
	Relation table;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_VOID();
	vfdw_check_searchable(PG_GETARG_OID(0));
	batch.k = PG_GETARG_INT32(2);
	if (batch.k < 1 || batch.k > MOST_ROWS_PER_QUERY)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("k must be between 1 and %d", MOST_ROWS_PER_QUERY)));
	read_queries(&batch, PG_GETARG_ARRAYTYPE_P(1));
	table = table_open(PG_GETARG_OID(0), AccessShareLock);
	prepare_request(&batch, table);
	if (!PG_ARGISNULL(3))
		make_batch_filter(&batch, text_to_cstring(PG_GETARG_TEXT_PP(3)), table);
	ask_all(&batch);
	table_close(table, NoLock);
	PG_RETURN_VOID();
}

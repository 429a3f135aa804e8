/*
 * recall.c
 *	  vector_fdw.recall(): how many of the true nearest rows the index finds.
 *
 * Queries are vectors of sample rows; the row itself stays among the results.
 * Each query is asked twice, as a query of this session would be and exactly.
 * A row that was found counts when the exact answer has it too, or when it is
 * as near as the k-th row of the exact answer: which of equally near rows comes
 * last is anybody's choice. Rows without a vector do not count.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/rel.h"

#include "fdw/daemon_error.h"
#include "fdw/description.h"
#include "fdw/link.h"

PG_FUNCTION_INFO_V1(vfdw_recall);

#define VFDW_MAX_RECALL_ROWS	100000
#define VFDW_MAX_RECALL_SAMPLES 100000

/* What is asked of whom. */
typedef struct Examinee
{
	const VfdwOptions *options;
	vfdw_collection_ref named;
	VfdwConnection *connection;
	vfdw_client *client;
	VfdwDescription collection;
	int k;
} Examinee;

/* One row of an answer. */
typedef struct Hit
{
	double distance;
	char *key;
	int length;
} Hit;

typedef struct Answer
{
	Hit *hits; /* in the order of their distances */
	int count;
	double ms;
} Answer;

/* ---- requests ---- */

static vfdw_reply *
reply_or_throw(const Examinee *examinee, uint64 id, const vfdw_error *error)
{
	vfdw_error unused;

	if (id == 0)
		vfdw_throw(error, examinee->options);
	return vfdw_wait_reply(examinee->connection, examinee->client, id, examinee->options, false,
						   &unused);
}

static void
start_search(const Examinee *examinee, vfdw_search *search)
{
	const VfdwOptions *options = examinee->options;

	memset(search, 0, sizeof(*search));
	search->collection = examinee->named;
	search->vector_column = examinee->collection.vector_column;
	search->consistency = VFDW_CONSISTENCY_EVENTUAL;
	search->timeout_ms = options->request_timeout_ms;
}

/* Takes a batch of the answer; returns whether more is wanted. */
typedef bool (*TakeBatch)(const Examinee *examinee, const vfdw_rows *rows, void *result);

static void
run_search(const Examinee *examinee, const vfdw_search *search, TakeBatch take, void *result)
{
	vfdw_error error;
	uint64 id = vfdw_client_send_search(examinee->client, search, &error);

	for (;;)
	{
		vfdw_reply *reply = reply_or_throw(examinee, id, &error);
		const vfdw_rows *rows = vfdw_reply_rows(reply);
		uint64 cursor = rows->cursor;
		bool more = take(examinee, rows, result);

		vfdw_free_reply(reply);
		if (cursor == 0)
			return;
		if (!more)
		{
			vfdw_client_close_cursor(examinee->client, cursor);
			return;
		}
		id = vfdw_client_send_fetch(examinee->client, cursor, 0,
									examinee->options->request_timeout_ms, &error);
	}
}

/* ---- samples ---- */

typedef struct Samples
{
	List *vectors; /* of float *, with the collection's dimensions */
} Samples;

static bool
take_samples(const Examinee *examinee, const vfdw_rows *rows, void *result)
{
	Samples *samples = result;
	const vfdw_column *column = &rows->columns[0];

	if (column->encoding != VFDW_ENCODING_VECTOR ||
		(rows->rows > 0 && rows->dimensions != examinee->collection.dimensions))
		elog(ERROR, "the daemon sent something else than the collection's vectors");
	for (uint32 row = 0; row < rows->rows; row++)
	{
		Size bytes = sizeof(float) * rows->dimensions;
		float *vector;

		if (column->nulls != NULL && (column->nulls[row / 8] >> (row % 8) & 1) != 0)
			continue;
		vector = palloc(bytes);
		memcpy(vector, (const char *) column->values + row * bytes, bytes);
		samples->vectors = lappend(samples->vectors, vector);
	}
	return true;
}

static List *
draw_samples(const Examinee *examinee, int count)
{
	Samples samples = {NIL};
	vfdw_search search;

	start_search(examinee, &search);
	search.columns = &examinee->collection.vector_column;
	search.column_count = 1;
	search.sample_rows = count;
	run_search(examinee, &search, take_samples, &samples);
	return samples.vectors;
}

/* ---- answers ---- */

static int
value_bytes(const vfdw_column *column)
{
	switch (column->encoding)
	{
		case VFDW_ENCODING_BOOL:
			return 1;
		case VFDW_ENCODING_INT16:
			return 2;
		case VFDW_ENCODING_INT32:
		case VFDW_ENCODING_FLOAT32:
			return 4;
		case VFDW_ENCODING_INT64:
		case VFDW_ENCODING_FLOAT64:
			return 8;
		case VFDW_ENCODING_UUID:
			return 16;
		default:
			elog(ERROR, "a key column has the encoding %d", column->encoding);
	}
}

/* The values of the key columns, so that equal keys and no others are equal bytes. */
static void
append_key(StringInfo key, const vfdw_rows *rows, uint32 row)
{
	for (size_t i = 0; i < rows->column_count; i++)
	{
		const vfdw_column *column = &rows->columns[i];

		if (column->ends != NULL)
		{
			int length = (int) (column->ends[row + 1] - column->ends[row]);

			appendBinaryStringInfo(key, (const char *) &length, sizeof(length));
			appendBinaryStringInfo(key, column->heap + column->ends[row], length);
		}
		else
		{
			int length = value_bytes(column);

			appendBinaryStringInfo(key, (const char *) column->values + (Size) row * length,
								   length);
		}
	}
}

static bool
take_hits(const Examinee *examinee, const vfdw_rows *rows, void *result)
{
	Answer *answer = result;
	StringInfoData key;

	for (uint32 row = 0; row < rows->ordered_rows && answer->count < examinee->k; row++)
	{
		Hit *hit = &answer->hits[answer->count++];

		initStringInfo(&key);
		append_key(&key, rows, row);
		hit->distance = rows->distances[row];
		hit->key = key.data;
		hit->length = key.len;
	}
	return answer->count < examinee->k;
}

static Answer
ask(const Examinee *examinee, const float *query, bool exact)
{
	Answer answer = {0};
	vfdw_search search;
	instr_time start;

	start_search(examinee, &search);
	search.metric = examinee->collection.metric;
	search.query = query;
	search.dimensions = examinee->collection.dimensions;
	search.k = examinee->k;
	search.columns = examinee->collection.key_columns;
	search.column_count = examinee->collection.key_column_count;
	search.batch_rows = examinee->k;
	search.ef_search = examinee->options->ef_search;
	search.nprobe = examinee->options->nprobe;
	search.target_recall = examinee->options->target_recall;
	search.exact = exact;
	answer.hits = palloc(sizeof(Hit) * examinee->k);
	INSTR_TIME_SET_CURRENT(start);
	run_search(examinee, &search, take_hits, &answer);
	answer.ms = vfdw_elapsed_ms(start);
	return answer;
}

static int
by_key(const void *a, const void *b)
{
	const Hit *left = a;
	const Hit *right = b;
	int order = memcmp(left->key, right->key, Min(left->length, right->length));

	return order != 0 ? order : (left->length > right->length) - (left->length < right->length);
}

/* Changes the order of the exact answer. */
static int
count_hits(const Answer *found, Answer *exact)
{
	int hits = 0;
	double kth;

	if (exact->count == 0)
		return 0;
	kth = exact->hits[exact->count - 1].distance;
	qsort(exact->hits, exact->count, sizeof(Hit), by_key);
	for (int i = 0; i < found->count; i++)
	{
		const Hit *hit = &found->hits[i];

		if (vfdw_compare_distances(hit->distance, kth) == 0 ||
			bsearch(hit, exact->hits, exact->count, sizeof(Hit), by_key) != NULL)
			hits++;
	}
	return hits;
}

/* ---- the function ---- */

static void
check_arguments(Oid tableid, int k, int samples)
{
	vfdw_check_searchable(tableid);
	if (k < 1 || k > VFDW_MAX_RECALL_ROWS)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("k must be between 1 and %d", VFDW_MAX_RECALL_ROWS)));
	if (samples < 1 || samples > VFDW_MAX_RECALL_SAMPLES)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("samples must be between 1 and %d", VFDW_MAX_RECALL_SAMPLES)));
}

/* recall, search_ms, exact_ms; all NULL without a single vector. */
static void
examine(const Examinee *examinee, int sample_count, Datum *values, bool *nulls)
{
	List *samples = draw_samples(examinee, sample_count);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "vector_fdw recall query",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller;
	int64 expected = 0;
	int64 hits = 0;
	double search_ms = 0;
	double exact_ms = 0;
	ListCell *cell;

	foreach (cell, samples)
	{
		Answer found;
		Answer exact;

		caller = MemoryContextSwitchTo(context);
		found = ask(examinee, lfirst(cell), false);
		exact = ask(examinee, lfirst(cell), true);
		expected += exact.count;
		hits += count_hits(&found, &exact);
		search_ms += found.ms;
		exact_ms += exact.ms;
		MemoryContextSwitchTo(caller);
		MemoryContextReset(context);
	}
	nulls[0] = expected == 0;
	nulls[1] = nulls[2] = samples == NIL;
	if (samples == NIL)
		return;
	values[0] = Float8GetDatum(expected > 0 ? Min((double) hits / expected, 1.0) : 0);
	values[1] = Float8GetDatum(search_ms / list_length(samples));
	values[2] = Float8GetDatum(exact_ms / list_length(samples));
}

Datum
vfdw_recall(PG_FUNCTION_ARGS)
{
	Oid tableid = PG_GETARG_OID(0);
	int k = PG_GETARG_INT32(1);
	int samples = PG_GETARG_INT32(2);
	Examinee examinee = {0};
	TupleDesc descriptor;
	Relation table;
	Datum values[3] = {0};
	bool nulls[3];
	vfdw_error unused;

	if (get_call_result_type(fcinfo, NULL, &descriptor) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	check_arguments(tableid, k, samples);
	table = table_open(tableid, AccessShareLock);
	examinee.options = vfdw_table_options(tableid);
	examinee.named = vfdw_name_collection(examinee.options,
										  vfdw_check_source_privileges(table, examinee.options));
	examinee.k = k;
	examinee.connection = vfdw_connection(examinee.options, GetUserId());
	examinee.client = vfdw_connected_client(examinee.connection, examinee.options, false, &unused);
	vfdw_describe(examinee.connection, examinee.client, examinee.options, &examinee.named,
				  &examinee.collection);
	examine(&examinee, samples, values, nulls);
	table_close(table, NoLock);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(descriptor), values, nulls)));
}

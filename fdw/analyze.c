/*
 * analyze.c
 *	  ANALYZE of a foreign table: rows drawn by chance, by the daemon.
 *
 * The size in pages is an estimate of what a heap with these rows would take,
 * so that costs which are made of pages stay comparable.
 */
#include "postgres.h"

#include "access/htup_details.h"
#if PG_VERSION_NUM >= 150000
#include "common/pg_prng.h"
#endif
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "fdw/daemon_error.h"
#include "fdw/plan.h"
#include "fdw/vector_fdw.h"

/* Guess for a value of a type of any length other than the vector. */
#define VFDW_GUESSED_WIDTH 32

/* What is read, and into which attributes. */
typedef struct Sampling
{
	Relation table;
	VfdwOptions *options;
	vfdw_collection_ref collection;
	VfdwConnection *connection;
	vfdw_client *client;
	int column_count;
	const char **columns; /* of the collection, in UTF-8 */
	int *attributes;	  /* of the foreign table, from 0 on */
	VfdwValueReader **readers;
	MemoryContext row_context;
	HeapTuple *rows;
	int row_count;
	int row_limit;
	double total_rows;
} Sampling;

static vfdw_client *
client_of(Relation table, const VfdwOptions *options, VfdwConnection **connection)
{
	vfdw_error unused;

	*connection = vfdw_connection(options, table->rd_rel->relowner);
	return vfdw_connected_client(*connection, options, false, &unused);
}

static vfdw_reply *
reply_or_throw(VfdwConnection *connection, vfdw_client *client, uint64 id,
			   const VfdwOptions *options, const vfdw_error *error)
{
	vfdw_error unused;

	if (id == 0)
		vfdw_throw(error, options);
	return vfdw_wait_reply(connection, client, id, options, false, &unused);
}

/* ---- the sample ---- */

static void
start_sampling(Sampling *sampling, Relation table)
{
	TupleDesc descriptor = RelationGetDescr(table);
	int n = descriptor->natts;
	bool is_local;

	sampling->table = table;
	sampling->options = vfdw_table_options(RelationGetRelid(table));
	is_local = vfdw_is_local(sampling->options);
	sampling->collection = vfdw_name_collection(
		sampling->options, vfdw_check_source_privileges(table, sampling->options));
	sampling->client = client_of(table, sampling->options, &sampling->connection);
	sampling->columns = palloc(sizeof(char *) * Max(n, 1));
	sampling->attributes = palloc(sizeof(int) * Max(n, 1));
	sampling->readers = palloc(sizeof(VfdwValueReader *) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(descriptor, i);
		int next = sampling->column_count;
		char *name;

		if (attribute->attisdropped || attribute->attgenerated == 'v')
			continue; /* virtual ones are computed here, from what is sampled */
		name = vfdw_remote_column(RelationGetRelid(table), attribute->attnum);
		sampling->columns[next] = vfdw_to_utf8(name);
		sampling->attributes[next] = i;
		sampling->readers[next] =
			vfdw_make_reader(name, attribute->atttypid, attribute->atttypmod, is_local);
		sampling->column_count++;
	}
	sampling->row_context = AllocSetContextCreate(CurrentMemoryContext, "vector_fdw sample row",
												  ALLOCSET_DEFAULT_SIZES);
}

static void
keep_row(Sampling *sampling, const vfdw_rows *batch, uint32 row)
{
	TupleDesc descriptor = RelationGetDescr(sampling->table);
	Datum *values;
	bool *nulls;
	MemoryContext caller = MemoryContextSwitchTo(sampling->row_context);

	values = palloc0(sizeof(Datum) * descriptor->natts);
	nulls = palloc(sizeof(bool) * descriptor->natts);
	memset(nulls, true, sizeof(bool) * descriptor->natts);
	for (int i = 0; i < sampling->column_count; i++)
	{
		int attribute = sampling->attributes[i];

		values[attribute] = vfdw_read_value(sampling->readers[i], batch, i, row, &nulls[attribute]);
	}
	MemoryContextSwitchTo(caller);
	sampling->rows[sampling->row_count++] = heap_form_tuple(descriptor, values, nulls);
	MemoryContextReset(sampling->row_context);
}

static void
read_sample(Sampling *sampling)
{
	const VfdwOptions *options = sampling->options;
	vfdw_search search = {0};
	vfdw_error error;
	uint64 id;

	search.collection = sampling->collection;
	search.columns = sampling->columns;
	search.column_count = sampling->column_count;
	search.consistency = options->consistency;
	search.min_lsn = vfdw_required_lsn(options);
	search.sample_rows = sampling->row_limit;
#if PG_VERSION_NUM >= 150000
	search.sample_seed = pg_prng_uint64(&pg_global_prng_state) | 1;
#else
	search.sample_seed = (uint64) random() | 1;
#endif
	search.timeout_ms = options->request_timeout_ms;
	id = vfdw_client_send_search(sampling->client, &search, &error);
	for (;;)
	{
		vfdw_reply *reply =
			reply_or_throw(sampling->connection, sampling->client, id, options, &error);
		const vfdw_rows *batch = vfdw_reply_rows(reply);
		uint64 cursor = batch->cursor;

		sampling->total_rows = batch->collection_rows;
		for (uint32 row = 0; row < batch->rows && sampling->row_count < sampling->row_limit; row++)
			keep_row(sampling, batch, row);
		vfdw_free_reply(reply);
		if (cursor == 0)
			return;
		if (sampling->row_count == sampling->row_limit)
		{
			vfdw_client_close_cursor(sampling->client, cursor);
			return;
		}
		CHECK_FOR_INTERRUPTS();
		id = vfdw_client_send_fetch(sampling->client, cursor, 0, options->request_timeout_ms,
									&error);
	}
}

static int
acquire_sample_rows(Relation relation, int elevel, HeapTuple *rows, int targrows, double *totalrows,
					double *totaldeadrows)
{
	Sampling sampling = {0};

	sampling.rows = rows;
	sampling.row_limit = targrows;
	start_sampling(&sampling, relation);
	read_sample(&sampling);
	MemoryContextDelete(sampling.row_context);
	vfdw_remember_rows(RelationGetRelid(relation), sampling.total_rows);
	*totalrows = sampling.total_rows;
	*totaldeadrows = 0;
	ereport(elevel, (errmsg("\"%s\": collection contains %.0f rows; %d rows in sample",
							RelationGetRelationName(relation), *totalrows, sampling.row_count)));
	return sampling.row_count;
}

/* ---- the size ---- */

static double
bytes_per_row(const vfdw_collection_info *info)
{
	double bytes = MAXALIGN(SizeofHeapTupleHeader) + sizeof(ItemIdData);

	for (size_t i = 0; i < info->column_count; i++)
	{
		switch (info->columns[i].encoding)
		{
			case VFDW_ENCODING_VECTOR:
				bytes += sizeof(float) * info->dimensions;
				break;
			case VFDW_ENCODING_TEXT:
			case VFDW_ENCODING_BINARY:
				bytes += VFDW_GUESSED_WIDTH;
				break;
			case VFDW_ENCODING_UUID:
				bytes += 16;
				break;
			default:
				bytes += 8;
				break;
		}
	}
	return bytes;
}

bool
vectorAnalyzeForeignTable(Relation relation, AcquireSampleRowsFunc *func, BlockNumber *totalpages)
{
	VfdwOptions *options = vfdw_table_options(RelationGetRelid(relation));
	const vfdw_collection_ref collection =
		vfdw_name_collection(options, vfdw_check_source_privileges(relation, options));
	VfdwConnection *connection;
	vfdw_client *client = client_of(relation, options, &connection);
	const vfdw_collection_info *info;
	vfdw_error error;
	size_t count;
	double pages;
	uint64 id = vfdw_client_send_describe(client, &collection, options->request_timeout_ms, &error);

	info = vfdw_reply_collections(reply_or_throw(connection, client, id, options, &error), &count);
	if (info == NULL || count != 1)
		elog(ERROR, "the daemon did not describe the collection");
	pages = ceil(info->rows * bytes_per_row(info) / BLCKSZ);
	/* 0 would mean that there is nothing to be sampled. */
	*totalpages = (BlockNumber) Min(Max(pages, 1), (double) MaxBlockNumber);
	*func = acquire_sample_rows;
	return true;
}

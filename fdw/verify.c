/*
 * verify.c
 *	  vector_fdw.verify_collection(): is what vectord has what the table holds?
 *
 * Both sides are read at one moment: a SHARE lock on the table keeps writers
 * out from the moment that they are done until vectord has applied all that
 * they committed, a snapshot of the table is taken, and a search over all rows
 * begun, which shows the collection as it is then. The lock is given back
 * before rows are compared.
 *
 * Of each row two hashes are kept, of its key and of the rest. Each side sorts
 * its pairs, on disk if need be (maintenance_work_mem), and the two are merged.
 * Two different rows look the same with a probability of 2^-64 each.
 *
 * Rows that vectord rejects are left out on the side of the table. With several
 * daemons the numbers are sums.
 *
 * Known limits: what this transaction itself has changed and not yet committed
 * counts as a difference. Row security is in force for the caller and for
 * vectord's role, each as it is.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_operator_d.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/tuplesort.h"

#include "fdw/connection.h"
#include "fdw/daemon_error.h"
#include "fdw/daemon_list.h"
#include "fdw/definition.h"
#include "fdw/fingerprint.h"
#include "fdw/wal_position.h"

PG_FUNCTION_INFO_V1(vfdw_verify_collection);

/* Writers wait no longer than this for vectord; it had caught up just before. */
#define VFDW_LONGEST_LOCK_S 30
#define ROWS_PER_FETCH		1000

#if PG_VERSION_NUM >= 150000
#define REREADABLE TUPLESORT_RANDOMACCESS
#else
#define REREADABLE true
#endif

/* The columns of a collection: those of the key, the vector, those included. */
typedef struct Layout
{
	const VfdwDefinition *definition;
	List *names; /* of char * */
	const char **utf8_names;
	int count;
	int key_count;
	VfdwFingerprint **prints;
	MemoryContext row_context; /* garbage of hashing */
} Layout;

/* What one daemon has, while it is read. */
typedef struct Copy
{
	const VfdwDaemon *daemon;
	VfdwOptions options; /* of the daemon's server, for this collection */
	vfdw_client *client;
	size_t dimensions;
	vfdw_reply *reply; /* its rows have not been taken */
} Copy;

typedef struct Differences
{
	int64 missing;
	int64 extra;
	int64 different;
} Differences;

/* ---- what is compared ---- */

static void
add_column(Layout *layout, const char *name)
{
	Oid source = layout->definition->source;
	AttrNumber attribute = get_attnum(source, name);
	Oid type;
	int32 typmod;
	Oid collation;
	int n = layout->count++;

	if (attribute <= 0)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
						errmsg("column \"%s\" of collection \"%s\" is not in table %s any more",
							   name, layout->definition->name, vfdw_qualified_name(source))));
	get_atttypetypmodcoll(source, attribute, &type, &typmod, &collation);
	layout->names = lappend(layout->names, (char *) name);
	layout->utf8_names[n] = vfdw_to_utf8(name);
	layout->prints[n] = vfdw_make_fingerprint(name, type, typmod, n == layout->key_count);
}

static Layout *
make_layout(const VfdwDefinition *definition)
{
	Layout *layout = palloc0(sizeof(Layout));
	int count = list_length(definition->key_columns) + 1 + list_length(definition->include);
	ListCell *cell;

	layout->definition = definition;
	layout->key_count = list_length(definition->key_columns);
	layout->utf8_names = palloc(sizeof(char *) * count);
	layout->prints = palloc(sizeof(VfdwFingerprint *) * count);
	foreach (cell, definition->key_columns)
		add_column(layout, lfirst(cell));
	add_column(layout, definition->vector_column);
	foreach (cell, definition->include)
		add_column(layout, lfirst(cell));
	layout->row_context = AllocSetContextCreate(CurrentMemoryContext, "vector_fdw verified row",
												ALLOCSET_DEFAULT_SIZES);
	return layout;
}

/* ---- pairs of hashes, sorted ---- */

typedef struct Pairs
{
	Tuplesortstate *sort;
	TupleTableSlot *in;
	TupleTableSlot *out;
	/* the current one, once sorted */
	bool valid;
	int64 key;
	int64 rest;
} Pairs;

static Pairs *
make_pairs(void)
{
	Pairs *pairs = palloc0(sizeof(Pairs));
	TupleDesc descriptor = CreateTemplateTupleDesc(2);
	AttrNumber attributes[] = {1, 2};
	Oid operators[] = {Int8LessOperator, Int8LessOperator};
	Oid collations[] = {InvalidOid, InvalidOid};
	bool nulls_first[] = {false, false};

	TupleDescInitEntry(descriptor, 1, "key", INT8OID, -1, 0);
	TupleDescInitEntry(descriptor, 2, "rest", INT8OID, -1, 0);
	pairs->sort = tuplesort_begin_heap(descriptor, 2, attributes, operators, collations,
									   nulls_first, maintenance_work_mem, NULL, REREADABLE);
	pairs->in = MakeSingleTupleTableSlot(descriptor, &TTSOpsVirtual);
	pairs->out = MakeSingleTupleTableSlot(descriptor, &TTSOpsMinimalTuple);
	return pairs;
}

static void
put_pair(Pairs *pairs, uint64 key, uint64 rest)
{
	ExecClearTuple(pairs->in);
	pairs->in->tts_values[0] = Int64GetDatum((int64) key);
	pairs->in->tts_values[1] = Int64GetDatum((int64) rest);
	pairs->in->tts_isnull[0] = pairs->in->tts_isnull[1] = false;
	ExecStoreVirtualTuple(pairs->in);
	tuplesort_puttupleslot(pairs->sort, pairs->in);
}

static void
next_pair(Pairs *pairs)
{
	bool isnull;

	pairs->valid = tuplesort_gettupleslot(pairs->sort, true, false, pairs->out, NULL);
	if (!pairs->valid)
		return;
	pairs->key = DatumGetInt64(slot_getattr(pairs->out, 1, &isnull));
	pairs->rest = DatumGetInt64(slot_getattr(pairs->out, 2, &isnull));
}

static void
free_pairs(Pairs *pairs)
{
	tuplesort_end(pairs->sort);
	ExecDropSingleTupleTableSlot(pairs->in);
	ExecDropSingleTupleTableSlot(pairs->out);
}

/*
 * All pairs of one key, which both sides begin with or only one. Keys are
 * unique in the table; were one there twice in the collection, it shows.
 */
static void
compare_key(Pairs *table, Pairs *copy, Differences *found)
{
	const int64 key =
		table->valid && (!copy->valid || table->key <= copy->key) ? table->key : copy->key;
	int64 only_table = 0;
	int64 only_copy = 0;

	for (;;)
	{
		bool in_table = table->valid && table->key == key;
		bool in_copy = copy->valid && copy->key == key;

		CHECK_FOR_INTERRUPTS();
		if (!in_table && !in_copy)
			break;
		if (in_table && in_copy && table->rest == copy->rest)
		{
			next_pair(table);
			next_pair(copy);
		}
		else if (in_table && (!in_copy || table->rest < copy->rest))
		{
			only_table++;
			next_pair(table);
		}
		else
		{
			only_copy++;
			next_pair(copy);
		}
	}
	found->different += Min(only_table, only_copy);
	found->missing += only_table - Min(only_table, only_copy);
	found->extra += only_copy - Min(only_table, only_copy);
}

static void
compare_pairs(Pairs *table, Pairs *copy, Differences *found)
{
	tuplesort_performsort(copy->sort);
	tuplesort_rescan(table->sort);
	next_pair(table);
	next_pair(copy);
	while (table->valid || copy->valid)
		compare_key(table, copy, found);
}

/* ---- the table ---- */

static Portal
open_table(const Layout *layout)
{
	StringInfoData query;
	ListCell *cell;
	const char *separator = "SELECT ";

	initStringInfo(&query);
	foreach (cell, layout->names)
	{
		appendStringInfo(&query, "%s%s", separator, quote_identifier(lfirst(cell)));
		separator = ", ";
	}
	appendStringInfo(&query, " FROM %s", vfdw_qualified_name(layout->definition->source));
	return SPI_cursor_open_with_args(NULL, query.data, 0, NULL, NULL, NULL, true, 0);
}

static void
put_row(const Layout *layout, HeapTuple row, TupleDesc descriptor, size_t dimensions, Pairs *pairs)
{
	MemoryContext caller = MemoryContextSwitchTo(layout->row_context);
	uint64 hashes[2] = {0, 0};
	bool accepted = true;

	for (int i = 0; i < layout->count && accepted; i++)
	{
		bool isnull;
		Datum value = heap_getattr(row, i + 1, descriptor, &isnull);

		accepted = vfdw_hash_value(layout->prints[i], value, isnull, dimensions,
								   &hashes[i < layout->key_count ? 0 : 1]);
	}
	MemoryContextSwitchTo(caller);
	MemoryContextReset(layout->row_context);
	if (accepted)
		put_pair(pairs, hashes[0], hashes[1]);
}

static Pairs *
read_table(const Layout *layout, Portal portal, size_t dimensions)
{
	Pairs *pairs = make_pairs();

	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		SPI_cursor_fetch(portal, true, ROWS_PER_FETCH);
		if (SPI_processed == 0)
			break;
		for (uint64 i = 0; i < SPI_processed; i++)
			put_row(layout, SPI_tuptable->vals[i], SPI_tuptable->tupdesc, dimensions, pairs);
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(portal);
	tuplesort_performsort(pairs->sort);
	return pairs;
}

/* ---- what vectord has ---- */

static vfdw_reply *
wait_batch(const Copy *copy, uint64 id, const vfdw_error *error)
{
	vfdw_error unused;

	if (id == 0)
		vfdw_throw(error, &copy->options);
	return vfdw_wait_reply(copy->daemon->connection, copy->client, id, &copy->options, false,
						   &unused);
}

/* All rows, from the first on or after those of the batch. */
static vfdw_reply *
search_rows(const Copy *copy, const Layout *layout, const vfdw_rows *after)
{
	vfdw_search search = {0};
	vfdw_error error;

	search.collection = vfdw_name_collection(&copy->options, layout->definition->source);
	search.columns = layout->utf8_names;
	search.column_count = layout->count;
	search.consistency = VFDW_CONSISTENCY_EVENTUAL; /* it has been waited for */
	search.timeout_ms = copy->options.request_timeout_ms;
	if (after != NULL)
	{
		search.resume_generation = after->generation;
		search.resume_as_of = after->as_of;
		search.resume_distance_is_null = true;
		search.resume_row = after->last_row;
	}
	return wait_batch(copy, vfdw_client_send_search(copy->client, &search, &error), &error);
}

/* Begins to read; NULL if the daemon does not hold the collection. */
static Copy *
open_copy(const VfdwDaemon *daemon, const Layout *layout)
{
	VfdwListed listed = {.name = layout->definition->name};
	Copy *copy = palloc0(sizeof(Copy));
	const vfdw_collection_status *statuses;
	const vfdw_collection_status *status;
	size_t count;
	vfdw_error why;

	copy->daemon = daemon;
	copy->options = *daemon->options;
	copy->options.schema_name = get_namespace_name(get_rel_namespace(layout->definition->source));
	copy->options.collection = layout->definition->name;
	statuses = vfdw_ask_collections(daemon, layout->definition->name, &count, &why);
	if (statuses == NULL)
		vfdw_throw(&why, &copy->options);
	status = vfdw_find_status(statuses, count, &listed);
	if (status == NULL)
		return NULL;
	copy->dimensions = status->dimensions;
	copy->client = vfdw_endpoint_client(daemon->connection, daemon->number, daemon->options, &why);
	if (copy->client == NULL)
		vfdw_throw(&why, &copy->options);
	copy->reply = search_rows(copy, layout, NULL);
	return copy;
}

static void
put_batch(const Layout *layout, const vfdw_rows *rows, Pairs *pairs)
{
	MemoryContext caller = MemoryContextSwitchTo(layout->row_context);

	for (uint32 row = 0; row < rows->rows; row++)
	{
		uint64 hashes[2] = {0, 0};

		for (int i = 0; i < layout->count; i++)
			vfdw_hash_reply(layout->prints[i], rows, i, row,
							&hashes[i < layout->key_count ? 0 : 1]);
		MemoryContextReset(layout->row_context);
		put_pair(pairs, hashes[0], hashes[1]);
	}
	MemoryContextSwitchTo(caller);
}

static vfdw_reply *
next_batch(const Copy *copy, const Layout *layout, const vfdw_rows *rows)
{
	vfdw_error error;

	/* A cursor that the daemon did not keep is made up for by a new search. */
	if (rows->cursor == 0)
		return search_rows(copy, layout, rows);
	return wait_batch(copy,
					  vfdw_client_send_fetch(copy->client, rows->cursor, 0,
											 copy->options.request_timeout_ms, &error),
					  &error);
}

static Pairs *
read_copy(Copy *copy, const Layout *layout)
{
	Pairs *pairs = make_pairs();

	for (;;)
	{
		vfdw_reply *reply = copy->reply;
		const vfdw_rows *rows = vfdw_reply_rows(reply);
		bool complete;

		if (rows == NULL || rows->column_count != (size_t) layout->count ||
			(rows->rows == 0 && !rows->complete))
			elog(ERROR, "the daemon sent a reply that does not answer the request");
		put_batch(layout, rows, pairs);
		complete = rows->complete;
		copy->reply = complete ? NULL : next_batch(copy, layout, rows);
		vfdw_free_reply(reply);
		if (complete)
			return pairs;
	}
}

/* ---- the function ---- */

static const VfdwDefinition *
checked_definition(const char *name)
{
	const VfdwDefinition *definition = vfdw_find_definition(name);

	if (definition == NULL)
		ereport(ERROR, (errcode(ERRCODE_FDW_TABLE_NOT_FOUND),
						errmsg("collection \"%s\" does not exist", name),
						errhint("TABLE vector_fdw.collection shows those of this database.")));
	vfdw_check_source_owner(definition->source, name);
	return definition;
}

/* Returns what has to be unlocked. */
static List *
lock_source(Oid source)
{
	LockRelationOid(source, ShareLock);
	return find_all_inheritors(source, ShareLock, NULL);
}

static void
unlock_source(List *tables)
{
	ListCell *cell;

	foreach (cell, tables)
		UnlockRelationOid(lfirst_oid(cell), ShareLock);
}

static Differences
compare_all(const Layout *layout, List *copies, Portal portal)
{
	Differences found = {0};
	/* Daemons that hold rows agree on the dimensions, or their rows differ anyway. */
	Pairs *table = read_table(layout, portal, ((Copy *) linitial(copies))->dimensions);
	ListCell *cell;

	foreach (cell, copies)
	{
		Pairs *pairs = read_copy(lfirst(cell), layout);

		compare_pairs(table, pairs, &found);
		free_pairs(pairs);
	}
	free_pairs(table);
	return found;
}

static Differences
verify(const char *name, TimestampTz until)
{
	Differences found;
	List *copies = NIL;
	List *locked;
	List *daemons;
	Layout *layout;
	Portal portal;
	TimestampTz lock_until;
	ListCell *cell;

	/* Without the lock first, because a build takes long, and may itself wait for writers. */
	(void) vfdw_wait_for(name, vfdw_committed_by_now(), until);
	locked = lock_source(checked_definition(name)->source);
	layout = make_layout(checked_definition(name));
	lock_until = GetCurrentTimestamp() + VFDW_LONGEST_LOCK_S * USECS_PER_SEC;
	daemons = vfdw_wait_for(name, vfdw_committed_by_now(), Min(until, lock_until));

	PushActiveSnapshot(GetLatestSnapshot());
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	portal = open_table(layout);
	foreach (cell, daemons)
	{
		Copy *copy = open_copy(lfirst(cell), layout);

		if (copy != NULL)
			copies = lappend(copies, copy);
	}
	if (copies == NIL)
		ereport(ERROR, (errcode(ERRCODE_CANNOT_CONNECT_NOW),
						errmsg("no vector daemon has collection \"%s\"", name)));
	unlock_source(locked);
	found = compare_all(layout, copies, portal);
	SPI_finish();
	PopActiveSnapshot();
	return found;
}

Datum
vfdw_verify_collection(PG_FUNCTION_ARGS)
{
	char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	TimestampTz until = DatumGetTimestampTz(DirectFunctionCall2(
		timestamptz_pl_interval, TimestampTzGetDatum(GetCurrentTimestamp()), PG_GETARG_DATUM(1)));
	Differences found;
	TupleDesc descriptor;
	Datum values[3];
	bool nulls[3] = {false, false, false};

	if (get_call_result_type(fcinfo, NULL, &descriptor) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	(void) checked_definition(name);
	found = verify(name, until);
	values[0] = Int64GetDatum(found.missing);
	values[1] = Int64GetDatum(found.extra);
	values[2] = Int64GetDatum(found.different);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(descriptor), values, nulls)));
}

/*
 * stream.c
 *	  The rows of one search as a stream of batches.
 *
 * The first request asks for as many rows as the caller wants at first. If
 * more are wanted, they come from the cursor that the daemon keeps while rows
 * stand ready, or else by a new search that resumes exactly after the last row
 * and asks for twice as many. Nothing but the first request is ever sent for a
 * caller who stops in time.
 *
 * Replies are kept for a rewind as long as they fit into work_mem.
 *
 * A stream owns its request under way, its cursor and its replies; a callback
 * of its memory context gives them up, whether the scan ended or failed.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "fdw/connection.h"
#include "fdw/stream.h"

/* Least rows of a continuation: a round trip costs more than these. */
#define LEAST_ROWS_CONTINUED 64

struct VfdwStream
{
	const VfdwRequest *request;
	MemoryContext context;
	MemoryContextCallback callback;
	VfdwConnection *connection;
	vfdw_client *client; /* that was asked last */
	uint64 connects;	 /* of the client then: the connection that the cursor belongs to */
	uint64 pending;		 /* request under way; 0: none */
	uint64 cursor;		 /* 0: none */
	uint64 rows_asked;	 /* by the last search */
	bool started;		 /* the first request was sent, or could not be */
	bool ended;			 /* the daemon has no more */
	bool answered;		 /* a batch came since the first request */
	bool unavailable;
	vfdw_error failure;

	/* Where a continuation begins: after the last row that came. */
	uint64 generation;
	uint64 as_of;
	double last_distance;
	bool last_distance_is_null;
	uint64 last_row;

	/* Replies so far; all of them while all_kept, else only the last. */
	vfdw_reply **replies;
	int reply_count;
	int reply_room;
	int next_reply; /* to be handed out */
	bool all_kept;
	Size kept_bytes;

	VfdwStreamStats stats;
};

/*
 * Gives up what the daemon holds for this stream. Does not fail, also while an
 * error is handled: clients stay valid until the transaction's end.
 */
static void
give_up(VfdwStream *stream)
{
	if (stream->pending != 0)
		vfdw_client_forget(stream->client, stream->pending);
	if (stream->cursor != 0 && vfdw_client_connects(stream->client) == stream->connects)
		vfdw_client_close_cursor(stream->client, stream->cursor);
	stream->pending = 0;
	stream->cursor = 0;
}

static void
context_goes_away(void *arg)
{
	give_up((VfdwStream *) arg);
}

VfdwStream *
vfdw_stream_open(const VfdwRequest *request, MemoryContext parent)
{
	MemoryContext context =
		AllocSetContextCreate(parent, "vector_fdw stream", ALLOCSET_SMALL_SIZES);
	VfdwStream *stream = MemoryContextAllocZero(context, sizeof(VfdwStream));

	stream->request = request;
	stream->context = context;
	stream->all_kept = true;
	stream->callback.func = context_goes_away;
	stream->callback.arg = stream;
	MemoryContextRegisterResetCallback(context, &stream->callback);
	return stream;
}

static uint64
send_search(VfdwStream *stream, bool resume, vfdw_error *error)
{
	const VfdwRequest *request = stream->request;
	const VfdwOptions *options = request->options;
	vfdw_search search = {
		.collection = request->collection,
		.vector_column = request->vector_column,
		.metric = request->query != NULL ? (int) request->metric : 0,
		.query = request->query,
		.dimensions = request->query != NULL ? request->dimensions : 0,
		.k = request->query != NULL ? stream->rows_asked : 0,
		.columns = request->columns,
		.column_count = request->column_count,
		.batch_rows = options->fetch_size,
		.ef_search = options->ef_search,
		.nprobe = options->nprobe,
		.target_recall = options->target_recall,
		.exact = request->exact,
		.consistency = options->consistency,
		.min_lsn = request->min_lsn,
		.hold = request->hold,
		.filter = request->filter,
		.filter_count = request->filter_count,
		.range = request->query != NULL ? request->range : VFDW_RANGE_NONE,
		.max_distance = request->farthest,
		.count_only = request->count_only,
		.timeout_ms = options->request_timeout_ms,
	};

	/* In no order any rows will do, so the first batch is as small as what is wanted. */
	if (request->query == NULL && request->rows != 0 && !resume &&
		(search.batch_rows == 0 || request->rows < search.batch_rows))
		search.batch_rows = (uint32_t) Min(request->rows, PG_UINT32_MAX);
	if (resume)
	{
		search.resume_generation = stream->generation;
		search.resume_as_of = stream->as_of;
		search.resume_distance = stream->last_distance;
		search.resume_distance_is_null = stream->last_distance_is_null;
		search.resume_row = stream->last_row;
	}
	stream->connects = vfdw_client_connects(stream->client);
	return vfdw_client_send_search(stream->client, &search, error);
}

/* The client to send with, or NULL when the daemon is away and the caller can do without. */
static vfdw_client *
need_client(VfdwStream *stream, bool tolerant)
{
	const VfdwRequest *request = stream->request;
	MemoryContext old_context = MemoryContextSwitchTo(stream->context);
	vfdw_client *client;

	stream->connection = vfdw_connection(request->options, request->userid);
	client =
		vfdw_connected_client(stream->connection, request->options, tolerant, &stream->failure);
	MemoryContextSwitchTo(old_context);
	return client;
}

static void
note_failure(VfdwStream *stream, bool tolerant)
{
	int code = stream->failure.code;

	if (tolerant && (code == VFDW_ERR_UNAVAILABLE || code == VFDW_ERR_CONNECTION_LOST))
		stream->unavailable = true;
	else
		vfdw_throw(&stream->failure, stream->request->options);
}

void
vfdw_stream_send(VfdwStream *stream)
{
	bool tolerant = stream->request->tolerant;

	if (stream->started)
		return;
	stream->started = true;
	stream->ended = stream->request->nothing;
	if (stream->ended)
		return;
	stream->rows_asked = stream->request->rows;
	stream->client = need_client(stream, tolerant);
	if (stream->client == NULL)
	{
		stream->unavailable = true;
		return;
	}
	stream->pending = send_search(stream, false, &stream->failure);
	if (stream->pending == 0)
		note_failure(stream, tolerant);
}

/* Asks for what comes after the last batch. */
static void
send_continuation(VfdwStream *stream)
{
	vfdw_client *client = need_client(stream, false);
	const VfdwOptions *options = stream->request->options;

	if (stream->cursor != 0 && client == stream->client &&
		vfdw_client_connects(client) == stream->connects)
		stream->pending = vfdw_client_send_fetch(client, stream->cursor, options->fetch_size,
												 options->request_timeout_ms, &stream->failure);
	else
	{
		/* A cursor of a connection that is gone is gone with it; the position is still true. */
		stream->cursor = 0;
		stream->client = client;
		if (stream->rows_asked != 0)
			stream->rows_asked =
				Max(LEAST_ROWS_CONTINUED,
					stream->rows_asked > PG_INT64_MAX / 2 ? PG_INT64_MAX : stream->rows_asked * 2);
		stream->pending = send_search(stream, true, &stream->failure);
	}
	if (stream->pending == 0)
		note_failure(stream, false);
}

/* Bytes of a batch, as far as they grow with the rows. */
static Size
bytes_of(const vfdw_rows *rows)
{
	Size bytes = sizeof(double) * (Size) rows->rows;

	for (size_t i = 0; i < rows->column_count; i++)
	{
		const vfdw_column *column = &rows->columns[i];

		if (column->ends != NULL)
			bytes += (Size) rows->rows * sizeof(uint32) + column->ends[rows->rows];
		else if (column->encoding == VFDW_ENCODING_VECTOR)
			bytes += (Size) rows->rows * rows->dimensions * sizeof(float);
		else
			bytes += (Size) rows->rows * sizeof(double);
	}
	return bytes;
}

static void
free_replies(VfdwStream *stream)
{
	for (int i = 0; i < stream->reply_count; i++)
		vfdw_free_reply(stream->replies[i]);
	stream->reply_count = 0;
	stream->next_reply = 0;
	stream->kept_bytes = 0;
}

static void
keep_reply(VfdwStream *stream, vfdw_reply *reply, const vfdw_rows *rows)
{
	if (!stream->all_kept || stream->kept_bytes + bytes_of(rows) > work_mem * (Size) 1024)
	{
		/* The first batch alone may be too large; it is kept while it is the last. */
		stream->all_kept = stream->reply_count == 0 && stream->all_kept;
		free_replies(stream);
	}
	if (stream->reply_count == stream->reply_room)
	{
		int room = Max(4, stream->reply_room * 2);

		stream->replies = stream->replies == NULL
							  ? MemoryContextAlloc(stream->context, room * sizeof(vfdw_reply *))
							  : repalloc(stream->replies, room * sizeof(vfdw_reply *));
		stream->reply_room = room;
	}
	stream->replies[stream->reply_count++] = reply;
	stream->kept_bytes += bytes_of(rows);
}

/* Takes over what a batch says beside its rows. */
static void
note_batch(VfdwStream *stream, const vfdw_rows *rows)
{
	VfdwStreamStats *stats = &stream->stats;

	stream->answered = true;
	stream->cursor = rows->cursor;
	stream->ended = rows->complete;
	stream->generation = rows->generation;
	stream->as_of = rows->as_of;
	if (rows->rows > 0)
	{
		stream->last_row = rows->last_row;
		stream->last_distance_is_null = rows->ordered_rows < rows->rows;
		if (!stream->last_distance_is_null && rows->distances != NULL)
			stream->last_distance = rows->distances[rows->rows - 1];
	}
	if (stats->round_trips++ == 0)
	{
		stats->effort = rows->effort;
		strlcpy(stats->strategy, rows->strategy, sizeof(stats->strategy));
		strlcpy(stats->index, rows->index, sizeof(stats->index));
	}
	stats->engine_us += rows->engine_us;
	stats->waited_us += rows->waited_us;
	stats->candidates += rows->candidates;
	vfdw_remember_rows(stream->request->options->tableid, (double) rows->collection_rows);
}

/*
 * Waits for the request under way. NULL: the daemon is away and the caller can
 * do without. A cursor that the daemon gave up, being idle for too long or one
 * of too many, is replaced by a search: what it began with may still be there.
 */
static vfdw_reply *
wait_for_batch(VfdwStream *stream)
{
	const VfdwOptions *options = stream->request->options;
	bool tolerant = stream->request->tolerant && !stream->answered;
	uint64 pending = stream->pending;
	vfdw_reply *reply;

	/* Both of the following drop the request themselves when they fail. */
	stream->pending = 0;
	if (stream->cursor == 0)
		return vfdw_wait_reply(stream->connection, stream->client, pending, options, tolerant,
							   &stream->failure);
	reply = vfdw_try_reply(stream->connection, stream->client, pending, options->request_timeout_ms,
						   &stream->failure);
	if (reply != NULL)
		return reply;
	if (stream->failure.code != VFDW_ERR_SNAPSHOT_TOO_OLD)
		vfdw_throw(&stream->failure, options);
	stream->cursor = 0;
	send_continuation(stream);
	return wait_for_batch(stream);
}

/* False: the daemon is away and the caller can do without. */
static bool
receive_batch(VfdwStream *stream)
{
	MemoryContext old_context = MemoryContextSwitchTo(stream->context);
	vfdw_reply *reply = wait_for_batch(stream);
	const vfdw_rows *rows;

	MemoryContextSwitchTo(old_context);
	if (reply == NULL)
	{
		stream->unavailable = true;
		return false;
	}
	rows = vfdw_reply_rows(reply);
	if (rows == NULL || rows->column_count != (size_t) stream->request->column_count ||
		(rows->rows == 0 && !rows->complete) ||
		(stream->request->query != NULL && rows->ordered_rows > 0 && rows->distances == NULL))
		ereport(
			ERROR,
			(errcode(ERRCODE_FDW_UNABLE_TO_CREATE_REPLY),
			 errmsg("vector daemon of server \"%s\" sent a reply that does not answer the request",
					stream->request->options->server_name),
			 errhint("Install the same version of vector_fdw and vectord.")));
	note_batch(stream, rows);
	keep_reply(stream, reply, rows);
	return true;
}

VfdwStreamResult
vfdw_stream_next(VfdwStream *stream, const vfdw_rows **rows)
{
	if (stream->next_reply == stream->reply_count)
	{
		if (stream->ended)
			return VFDW_STREAM_END;
		vfdw_stream_send(stream);
		if (stream->ended)
			return VFDW_STREAM_END;
		if (stream->unavailable)
			return VFDW_STREAM_UNAVAILABLE;
		if (stream->pending == 0)
			send_continuation(stream);
		if (!receive_batch(stream))
			return VFDW_STREAM_UNAVAILABLE;
	}
	*rows = vfdw_reply_rows(stream->replies[stream->next_reply++]);
	return VFDW_STREAM_BATCH;
}

void
vfdw_stream_reset(VfdwStream *stream)
{
	give_up(stream);
	free_replies(stream);
	stream->started = false;
	stream->answered = false;
	stream->ended = false;
	stream->unavailable = false;
	stream->all_kept = true;
	stream->rows_asked = 0;
}

void
vfdw_stream_rewind(VfdwStream *stream)
{
	if (stream->all_kept)
		stream->next_reply = 0;
	else
		vfdw_stream_reset(stream);
}

void
vfdw_stream_close(VfdwStream *stream)
{
	/* The context's callbacks give up what is held. */
	MemoryContextDelete(stream->context);
}

const VfdwStreamStats *
vfdw_stream_stats(const VfdwStream *stream)
{
	return &stream->stats;
}

const vfdw_error *
vfdw_stream_failure(const VfdwStream *stream)
{
	return &stream->failure;
}

/*
 * view_funcs.c
 *	  What a session may ask about its daemons: vector_fdw.stat_collections,
 *	  vector_fdw.stat_daemon, and disconnect().
 *
 * A daemon that cannot be reached never makes a view fail: it becomes a row
 * with the state "unreachable" and the reason. Columns are as in
 * sql/vector_fdw.sql; the enums below name their positions.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/pg_lsn.h"
#include "utils/timestamp.h"

#include "fdw/connection.h"
#include "fdw/daemon_list.h"
#include "fdw/row_set.h"

PG_FUNCTION_INFO_V1(vfdw_stat_collections);
PG_FUNCTION_INFO_V1(vfdw_stat_daemon);
PG_FUNCTION_INFO_V1(vfdw_disconnect);

enum CollectionColumn
{
	C_SERVER,
	C_SCHEMA_NAME,
	C_NAME,
	C_STATE,
	C_ROWS,
	C_DELETED_ROWS,
	C_NULL_VECTORS,
	C_REJECTED_ROWS,
	C_DIMENSIONS,
	C_METRIC,
	C_INDEX,
	C_SEGMENTS,
	C_MEMORY_BYTES,
	C_DISK_BYTES,
	C_APPLIED_LSN,
	C_LAG_BYTES,
	C_LAG_MS,
	C_PHASE,
	C_PHASE_DONE,
	C_PHASE_TOTAL,
	C_BUILDS,
	C_LAST_ERROR,
	C_SERVING,
	C_EFFORT,
	C_MEASURED_RECALL,
	C_DEFINITION_ID,
	C_ENDPOINT,
	COLLECTION_COLUMNS
};

enum DaemonColumn
{
	D_SERVER,
	D_ENDPOINT,
	D_VERSION,
	D_PROTOCOL_VERSION,
	D_PID,
	D_STARTED_AT,
	D_MEMORY_BYTES,
	D_MEMORY_LIMIT,
	D_CONNECTIONS,
	D_REQUESTS,
	D_ERRORS,
	D_SEARCH_P50_US,
	D_SEARCH_P99_US,
	D_NAME,
	D_STATE,
	D_RESIDENT_BYTES,
	D_LAST_ERROR,
	DAEMON_COLUMNS
};

/* A row in the making: all columns are NULL until they are set. */
typedef struct Row
{
	Datum values[Max((int) COLLECTION_COLUMNS, (int) DAEMON_COLUMNS)];
	bool nulls[Max((int) COLLECTION_COLUMNS, (int) DAEMON_COLUMNS)];
} Row;

static void
set_datum(Row *row, int column, Datum value)
{
	row->values[column] = value;
	row->nulls[column] = false;
}

static void
set_text(Row *row, int column, const char *text)
{
	if (text != NULL && text[0] != '\0')
		set_datum(row, column, CStringGetTextDatum(text));
}

static void
set_utf8(Row *row, int column, const char *utf8)
{
	set_text(row, column, vfdw_printable(utf8));
}

static void
set_count(Row *row, int column, uint64 value)
{
	set_datum(row, column, Int64GetDatum((int64) Min(value, (uint64) PG_INT64_MAX)));
}

static void
start_row(Row *row)
{
	memset(row->values, 0, sizeof(row->values));
	memset(row->nulls, true, sizeof(row->nulls));
}

static void
emit(ReturnSetInfo *result, Row *row)
{
	tuplestore_putvalues(result->setResult, result->setDesc, row->values, row->nulls);
}

static char *
error_line(const vfdw_error *error)
{
	char *message = vfdw_printable(error->message);

	return error->detail[0] != '\0' ? psprintf("%s: %s", message, vfdw_printable(error->detail))
									: message;
}

/* ---- vector_fdw.stat_collections ---- */

static void
start_collection_row(Row *row, const VfdwDaemon *daemon)
{
	start_row(row);
	set_text(row, C_SERVER, daemon->options->server_name);
	set_text(row, C_ENDPOINT, vfdw_endpoint_name(daemon->connection, daemon->number));
}

static void
emit_reported(ReturnSetInfo *result, const VfdwDaemon *daemon, const vfdw_collection_status *s)
{
	Row row;

	start_collection_row(&row, daemon);
	set_utf8(&row, C_SCHEMA_NAME, s->schema);
	set_utf8(&row, C_NAME, s->name);
	set_utf8(&row, C_STATE, s->state);
	set_count(&row, C_ROWS, s->rows);
	set_count(&row, C_DELETED_ROWS, s->deleted_rows);
	set_count(&row, C_NULL_VECTORS, s->null_vectors);
	set_count(&row, C_REJECTED_ROWS, s->rejected_rows);
	set_datum(&row, C_DIMENSIONS, Int32GetDatum((int32) s->dimensions));
	set_utf8(&row, C_METRIC, s->metric);
	set_utf8(&row, C_INDEX, s->index);
	set_datum(&row, C_SEGMENTS, Int32GetDatum((int32) s->segments));
	set_count(&row, C_MEMORY_BYTES, s->memory_bytes);
	set_count(&row, C_DISK_BYTES, s->disk_bytes);
	if (s->applied_lsn != 0)
		set_datum(&row, C_APPLIED_LSN, LSNGetDatum(s->applied_lsn));
	set_count(&row, C_LAG_BYTES, s->lag_bytes);
	set_count(&row, C_LAG_MS, s->lag_ms);
	set_utf8(&row, C_PHASE, s->phase);
	set_count(&row, C_PHASE_DONE, s->phase_done);
	set_count(&row, C_PHASE_TOTAL, s->phase_total);
	set_count(&row, C_BUILDS, s->builds);
	set_utf8(&row, C_LAST_ERROR, s->last_error);
	set_datum(&row, C_SERVING, BoolGetDatum(s->serving));
	set_datum(&row, C_EFFORT, Int32GetDatum((int32) s->effort));
	if (s->measured_recall > 0)
		set_datum(&row, C_MEASURED_RECALL, Float8GetDatum(s->measured_recall));
	set_utf8(&row, C_DEFINITION_ID, s->definition_id);
	emit(result, &row);
}

/* A definition of which the daemon has told nothing. */
static void
emit_defined(ReturnSetInfo *result, const VfdwDaemon *daemon, const VfdwListed *definition,
			 const char *state, const char *phase, const char *last_error)
{
	Row row;

	start_collection_row(&row, daemon);
	set_text(&row, C_SCHEMA_NAME, definition->schema);
	set_text(&row, C_NAME, definition->name);
	set_text(&row, C_STATE, state);
	set_text(&row, C_METRIC, definition->metric);
	set_text(&row, C_INDEX, definition->index);
	set_text(&row, C_PHASE, phase);
	set_text(&row, C_LAST_ERROR, last_error);
	set_datum(&row, C_SERVING, BoolGetDatum(false));
	set_text(&row, C_DEFINITION_ID, definition->definition_id);
	emit(result, &row);
}

static void
emit_unreachable(ReturnSetInfo *result, const VfdwDaemon *daemon, List *definitions,
				 const vfdw_error *why)
{
	char *last_error = error_line(why);
	ListCell *cell;
	Row row;

	if (daemon->is_local)
	{
		foreach (cell, definitions)
			emit_defined(result, daemon, lfirst(cell), "unreachable", NULL, last_error);
		return;
	}
	/* What the other database has defined is not known here. */
	start_collection_row(&row, daemon);
	set_text(&row, C_STATE, "unreachable");
	set_text(&row, C_LAST_ERROR, last_error);
	emit(result, &row);
}

static void
emit_collections_of(ReturnSetInfo *result, VfdwDaemon *daemon, List *definitions)
{
	const vfdw_collection_status *statuses;
	size_t count;
	vfdw_error why;
	ListCell *cell;

	statuses = vfdw_ask_collections(daemon, NULL, &count, &why);
	if (statuses == NULL)
	{
		emit_unreachable(result, daemon, definitions, &why);
		return;
	}
	for (size_t i = 0; i < count; i++)
		emit_reported(result, daemon, &statuses[i]);
	if (!daemon->is_local)
		return;
	foreach (cell, definitions)
		if (vfdw_find_status(statuses, count, lfirst(cell)) == NULL &&
			vfdw_is_meant_to_hold(daemon, lfirst(cell)))
			emit_defined(result, daemon, lfirst(cell), "copying", "waiting for vectord", NULL);
}

Datum
vfdw_stat_collections(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = vfdw_start_rows(fcinfo);
	List *definitions = vfdw_list_definitions(NULL);
	ListCell *cell;

	foreach (cell, vfdw_list_daemons())
		emit_collections_of(result, lfirst(cell), definitions);
	return (Datum) 0;
}

/* ---- vector_fdw.stat_daemon ---- */

static TimestampTz
timestamp_of_unix_us(int64 us)
{
	return us - (int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
}

static void
emit_daemon(ReturnSetInfo *result, const VfdwDaemon *daemon)
{
	const vfdw_daemon_status *s;
	vfdw_error why;
	Row row;

	start_row(&row);
	set_text(&row, D_SERVER, daemon->options->server_name);
	set_text(&row, D_ENDPOINT, vfdw_endpoint_name(daemon->connection, daemon->number));
	s = vfdw_ask_daemon(daemon, &why);
	if (s == NULL)
	{
		set_text(&row, D_STATE, "unreachable");
		set_text(&row, D_LAST_ERROR, error_line(&why));
		emit(result, &row);
		return;
	}
	set_text(&row, D_STATE, "running");
	set_utf8(&row, D_NAME, s->name);
	set_utf8(&row, D_VERSION, s->version);
	set_datum(&row, D_PROTOCOL_VERSION, Int32GetDatum((int32) s->protocol_version));
	set_datum(&row, D_PID, Int32GetDatum((int32) s->pid));
	set_datum(&row, D_STARTED_AT, TimestampTzGetDatum(timestamp_of_unix_us(s->started_at_us)));
	set_count(&row, D_MEMORY_BYTES, s->memory_bytes);
	set_count(&row, D_MEMORY_LIMIT, s->memory_limit);
	set_count(&row, D_CONNECTIONS, s->connections);
	set_count(&row, D_REQUESTS, s->requests);
	set_count(&row, D_ERRORS, s->errors);
	set_count(&row, D_SEARCH_P50_US, s->search_p50_us);
	set_count(&row, D_SEARCH_P99_US, s->search_p99_us);
	set_count(&row, D_RESIDENT_BYTES, s->resident_bytes);
	emit(result, &row);
}

Datum
vfdw_stat_daemon(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = vfdw_start_rows(fcinfo);
	ListCell *cell;

	foreach (cell, vfdw_list_daemons())
		emit_daemon(result, lfirst(cell));
	return (Datum) 0;
}

/* ---- vector_fdw.disconnect() ---- */

Datum
vfdw_disconnect(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(vfdw_disconnect_all());
}

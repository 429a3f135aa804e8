/*
 * wait_for_collection.c
 *	  vector_fdw.wait_for_collection(): until daemons have what is committed.
 *
 * Every daemon that follows this database and that the user may ask is waited
 * for, with two exceptions, so that one server definition too many does not
 * make waiting impossible. A daemon that cannot be reached is left out, with a
 * NOTICE, as long as another one can. A daemon that has not heard of the
 * collection (it may follow other databases only) is left out once another is
 * ready and it has had time to hear of it.
 *
 * A failure that vectord expects to get over is waited out, and raised when the
 * time is over; one that needs the user is raised once it has stood long enough
 * to be no old news. A stream that does not move shows in that the wait does not
 * end: what vectord says of it goes into the error.
 *
 * The definition is read anew before each round, because it may be altered
 * while we wait: what counts is the newest.
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/dbcommands.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "fdw/connection.h"
#include "fdw/daemon_list.h"
#include "fdw/link.h"
#include "fdw/wal_position.h"

/* A change of the catalog is noticed within a second; this is generous. */
#define VFDW_NOTICE_TIME_MS 3000
/* vectord tries again each 10 s what needs the user, who may have put it right before the wait. */
#define VFDW_RETRIED_TIME_MS  12000
#define VFDW_FIRST_PAUSE_MS	  5
#define VFDW_LONGEST_PAUSE_MS 50

PG_FUNCTION_INFO_V1(vfdw_wait_for_collection);

/* What a daemon in the state "error" says. */
typedef struct Failure
{
	const char *sqlstate; /* static, as is the hint */
	const char *hint;
	bool needs_user;
	char *text;
} Failure;

typedef struct WaitState
{
	const char *name;
	XLogRecPtr target;
	TimestampTz until;
	instr_time start;
	List *daemons; /* of VfdwDaemon, without those that cannot be reached */
	/* of the last round */
	int ready;
	int pending;
	int missing;
	char *progress; /* of a daemon that is not ready */
	Failure *failure;
	/* of all rounds */
	bool asked;
	bool was_tried; /* to build this, before the wait began, so a failure may be of that */
	bool failing;	/* there was a failure in each, since then */
	instr_time failing_since;
	bool told; /* that it is waited out */
} WaitState;

static VfdwListed *
current_definition(const char *name)
{
	List *definitions = vfdw_list_definitions(name);
	VfdwListed *definition;

	if (definitions == NIL)
		ereport(ERROR, (errcode(ERRCODE_FDW_TABLE_NOT_FOUND),
						errmsg("collection \"%s\" does not exist", name),
						errdetail("This database has no definition of that name."),
						errhint("Create it with vector_fdw.create_collection(), and see "
								"vector_fdw.collection for those that exist.")));
	definition = linitial(definitions);
	if (definition->uncommitted)
		ereport(ERROR, (errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
						errmsg("collection \"%s\" was defined by this very transaction", name),
						errdetail("vectord sees definitions only after they are committed."),
						errhint("Commit first, and wait in a statement of its own.")));
	if (!definition->loaded)
		ereport(ERROR,
				(errcode(ERRCODE_CANNOT_CONNECT_NOW), errmsg("collection \"%s\" is unloaded", name),
				 errdetail("Its definition is kept, its memory was freed."),
				 errhint("Load it with vector_fdw.load_collection().")));
	return definition;
}

static List *
local_daemons(void)
{
	List *daemons = NIL;
	const char *forbidden;
	ListCell *cell;

	foreach (cell, vfdw_list_daemons())
		if (((VfdwDaemon *) lfirst(cell))->is_local)
			daemons = lappend(daemons, lfirst(cell));
	if (daemons == NIL && (forbidden = vfdw_forbidden_server()) != NULL)
		ereport(
			ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied for foreign server %s", forbidden),
			 errdetail("To ask the vectord of this database for a state needs USAGE on a server "
					   "that tells where it is."),
			 errhint("Use GRANT USAGE ON FOREIGN SERVER %s TO %s.", quote_identifier(forbidden),
					 quote_identifier(GetUserNameFromId(GetUserId(), false)))));
	if (daemons == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("no server tells where the vectord of this database is"),
				 errdetail("There is no server of the wrapper vector_fdw for database \"%s\" that "
						   "you may use.",
						   get_database_name(MyDatabaseId)),
				 errhint("Use CREATE SERVER vectord FOREIGN DATA WRAPPER vector_fdw OPTIONS "
						 "(endpoint 'ipc:///run/vectord/vectord.sock').")));
	return daemons;
}

static void
throw_failure(const WaitState *state)
{
	const char *s = state->failure->sqlstate;

	ereport(ERROR, (errcode(MAKE_SQLSTATE(s[0], s[1], s[2], s[3], s[4])),
					errmsg("vectord could not build collection \"%s\"", state->name),
					errdetail_internal("%s", state->failure->text),
					errhint("%s vectord tries again by itself.", state->failure->hint)));
}

static void
note_failure(WaitState *state, const vfdw_collection_status *status)
{
	Failure *failure = palloc(sizeof(Failure));

	/* That which needs the user counts, whatever another daemon says. */
	if (state->failure != NULL && state->failure->needs_user)
		return;
	failure->sqlstate = status->failure_sqlstate;
	failure->hint = status->failure_hint;
	failure->needs_user = status->needs_user;
	failure->text = vfdw_printable(status->last_error);
	state->failure = failure;
}

/* What stands for a moment only may be of before the last change. */
static void
heed_failure(WaitState *state)
{
	if (state->failure == NULL)
	{
		state->failing = false;
		return;
	}
	if (!state->failing)
		INSTR_TIME_SET_CURRENT(state->failing_since);
	state->failing = true;
	if (vfdw_elapsed_ms(state->failing_since) < (state->failure->needs_user && state->was_tried
													 ? VFDW_RETRIED_TIME_MS
													 : VFDW_NOTICE_TIME_MS))
		return;
	if (state->failure->needs_user)
		throw_failure(state);
	if (!state->told)
		ereport(NOTICE, (errmsg("vectord could not build collection \"%s\" yet", state->name),
						 errdetail_internal("%s", state->failure->text),
						 errhint("It tries again by itself, and is waited for.")));
	state->told = true;
}

static char *
describe_progress(const VfdwDaemon *daemon, const vfdw_collection_status *status, bool current)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfo(&text, "Server \"%s\" says \"%s\"", daemon->options->server_name,
					 vfdw_printable(status->state));
	if (status->phase[0] != '\0')
		appendStringInfo(&text, ", phase \"%s\"", vfdw_printable(status->phase));
	if (status->phase_total > 0)
		appendStringInfo(&text, ", " UINT64_FORMAT " of " UINT64_FORMAT " done",
						 (uint64) status->phase_done, (uint64) status->phase_total);
	if (!current)
		appendStringInfoString(&text, ", of an older definition");
	if (status->applied_lsn != 0)
		appendStringInfo(&text, ", applied up to %X/%X", LSN_FORMAT_ARGS(status->applied_lsn));
	appendStringInfoChar(&text, '.');
	if (status->last_error[0] != '\0')
		appendStringInfo(&text, " It says: %s", vfdw_printable(status->last_error));
	return text.data;
}

static void
judge(WaitState *state, const VfdwDaemon *daemon, const VfdwListed *definition,
	  const vfdw_collection_status *status)
{
	bool current = strcmp(status->definition_id, definition->definition_id) == 0;

	if (current && strcmp(status->state, "error") == 0)
		note_failure(state, status);
	/* A daemon that does not follow the table says 0: there is nothing to be waited for. */
	if (current && strcmp(status->state, "ready") == 0 &&
		(status->applied_lsn == 0 || status->applied_lsn >= state->target))
	{
		state->ready++;
		return;
	}
	state->was_tried = state->was_tried || (current && !state->asked);
	state->pending++;
	state->progress = describe_progress(daemon, status, current);
}

static void
leave_out(WaitState *state, VfdwDaemon *daemon, const vfdw_error *why)
{
	if (list_length(state->daemons) == 1)
		vfdw_throw(why, daemon->options);
	state->daemons = list_delete_ptr(state->daemons, daemon);
	ereport(NOTICE, (errmsg("not waiting for the vector daemon at %s of server \"%s\"",
							vfdw_endpoint_name(daemon->connection, daemon->number),
							daemon->options->server_name),
					 errdetail_internal("%s", vfdw_printable(why->detail))));
}

/* Asks each daemon once, and counts what they say. */
static void
ask_all(WaitState *state)
{
	VfdwListed *definition = current_definition(state->name);
	List *asked = list_copy(state->daemons);
	ListCell *cell;

	state->ready = state->pending = state->missing = 0;
	state->progress = NULL;
	state->failure = NULL;
	foreach (cell, asked)
	{
		VfdwDaemon *daemon = lfirst(cell);
		const vfdw_collection_status *statuses;
		const vfdw_collection_status *status;
		size_t count;
		vfdw_error why;

		statuses = vfdw_ask_collections(daemon, state->name, &count, &why);
		if (statuses == NULL)
		{
			/* A daemon that went away in mid-request may be restarting: it is asked again. */
			if (why.code == VFDW_ERR_CONNECTION_LOST || why.code == VFDW_ERR_SHUTTING_DOWN)
				state->pending++;
			else
				leave_out(state, daemon, &why);
			continue;
		}
		status = vfdw_find_status(statuses, count, definition);
		if (status != NULL)
			judge(state, daemon, definition, status);
		else if (vfdw_is_meant_to_hold(daemon, definition))
			state->missing++;
	}
	state->asked = true;
}

static bool
is_over(const WaitState *state)
{
	if (state->pending > 0 || state->ready == 0)
		return false;
	return state->missing == 0 || vfdw_elapsed_ms(state->start) >= VFDW_NOTICE_TIME_MS;
}

static void
throw_timeout(const WaitState *state)
{
	bool wrote = TransactionIdIsValid(GetTopTransactionIdIfAny());

	if (state->failure != NULL)
		throw_failure(state);
	ereport(ERROR,
			(errcode(ERRCODE_CANNOT_CONNECT_NOW),
			 errmsg("collection \"%s\" is not ready yet", state->name),
			 errdetail_internal("%s", state->progress != NULL ? state->progress
															  : "No daemon has heard of it."),
			 wrote ? errhint("This transaction has written; vectord may be waiting for its end.")
			 : state->progress != NULL
				 ? errhint("Wait longer, and see vector_fdw.stat_collections.")
				 : errhint("Check that vectord has a [[source]] for this database, and the "
						   "collection's \"daemon\".")));
}

List *
vfdw_wait_for(const char *name, XLogRecPtr target, TimestampTz until)
{
	WaitState state = {.name = name, .target = target, .until = until};
	long pause_ms = VFDW_FIRST_PAUSE_MS;
	MemoryContext round;
	MemoryContext caller;

	INSTR_TIME_SET_CURRENT(state.start);
	(void) current_definition(state.name);
	state.daemons = local_daemons();

	/* The list of daemons only shrinks, so it may stay in the context of the call. */
	round = AllocSetContextCreate(CurrentMemoryContext, "vector_fdw wait", ALLOCSET_SMALL_SIZES);
	for (;;)
	{
		caller = MemoryContextSwitchTo(round);
		ask_all(&state);
		MemoryContextSwitchTo(caller);
		heed_failure(&state);
		if (is_over(&state))
			break;
		if (GetCurrentTimestamp() >= state.until)
			throw_timeout(&state);
		vfdw_sleep(pause_ms);
		pause_ms = Min(pause_ms * 2, VFDW_LONGEST_PAUSE_MS);
		MemoryContextReset(round);
	}
	MemoryContextDelete(round);
	return state.daemons;
}

Datum
vfdw_wait_for_collection(PG_FUNCTION_ARGS)
{
	TimestampTz until = DatumGetTimestampTz(DirectFunctionCall2(
		timestamptz_pl_interval, TimestampTzGetDatum(GetCurrentTimestamp()), PG_GETARG_DATUM(1)));

	(void) vfdw_wait_for(text_to_cstring(PG_GETARG_TEXT_PP(0)), vfdw_committed_by_now(), until);
	PG_RETURN_VOID();
}

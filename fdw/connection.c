/*
 * connection.c
 *	  The session's connections to vectord, and waiting for a reply.
 *
 * One VfdwConnection per server and user; it holds a link per endpoint
 * (link.c). The first endpoint that answers is kept for the next request.
 *
 * A vfdw_client that was handed out stays valid until the end of the
 * transaction, although ALTER SERVER or a changed user mapping may make its
 * connection stale before: links of a stale connection are retired, and closed
 * once the transaction has ended. Memory contexts of an aborted transaction
 * are reset after our transaction callback, and their callbacks still forget
 * requests; so after an abort retired links are closed by the next use only.
 *
 * Not here: what to ask (deparse.c) and the wire format (shared/).
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/reloptions.h"
#include "access/xact.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_user_mapping.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "fdw/connection.h"
#include "fdw/daemon_error.h"
#include "fdw/link.h"

/* Between two looks whether a daemon that restarts listens again. */
#define VFDW_PROBE_INTERVAL_MS 20

typedef struct ConnectionKey
{
	Oid serverid;
	Oid userid;
} ConnectionKey;

struct VfdwConnection
{
	ConnectionKey key;	   /* hash key, must be first */
	MemoryContext context; /* NULL: not set up */
	VfdwLink *links;
	int link_count;
	int last_good; /* tried first */
	uint32 server_hash;
	uint32 mapping_hash; /* 0: has no mapping */
	bool stale;
};

/* Links of a connection that went stale, to be closed when nobody can refer to them any more. */
typedef struct RetiredLinks
{
	ConnectionKey key;
	MemoryContext context;
	VfdwLink *links;
	int link_count;
	uint64 transaction; /* in which they were retired */
	bool may_return;	/* only the endpoints were others than those asked for */
} RetiredLinks;

/* Ends a request, or frees its reply, when the memory context of the caller goes away. */
typedef struct ReplyGuard
{
	MemoryContextCallback callback;
	MemoryContext context; /* of this alone, so that it can go before its parent */
	vfdw_client *client;
	uint64 request_id; /* 0: not under way any more */
	vfdw_reply *reply;
} ReplyGuard;

static HTAB *connections = NULL;
static List *retired = NIL; /* of RetiredLinks, in TopMemoryContext */
static uint64 transactions_ended = 0;

/* ---- connections ---- */

static void
end_of_transaction(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_PREPARE:
		case XACT_EVENT_PARALLEL_COMMIT:
			transactions_ended++;
			vfdw_close_retired();
			break;
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PARALLEL_ABORT:
			transactions_ended++;
			break;
		default:
			break;
	}
}

static void
mark_stale(Datum arg, int cacheid, uint32 hash)
{
	HASH_SEQ_STATUS status;
	VfdwConnection *connection;
	ListCell *cell;

	foreach (cell, retired)
		((RetiredLinks *) lfirst(cell))->may_return = false;
	hash_seq_init(&status, connections);
	while ((connection = hash_seq_search(&status)) != NULL)
	{
		/* A mapping that appears may concern any connection that has none. */
		if (hash == 0 || (cacheid == FOREIGNSERVEROID && hash == connection->server_hash) ||
			(cacheid == USERMAPPINGOID &&
			 (connection->mapping_hash == 0 || hash == connection->mapping_hash)))
			connection->stale = true;
	}
}

static void
init_connections(void)
{
	HASHCTL control = {0};

	control.keysize = sizeof(ConnectionKey);
	control.entrysize = sizeof(VfdwConnection);
	connections = hash_create("vector_fdw connections", 8, &control, HASH_ELEM | HASH_BLOBS);
	CacheRegisterSyscacheCallback(FOREIGNSERVEROID, mark_stale, (Datum) 0);
	CacheRegisterSyscacheCallback(USERMAPPINGOID, mark_stale, (Datum) 0);
	RegisterXactCallback(end_of_transaction, NULL);
}

void
vfdw_close_retired(void)
{
	ListCell *cell;

	foreach (cell, retired)
	{
		RetiredLinks *old = lfirst(cell);

		if (old->transaction == transactions_ended)
			continue;
		for (int i = 0; i < old->link_count; i++)
			vfdw_link_close(&old->links[i]);
		MemoryContextDelete(old->context);
		retired = foreach_delete_current(retired, cell);
	}
}

/* Takes the links away from the connection, which is then as new. */
static void
retire(VfdwConnection *connection, bool may_return)
{
	MemoryContext caller;
	RetiredLinks *old;

	if (connection->context == NULL)
		return;
	old = MemoryContextAlloc(connection->context, sizeof(RetiredLinks));
	old->key = connection->key;
	old->context = connection->context;
	old->links = connection->links;
	old->link_count = connection->link_count;
	old->transaction = transactions_ended;
	old->may_return = may_return;
	caller = MemoryContextSwitchTo(TopMemoryContext);
	retired = lappend(retired, old);
	MemoryContextSwitchTo(caller);
	connection->context = NULL;
	connection->links = NULL;
	connection->link_count = 0;
}

/* Options read before an ALTER SERVER may be used after it. */
static bool
have_endpoints(const VfdwLink *links, int link_count, const VfdwOptions *options)
{
	ListCell *cell;
	int i = 0;

	if (list_length(options->endpoints) != link_count)
		return false;
	foreach (cell, options->endpoints)
		if (strcmp(lfirst(cell), links[i++].endpoint) != 0)
			return false;
	return true;
}

/* Endpoints of before and after an ALTER SERVER may be asked for by turns, as long as cursors live.
 */
static bool
take_back(VfdwConnection *connection, const VfdwOptions *options)
{
	ListCell *cell;

	foreach (cell, retired)
	{
		RetiredLinks *old = lfirst(cell);

		if (!old->may_return || memcmp(&old->key, &connection->key, sizeof(ConnectionKey)) != 0 ||
			!have_endpoints(old->links, old->link_count, options))
			continue;
		connection->context = old->context;
		connection->links = old->links;
		connection->link_count = old->link_count;
		connection->last_good = 0;
		retired = foreach_delete_current(retired, cell);
		pfree(old);
		return true;
	}
	return false;
}

/* The mapping's options, of the user or of everybody; NIL without a mapping. */
static List *
user_mapping_options(const ConnectionKey *key, uint32 *hash)
{
	HeapTuple tuple;
	Datum datum;
	bool isnull;
	List *list = NIL;
	Oid mappingid;

	*hash = 0;
	tuple = SearchSysCache2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(key->userid),
							ObjectIdGetDatum(key->serverid));
	if (!HeapTupleIsValid(tuple))
		tuple = SearchSysCache2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(InvalidOid),
								ObjectIdGetDatum(key->serverid));
	if (!HeapTupleIsValid(tuple))
		return NIL;
	mappingid = ((Form_pg_user_mapping) GETSTRUCT(tuple))->oid;
	*hash = GetSysCacheHashValue1(USERMAPPINGOID, ObjectIdGetDatum(mappingid));
	datum = SysCacheGetAttr(USERMAPPINGUSERSERVER, tuple, Anum_pg_user_mapping_umoptions, &isnull);
	if (!isnull)
		list = untransformRelOptions(datum);
	ReleaseSysCache(tuple);
	return list;
}

/* In the current memory context. Keys that the mapping lacks are missed by zmq_wire.cpp. */
static VfdwKeys *
read_keys(VfdwConnection *connection, const VfdwOptions *options)
{
	List *mapping = user_mapping_options(&connection->key, &connection->mapping_hash);
	VfdwKeys *keys = palloc0(sizeof(VfdwKeys));
	ListCell *cell;

	if (options->server_public_key == NULL)
		return keys;
	keys->server_public_key = pstrdup(options->server_public_key);
	foreach (cell, mapping)
	{
		DefElem *option = lfirst(cell);

		if (strcmp(option->defname, "public_key") == 0)
			keys->public_key = pstrdup(defGetString(option));
		else if (strcmp(option->defname, "secret_key") == 0)
			keys->secret_key = pstrdup(defGetString(option));
	}
	return keys;
}

static void
set_up(VfdwConnection *connection, const VfdwOptions *options)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "vector_fdw connection", ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	VfdwKeys *keys;
	ListCell *cell;

	connection->stale = false;
	connection->server_hash =
		GetSysCacheHashValue1(FOREIGNSERVEROID, ObjectIdGetDatum(options->serverid));
	keys = read_keys(connection, options);
	connection->links = palloc0(sizeof(VfdwLink) * Max(list_length(options->endpoints), 1));
	connection->link_count = 0;
	foreach (cell, options->endpoints)
	{
		VfdwLink *link = &connection->links[connection->link_count++];

		link->endpoint = pstrdup(lfirst(cell));
		link->keys = keys;
	}
	connection->last_good = 0;
	MemoryContextSwitchTo(caller);
	/* Nothing can fail any more: from here on it is ours. */
	MemoryContextSetParent(context, TopMemoryContext);
	connection->context = context;
}

VfdwConnection *
vfdw_connection(const VfdwOptions *options, Oid userid)
{
	ConnectionKey key = {options->serverid, userid};
	VfdwConnection *connection;
	bool found;

	if (connections == NULL)
		init_connections();
	if (retired != NIL)
		vfdw_close_retired();
	connection = hash_search(connections, &key, HASH_ENTER, &found);
	if (!found)
		memset((char *) connection + sizeof(key), 0, sizeof(*connection) - sizeof(key));
	if (connection->context != NULL &&
		(connection->stale || !have_endpoints(connection->links, connection->link_count, options)))
		retire(connection, !connection->stale);
	if (connection->context == NULL && !take_back(connection, options))
		set_up(connection, options);
	return connection;
}

int
vfdw_disconnect_all(void)
{
	HASH_SEQ_STATUS status;
	VfdwConnection *connection;
	int closed = 0;

	if (connections == NULL)
		return 0;
	hash_seq_init(&status, connections);
	while ((connection = hash_seq_search(&status)) != NULL)
	{
		for (int i = 0; i < connection->link_count; i++)
		{
			closed += connection->links[i].client != NULL;
			vfdw_link_close_if_idle(&connection->links[i]);
		}
		retire(connection, false);
	}
	return closed;
}

/* ---- connecting ---- */

/* A key or an endpoint that cannot be used keeps its own error. */
static void
explain_unreachable(vfdw_error *why, const VfdwOptions *options, const char *detail)
{
	if (!vfdw_is_unavailability(why))
		return;
	vfdw_fill_error(
		why, VFDW_ERR_UNAVAILABLE, "08001",
		psprintf("could not reach vector daemon of server \"%s\"", options->server_name), detail,
		"Check that the vectord service is running.");
}

static void
append_reason(StringInfo detail, const VfdwLink *link, const vfdw_error *why, bool name_endpoint)
{
	if (detail->len > 0)
		appendStringInfoChar(detail, '\n');
	if (name_endpoint)
		appendStringInfo(detail, "%s: ", link->endpoint);
	appendStringInfoString(detail, vfdw_printable(why->detail));
}

vfdw_client *
vfdw_connected_client(VfdwConnection *connection, const VfdwOptions *options, bool noerror,
					  vfdw_error *why)
{
	StringInfoData detail;
	vfdw_error error;
	bool again;

	if (vfdw_link_is_connected(&connection->links[connection->last_good]))
		return connection->links[connection->last_good].client;

	initStringInfo(&detail);
	do
	{
		again = false;
		resetStringInfo(&detail);
		for (int i = 0; i < connection->link_count; i++)
		{
			int number = (connection->last_good + i) % connection->link_count;
			VfdwLink *link = &connection->links[number];

			if (vfdw_link_is_connected(link) ||
				vfdw_link_connect(link, options->connect_timeout_ms, &error))
			{
				connection->last_good = number;
				return link->client;
			}
			append_reason(&detail, link, &error, connection->link_count > 1);
			again = again || vfdw_link_may_come_back(link, options->connect_timeout_ms);
		}
		if (again)
			vfdw_sleep(VFDW_PROBE_INTERVAL_MS);
	} while (again);

	explain_unreachable(&error, options, detail.data);
	if (!noerror || !vfdw_is_unavailability(&error))
		vfdw_throw(&error, options);
	*why = error;
	return NULL;
}

int
vfdw_endpoint_count(const VfdwConnection *connection)
{
	return connection->link_count;
}

const char *
vfdw_endpoint_name(const VfdwConnection *connection, int number)
{
	return connection->links[number].endpoint;
}

vfdw_client *
vfdw_endpoint_client(VfdwConnection *connection, int number, const VfdwOptions *options,
					 vfdw_error *why)
{
	VfdwLink *link = &connection->links[number];

	while (!vfdw_link_is_connected(link) &&
		   !vfdw_link_connect(link, options->connect_timeout_ms, why))
	{
		if (!vfdw_link_may_come_back(link, options->connect_timeout_ms))
		{
			char *detail = vfdw_printable(why->detail);

			explain_unreachable(why, options, detail);
			return NULL;
		}
		vfdw_sleep(VFDW_PROBE_INTERVAL_MS);
	}
	return link->client;
}

/* ---- replies ---- */

static void
guard_callback(void *arg)
{
	ReplyGuard *guard = arg;

	if (guard->request_id != 0)
		vfdw_client_forget(guard->client, guard->request_id);
	if (guard->reply != NULL)
		vfdw_reply_free(guard->reply);
}

static ReplyGuard *
guard_request(vfdw_client *client, uint64 request_id)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "vector_fdw reply", ALLOCSET_SMALL_SIZES);
	ReplyGuard *guard = MemoryContextAllocZero(context, sizeof(ReplyGuard));

	guard->context = context;
	guard->client = client;
	guard->request_id = request_id;
	guard->callback.func = guard_callback;
	guard->callback.arg = guard;
	MemoryContextRegisterResetCallback(context, &guard->callback);
	return guard;
}

void
vfdw_free_reply(vfdw_reply *reply)
{
	ReplyGuard *guard = *vfdw_reply_owner(reply);

	if (guard != NULL)
		MemoryContextDelete(guard->context);
	else
		vfdw_reply_free(reply);
}

static VfdwLink *
find_link(VfdwConnection *connection, const vfdw_client *client)
{
	ListCell *cell;

	for (int i = 0; i < connection->link_count; i++)
		if (connection->links[i].client == client)
			return &connection->links[i];
	foreach (cell, retired)
	{
		RetiredLinks *old = lfirst(cell);

		for (int i = 0; i < old->link_count; i++)
			if (old->links[i].client == client)
				return &old->links[i];
	}
	elog(ERROR, "client of an unknown connection");
}

/* Polls until the request is no longer pending or its time is over. */
static vfdw_outcome
await(VfdwLink *link, uint64 request_id, int timeout_ms, vfdw_reply **reply, vfdw_error *error)
{
	double waited_ms;
	vfdw_outcome outcome;

	vfdw_begin_wait(&link->awake, vfdw_client_is_alone(link->client));
	for (;;)
	{
		(void) vfdw_client_poll(link->client);
		outcome = vfdw_client_take(link->client, request_id, reply, error);
		waited_ms = vfdw_elapsed_ms(link->awake.start);
		if (outcome != VFDW_PENDING || (timeout_ms > 0 && waited_ms >= timeout_ms))
		{
			vfdw_end_wait(&link->awake, waited_ms * 1000);
			return outcome;
		}
		if (vfdw_stay_awake(&link->awake, waited_ms * 1000))
			continue;
		vfdw_link_wait(link, timeout_ms > 0 ? (long) (timeout_ms - waited_ms) + 1 : -1);
	}
}

vfdw_reply *
vfdw_try_reply(VfdwConnection *connection, vfdw_client *client, uint64 request_id, int timeout_ms,
			   vfdw_error *why)
{
	VfdwLink *link = find_link(connection, client);
	ReplyGuard *guard = guard_request(client, request_id);
	uint64 arrivals = vfdw_client_arrivals(client);
	vfdw_reply *reply = NULL;
	vfdw_outcome outcome = await(link, request_id, timeout_ms, &reply, why);

	/* Nothing above has thrown, or the guard would have forgotten the request. */
	guard->request_id = 0;
	if (outcome == VFDW_ARRIVED)
	{
		guard->reply = reply;
		*vfdw_reply_owner(reply) = guard;
		return reply;
	}
	MemoryContextDelete(guard->context);
	if (outcome == VFDW_PENDING)
	{
		vfdw_client_forget(client, request_id);
		link->silent = vfdw_client_arrivals(client) == arrivals;
		vfdw_fill_error(why, VFDW_ERR_CONNECTION_LOST, "08006",
						"vector daemon did not answer in time",
						psprintf("No reply from %s within %d ms.", link->endpoint, timeout_ms),
						"See the log of vectord, or raise vector_fdw.request_timeout.");
	}
	return NULL;
}

vfdw_reply *
vfdw_wait_reply(VfdwConnection *connection, vfdw_client *client, uint64 request_id,
				const VfdwOptions *options, bool noerror, vfdw_error *why)
{
	vfdw_error error;
	vfdw_reply *reply =
		vfdw_try_reply(connection, client, request_id, options->request_timeout_ms, &error);

	if (reply != NULL)
		return reply;
	vfdw_explain_unnoticed(&error, options);
	if (!noerror || !vfdw_is_unavailability(&error))
		vfdw_throw(&error, options);
	*why = error;
	return NULL;
}

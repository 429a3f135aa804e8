/*
 * daemon_list.c
 *	  The daemons that a user may ask, the definitions to ask about, and the
 *	  asking.
 *
 * A server with several endpoints counts as several daemons: each has a state
 * of its own.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"

#include "fdw/connection.h"
#include "fdw/daemon_error.h"
#include "fdw/daemon_list.h"

/* ---- servers ---- */

static bool
may_use(Oid serverid)
{
#if PG_VERSION_NUM >= 160000
	return object_aclcheck(ForeignServerRelationId, serverid, GetUserId(), ACL_USAGE) ==
		   ACLCHECK_OK;
#else
	return pg_foreign_server_aclcheck(serverid, GetUserId(), ACL_USAGE) == ACLCHECK_OK;
#endif
}

static int
by_server_name(const ListCell *a, const ListCell *b)
{
	const VfdwOptions *left = lfirst(a);
	const VfdwOptions *right = lfirst(b);

	return strcmp(left->server_name, right->server_name);
}

/* VfdwOptions of the servers that the user may use, or of those that he may not, by name. */
static List *
list_servers(bool usable)
{
	Oid wrapper = get_foreign_data_wrapper_oid(VFDW_EXTENSION, true);
	List *servers = NIL;
	Relation catalog;
	SysScanDesc scan;
	HeapTuple tuple;
	List *ids = NIL;
	ListCell *cell;

	catalog = table_open(ForeignServerRelationId, AccessShareLock);
	scan = systable_beginscan(catalog, InvalidOid, false, NULL, 0, NULL);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_foreign_server server = (Form_pg_foreign_server) GETSTRUCT(tuple);

		if (server->srvfdw == wrapper && may_use(server->oid) == usable)
			ids = lappend_oid(ids, server->oid);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	foreach (cell, ids)
		servers = lappend(servers, vfdw_server_options(lfirst_oid(cell)));
	list_sort(servers, by_server_name);
	return servers;
}

List *
vfdw_list_daemons(void)
{
	List *daemons = NIL;
	ListCell *cell;

	foreach (cell, list_servers(true))
	{
		VfdwOptions *options = lfirst(cell);
		VfdwConnection *connection = vfdw_connection(options, GetUserId());

		for (int i = 0; i < vfdw_endpoint_count(connection); i++)
		{
			VfdwDaemon *daemon = palloc0(sizeof(VfdwDaemon));

			daemon->options = options;
			daemon->connection = connection;
			daemon->number = i;
			daemon->is_local = vfdw_is_local(options);
			daemons = lappend(daemons, daemon);
		}
	}
	return daemons;
}

const char *
vfdw_forbidden_server(void)
{
	ListCell *cell;

	foreach (cell, list_servers(false))
		if (vfdw_is_local(lfirst(cell)))
			return ((const VfdwOptions *) lfirst(cell))->server_name;
	return NULL;
}

/* ---- definitions ---- */

/* The columns of list_query, in its order. */
enum
{
	COLUMN_NAME = 1,
	COLUMN_SCHEMA,
	COLUMN_METRIC,
	COLUMN_INDEX,
	COLUMN_DAEMON,
	COLUMN_DEFINITION_ID,
	COLUMN_LOADED,
	COLUMN_XMIN
};

static const char list_query[] =
	"SELECT c.name::pg_catalog.text, n.nspname, c.metric, c.index, c.daemon, c.definition_id, "
	"c.loaded, c.xmin"
	" FROM vector_fdw.collection c"
	" LEFT JOIN pg_catalog.pg_class r ON r.oid OPERATOR(pg_catalog.=) c.source::pg_catalog.oid"
	" LEFT JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) r.relnamespace"
	" WHERE $1 IS NULL OR c.name::pg_catalog.text OPERATOR(pg_catalog.=) $1"
	" ORDER BY c.name";

/* In the caller's context, that of SPI being current. NULL stays NULL. */
static char *
column_text(HeapTuple tuple, TupleDesc descriptor, int column, MemoryContext context)
{
	char *text = SPI_getvalue(tuple, descriptor, column);

	return text != NULL ? MemoryContextStrdup(context, text) : NULL;
}

static VfdwListed *
read_listed(HeapTuple tuple, TupleDesc descriptor, MemoryContext context)
{
	VfdwListed *listed = MemoryContextAllocZero(context, sizeof(VfdwListed));
	bool isnull;
	Datum xmin = SPI_getbinval(tuple, descriptor, COLUMN_XMIN, &isnull);

	listed->name = column_text(tuple, descriptor, COLUMN_NAME, context);
	listed->schema = column_text(tuple, descriptor, COLUMN_SCHEMA, context);
	listed->metric = column_text(tuple, descriptor, COLUMN_METRIC, context);
	listed->index = column_text(tuple, descriptor, COLUMN_INDEX, context);
	listed->daemon = column_text(tuple, descriptor, COLUMN_DAEMON, context);
	listed->definition_id = column_text(tuple, descriptor, COLUMN_DEFINITION_ID, context);
	listed->loaded = DatumGetBool(SPI_getbinval(tuple, descriptor, COLUMN_LOADED, &isnull));
	listed->uncommitted = TransactionIdIsCurrentTransactionId(DatumGetTransactionId(xmin));
	return listed;
}

List *
vfdw_list_definitions(const char *name)
{
	MemoryContext context = CurrentMemoryContext;
	Oid types[1] = {TEXTOID};
	Datum values[1] = {name != NULL ? CStringGetTextDatum(name) : (Datum) 0};
	const char *nulls = name != NULL ? " " : "n";
	List *definitions = NIL;

	SPI_connect();
	/* Not read-only: that takes a new snapshot, and sees what was committed meanwhile. */
	if (SPI_execute_with_args(list_query, 1, types, values, nulls, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read vector_fdw.collection");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		VfdwListed *listed = read_listed(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, context);
		MemoryContext spi = MemoryContextSwitchTo(context);

		definitions = lappend(definitions, listed);
		MemoryContextSwitchTo(spi);
	}
	SPI_finish();
	return definitions;
}

/* ---- asking ---- */

const vfdw_daemon_status *
vfdw_ask_daemon(const VfdwDaemon *daemon, vfdw_error *why)
{
	int timeout_ms = daemon->options->connect_timeout_ms;
	vfdw_client *client =
		vfdw_endpoint_client(daemon->connection, daemon->number, daemon->options, why);
	uint64 id;
	vfdw_reply *reply;

	if (client == NULL)
		return NULL;
	id = vfdw_client_send_daemon_status(client, timeout_ms, why);
	if (id == 0)
		return NULL;
	reply = vfdw_try_reply(daemon->connection, client, id, timeout_ms, why);
	return reply != NULL ? vfdw_reply_daemon(reply) : NULL;
}

const vfdw_collection_status *
vfdw_ask_collections(const VfdwDaemon *daemon, const char *name, size_t *count, vfdw_error *why)
{
	int timeout_ms = daemon->options->connect_timeout_ms;
	vfdw_client *client =
		vfdw_endpoint_client(daemon->connection, daemon->number, daemon->options, why);
	uint64 id;
	vfdw_reply *reply;

	*count = 0;
	if (client == NULL)
		return NULL;
	id = vfdw_client_send_status(client, vfdw_to_utf8(daemon->options->dbname),
								 name != NULL ? vfdw_to_utf8(name) : NULL, timeout_ms, why);
	if (id == 0)
		return NULL;
	reply = vfdw_try_reply(daemon->connection, client, id, timeout_ms, why);
	return reply != NULL ? vfdw_reply_statuses(reply, count) : NULL;
}

const vfdw_collection_status *
vfdw_find_status(const vfdw_collection_status *statuses, size_t count, const VfdwListed *definition)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(vfdw_printable(statuses[i].name), definition->name) == 0)
			return &statuses[i];
	return NULL;
}

bool
vfdw_is_meant_to_hold(VfdwDaemon *daemon, const VfdwListed *definition)
{
	if (definition->daemon == NULL)
		return true;
	if (daemon->name == NULL)
	{
		MemoryContext caller = MemoryContextSwitchTo(GetMemoryChunkContext(daemon));
		vfdw_error ignored;
		const vfdw_daemon_status *status = vfdw_ask_daemon(daemon, &ignored);

		daemon->name = status != NULL ? vfdw_printable(status->name) : NULL;
		MemoryContextSwitchTo(caller);
	}
	return daemon->name != NULL && strcmp(definition->daemon, daemon->name) == 0;
}

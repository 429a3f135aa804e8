/*
 * option.c
 *	  The options of servers, user mappings, foreign tables and columns.
 *
 * One table of rows says everything: where an option may stand, what its value
 * must be, its default and its place in VfdwOptions. The validator, the
 * resolution of precedence and vector_fdw.options() read the same rows.
 *
 * The validator sees one object at a time and runs inside pg_restore, so it
 * looks at nothing but the values. It never contacts the daemon.
 */
#include "postgres.h"

#include <float.h>
#include <sys/un.h>

#include "access/reloptions.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_foreign_table.h"
#include "catalog/pg_user_mapping.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "fdw/vector_fdw.h"

PG_FUNCTION_INFO_V1(vfdw_validator);
PG_FUNCTION_INFO_V1(vfdw_options);

/* Where an option may stand. */
enum
{
	ON_SERVER = 1,
	ON_MAPPING = 2,
	ON_TABLE = 4,
	ON_COLUMN = 8
};

typedef struct OptionPlace
{
	int bit;
	Oid catalog;
	const char *name;
} OptionPlace;

static const OptionPlace option_places[] = {
	{ON_SERVER, ForeignServerRelationId, "server"},
	{ON_MAPPING, UserMappingRelationId, "user mapping"},
	{ON_TABLE, ForeignTableRelationId, "foreign table"},
	{ON_COLUMN, AttributeRelationId, "column"},
};

typedef enum OptionKind
{
	KIND_NAME,			/* char *: not empty */
	KIND_ENDPOINTS,		/* List * of char * */
	KIND_KEY,			/* char *: a CURVE key as Z85 */
	KIND_INT,			/* int within bounds */
	KIND_MILLISECONDS,	/* int within bounds; units are allowed */
	KIND_REAL,			/* double within bounds */
	KIND_CONSISTENCY,	/* VfdwConsistency */
	KIND_ON_UNAVAILABLE /* VfdwOnUnavailable */
} OptionKind;

typedef struct OptionRow
{
	const char *name;
	int places;
	OptionKind kind;
	double min;
	double max;
	const char *fallback; /* NULL: the zero value; meaning in help */
	int offset;			  /* in VfdwOptions; -1: read elsewhere */
	const char *help;
} OptionRow;

#define FIELD(name) offsetof(VfdwOptions, name)

static const OptionRow option_rows[] = {
	{"endpoint", ON_SERVER, KIND_ENDPOINTS, 0, 0, "ipc:///run/vectord/vectord.sock",
	 FIELD(endpoints), "where vectord listens; several, comma-separated, are tried in turn"},
	{"dbname", ON_SERVER, KIND_NAME, 0, 0, NULL, FIELD(dbname),
	 "database of the source tables; the current one if not given"},
	{"connect_timeout", ON_SERVER, KIND_MILLISECONDS, 1, INT_MAX, "2000", FIELD(connect_timeout_ms),
	 "milliseconds to wait for a connection to one endpoint"},
	{"request_timeout", ON_SERVER, KIND_MILLISECONDS, 1, INT_MAX, "30000",
	 FIELD(request_timeout_ms), "milliseconds to wait for one reply"},
	{"server_public_key", ON_SERVER, KIND_KEY, 0, 0, NULL, FIELD(server_public_key),
	 "public CURVE key of vectord, for TCP"},
	{"fdw_startup_cost", ON_SERVER, KIND_REAL, 0, DBL_MAX, "50", FIELD(startup_cost),
	 "planner's cost of one request"},
	{"fdw_tuple_cost", ON_SERVER, KIND_REAL, 0, DBL_MAX, "0.02", FIELD(tuple_cost),
	 "planner's cost of fetching one row"},
	{"collection", ON_TABLE, KIND_NAME, 0, 0, NULL, FIELD(collection),
	 "the collection shown; the foreign table's own name if not given"},
	{"schema_name", ON_TABLE, KIND_NAME, 0, 0, "public", FIELD(schema_name),
	 "schema of the collection's source table"},
	{"fetch_size", ON_SERVER | ON_TABLE, KIND_INT, 0, 1000000, "0", FIELD(fetch_size),
	 "most rows per reply; 0 leaves it to vectord"},
	{"ef_search", ON_SERVER | ON_TABLE, KIND_INT, VFDW_MIN_EF_SEARCH, VFDW_MAX_EF_SEARCH, NULL,
	 FIELD(ef_search), "candidates that an HNSW search keeps; the collection's if not given"},
	{"nprobe", ON_SERVER | ON_TABLE, KIND_INT, 1, VFDW_MAX_NPROBE, NULL, FIELD(nprobe),
	 "lists that an IVF search visits; the collection's if not given"},
	{"target_recall", ON_SERVER | ON_TABLE, KIND_REAL, VFDW_MIN_TARGET_RECALL, 1, NULL,
	 FIELD(target_recall),
	 "share of the true neighbours to be found; the collection's if not given"},
	{"consistency", ON_SERVER | ON_TABLE, KIND_CONSISTENCY, 0, 0, "session", FIELD(consistency),
	 "how fresh answers are"},
	{"on_unavailable", ON_SERVER | ON_TABLE, KIND_ON_UNAVAILABLE, 0, 0, "error",
	 FIELD(on_unavailable), "what a search does when vectord cannot answer"},
	{"public_key", ON_MAPPING, KIND_KEY, 0, 0, NULL, -1, "the user's public CURVE key, for TCP"},
	{"secret_key", ON_MAPPING, KIND_KEY, 0, 0, NULL, -1, "the user's secret CURVE key, for TCP"},
	{"column_name", ON_COLUMN, KIND_NAME, 0, 0, NULL, -1,
	 "the collection's column; the foreign column's own name if not given"},
};

static const OptionRow *
find_row(const char *name, int place)
{
	for (int i = 0; i < lengthof(option_rows); i++)
	{
		if ((option_rows[i].places & place) != 0 && strcmp(option_rows[i].name, name) == 0)
			return &option_rows[i];
	}
	return NULL;
}

/* Objects on which an option may stand, or NULL if it is no option at all. */
static char *
places_of(const char *name)
{
	StringInfoData places;

	initStringInfo(&places);
	for (int i = 0; i < lengthof(option_places); i++)
	{
		if (find_row(name, option_places[i].bit) != NULL)
			appendStringInfo(&places, "%sa %s", places.len > 0 ? " or " : "",
							 option_places[i].name);
	}
	return places.len > 0 ? places.data : NULL;
}

static char *
names_valid_on(int place)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < lengthof(option_rows); i++)
	{
		if ((option_rows[i].places & place) != 0)
			appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "", option_rows[i].name);
	}
	return names.data;
}

/* ---- values ---- */

static const char *const z85_alphabet =
	"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	".-:+=^!/*?&<>()[]{}@%$#";

static bool
is_ipc_endpoint(const char *endpoint)
{
	const char *path = endpoint + strlen("ipc://");

	return strncmp(endpoint, "ipc://", strlen("ipc://")) == 0 && path[0] == '/' &&
		   strlen(path) < sizeof(((struct sockaddr_un *) NULL)->sun_path);
}

static bool
is_tcp_endpoint(const char *endpoint)
{
	const char *host = endpoint + strlen("tcp://");
	const char *port = strrchr(endpoint, ':');

	if (strncmp(endpoint, "tcp://", strlen("tcp://")) != 0 || port <= host)
		return false;
	port++;
	return strlen(port) >= 1 && strlen(port) <= 5 && strspn(port, "0123456789") == strlen(port) &&
		   atoi(port) >= 1 && atoi(port) <= 65535;
}

/* NIL when the list or one of its endpoints is malformed. */
static List *
parse_endpoints(const char *value)
{
	List *endpoints = NIL;
	char *rest = pstrdup(value);

	for (char *part = rest; part != NULL; part = rest)
	{
		char *end;

		rest = strchr(part, ',');
		if (rest != NULL)
			*rest++ = '\0';
		part += strspn(part, " \t\n");
		end = part + strlen(part);
		while (end > part && strchr(" \t\n", end[-1]) != NULL)
			*--end = '\0';
		if (!is_ipc_endpoint(part) && !is_tcp_endpoint(part))
			return NIL;
		endpoints = lappend(endpoints, part);
	}
	return endpoints;
}

/* "default" belongs to the settings of the session only. */
static bool
parse_enum(const struct config_enum_entry *names, const char *value, int *result)
{
	for (const struct config_enum_entry *entry = names; entry->name != NULL; entry++)
	{
		if (entry->val != 0 && pg_strcasecmp(entry->name, value) == 0)
		{
			*result = entry->val;
			return true;
		}
	}
	return false;
}

/* What a value must be, as the end of a sentence. */
static char *
expectation(const OptionRow *row)
{
	switch (row->kind)
	{
		case KIND_NAME:
			return psprintf("a name of 1 to %d bytes", VFDW_MAX_NAME_BYTES);
		case KIND_ENDPOINTS:
			return psprintf(
				"a comma-separated list of ipc:///path (a path of at most %d bytes) and "
				"tcp://host:port",
				(int) sizeof(((struct sockaddr_un *) NULL)->sun_path) - 1);
		case KIND_KEY:
			return pstrdup("a CURVE key of 40 Z85 characters");
		case KIND_INT:
			return psprintf("an integer between %.0f and %.0f", row->min, row->max);
		case KIND_MILLISECONDS:
			return psprintf("a duration between %.0f and %.0f ms", row->min, row->max);
		case KIND_REAL:
			if (row->max == DBL_MAX)
				return psprintf("a number of at least %g", row->min);
			return psprintf("a number between %g and %g", row->min, row->max);
		case KIND_CONSISTENCY:
			return pstrdup("\"eventual\", \"session\" or \"snapshot\"");
		case KIND_ON_UNAVAILABLE:
			return pstrdup("\"error\" or \"scan\"");
	}
	pg_unreachable();
}

typedef union OptionValue
{
	char *string;
	List *list;
	int integer;
	double real;
	VfdwConsistency consistency;
	VfdwOnUnavailable on_unavailable;
} OptionValue;

static bool
parse_value(const OptionRow *row, const char *value, OptionValue *out)
{
	int integer = 0;
	bool parsed;

	switch (row->kind)
	{
		case KIND_NAME:
			out->string = pstrdup(value);
			return value[0] != '\0' && strlen(value) <= VFDW_MAX_NAME_BYTES;
		case KIND_ENDPOINTS:
			out->list = parse_endpoints(value);
			return out->list != NIL;
		case KIND_KEY:
			out->string = pstrdup(value);
			return strlen(value) == 40 && strspn(value, z85_alphabet) == 40;
		case KIND_INT:
		case KIND_MILLISECONDS:
			parsed = parse_int(value, &out->integer, row->kind == KIND_INT ? 0 : GUC_UNIT_MS, NULL);
			return parsed && out->integer >= row->min && out->integer <= row->max;
		case KIND_REAL:
			/* The comparison refuses NaN as well. */
			return parse_real(value, &out->real, 0, NULL) && out->real >= row->min &&
				   out->real <= row->max;
		case KIND_CONSISTENCY:
			parsed = parse_enum(vfdw_consistency_names, value, &integer);
			out->consistency = (VfdwConsistency) integer;
			return parsed;
		case KIND_ON_UNAVAILABLE:
			parsed = parse_enum(vfdw_on_unavailable_names, value, &integer);
			out->on_unavailable = (VfdwOnUnavailable) integer;
			return parsed;
	}
	pg_unreachable();
}

/* Checks a value and, with options, puts it into its field. */
static void
take_value(const OptionRow *row, const char *value, VfdwOptions *options)
{
	OptionValue parsed;
	char *field;

	if (!parse_value(row, value, &parsed))
	{
		/* A secret must not come into the log. */
		if (row->kind == KIND_KEY)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("invalid value for option \"%s\"", row->name),
							errdetail("The value must be %s.", expectation(row))));
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("invalid value for option \"%s\": \"%s\"", row->name, value),
						errdetail("The value must be %s.", expectation(row))));
	}
	if (options == NULL || row->offset < 0)
		return;
	field = (char *) options + row->offset;
	switch (row->kind)
	{
		case KIND_NAME:
		case KIND_KEY:
			*(char **) field = parsed.string;
			break;
		case KIND_ENDPOINTS:
			*(List **) field = parsed.list;
			break;
		case KIND_INT:
		case KIND_MILLISECONDS:
			*(int *) field = parsed.integer;
			break;
		case KIND_REAL:
			*(double *) field = parsed.real;
			break;
		case KIND_CONSISTENCY:
			*(VfdwConsistency *) field = parsed.consistency;
			break;
		case KIND_ON_UNAVAILABLE:
			*(VfdwOnUnavailable *) field = parsed.on_unavailable;
			break;
	}
}

/* ---- the validator ---- */

static void
report_unknown_option(const char *name, const OptionPlace *place)
{
	char *elsewhere = places_of(name);
	const char *object = place != NULL ? place->name : "foreign-data wrapper";

	ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
					errmsg("invalid option \"%s\" for a %s", name, object),
					elsewhere != NULL ? errdetail("It is an option of %s.", elsewhere)
									  : errdetail("vector_fdw has no option of that name."),
					place != NULL ? errhint("Valid options for a %s are: %s.", object,
											names_valid_on(place->bit))
								  : errhint("The %s itself has no options.", object)));
}

Datum
vfdw_validator(PG_FUNCTION_ARGS)
{
	List *options = untransformRelOptions(PG_GETARG_DATUM(0));
	Oid catalog = PG_GETARG_OID(1);
	const OptionPlace *place = NULL;
	ListCell *cell;

	for (int i = 0; i < lengthof(option_places); i++)
	{
		if (option_places[i].catalog == catalog)
			place = &option_places[i];
	}
	foreach (cell, options)
	{
		DefElem *option = lfirst_node(DefElem, cell);
		const OptionRow *row = place != NULL ? find_row(option->defname, place->bit) : NULL;

		if (row == NULL)
			report_unknown_option(option->defname, place);
		take_value(row, defGetString(option), NULL);
	}
	PG_RETURN_VOID();
}

/* ---- precedence ---- */

static void
take_list(List *list, int place, VfdwOptions *options)
{
	ListCell *cell;

	foreach (cell, list)
	{
		DefElem *option = lfirst_node(DefElem, cell);
		const OptionRow *row = find_row(option->defname, place);

		/* One that an older version of the extension accepted is skipped. */
		if (row != NULL)
			take_value(row, defGetString(option), options);
	}
}

static VfdwOptions *
server_options(Oid serverid)
{
	VfdwOptions *options = palloc0(sizeof(VfdwOptions));
	ForeignServer *server = GetForeignServer(serverid);

	options->serverid = serverid;
	options->tableid = InvalidOid;
	options->server_name = server->servername;
	for (int i = 0; i < lengthof(option_rows); i++)
	{
		const OptionRow *row = &option_rows[i];

		if (row->fallback != NULL)
			take_value(row, row->fallback, options);
	}
	take_list(server->options, ON_SERVER, options);
	if (options->dbname == NULL)
		options->dbname = get_database_name(MyDatabaseId);
	return options;
}

static void
take_session_settings(VfdwOptions *options)
{
	if (vfdw_guc_ef_search != 0)
		options->ef_search = vfdw_guc_ef_search;
	if (vfdw_guc_nprobe != 0)
		options->nprobe = vfdw_guc_nprobe;
	if (vfdw_guc_target_recall != 0)
		options->target_recall = vfdw_guc_target_recall;
	if (vfdw_guc_consistency != VFDW_CONSISTENCY_DEFAULT)
		options->consistency = (VfdwConsistency) vfdw_guc_consistency;
	if (vfdw_guc_on_unavailable != VFDW_ON_UNAVAILABLE_DEFAULT)
		options->on_unavailable = (VfdwOnUnavailable) vfdw_guc_on_unavailable;
	if (vfdw_guc_request_timeout_ms != 0)
		options->request_timeout_ms = vfdw_guc_request_timeout_ms;
	options->exact = vfdw_guc_exact;
	options->min_lsn = vfdw_min_lsn();
}

VfdwOptions *
vfdw_server_options(Oid serverid)
{
	VfdwOptions *options = server_options(serverid);

	take_session_settings(options);
	return options;
}

VfdwOptions *
vfdw_table_options(Oid foreigntableid)
{
	ForeignTable *table = GetForeignTable(foreigntableid);
	VfdwOptions *options = server_options(table->serverid);

	options->tableid = foreigntableid;
	take_list(table->options, ON_TABLE, options);
	if (options->collection == NULL)
		options->collection = get_rel_name(foreigntableid);
	take_session_settings(options);
	return options;
}

char *
vfdw_remote_column(Oid foreigntableid, AttrNumber attnum)
{
	ListCell *cell;

	foreach (cell, GetForeignColumnOptions(foreigntableid, attnum))
	{
		DefElem *option = lfirst_node(DefElem, cell);

		if (strcmp(option->defname, "column_name") == 0)
			return pstrdup(defGetString(option));
	}
	return get_attname(foreigntableid, attnum, false);
}

/* ---- vector_fdw.options(): the rows, for people ---- */

Datum
vfdw_options(PG_FUNCTION_ARGS)
{
	FuncCallContext *call;
	const int places = lengthof(option_places);

	if (SRF_IS_FIRSTCALL())
	{
		MemoryContext caller;
		TupleDesc result;

		call = SRF_FIRSTCALL_INIT();
		caller = MemoryContextSwitchTo(call->multi_call_memory_ctx);
		if (get_call_result_type(fcinfo, NULL, &result) != TYPEFUNC_COMPOSITE)
			elog(ERROR, "return type must be a row type");
		call->tuple_desc = BlessTupleDesc(result);
		call->max_calls = lengthof(option_rows) * places;
		MemoryContextSwitchTo(caller);
	}
	call = SRF_PERCALL_SETUP();
	/* Every pair of place and row is looked at; those that do not match give no result. */
	while (call->call_cntr < call->max_calls)
	{
		const OptionPlace *place = &option_places[call->call_cntr / lengthof(option_rows)];
		const OptionRow *row = &option_rows[call->call_cntr % lengthof(option_rows)];
		Datum values[5];
		bool nulls[5] = {false};

		if ((row->places & place->bit) == 0)
		{
			call->call_cntr++;
			continue;
		}
		values[0] = CStringGetTextDatum(place->name);
		values[1] = CStringGetTextDatum(row->name);
		values[2] = CStringGetTextDatum(expectation(row));
		nulls[3] = row->fallback == NULL;
		values[3] = nulls[3] ? (Datum) 0 : CStringGetTextDatum(row->fallback);
		values[4] = CStringGetTextDatum(row->help);
		/* SRF_RETURN_NEXT counts this call. */
		SRF_RETURN_NEXT(call, HeapTupleGetDatum(heap_form_tuple(call->tuple_desc, values, nulls)));
	}
	SRF_RETURN_DONE(call);
}

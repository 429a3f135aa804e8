/*
 * import.c
 *	  IMPORT FOREIGN SCHEMA: a foreign table for each collection.
 *
 * The remote schema is the schema of the source tables. The daemon is asked,
 * not the catalog, because the source may be another database.
 *
 * What the daemon says is never pasted into a statement: names are quoted, and
 * a type's name is looked up here and written anew.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/value.h"
#include "parser/parse_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "fdw/daemon_error.h"
#include "fdw/vector_fdw.h"

/* vfdw_column_info.role */
#define VFDW_ROLE_KEY 1

#define NOTHING_HINT                                                                               \
	"The remote schema is the schema of the source tables, and a collection appears within a "     \
	"second after it was committed."

/* Names must come over exactly; a character that this database cannot have is an error. */
static char *
imported_name(const char *utf8)
{
	return pg_any_to_server(utf8, strlen(utf8), PG_UTF8);
}

/*
 * The type as this database writes it, or NULL if it has none of that name. The modifier is part of
 * the name or stands beside it.
 */
static char *
local_type(const char *type_name, int32 modifier)
{
#if PG_VERSION_NUM >= 160000
	TypeName *parsed = typeStringToTypeName(type_name, NULL);
#else
	TypeName *parsed = typeStringToTypeName(type_name);
#endif
	int32 typmod;
	Type tuple = LookupTypeName(NULL, parsed, &typmod, true);
	Oid type;

	if (tuple == NULL)
		return NULL;
	type = ((Form_pg_type) GETSTRUCT(tuple))->typisdefined ? typeTypeId(tuple) : InvalidOid;
	ReleaseSysCache(tuple);
	if (!OidIsValid(type))
		return NULL;
	if (typmod == -1 && modifier > 0)
		typmod = modifier;
	return format_type_extended(type, typmod,
								FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY);
}

/*
 * " COLLATE ..." where the source table's column has another collation than its type, so that
 * texts compare here as they do there. Only known of collections of this database.
 */
static const char *
collation_of(const VfdwCollectionFacts *facts, const char *column)
{
	AttrNumber attribute = facts != NULL ? get_attnum(facts->source, column) : InvalidAttrNumber;
	Oid type;
	int32 typmod;
	Oid collation;
	HeapTuple tuple;
	Form_pg_collation row;
	char *text;

	if (attribute == InvalidAttrNumber)
		return "";
	get_atttypetypmodcoll(facts->source, attribute, &type, &typmod, &collation);
	tuple = SearchSysCache1(COLLOID, ObjectIdGetDatum(collation));
	if (!HeapTupleIsValid(tuple))
		return "";
	row = (Form_pg_collation) GETSTRUCT(tuple);
	text = collation == get_typcollation(type)
			   ? ""
			   : psprintf(" COLLATE %s",
						  quote_qualified_identifier(get_namespace_name(row->collnamespace),
													 NameStr(row->collname)));
	ReleaseSysCache(tuple);
	return text;
}

static bool
append_column(StringInfo statement, const vfdw_column_info *column, const char *collection,
			  const VfdwCollectionFacts *facts)
{
	char *type_name = imported_name(column->type_name);
	char *type = local_type(type_name, column->type_modifier);
	char *name = imported_name(column->name);

	if (type == NULL)
	{
		ereport(WARNING, (errcode(ERRCODE_UNDEFINED_OBJECT),
						  errmsg("skipping column \"%s\" of collection \"%s\"", name, collection),
						  errdetail("This database has no type \"%s\".", type_name)));
		return false;
	}
	appendStringInfo(statement, "%s %s%s%s", quote_identifier(name), type,
					 collation_of(facts, name), column->role == VFDW_ROLE_KEY ? " NOT NULL" : "");
	return true;
}

static char *
create_statement(const vfdw_collection_info *collection, const VfdwOptions *options,
				 const char *local_schema)
{
	const VfdwCollectionFacts *facts = vfdw_collection_facts(options);
	StringInfoData statement;
	int columns = 0;

	initStringInfo(&statement);
	appendStringInfo(&statement, "CREATE FOREIGN TABLE %s (",
					 quote_qualified_identifier(local_schema, options->collection));
	for (size_t i = 0; i < collection->column_count; i++)
	{
		StringInfoData column;

		initStringInfo(&column);
		if (!append_column(&column, &collection->columns[i], options->collection, facts))
			continue;
		appendStringInfo(&statement, "%s\n\t%s", columns++ > 0 ? "," : "", column.data);
	}
	appendStringInfo(&statement, ")\nSERVER %s OPTIONS (collection %s, schema_name %s)",
					 quote_identifier(options->server_name),
					 quote_literal_cstr(options->collection),
					 quote_literal_cstr(options->schema_name));
	return statement.data;
}

static bool
is_listed(const char *name, List *tables)
{
	ListCell *cell;

	foreach (cell, tables)
		if (strcmp(((RangeVar *) lfirst(cell))->relname, name) == 0)
			return true;
	return false;
}

static bool
is_wanted(const ImportForeignSchemaStmt *stmt, const char *name)
{
	switch (stmt->list_type)
	{
		case FDW_IMPORT_SCHEMA_LIMIT_TO:
			return is_listed(name, stmt->table_list);
		case FDW_IMPORT_SCHEMA_EXCEPT:
			return !is_listed(name, stmt->table_list);
		default:
			return true;
	}
}

/* Nothing was found: is the schema wrong, or has it no collections? */
static void
explain_nothing(const ImportForeignSchemaStmt *stmt, const VfdwOptions *options)
{
	if (vfdw_is_local(options) && !OidIsValid(get_namespace_oid(stmt->remote_schema, true)))
		ereport(ERROR, (errcode(ERRCODE_FDW_SCHEMA_NOT_FOUND),
						errmsg("schema \"%s\" does not exist", stmt->remote_schema),
						errhint("The remote schema is the schema of the source tables.")));
	ereport(NOTICE, (errmsg("server \"%s\" has no collections of tables of schema \"%s\"",
							stmt->server_name, stmt->remote_schema),
					 errhint(NOTHING_HINT)));
}

/* A name that was asked for and is not there: is it wrong, or too new? */
static void
note_absent(const ImportForeignSchemaStmt *stmt, List *found)
{
	ListCell *cell;

	foreach (cell, stmt->table_list)
	{
		const char *name = ((RangeVar *) lfirst(cell))->relname;

		if (!list_member(found, makeString(pstrdup(name))))
			ereport(NOTICE,
					(errmsg("server \"%s\" has no collection \"%s\" of a table of schema \"%s\"",
							stmt->server_name, name, stmt->remote_schema),
					 errhint(NOTHING_HINT)));
	}
}

static void
reject_options(const ImportForeignSchemaStmt *stmt)
{
	if (stmt->options != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
				 errmsg("invalid option \"%s\"", ((DefElem *) linitial(stmt->options))->defname),
				 errdetail("It is given to an import, not to a server or a foreign table."),
				 errhint("IMPORT FOREIGN SCHEMA from vector_fdw has no options.")));
}

List *
vectorImportForeignSchema(ImportForeignSchemaStmt *stmt, Oid serverOid)
{
	VfdwOptions *options = vfdw_server_options(serverOid);
	VfdwConnection *connection = vfdw_connection(options, GetUserId());
	const vfdw_collection_info *collections;
	vfdw_client *client;
	vfdw_reply *reply;
	vfdw_error error;
	size_t count;
	uint64 id;
	List *statements = NIL;
	List *names = NIL;

	reject_options(stmt);
	client = vfdw_connected_client(connection, options, false, &error);
	id = vfdw_client_send_list(client, vfdw_to_utf8(options->dbname),
							   vfdw_to_utf8(stmt->remote_schema), options->request_timeout_ms,
							   &error);
	if (id == 0)
		vfdw_throw(&error, options);
	reply = vfdw_wait_reply(connection, client, id, options, false, &error);
	collections = vfdw_reply_collections(reply, &count);
	if (count == 0)
		explain_nothing(stmt, options);
	for (size_t i = 0; i < count; i++)
	{
		options->collection = imported_name(collections[i].name);
		options->schema_name = imported_name(collections[i].schema);
		if (strcmp(options->schema_name, stmt->remote_schema) == 0 &&
			is_wanted(stmt, options->collection))
		{
			names = lappend(names, makeString(options->collection));
			statements =
				lappend(statements, create_statement(&collections[i], options, stmt->local_schema));
		}
	}
	if (count > 0 && stmt->list_type == FDW_IMPORT_SCHEMA_LIMIT_TO)
		note_absent(stmt, names);
	return statements;
}

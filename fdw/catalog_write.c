/*
 * catalog_write.c
 *	  Changes vector_fdw.collection.
 *
 * Nobody but the table's owner has the privilege to write it: who may define
 * what is decided by the owner of the source table (definition.c), not by a
 * grant. So the statements here run as the owner of the catalog, with a
 * search_path in which nothing of a user's can be found; operators and
 * functions of pg_catalog are therefore not qualified.
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "fdw/definition.h"
#include "fdw/vector_fdw.h"

/* What has to be put back after a statement. An error does it by ending the (sub)transaction. */
typedef struct OwnerScope
{
	Oid user;
	int security_context;
	int guc_level;
} OwnerScope;

static Oid
catalog_owner(void)
{
	HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(vfdw_catalog_oid()));
	Oid owner;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("table vector_fdw.collection does not exist"),
						errhint("CREATE EXTENSION vector_fdw makes it.")));
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

static void
begin_as_owner(OwnerScope *scope)
{
	Oid owner = catalog_owner();

	GetUserIdAndSecContext(&scope->user, &scope->security_context);
	SetUserIdAndSecContext(owner, scope->security_context | SECURITY_LOCAL_USERID_CHANGE |
									  SECURITY_NOFORCE_RLS);
	scope->guc_level = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
}

static void
end_as_owner(const OwnerScope *scope)
{
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");
	AtEOXact_GUC(false, scope->guc_level);
	SetUserIdAndSecContext(scope->user, scope->security_context);
}

/* Runs a statement within the scope; returns the number of rows that it touched or returned. */
static uint64
run(const char *statement, int expected, int count, Oid *types, Datum *values, const char *nulls)
{
	int result = SPI_execute_with_args(statement, count, types, values, nulls, false, 0);

	if (result != expected)
		elog(ERROR, "SPI returned %s for: %s", SPI_result_code_string(result), statement);
	return SPI_processed;
}

static uint64
run_with_name(const char *statement, int expected, const char *name)
{
	Oid types[] = {TEXTOID};
	Datum values[] = {CStringGetTextDatum(name)};

	return run(statement, expected, 1, types, values, NULL);
}

static Datum
array_of_names(const List *names)
{
	Datum *elements = palloc(sizeof(Datum) * Max(list_length(names), 1));
	int count = 0;
	ListCell *cell;

	foreach (cell, names)
	{
		Name name = palloc0(NAMEDATALEN);

		namestrcpy(name, lfirst(cell));
		elements[count++] = NameGetDatum(name);
	}
	return PointerGetDatum(
		construct_array(elements, count, NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR));
}

/* The parameters $1 to $9 of insert and update. */
enum
{
	DEFINITION_PARAMETERS = 9
};

static Oid parameter_types[DEFINITION_PARAMETERS] = {
	TEXTOID, REGCLASSOID, TEXTOID, TEXTOID, TEXTOID, NAMEARRAYOID, NAMEARRAYOID, TEXTOID, JSONBOID};

static void
parameters_of(const VfdwDefinition *definition, Datum *values, char *nulls)
{
	values[0] = CStringGetTextDatum(definition->name);
	values[1] = ObjectIdGetDatum(definition->source);
	values[2] = CStringGetTextDatum(definition->vector_column);
	values[3] = CStringGetTextDatum(definition->metric);
	values[4] = CStringGetTextDatum(definition->index);
	values[5] = array_of_names(definition->key_columns);
	values[6] = array_of_names(definition->include);
	values[7] = definition->daemon != NULL ? CStringGetTextDatum(definition->daemon) : (Datum) 0;
	values[8] = JsonbPGetDatum(definition->options);
	memset(nulls, ' ', DEFINITION_PARAMETERS);
	if (definition->daemon == NULL)
		nulls[7] = 'n';
}

bool
vfdw_insert_definition(const VfdwDefinition *definition)
{
	OwnerScope scope;
	Datum values[DEFINITION_PARAMETERS];
	char nulls[DEFINITION_PARAMETERS];
	uint64 inserted;

	parameters_of(definition, values, nulls);
	begin_as_owner(&scope);
	/* ON CONFLICT waits for another transaction that is inserting the same name. */
	inserted = run("INSERT INTO vector_fdw.collection (name, source, vector_column, metric, index,"
				   " key_columns, include, daemon, options, definition_id)"
				   " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, gen_random_uuid())"
				   " ON CONFLICT (name) DO NOTHING",
				   SPI_OK_INSERT, DEFINITION_PARAMETERS, parameter_types, values, nulls);
	end_as_owner(&scope);
	return inserted == 1;
}

bool
vfdw_lock_definition(const char *name)
{
	OwnerScope scope;
	uint64 found;

	begin_as_owner(&scope);
	found = run_with_name("SELECT FROM vector_fdw.collection WHERE name = $1 FOR UPDATE",
						  SPI_OK_SELECT, name);
	end_as_owner(&scope);
	return found == 1;
}

void
vfdw_update_definition(const VfdwDefinition *definition, bool rebuild)
{
	OwnerScope scope;
	Datum values[DEFINITION_PARAMETERS];
	char nulls[DEFINITION_PARAMETERS];

	parameters_of(definition, values, nulls);
	begin_as_owner(&scope);
	run(rebuild ? "UPDATE vector_fdw.collection SET vector_column = $3, metric = $4, index = $5,"
				  " key_columns = $6, include = $7, daemon = $8, options = $9, altered_at = now(),"
				  " definition_id = gen_random_uuid() WHERE name = $1 AND source = $2"
				: "UPDATE vector_fdw.collection SET vector_column = $3, metric = $4, index = $5,"
				  " key_columns = $6, include = $7, daemon = $8, options = $9, altered_at = now()"
				  " WHERE name = $1 AND source = $2",
		SPI_OK_UPDATE, DEFINITION_PARAMETERS, parameter_types, values, nulls);
	end_as_owner(&scope);
}

void
vfdw_set_loaded(const char *name, bool loaded)
{
	OwnerScope scope;

	begin_as_owner(&scope);
	run_with_name(loaded ? "UPDATE vector_fdw.collection SET loaded = true, altered_at = now()"
						   " WHERE name = $1 AND NOT loaded"
						 : "UPDATE vector_fdw.collection SET loaded = false, altered_at = now()"
						   " WHERE name = $1 AND loaded",
				  SPI_OK_UPDATE, name);
	end_as_owner(&scope);
}

void
vfdw_delete_definition(const char *name)
{
	OwnerScope scope;

	begin_as_owner(&scope);
	run_with_name("DELETE FROM vector_fdw.collection WHERE name = $1", SPI_OK_DELETE, name);
	end_as_owner(&scope);
}

void
vfdw_delete_definitions_without_source(void)
{
	OwnerScope scope;

	begin_as_owner(&scope);
	run("DELETE FROM vector_fdw.collection c"
		" WHERE NOT EXISTS (SELECT FROM pg_class WHERE oid = c.source)",
		SPI_OK_DELETE, 0, NULL, NULL, NULL);
	end_as_owner(&scope);
}

void
vfdw_warn_of_missing_columns(Oid source)
{
	OwnerScope scope;
	Oid types[] = {OIDOID};
	Datum values[] = {ObjectIdGetDatum(source)};

	begin_as_owner(&scope);
	run("SELECT c.name, n.column_name FROM vector_fdw.collection c"
		" CROSS JOIN LATERAL unnest(vector_column || key_columns || include) AS n (column_name)"
		" WHERE c.source = $1 AND NOT EXISTS (SELECT FROM pg_attribute a"
		" WHERE a.attrelid = c.source AND a.attname = n.column_name AND a.attnum > 0)"
		" ORDER BY 1, 2",
		SPI_OK_SELECT, 1, types, values, NULL);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple row = SPI_tuptable->vals[i];
		char *collection = SPI_getvalue(row, SPI_tuptable->tupdesc, 1);
		char *column = SPI_getvalue(row, SPI_tuptable->tupdesc, 2);

		ereport(WARNING,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of collection \"%s\" is not in table %s any more", column,
						collection, vfdw_qualified_name(source)),
				 errdetail("The collection cannot be built again as it is defined."),
				 errhint("Name the column's successor with vector_fdw.alter_collection(), or "
						 "drop the collection.")));
	}
	end_as_owner(&scope);
}

/*
 * catalog_write.c
 *	  Changes vector_fdw.collection, with the privileges of its owner
 *	  (owner_scope.h). The caller has checked what the user may do.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "fdw/definition.h"
#include "fdw/owner_scope.h"
#include "fdw/vector_fdw.h"

static uint64
run_with_name(const char *statement, int expected, const char *name)
{
	Oid types[] = {TEXTOID};
	Datum values[] = {CStringGetTextDatum(name)};

	return vfdw_run(statement, expected, 1, types, values, NULL);
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
	VfdwOwnerScope scope;
	Datum values[DEFINITION_PARAMETERS];
	char nulls[DEFINITION_PARAMETERS];
	uint64 inserted;

	parameters_of(definition, values, nulls);
	vfdw_begin_as_owner(&scope);
	/* ON CONFLICT waits for another transaction that is inserting the same name. */
	inserted =
		vfdw_run("INSERT INTO vector_fdw.collection (name, source, vector_column, metric, index,"
				 " key_columns, include, daemon, options, definition_id)"
				 " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, gen_random_uuid())"
				 " ON CONFLICT (name) DO NOTHING",
				 SPI_OK_INSERT, DEFINITION_PARAMETERS, parameter_types, values, nulls);
	vfdw_end_as_owner(&scope);
	return inserted == 1;
}

bool
vfdw_lock_definition(const char *name)
{
	VfdwOwnerScope scope;
	uint64 found;

	vfdw_begin_as_owner(&scope);
	found = run_with_name("SELECT FROM vector_fdw.collection WHERE name = $1 FOR UPDATE",
						  SPI_OK_SELECT, name);
	vfdw_end_as_owner(&scope);
	return found == 1;
}

void
vfdw_update_definition(const VfdwDefinition *definition, bool rebuild)
{
	VfdwOwnerScope scope;
	Datum values[DEFINITION_PARAMETERS];
	char nulls[DEFINITION_PARAMETERS];

	parameters_of(definition, values, nulls);
	vfdw_begin_as_owner(&scope);
	vfdw_run(rebuild
				 ? "UPDATE vector_fdw.collection SET vector_column = $3, metric = $4, index = $5,"
				   " key_columns = $6, include = $7, daemon = $8, options = $9, altered_at = now(),"
				   " definition_id = gen_random_uuid() WHERE name = $1 AND source = $2"
				 : "UPDATE vector_fdw.collection SET vector_column = $3, metric = $4, index = $5,"
				   " key_columns = $6, include = $7, daemon = $8, options = $9, altered_at = now()"
				   " WHERE name = $1 AND source = $2",
			 SPI_OK_UPDATE, DEFINITION_PARAMETERS, parameter_types, values, nulls);
	vfdw_end_as_owner(&scope);
}

void
vfdw_set_loaded(const char *name, bool loaded)
{
	VfdwOwnerScope scope;

	vfdw_begin_as_owner(&scope);
	run_with_name(loaded ? "UPDATE vector_fdw.collection SET loaded = true, altered_at = now()"
						   " WHERE name = $1 AND NOT loaded"
						 : "UPDATE vector_fdw.collection SET loaded = false, altered_at = now()"
						   " WHERE name = $1 AND loaded",
				  SPI_OK_UPDATE, name);
	vfdw_end_as_owner(&scope);
}

void
vfdw_delete_definition(const char *name)
{
	VfdwOwnerScope scope;

	vfdw_begin_as_owner(&scope);
	run_with_name("DELETE FROM vector_fdw.collection WHERE name = $1", SPI_OK_DELETE, name);
	vfdw_end_as_owner(&scope);
}

void
vfdw_delete_definitions_without_source(void)
{
	VfdwOwnerScope scope;

	vfdw_begin_as_owner(&scope);
	vfdw_run("DELETE FROM vector_fdw.collection c"
			 " WHERE NOT EXISTS (SELECT FROM pg_class WHERE oid = c.source)",
			 SPI_OK_DELETE, 0, NULL, NULL, NULL);
	vfdw_end_as_owner(&scope);
}

void
vfdw_rename_column(Oid source, const char *old_name, const char *new_name)
{
	VfdwOwnerScope scope;
	Oid types[] = {OIDOID, TEXTOID, TEXTOID};
	Datum values[] = {ObjectIdGetDatum(source), CStringGetTextDatum(old_name),
					  CStringGetTextDatum(new_name)};

	vfdw_begin_as_owner(&scope);
	vfdw_run("UPDATE vector_fdw.collection SET altered_at = now(),"
			 " vector_column = CASE vector_column WHEN $2::name THEN $3::name"
			 " ELSE vector_column END,"
			 " key_columns = array_replace(key_columns, $2::name, $3::name),"
			 " include = array_replace(include, $2::name, $3::name)"
			 " WHERE source = $1 AND $2::name = ANY (vector_column || key_columns || include)"
			 " RETURNING name",
			 SPI_OK_UPDATE_RETURNING, 3, types, values, NULL);
	for (uint64 i = 0; i < SPI_processed; i++)
		ereport(NOTICE,
				(errmsg("column \"%s\" of collection \"%s\" is named \"%s\" now", old_name,
						SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1), new_name),
				 errhint("Foreign tables that show it need the column option "
						 "\"column_name\" with the new name.")));
	vfdw_end_as_owner(&scope);
}

void
vfdw_rebuild_with_column(Oid source, const char *column)
{
	VfdwOwnerScope scope;
	Oid types[] = {OIDOID, TEXTOID};
	Datum values[] = {ObjectIdGetDatum(source), CStringGetTextDatum(column)};

	vfdw_begin_as_owner(&scope);
	vfdw_run("UPDATE vector_fdw.collection"
			 " SET definition_id = gen_random_uuid(), altered_at = now()"
			 " WHERE source = $1 AND $2::name = ANY (vector_column || key_columns || include)",
			 SPI_OK_UPDATE, 2, types, values, NULL);
	vfdw_end_as_owner(&scope);
}

void
vfdw_warn_of_missing_columns(Oid source)
{
	VfdwOwnerScope scope;
	Oid types[] = {OIDOID};
	Datum values[] = {ObjectIdGetDatum(source)};

	vfdw_begin_as_owner(&scope);
	vfdw_run(
		"SELECT c.name, n.column_name FROM vector_fdw.collection c"
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
	vfdw_end_as_owner(&scope);
}

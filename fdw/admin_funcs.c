/*
 * admin_funcs.c
 *	  create, alter, rebuild, drop, load and unload a collection.
 *
 * Each changes one row of vector_fdw.collection within the caller's
 * transaction, after everything has been checked, and the publication with it
 * (publication.c); none contacts the daemon, which sees both when they are
 * committed.
 *
 * Order of locks, in all of them: the source table, the row, the publication. Dropping a
 * source table takes them in that order too (ddl_trigger.c).
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"

#include "fdw/definition.h"
#include "fdw/publication.h"
#include "fdw/vector_fdw.h"

PG_FUNCTION_INFO_V1(vfdw_create_collection);
PG_FUNCTION_INFO_V1(vfdw_alter_collection);
PG_FUNCTION_INFO_V1(vfdw_rebuild_collection);
PG_FUNCTION_INFO_V1(vfdw_drop_collection);
PG_FUNCTION_INFO_V1(vfdw_load_collection);
PG_FUNCTION_INFO_V1(vfdw_unload_collection);

/* ---- arguments ---- */

static char *
text_argument(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(n));
}

static char *
required_text(FunctionCallInfo fcinfo, int n, const char *argument)
{
	if (PG_ARGISNULL(n))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("argument \"%s\" must not be NULL", argument)));
	return text_argument(fcinfo, n);
}

static List *
names_argument(FunctionCallInfo fcinfo, int n, const char *argument)
{
	ArrayType *array;
	Datum *elements;
	bool *nulls;
	int count;
	List *names = NIL;

	if (PG_ARGISNULL(n))
		return NIL;
	array = PG_GETARG_ARRAYTYPE_P(n);
	if (ARR_NDIM(array) > 1)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("argument \"%s\" must be a list of names", argument),
						errdetail("It is an array of %d dimensions.", ARR_NDIM(array)),
						errhint("Write it like '{title,year}'.")));
	deconstruct_array(array, NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR, &elements, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
							errmsg("argument \"%s\" must not have NULL elements", argument)));
		names = lappend(names, pstrdup(NameStr(*DatumGetName(elements[i]))));
	}
	return names;
}

/* Only NULL stands for the primary key. */
static void
check_key_argument(FunctionCallInfo fcinfo, int n)
{
	if (!PG_ARGISNULL(n) && names_argument(fcinfo, n, "key_columns") == NIL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("argument \"%s\" must name a column", "key_columns"),
						errdetail("Each row of a collection is known by its key."),
						errhint("Leave it out: create_collection() takes the primary key then, and "
								"alter_collection() leaves the key as it was.")));
}

static Jsonb *
jsonb_argument(FunctionCallInfo fcinfo, int n)
{
	if (PG_ARGISNULL(n))
		return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum("{}")));
	return PG_GETARG_JSONB_P(n);
}

/* ---- what exists ---- */

/* The definition of that name. The caller may change it, and nobody else will meanwhile. */
static VfdwDefinition *
lock_existing(const char *name, bool missing_ok)
{
	VfdwDefinition *definition = vfdw_find_definition(name);

	if (definition != NULL)
	{
		vfdw_check_source_owner(definition->source, name);
		LockRelationOid(definition->source, AccessShareLock);
		/* It may have been altered or dropped before the locks were ours. */
		definition = vfdw_lock_definition(name) ? vfdw_find_definition(name) : NULL;
		if (definition != NULL)
			vfdw_check_source_owner(definition->source, name);
	}
	if (definition == NULL && !missing_ok)
		ereport(ERROR, (errcode(ERRCODE_FDW_TABLE_NOT_FOUND),
						errmsg("collection \"%s\" does not exist", name),
						errdetail("This database has no definition of that name."),
						errhint("TABLE vector_fdw.collection shows those of this database.")));
	return definition;
}

/* ---- the functions ---- */

/* (name, source, vector_column, metric, index, key_columns, include, daemon, options) */
Datum
vfdw_create_collection(PG_FUNCTION_ARGS)
{
	VfdwDefinition *definition = palloc0(sizeof(VfdwDefinition));
	bool unused = false;
	Relation source;

	definition->name = required_text(fcinfo, 0, "name");
	if (PG_ARGISNULL(1))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("argument \"%s\" must not be NULL", "source")));
	definition->source = PG_GETARG_OID(1);
	definition->vector_column = required_text(fcinfo, 2, "vector_column");
	definition->metric = required_text(fcinfo, 3, "metric");
	definition->index = required_text(fcinfo, 4, "index");
	check_key_argument(fcinfo, 5);
	definition->key_columns = names_argument(fcinfo, 5, "key_columns");
	definition->include = names_argument(fcinfo, 6, "include");
	definition->daemon = text_argument(fcinfo, 7);
	definition->options = jsonb_argument(fcinfo, 8);

	source = vfdw_open_source(definition->source);
	vfdw_check_definition(definition, source);
	definition->options =
		vfdw_merge_collection_options(definition->options, definition->options, &unused);
	if (!vfdw_insert_definition(definition))
		ereport(ERROR, (errcode(ERRCODE_DUPLICATE_OBJECT),
						errmsg("collection \"%s\" already exists", definition->name),
						errhint("Names are unique in a database. Change the collection with "
								"vector_fdw.alter_collection(), or drop it first.")));
	vfdw_publish_source(definition->source);
	vfdw_grant_to_daemon(source);
	relation_close(source, NoLock);
	PG_RETURN_VOID();
}

/* NULL leaves the old value; *changed is set if the new one is another. */
static char *
changed_text(FunctionCallInfo fcinfo, int n, char *old, bool *changed)
{
	char *new = text_argument(fcinfo, n);

	if (new == NULL || (old != NULL && strcmp(new, old) == 0))
		return old;
	*changed = true;
	return new;
}

static List *
changed_names(FunctionCallInfo fcinfo, int n, const char *argument, List *old, bool *changed)
{
	List *new = names_argument(fcinfo, n, argument);
	bool same = list_length(new) == list_length(old);
	ListCell *a;
	ListCell *b;

	if (PG_ARGISNULL(n))
		return old;
	if (same)
	{
		forboth(a, new, b, old) same = same && strcmp(lfirst(a), lfirst(b)) == 0;
	}
	if (same)
		return old;
	*changed = true;
	return new;
}

/* (name, vector_column, metric, index, key_columns, include, daemon, options) */
Datum
vfdw_alter_collection(PG_FUNCTION_ARGS)
{
	char *name = required_text(fcinfo, 0, "name");
	VfdwDefinition *definition = lock_existing(name, false);
	Relation source = vfdw_open_source(definition->source);
	Jsonb *change = jsonb_argument(fcinfo, 7);
	bool rebuild = false;
	bool moved = false;

	definition->vector_column = changed_text(fcinfo, 1, definition->vector_column, &rebuild);
	definition->metric = changed_text(fcinfo, 2, definition->metric, &rebuild);
	definition->index = changed_text(fcinfo, 3, definition->index, &rebuild);
	check_key_argument(fcinfo, 4);
	definition->key_columns =
		changed_names(fcinfo, 4, "key_columns", definition->key_columns, &rebuild);
	definition->include = changed_names(fcinfo, 5, "include", definition->include, &rebuild);
	definition->daemon = changed_text(fcinfo, 6, definition->daemon, &moved);
	if (definition->daemon != NULL && definition->daemon[0] == '\0')
		definition->daemon = NULL; /* the only way to say "each daemon" where NULL is "as it was" */

	/* Names and values of the change first: a null for an option that does not exist is a typo. */
	vfdw_check_words(definition);
	vfdw_check_collection_options(change, definition->index);
	definition->options = vfdw_merge_collection_options(definition->options, change, &rebuild);
	vfdw_check_definition(definition, source);

	vfdw_update_definition(definition, rebuild);
	vfdw_publish_source(definition->source);
	relation_close(source, NoLock);
	PG_RETURN_VOID();
}

Datum
vfdw_rebuild_collection(PG_FUNCTION_ARGS)
{
	VfdwDefinition *definition = lock_existing(required_text(fcinfo, 0, "name"), false);
	Relation source = vfdw_open_source(definition->source);

	/* The table may have changed since: a definition that is wrong now would not be built. */
	vfdw_check_definition(definition, source);
	vfdw_update_definition(definition, true);
	vfdw_publish_source(definition->source);
	relation_close(source, NoLock);
	PG_RETURN_VOID();
}

/* (name, if_exists) */
Datum
vfdw_drop_collection(PG_FUNCTION_ARGS)
{
	char *name = required_text(fcinfo, 0, "name");
	const bool if_exists = !PG_ARGISNULL(1) && PG_GETARG_BOOL(1);
	const VfdwDefinition *definition = lock_existing(name, if_exists);

	if (definition != NULL)
	{
		vfdw_delete_definition(name);
		vfdw_retract_source(definition->source);
	}
	else
		ereport(NOTICE, (errmsg("collection \"%s\" does not exist, skipping", name)));
	PG_RETURN_VOID();
}

Datum
vfdw_load_collection(PG_FUNCTION_ARGS)
{
	VfdwDefinition *definition = lock_existing(required_text(fcinfo, 0, "name"), false);

	vfdw_set_loaded(definition->name, true);
	PG_RETURN_VOID();
}

Datum
vfdw_unload_collection(PG_FUNCTION_ARGS)
{
	VfdwDefinition *definition = lock_existing(required_text(fcinfo, 0, "name"), false);

	vfdw_set_loaded(definition->name, false);
	PG_RETURN_VOID();
}

/*
 * ddl_trigger.c
 *	  Keeps vector_fdw.collection true while the database changes around it.
 *
 * Three triggers: a change of the catalog invalidates what backends remember of
 * it; a source table that is dropped takes its definitions along, in the same
 * transaction; an altered one is looked at for columns that went away.
 *
 * The event triggers run in everybody's DDL. Their first step is to read the
 * small catalog, and nothing more happens unless a collection is concerned.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "commands/event_trigger.h"
#include "commands/trigger.h"
#include "nodes/parsenodes.h"
#include "utils/inval.h"

#include "fdw/definition.h"
#include "fdw/vector_fdw.h"

PG_FUNCTION_INFO_V1(vfdw_collection_changed);
PG_FUNCTION_INFO_V1(vfdw_on_sql_drop);
PG_FUNCTION_INFO_V1(vfdw_on_alter_table);

/* AFTER any statement on the catalog. The message goes out with the commit. */
Datum
vfdw_collection_changed(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("vector_fdw.collection_changed() was not called by a trigger")));
	CacheInvalidateRelcache(((TriggerData *) fcinfo->context)->tg_relation);
	return PointerGetDatum(NULL);
}

static void
require_event_trigger(FunctionCallInfo fcinfo)
{
	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("this function was not called by an event trigger")));
}

/* Whatever dropped the table: DROP TABLE, a CASCADE, DROP SCHEMA, DROP OWNED. */
Datum
vfdw_on_sql_drop(PG_FUNCTION_ARGS)
{
	require_event_trigger(fcinfo);
	if (vfdw_any_source_is_gone())
		vfdw_delete_definitions_without_source();
	PG_RETURN_NULL();
}

/* The table that the statement names, if it still has that name. */
static Oid
altered_table(Node *statement)
{
	RangeVar *table = NULL;

	if (IsA(statement, AlterTableStmt))
		table = castNode(AlterTableStmt, statement)->relation;
	else if (IsA(statement, RenameStmt) &&
			 castNode(RenameStmt, statement)->renameType == OBJECT_COLUMN)
		table = castNode(RenameStmt, statement)->relation;
	return table != NULL ? RangeVarGetRelid(table, NoLock, true) : InvalidOid;
}

Datum
vfdw_on_alter_table(PG_FUNCTION_ARGS)
{
	Oid table;

	require_event_trigger(fcinfo);
	table = altered_table(((EventTriggerData *) fcinfo->context)->parsetree);
	if (OidIsValid(table) && vfdw_is_source(table))
		vfdw_warn_of_missing_columns(table);
	PG_RETURN_NULL();
}

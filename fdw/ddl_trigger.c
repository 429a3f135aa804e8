/*
 * ddl_trigger.c
 *	  Keeps collections true while the database changes around them.
 *
 * A change of the catalog invalidates what backends remember of it. The rest
 * are event triggers, for what the stream of changes does not tell:
 *
 *	 ddl_command_start	PostgreSQL refuses to drop or retype a column that a
 *						publication lists, and to give a virtual column another
 *						expression: so the table leaves it for a while
 *	 table_rewrite		rows got other values: vectord copies the table anew
 *	 sql_drop			a dropped source takes its definitions along; dropped
 *						partitions and columns take rows and values
 *	 ddl_command_end	columns renamed, retyped or added again; partitions that
 *						come and go; children that are none; another replica
 *						identity, unlogged tables; types whose stored values are
 *						sent in other bytes now
 *
 * They run in everybody's DDL. Their first step is to look at the statement and
 * at the small catalog, and nothing more happens unless a collection is
 * concerned. They refuse nothing: DDL that ends a collection gives a WARNING.
 *
 * Known limit: statements of event triggers that are switched off
 * (event_triggers = off) and DDL within CREATE SCHEMA are not noticed.
 * rebuild_collection() puts right what was missed.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_inherits.h"
#include "commands/event_trigger.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "nodes/makefuncs.h"
#include "nodes/parsenodes.h"
#include "parser/parse_type.h"
#include "storage/lmgr.h"
#include "utils/fmgrprotos.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"

#include "fdw/definition.h"
#include "fdw/owner_scope.h"
#include "fdw/publication.h"
#include "fdw/resync.h"
#include "fdw/source_key.h"
#include "fdw/source_tree.h"
#include "fdw/type_use.h"
#include "fdw/vector_fdw.h"

PG_FUNCTION_INFO_V1(vfdw_collection_changed);
PG_FUNCTION_INFO_V1(vfdw_on_sql_drop);
PG_FUNCTION_INFO_V1(vfdw_on_alter_table);
PG_FUNCTION_INFO_V1(vfdw_on_alter_type);
PG_FUNCTION_INFO_V1(vfdw_before_alter_table);
PG_FUNCTION_INFO_V1(vfdw_on_table_rewrite);

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

static EventTriggerData *
event_of(FunctionCallInfo fcinfo)
{
	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("this function was not called by an event trigger")));
	return (EventTriggerData *) fcinfo->context;
}

/* ---- what a statement does ---- */

typedef struct Change
{
	RangeVar *table;	/* altered, or got a partition; NULL: nothing that concerns collections */
	RangeVar *child;	/* inherits from the parents now, without being a partition */
	List *parents;		/* of RangeVar */
	List *dropped;		/* names of columns */
	List *retyped;		/* names of columns */
	List *added;		/* names of columns */
	List *nullable;		/* names of columns */
	List *recomputed;	/* names of columns */
	bool rows;			/* which rows there are, or how their changes are logged */
	bool identity;		/* the replica identity */
	bool unlogged;		/* is to become so */
	char *renamed_from; /* a column; NULL: none */
	char *renamed_to;
} Change;

static void
add_command(Change *change, const AlterTableCmd *command)
{
	switch (command->subtype)
	{
		case AT_DropColumn:
			change->dropped = lappend(change->dropped, command->name);
			break;
		case AT_AlterColumnType:
			change->retyped = lappend(change->retyped, command->name);
			break;
		case AT_AddColumn:
			change->added = lappend(change->added, castNode(ColumnDef, command->def)->colname);
			break;
#if PG_VERSION_NUM >= 180000
		case AT_SetExpression:
			change->recomputed = lappend(change->recomputed, command->name);
			break;
#else /* from 18 on a constraint is dropped, which after_drop() sees */
		case AT_DropNotNull:
			change->nullable = lappend(change->nullable, command->name);
			break;
#endif
		case AT_AddInherit:
			change->parents = lappend(change->parents, castNode(RangeVar, command->def));
			break;
		case AT_SetUnLogged:
			change->unlogged = true;
			change->rows = true;
			break;
		case AT_ReplicaIdentity:
			change->identity = true;
			change->rows = true;
			break;
		case AT_SetLogged:
		case AT_AttachPartition:
		case AT_DetachPartition:
		case AT_DetachPartitionFinalize:
			change->rows = true;
			break;
		default:
			break;
	}
}

static void
add_creation(Change *change, const CreateStmt *create)
{
	if (create->partbound != NULL)
		change->table = linitial_node(RangeVar, create->inhRelations);
	else
	{
		change->child = create->relation;
		change->parents = create->inhRelations;
	}
}

static Change
read_change(Node *statement)
{
	Change change = {0};
	ListCell *cell;

	if (IsA(statement, AlterTableStmt))
	{
		AlterTableStmt *alter = castNode(AlterTableStmt, statement);

		if (alter->objtype != OBJECT_TABLE && alter->objtype != OBJECT_FOREIGN_TABLE)
			return change;
		change.table = change.child = alter->relation;
		foreach (cell, alter->cmds)
			add_command(&change, lfirst_node(AlterTableCmd, cell));
	}
	else if (IsA(statement, RenameStmt))
	{
		RenameStmt *rename = castNode(RenameStmt, statement);

		if (rename->renameType != OBJECT_COLUMN || rename->relationType != OBJECT_TABLE)
			return change;
		change.table = rename->relation;
		change.renamed_from = rename->subname;
		change.renamed_to = rename->newname;
	}
	else if (IsA(statement, CreateStmt))
		add_creation(&change, castNode(CreateStmt, statement));
	else if (IsA(statement, CreateForeignTableStmt))
		add_creation(&change, &castNode(CreateForeignTableStmt, statement)->base);
	return change;
}

/* The sources whose columns are the table's: itself, and those among its partitions
 * and those that inherit from it. */
static List *
sources_with_columns_of(Oid table)
{
	List *sources = vfdw_sources_below(table);

	return vfdw_is_source(table) ? lcons_oid(table, sources) : sources;
}

/* Does a definition over the source name one of the columns? */
static bool
is_named(Oid source, const List *columns)
{
	ListCell *definition_cell;
	ListCell *cell;

	foreach (definition_cell, columns != NIL ? vfdw_definitions_over(source) : NIL)
	{
		foreach (cell, columns)
		{
			if (vfdw_names_column(lfirst(definition_cell), lfirst(cell)))
				return true;
		}
	}
	return false;
}

/* Lists in the publication what the source needs now; true if vectord has to copy it anew. */
static bool
republish(Oid source, bool wait, bool withdrawn)
{
	VfdwPublished published = vfdw_republish_source(source, wait, withdrawn);

	return published == VFDW_PUBLISHED_NEWLY || published == VFDW_PUBLISHED_NO_MORE;
}

/* ---- ddl_command_start ---- */

static bool
is_in_the_way(Oid source, Oid table, const Change *change)
{
	ListCell *cell;

	if (change->unlogged && source == table)
		return true;
	foreach (cell, list_concat_copy(change->dropped, change->retyped))
	{
		if (vfdw_lists_column(source, lfirst(cell)))
			return true;
	}
	foreach (cell, change->recomputed)
	{
		AttrNumber attribute = get_attnum(source, lfirst(cell));

		if (attribute > 0 && get_attgenerated(source, attribute) == 'v')
			return true;
	}
	return false;
}

Datum
vfdw_before_alter_table(PG_FUNCTION_ARGS)
{
	Change change = read_change(event_of(fcinfo)->parsetree);
	Oid table;
	ListCell *cell;

	if (change.table == NULL || (change.dropped == NIL && change.retyped == NIL &&
								 change.recomputed == NIL && !change.unlogged))
		PG_RETURN_NULL();
	table = RangeVarGetRelid(change.table, NoLock, true);
	/* Who may not alter the table must not get its lock here, nor change anything. */
	if (!OidIsValid(table) || !vfdw_is_owner(table))
		PG_RETURN_NULL();
	/*
	 * The locks that the statement needs anyway. Taken now they need not be upgraded, and whoever
	 * is about to make the table a source is waited for.
	 */
	if (RangeVarGetRelid(change.table, AccessExclusiveLock, true) != table)
		PG_RETURN_NULL();
	if (change.table->inh &&
		!(change.dropped == NIL && change.retyped == NIL && change.recomputed == NIL))
		(void) find_all_inheritors(table, AccessExclusiveLock, NULL);
	foreach (cell, sources_with_columns_of(table))
	{
		if (is_in_the_way(lfirst_oid(cell), table, &change))
			vfdw_withdraw_source(lfirst_oid(cell));
	}
	PG_RETURN_NULL();
}

/* ---- table_rewrite ---- */

static Datum
call_without_arguments(PGFunction function)
{
	LOCAL_FCINFO(call, 0);

	InitFunctionCallInfoData(*call, NULL, 0, InvalidOid, NULL, NULL);
	return function(call);
}

/*
 * Not each rewrite gives other values to the columns that there were: it may
 * add a column, or move the table. CLUSTER and VACUUM FULL do not come here.
 */
Datum
vfdw_on_table_rewrite(PG_FUNCTION_ARGS)
{
	Node *statement = event_of(fcinfo)->parsetree;
	Change change = read_change(statement);
	int reasons = DatumGetInt32(call_without_arguments(pg_event_trigger_table_rewrite_reason));
	Oid table = DatumGetObjectId(call_without_arguments(pg_event_trigger_table_rewrite_oid));
	ListCell *cell;

	if ((reasons & AT_REWRITE_COLUMN_REWRITE) == 0)
		PG_RETURN_NULL();
	foreach (cell, vfdw_sources_of(table))
	{
		/* Which columns another statement than ALTER TABLE meant is not known. */
		if (change.table == NULL || is_named(lfirst_oid(cell), change.retyped))
			vfdw_resync(lfirst_oid(cell));
	}
	PG_RETURN_NULL();
}

/* ---- ddl_command_end ---- */

static bool
follow_columns(Oid source, const Change *change)
{
	bool changed = is_named(source, change->added) || is_named(source, change->retyped);
	ListCell *cell;

	foreach (cell, change->retyped)
		vfdw_rebuild_with_column(source, lfirst(cell));
	if (change->renamed_from != NULL && is_named(source, list_make1(change->renamed_from)))
	{
		vfdw_rename_column(source, change->renamed_from, change->renamed_to);
		changed = true;
	}
	return changed;
}

/*
 * The rows of a child are rows of its parent, with keys that need not differ. What is served is
 * true no more; vectord sees the child itself (definition_reader.cpp), and sees when it is gone.
 */
static void
follow_parents(const Change *change)
{
	ListCell *cell;

	foreach (cell, change->parents)
	{
		Oid parent = RangeVarGetRelid(lfirst(cell), NoLock, true);
		Oid child = RangeVarGetRelid(change->child, NoLock, true);

		/* CREATE TABLE IF NOT EXISTS may have done nothing. */
		if (!OidIsValid(parent) || !vfdw_is_source(parent) ||
			!list_member_oid(find_inheritance_children(parent, NoLock), child))
			continue;
		ereport(WARNING,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the collections of table %s do not follow it any more",
						vfdw_qualified_name(parent)),
				 errdetail("Table %s inherits from it, and no key is unique across both of them.",
						   vfdw_qualified_name(child)),
				 errhint("They are copied anew once no table inherits from it: use ALTER TABLE %s "
						 "NO INHERIT %s, or a partitioned table.",
						 vfdw_qualified_name(child), vfdw_qualified_name(parent))));
		vfdw_resync(parent);
	}
}

static void
follow_table(Oid table, const Change *change)
{
	List *concerned = sources_with_columns_of(table);
	List *changed = change->rows ? vfdw_sources_of(table) : NIL;
	ListCell *cell;

	/* Its rows may be values of other tables' columns. */
	if (change->added != NIL || change->retyped != NIL)
		changed = list_concat_unique_oid(changed, vfdw_sources_made_of(vfdw_row_types_of(table)));
	foreach (cell, concerned)
	{
		if (follow_columns(lfirst_oid(cell), change) ||
			(is_named(lfirst_oid(cell), change->nullable) &&
			 vfdw_warn_of_lost_keys(lfirst_oid(cell))))
			changed = list_append_unique_oid(changed, lfirst_oid(cell));
	}
	foreach (cell, list_union_oid(concerned, vfdw_sources_of(table)))
	{
		bool is_altered = lfirst_oid(cell) == table;

		if (change->identity)
			(void) vfdw_warn_of_lost_keys(lfirst_oid(cell));
		if (republish(lfirst_oid(cell), is_altered, is_altered && change->unlogged))
			changed = list_append_unique_oid(changed, lfirst_oid(cell));
	}
	vfdw_resync_all(changed);
}

Datum
vfdw_on_alter_table(PG_FUNCTION_ARGS)
{
	Change change = read_change(event_of(fcinfo)->parsetree);
	Oid table;

	if ((change.table == NULL && change.parents == NIL) || vfdw_sources() == NIL)
		PG_RETURN_NULL();
	follow_parents(&change);
	/* If it still has that name. */
	table = change.table != NULL ? RangeVarGetRelid(change.table, NoLock, true) : InvalidOid;
	if (OidIsValid(table))
		follow_table(table, &change);
	PG_RETURN_NULL();
}

/* The type whose values are sent in other bytes than before; InvalidOid: of none. */
static Oid
type_sent_otherwise(Node *statement)
{
	List *name = NIL;
	ListCell *cell;

	if (IsA(statement, AlterTableStmt))
	{
		AlterTableStmt *alter = castNode(AlterTableStmt, statement);
		Oid relation = RangeVarGetRelid(alter->relation, NoLock, true);

		return OidIsValid(relation) ? get_rel_type_id(relation) : InvalidOid;
	}
	/* A new label of an enum changes nothing that there is. */
	if (IsA(statement, AlterEnumStmt) && castNode(AlterEnumStmt, statement)->oldVal != NULL)
		name = castNode(AlterEnumStmt, statement)->typeName;
	if (IsA(statement, AlterTypeStmt))
	{
		foreach (cell, castNode(AlterTypeStmt, statement)->options)
		{
			if (strcmp(lfirst_node(DefElem, cell)->defname, "send") == 0)
				name = castNode(AlterTypeStmt, statement)->typeName;
		}
	}
	return name != NIL ? LookupTypeNameOid(NULL, makeTypeNameFromNameList(name), true) : InvalidOid;
}

Datum
vfdw_on_alter_type(PG_FUNCTION_ARGS)
{
	Oid type = type_sent_otherwise(event_of(fcinfo)->parsetree);

	if (OidIsValid(type))
		vfdw_resync_all(vfdw_sources_made_of(list_make1_oid(type)));
	PG_RETURN_NULL();
}

/* ---- sql_drop ---- */

typedef struct DroppedObjects
{
	List *tables;  /* of Oid */
	List *columns; /* names, and at the same places the tables of */
	List *column_tables;
	List *changed_types; /* of rows that lost one of their columns or attributes */
	bool indexes;		 /* or constraints: what a key may rest on */
	bool any;			 /* of the kinds that can matter */
} DroppedObjects;

static DroppedObjects
read_dropped_objects(void)
{
	MemoryContext context = CurrentMemoryContext;
	DroppedObjects dropped = {0};
	VfdwOwnerScope scope;

	vfdw_begin_as_owner(&scope);
	vfdw_run("SELECT objid, CASE WHEN object_type IN ('table column', 'composite type column')"
			 " THEN address_names[cardinality(address_names)] END, object_type = 'table',"
			 " object_type IN ('index', 'table constraint')"
			 " FROM pg_event_trigger_dropped_objects()"
			 " WHERE NOT is_temporary AND object_type IN ('table', 'table column', 'index',"
			 " 'composite type column', 'table constraint', 'publication relation')",
			 SPI_OK_SELECT, 0, NULL, NULL, NULL);
	dropped.any = SPI_processed > 0;
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple row = SPI_tuptable->vals[i];
		TupleDesc descriptor = SPI_tuptable->tupdesc;
		bool isnull;
		Oid object = DatumGetObjectId(SPI_getbinval(row, descriptor, 1, &isnull));
		char *column = SPI_getvalue(row, descriptor, 2);
		bool is_table = DatumGetBool(SPI_getbinval(row, descriptor, 3, &isnull));
		bool is_index = DatumGetBool(SPI_getbinval(row, descriptor, 4, &isnull));
		MemoryContext spi = MemoryContextSwitchTo(context);

		dropped.indexes = dropped.indexes || is_index;
		if (is_table)
			dropped.tables = lappend_oid(dropped.tables, object);
		else if (column != NULL)
		{
			dropped.columns = lappend(dropped.columns, pstrdup(column));
			dropped.column_tables = lappend_oid(dropped.column_tables, object);
			dropped.changed_types =
				list_concat_unique_oid(dropped.changed_types, vfdw_row_types_of(object));
		}
		MemoryContextSwitchTo(spi);
	}
	vfdw_end_as_owner(&scope);
	return dropped;
}

static List *
sources_of_dropped_partitions(const DroppedObjects *dropped)
{
	List *sources = NIL;
	ListCell *cell;

	foreach (cell, dropped->tables)
	{
		Oid parent = vfdw_former_parent(lfirst_oid(cell));

		if (OidIsValid(parent))
			sources = list_concat_unique_oid(sources, vfdw_sources_of(parent));
	}
	return sources;
}

static List *
sources_of_dropped_columns(const DroppedObjects *dropped)
{
	List *sources = NIL;
	ListCell *name;
	ListCell *table;
	ListCell *cell;

	forboth(name, dropped->columns, table, dropped->column_tables)
	{
		foreach (cell, vfdw_sources_of(lfirst_oid(table)))
		{
			if (is_named(lfirst_oid(cell), list_make1(lfirst(name))))
				sources = list_append_unique_oid(sources, lfirst_oid(cell));
		}
	}
	return sources;
}

/* Whatever dropped the objects: DROP TABLE, a CASCADE, DROP SCHEMA, DROP OWNED, DROP EXTENSION. */
static void
after_drop(void)
{
	DroppedObjects dropped;
	List *changed;
	List *without_column;
	ListCell *cell;

	dropped = read_dropped_objects();
	if (!dropped.any)
		return;
	if (dropped.tables != NIL)
		vfdw_delete_definitions_without_source();
	without_column = sources_of_dropped_columns(&dropped);
	foreach (cell, without_column)
		vfdw_warn_of_missing_columns(lfirst_oid(cell));
	changed = list_concat_unique_oid(sources_of_dropped_partitions(&dropped), without_column);
	changed = list_concat_unique_oid(changed, vfdw_sources_made_of(dropped.changed_types));
	/* An index or constraint may have been somebody's replica identity or key. */
	foreach (cell, vfdw_sources())
	{
		if (republish(lfirst_oid(cell), false, false) ||
			(dropped.indexes && vfdw_warn_of_lost_keys(lfirst_oid(cell))))
			changed = list_append_unique_oid(changed, lfirst_oid(cell));
	}
	vfdw_resync_all(changed);
}

Datum
vfdw_on_sql_drop(PG_FUNCTION_ARGS)
{
	EventTriggerData *event = event_of(fcinfo);

	/* Our own changes of the publication come here, too; those of users are left as they are. */
	if (event->tag != CMDTAG_ALTER_PUBLICATION && event->tag != CMDTAG_DROP_PUBLICATION &&
		vfdw_sources() != NIL)
		after_drop();
	PG_RETURN_NULL();
}

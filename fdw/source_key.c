/*
 * source_key.c
 *	  Whether columns of a table are a key: each row of a collection is known by
 *	  its key, so no two rows of the table may have the same.
 *
 * A definition is checked when it is written (definition.c). What takes its key
 * away later is noticed here at the end of the DDL, with a WARNING; vectord
 * judges by itself, too (definition_reader.cpp), and goes on once there is a
 * key again.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/sysattr.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/syscache.h"

#include "fdw/definition.h"
#include "fdw/source_key.h"

bool
vfdw_contains_name(const List *names, const char *name)
{
	ListCell *cell;

	foreach (cell, names)
	{
		if (strcmp(lfirst(cell), name) == 0)
			return true;
	}
	return false;
}

/* The columns of an index that a key can rest on, in its order; NIL if it is none. */
static List *
columns_of_unique_index(Relation source, Oid index_oid, bool primary_only)
{
	HeapTuple tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index_oid));
	Form_pg_index index;
	List *names = NIL;

	if (!HeapTupleIsValid(tuple))
		return NIL;
	index = (Form_pg_index) GETSTRUCT(tuple);
	if (index->indisunique && index->indisvalid && index->indimmediate &&
		(index->indisprimary || !primary_only) &&
		heap_attisnull(tuple, Anum_pg_index_indpred, NULL) &&
		heap_attisnull(tuple, Anum_pg_index_indexprs, NULL))
	{
		for (int i = 0; i < index->indnkeyatts; i++)
		{
			Form_pg_attribute column =
				TupleDescAttr(RelationGetDescr(source), index->indkey.values[i] - 1);

			names = lappend(names, pstrdup(NameStr(column->attname)));
		}
	}
	ReleaseSysCache(tuple);
	return names;
}

static bool
same_set(const List *a, const List *b)
{
	ListCell *cell;

	foreach (cell, a)
	{
		if (!vfdw_contains_name(b, lfirst(cell)))
			return false;
	}
	return list_length(a) == list_length(b);
}

/* The primary key's columns; with wanted, those of any unique index over exactly these. */
static List *
find_key(Relation source, const List *wanted)
{
	ListCell *cell;

	foreach (cell, RelationGetIndexList(source))
	{
		List *names = columns_of_unique_index(source, lfirst_oid(cell), wanted == NIL);

		if (names != NIL && (wanted == NIL || same_set(wanted, names)))
			return names;
	}
	return NIL;
}

List *
vfdw_primary_key(Relation source)
{
	return find_key(source, NIL);
}

bool
vfdw_is_unique(Relation source, const List *columns)
{
	return find_key(source, columns) != NIL;
}

bool
vfdw_is_not_null(Relation source, AttrNumber attribute)
{
	TupleDesc descriptor = RelationGetDescr(source);

#if PG_VERSION_NUM >= 180000
	/* attnotnull is also true of a constraint that is NOT VALID, beside which there may be NULLs.
	 */
	return TupleDescCompactAttr(descriptor, attribute - 1)->attnullability == ATTNULLABLE_VALID;
#else
	return TupleDescAttr(descriptor, attribute - 1)->attnotnull;
#endif
}

/* What keeps the definition's key from being one, as a sentence; NULL: nothing does. */
static char *
lost_key(const VfdwDefinition *definition, Relation source)
{
	ListCell *cell;

	foreach (cell, definition->key_columns)
	{
		AttrNumber attribute = get_attnum(RelationGetRelid(source), lfirst(cell));

		if (attribute <= 0)
			return NULL; /* a column that is missing is told elsewhere */
		if (!vfdw_is_not_null(source, attribute))
			return psprintf("Its key column \"%s\" may be NULL.", (char *) lfirst(cell));
	}
	if (!vfdw_is_unique(source, definition->key_columns))
		return psprintf("No unique index is over exactly the key columns of collection \"%s\".",
						definition->name);
	return NULL;
}

/* A key column that the log does not tell of updated and deleted rows of the table, or NULL. */
static const char *
key_outside_identity(const VfdwDefinition *definition, Relation table)
{
	Bitmapset *identity;
	ListCell *cell;

	/* That there is no identity at all is told elsewhere. */
	if (table->rd_rel->relreplident == REPLICA_IDENTITY_FULL || !vfdw_has_replica_identity(table))
		return NULL;
	identity = RelationGetIndexAttrBitmap(table, INDEX_ATTR_BITMAP_IDENTITY_KEY);
	foreach (cell, definition->key_columns)
	{
		AttrNumber attribute = get_attnum(RelationGetRelid(table), lfirst(cell));

		if (attribute > 0 &&
			!bms_is_member(attribute - FirstLowInvalidHeapAttributeNumber, identity))
			return lfirst(cell);
	}
	return NULL;
}

/* The same of the source and its partitions, as a sentence. One that others have locked is left
 * out. */
static char *
lost_identity(const VfdwDefinition *definition, Relation source)
{
	ListCell *cell;

	foreach (cell, source->rd_rel->relkind == RELKIND_PARTITIONED_TABLE
					   ? find_all_inheritors(RelationGetRelid(source), NoLock, NULL)
					   : list_make1_oid(RelationGetRelid(source)))
	{
		const char *column;
		Relation table;

		if (!ConditionalLockRelationOid(lfirst_oid(cell), AccessShareLock))
			continue;
		table = try_relation_open(lfirst_oid(cell), NoLock);
		if (table == NULL)
			continue;
		column = table->rd_rel->relkind == RELKIND_RELATION
					 ? key_outside_identity(definition, table)
					 : NULL;
		relation_close(table, NoLock);
		if (column != NULL)
			return psprintf(
				"Its key column \"%s\" is not part of the replica identity of table %s.", column,
				vfdw_qualified_name(lfirst_oid(cell)));
	}
	return NULL;
}

bool
vfdw_warn_of_lost_keys(Oid source)
{
	List *definitions = vfdw_definitions_over(source);
	bool lost = false;
	Relation relation;
	ListCell *cell;

	if (!ConditionalLockRelationOid(source, AccessShareLock))
		return false;
	relation = try_relation_open(source, NoLock);
	if (relation == NULL)
		return false;
	foreach (cell, definitions)
	{
		const VfdwDefinition *definition = lfirst(cell);
		char *reason = lost_key(definition, relation);
		const char *hint = "It is copied anew once these columns are NOT NULL and unique again. "
						   "For another key, drop the collection and create it again.";

		if (reason == NULL)
		{
			reason = lost_identity(definition, relation);
			hint = "It is copied anew once the replica identity is FULL or holds the key again. "
				   "For another key, drop the collection and create it again.";
		}
		if (reason == NULL)
			continue;
		lost = true;
		ereport(WARNING, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						  errmsg("collection \"%s\" does not follow table %s any more",
								 definition->name, vfdw_qualified_name(source)),
						  errdetail_internal("%s", reason), errhint("%s", hint)));
	}
	relation_close(relation, NoLock);
	return lost;
}

/*
 * publication.c
 *	  Which tables the publication lists for vectord, and which of their columns.
 *
 * One publication per database, named VFDW_PUBLICATION. It is owned by the
 * extension's owner, so that the owners of tables need no right on it; it goes
 * with the extension, but is dumped by pg_dump like any other.
 *
 * The application's UPDATE and DELETE must never fail on account of it.
 * PostgreSQL refuses them when a published table has no replica identity, or
 * when the list of published columns does not cover it. Hence
 *   (1) a table without replica identity is not listed, or no longer listed;
 *   (2) the list holds the replica identity, and all columns are published
 *	     where that is REPLICA IDENTITY FULL;
 *   (3) a table is not listed either if its replica identity holds a generated
 *	     column that would not be published, which PostgreSQL refuses from 18 on;
 *   (4) all this is looked at again after each DDL on a source (ddl_trigger.c).
 *
 * Lists of columns are of PostgreSQL 15 on. A partitioned table has none,
 * because what its partitions publish is said for each of them alone (the
 * stream must show the partitions, as TRUNCATE of one would be lost otherwise).
 *
 * Known limit: what a user does to the publication by hand is left as it is,
 * until the next change of a definition over the table.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/dependency.h"
#include "catalog/partition.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_publication.h"
#if PG_VERSION_NUM >= 150000
#include "catalog/pg_publication_namespace.h"
#endif
#include "catalog/pg_publication_rel.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/syscache.h"

#include "fdw/definition.h"
#include "fdw/owner_scope.h"
#include "fdw/publication.h"
#include "fdw/resync.h"
#include "fdw/source_tree.h"
#include "fdw/vector_fdw.h"
#include "shared/source_names.h"

/* How a table stands, or should stand, in the publication. Columns are attribute numbers. */
typedef struct Entry
{
	bool listed;
	bool whole; /* no list of columns */
	bool filtered;
	Bitmapset *columns;
} Entry;

/* ---- the publication ---- */

/* Why a publication of our name is not ours, or NULL if it is as it should be. */
static const char *
objection_to_publication(Oid publication)
{
	const Publication *p = GetPublication(publication);

	if (p->alltables)
		return "It is FOR ALL TABLES.";
#if PG_VERSION_NUM >= 150000
	if (GetPublicationSchemas(publication) != NIL)
		return "It publishes all tables of a schema.";
#endif
	if (p->pubviaroot)
		return "It has the option publish_via_partition_root.";
	if (!p->pubactions.pubinsert || !p->pubactions.pubupdate || !p->pubactions.pubdelete ||
		!p->pubactions.pubtruncate)
		return "It does not publish each of insert, update, delete and truncate.";
	return NULL;
}

/* So that it does not outlive the extension; unlike a member, it is dumped. */
static void
tie_to_extension(Oid publication)
{
	ObjectAddress dependent;
	ObjectAddress extension;

	ObjectAddressSet(dependent, PublicationRelationId, publication);
	ObjectAddressSet(extension, ExtensionRelationId, get_extension_oid(VFDW_EXTENSION, false));
	if (!list_member_oid(getAutoExtensionsOfObject(PublicationRelationId, publication),
						 extension.objectId))
		recordDependencyOn(&dependent, &extension, DEPENDENCY_AUTO_EXTENSION);
}

/* A publication made anew because somebody dropped the last one has to list all sources again. */
static void
publish_others(Oid source)
{
	ListCell *cell;

	foreach (cell, vfdw_sources())
	{
		if (lfirst_oid(cell) != source &&
			vfdw_republish_source(lfirst_oid(cell), false, false) == VFDW_PUBLISHED_NEWLY)
			vfdw_resync(lfirst_oid(cell));
	}
}

static void
need_publication(Oid source)
{
	Oid publication = get_publication_oid(VFDW_PUBLICATION, true);
	const char *objection;

	if (!OidIsValid(publication))
	{
		/* Another session may be about to make it. */
		LockDatabaseObject(ExtensionRelationId, get_extension_oid(VFDW_EXTENSION, false), 0,
						   ShareUpdateExclusiveLock);
		publication = get_publication_oid(VFDW_PUBLICATION, true);
	}
	if (!OidIsValid(publication))
	{
		vfdw_run_as_owner("CREATE PUBLICATION " VFDW_PUBLICATION
						  " WITH (publish = 'insert, update, delete, truncate',"
						  " publish_via_partition_root = false)",
						  SPI_OK_UTILITY);
		publication = get_publication_oid(VFDW_PUBLICATION, false);
		publish_others(source);
	}
	objection = objection_to_publication(publication);
	if (objection != NULL)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("publication \"%s\" is not the one of vector_fdw", VFDW_PUBLICATION),
						errdetail_internal("%s", objection),
						errhint("Rename it with ALTER PUBLICATION %s RENAME TO ...; the one that "
								"collections need is made by itself then.",
								VFDW_PUBLICATION)));
	tie_to_extension(publication);
}

/* Our publication, or InvalidOid. */
static Oid
own_publication(void)
{
	Oid publication = get_publication_oid(VFDW_PUBLICATION, true);

	if (!OidIsValid(publication) || objection_to_publication(publication) != NULL)
		return InvalidOid;
	return publication;
}

/*
 * The same, locked against everybody who alters it until the transaction ends; InvalidOid if it is
 * gone by then. ALTER PUBLICATION takes that lock, too, but what it is to do must be decided under
 * it: by the definitions and the entry that others leave when they commit.
 */
static Oid
lock_publication(void)
{
	Oid locked = InvalidOid;
	Oid publication;

	while (OidIsValid(publication = own_publication()) && publication != locked)
	{
		LockDatabaseObject(PublicationRelationId, publication, 0, AccessExclusiveLock);
		locked = publication;
	}
	return publication;
}

/* ---- what a table's entry is and should be ---- */

#if PG_VERSION_NUM >= 150000 /* columns and conditions of tables */
static Bitmapset *
columns_of_vector(Datum attributes)
{
	int2vector *vector = (int2vector *) DatumGetPointer(attributes);
	Bitmapset *columns = NULL;

	for (int i = 0; i < vector->dim1; i++)
		columns = bms_add_member(columns, vector->values[i]);
	return columns;
}
#endif

static Entry
current_entry(Oid publication, Oid source)
{
	Entry entry = {0};
	HeapTuple tuple =
		SearchSysCache2(PUBLICATIONRELMAP, ObjectIdGetDatum(source), ObjectIdGetDatum(publication));

	if (!HeapTupleIsValid(tuple))
		return entry;
	entry.listed = true;
	entry.whole = true;
#if PG_VERSION_NUM >= 150000
	{
		bool isnull;
		Datum columns =
			SysCacheGetAttr(PUBLICATIONRELMAP, tuple, Anum_pg_publication_rel_prattrs, &isnull);

		entry.whole = isnull;
		if (!isnull)
			entry.columns = columns_of_vector(columns);
		(void) SysCacheGetAttr(PUBLICATIONRELMAP, tuple, Anum_pg_publication_rel_prqual, &isnull);
		entry.filtered = !isnull;
	}
#endif
	ReleaseSysCache(tuple);
	return entry;
}

/* The relation, locked, or NULL if it is gone or, with wait unset, locked by somebody else. */
static Relation
open_for_look(Oid relation, bool wait)
{
	if (wait)
		LockRelationOid(relation, AccessShareLock);
	else if (!ConditionalLockRelationOid(relation, AccessShareLock))
		return NULL;
	return try_relation_open(relation, NoLock);
}

/* A list of a partition's own would also rule what is published for its parents. */
static bool
has_source_above(Oid source)
{
	ListCell *cell;

	if (!get_rel_relispartition(source))
		return false;
	foreach (cell, get_partition_ancestors(source))
	{
		if (vfdw_is_source(lfirst_oid(cell)))
			return true;
	}
	return false;
}

/* Whether a table is published without a list of columns if it, or that parent of it, is a source.
 */
static bool
is_published_whole(Relation table, Oid source)
{
	return PG_VERSION_NUM < 150000 || table->rd_rel->relreplident == REPLICA_IDENTITY_FULL ||
		   get_rel_relkind(source) == RELKIND_PARTITIONED_TABLE || has_source_above(source);
}

/* A generated column of the replica identity, or NULL. */
static const char *
generated_in_identity(Relation table)
{
	TupleDesc descriptor = RelationGetDescr(table);
	const bool is_full = table->rd_rel->relreplident == REPLICA_IDENTITY_FULL;
	Bitmapset *identity =
		is_full ? NULL : RelationGetIndexAttrBitmap(table, INDEX_ATTR_BITMAP_IDENTITY_KEY);

	for (int i = 0; i < descriptor->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(descriptor, i);

		if (column->attgenerated != '\0' && !column->attisdropped &&
			(is_full ||
			 bms_is_member(column->attnum - FirstLowInvalidHeapAttributeNumber, identity)))
			return NameStr(column->attname);
	}
	return NULL;
}

/* Without a list of columns those that are generated are not published, which 18 minds. */
const char *
vfdw_unpublished_identity(Relation table, Oid source)
{
	if (PG_VERSION_NUM < 180000 || !is_published_whole(table, source))
		return NULL;
	return generated_in_identity(table);
}

static char *
obstacle_of_table(Relation table, Oid source)
{
	char *name = vfdw_qualified_name(RelationGetRelid(table));
	const char *generated;

	if (table->rd_rel->relkind == RELKIND_FOREIGN_TABLE)
		return psprintf("Its partition %s is a foreign table.", name);
	if (table->rd_rel->relkind != RELKIND_RELATION)
		return NULL;
	if (table->rd_rel->relpersistence != RELPERSISTENCE_PERMANENT)
		return psprintf("Changes of table %s are not in the log.", name);
	if (!vfdw_has_replica_identity(table))
		return psprintf("Table %s has no replica identity.", name);
	generated = vfdw_unpublished_identity(table, source);
	if (generated != NULL)
		return psprintf(
			"Table %s needs a replica identity without generated column \"%s\", which is "
			"not published.",
			name, generated);
	return NULL;
}

/*
 * Why changes of the table, or of one of its partitions, cannot be published; NULL: they can. That
 * other tables inherit from it does not matter here: vectord refuses to follow it as long as they
 * do, and the publication stays ready for when they do not.
 */
static char *
obstacle(Oid source, bool wait)
{
	bool is_partitioned = get_rel_relkind(source) == RELKIND_PARTITIONED_TABLE;
	char *reason = NULL;
	ListCell *cell;

	foreach (cell,
			 is_partitioned ? find_all_inheritors(source, NoLock, NULL) : list_make1_oid(source))
	{
		/*
		 * For a partition that others have locked nobody waits here, perhaps with the parent
		 * locked: the statement that locks it comes here, too.
		 */
		Relation table = open_for_look(lfirst_oid(cell), wait && lfirst_oid(cell) == source);

		if (table == NULL)
			continue;
		reason = obstacle_of_table(table, source);
		relation_close(table, NoLock);
		if (reason != NULL)
			break;
	}
	return reason;
}

static Bitmapset *
add_named(Bitmapset *columns, Oid source, const char *name)
{
	AttrNumber attribute = get_attnum(source, name);

	/* A column that is gone makes the definition wrong, not the others. */
	if (attribute <= 0 || get_attgenerated(source, attribute) != '\0')
		return columns;
	return bms_add_member(columns, attribute);
}

static Bitmapset *
columns_of_definition(Bitmapset *columns, const VfdwDefinition *definition)
{
	ListCell *cell;

	columns = add_named(columns, definition->source, definition->vector_column);
	foreach (cell, definition->key_columns)
		columns = add_named(columns, definition->source, lfirst(cell));
	foreach (cell, definition->include)
		columns = add_named(columns, definition->source, lfirst(cell));
	return columns;
}

static Bitmapset *
columns_of_identity(Bitmapset *columns, Relation source)
{
	Bitmapset *identity = RelationGetIndexAttrBitmap(source, INDEX_ATTR_BITMAP_IDENTITY_KEY);
	int member = -1;

	while ((member = bms_next_member(identity, member)) >= 0)
		columns = bms_add_member(columns, member + FirstLowInvalidHeapAttributeNumber);
	return columns;
}

static Entry
wanted_entry(Relation source, const List *definitions)
{
	Entry entry = {.listed = true};
	ListCell *cell;

	/* Before 18 no list may name generated columns, and it need not where there is none. */
	entry.whole = is_published_whole(source, RelationGetRelid(source)) ||
				  (PG_VERSION_NUM < 180000 && generated_in_identity(source) != NULL);
	if (entry.whole)
		return entry;
	entry.columns = columns_of_identity(NULL, source);
	foreach (cell, definitions)
		entry.columns = columns_of_definition(entry.columns, lfirst(cell));
	return entry;
}

static bool
same_entry(const Entry *a, const Entry *b)
{
	return a->listed == b->listed && a->whole == b->whole && a->filtered == b->filtered &&
		   bms_equal(a->columns, b->columns);
}

/* ---- changing it ---- */

static void
take_out(Oid source)
{
	vfdw_run_as_owner(psprintf("ALTER PUBLICATION %s DROP TABLE ONLY %s", VFDW_PUBLICATION,
							   vfdw_qualified_name(source)),
					  SPI_OK_UTILITY);
}

static void
put_in(Oid source, const Entry *entry)
{
	StringInfoData statement;
	int column = -1;
	const char *separator = " (";

	initStringInfo(&statement);
	appendStringInfo(&statement, "ALTER PUBLICATION %s ADD TABLE ONLY %s", VFDW_PUBLICATION,
					 vfdw_qualified_name(source));
	while ((column = bms_next_member(entry->columns, column)) >= 0)
	{
		appendStringInfo(&statement, "%s%s", separator,
						 quote_identifier(get_attname(source, (AttrNumber) column, false)));
		separator = ", ";
	}
	if (entry->columns != NULL)
		appendStringInfoChar(&statement, ')');
	vfdw_run_as_owner(statement.data, SPI_OK_UTILITY);
}

/* There is no statement that changes one table's columns; no change of rows comes in between. */
static void
replace(Oid source, const Entry *old, const Entry *new)
{
	if (same_entry(old, new))
		return;
	if (old->listed)
		take_out(source);
	put_in(source, new);
}

static void
keep_columns(Entry *wanted, const Entry *current)
{
	if (wanted->whole || !current->listed)
		return;
	/* All were published before: whoever needed one that no definition names still gets it. */
	if (!current->whole)
		wanted->columns = bms_add_members(wanted->columns, current->columns);
}

/* Sources that are partitions of that one: theirs must not have a list any more. */
static void
publish_partitions_whole(Oid publication, Oid source)
{
	const Entry whole = {.listed = true, .whole = true};
	ListCell *cell;

	if (get_rel_relkind(source) != RELKIND_PARTITIONED_TABLE)
		return;
	foreach (cell, vfdw_sources_below(source))
	{
		Entry current = current_entry(publication, lfirst_oid(cell));

		if (current.listed)
			replace(lfirst_oid(cell), &current, &whole);
	}
}

void
vfdw_publish_source(Oid source)
{
	Oid publication;
	Relation relation;
	Entry current;
	Entry wanted;

	do
		need_publication(source);
	while (!OidIsValid(publication = lock_publication()));
	relation = relation_open(source, AccessShareLock);
	current = current_entry(publication, source);
	wanted = wanted_entry(relation, vfdw_definitions_over(source));
	keep_columns(&wanted, &current);
	replace(source, &current, &wanted);
	publish_partitions_whole(publication, source);
	relation_close(relation, NoLock);
}

void
vfdw_retract_source(Oid source)
{
	Oid publication = lock_publication();
	List *definitions;
	Relation relation;
	Entry current;
	Entry wanted;

	if (!OidIsValid(publication))
		return;
	definitions = vfdw_definitions_over(source);
	current = current_entry(publication, source);
	relation = current.listed ? try_relation_open(source, AccessShareLock) : NULL;
	if (relation == NULL)
		return;
	wanted = wanted_entry(relation, definitions);
	if (definitions == NIL || obstacle(source, true) != NULL)
		take_out(source);
	else
		replace(source, &current, &wanted);
	relation_close(relation, NoLock);
}

static void
warn_of_obstacle(Oid source, const char *reason)
{
	ereport(WARNING,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the collections of table %s do not follow it any more",
					vfdw_qualified_name(source)),
			 errdetail_internal("%s", reason),
			 errhint("They are copied anew once the table has what is missing. To be followed, it "
					 "and its partitions must be permanent and have a replica identity.")));
}

/* Everybody's DDL comes here: the publication is locked only once there is something to change. */
static VfdwPublished
republish(Relation relation, bool wait, bool withdrawn, bool locked)
{
	const Oid source = RelationGetRelid(relation);
	Oid publication = locked ? lock_publication() : own_publication();
	List *definitions = OidIsValid(publication) ? vfdw_definitions_over(source) : NIL;
	Entry current;
	Entry wanted = {0};
	char *reason;

	if (definitions == NIL)
		return VFDW_PUBLISHED_AS_BEFORE;
	current = current_entry(publication, source);
	reason = obstacle(source, wait);
	if (reason == NULL)
	{
		wanted = wanted_entry(relation, definitions);
		keep_columns(&wanted, &current);
	}
	if (same_entry(&current, &wanted) && (reason == NULL || !withdrawn))
		return VFDW_PUBLISHED_AS_BEFORE;
	if (!locked)
		return republish(relation, wait, withdrawn, true);
	if (reason != NULL)
	{
		warn_of_obstacle(source, reason);
		if (current.listed)
			take_out(source);
		return VFDW_PUBLISHED_NO_MORE;
	}
	replace(source, &current, &wanted);
	return current.listed ? VFDW_PUBLISHED_OTHERWISE : VFDW_PUBLISHED_NEWLY;
}

VfdwPublished
vfdw_republish_source(Oid source, bool wait, bool withdrawn)
{
	VfdwPublished result;
	Relation relation;

	if (!OidIsValid(own_publication()))
		return VFDW_PUBLISHED_AS_BEFORE;
	relation = open_for_look(source, wait);
	if (relation == NULL)
		return VFDW_PUBLISHED_AS_BEFORE;
	result = republish(relation, wait, withdrawn, false);
	relation_close(relation, NoLock);
	return result;
}

static bool
is_listed(Oid publication, Oid source)
{
	return OidIsValid(publication) && current_entry(publication, source).listed;
}

void
vfdw_withdraw_source(Oid source)
{
	if (is_listed(own_publication(), source) && is_listed(lock_publication(), source))
		take_out(source);
}

bool
vfdw_lists_column(Oid source, const char *column)
{
	Oid publication = own_publication();
	AttrNumber attribute = get_attnum(source, column);

	return OidIsValid(publication) && attribute > 0 &&
		   bms_is_member(attribute, current_entry(publication, source).columns);
}

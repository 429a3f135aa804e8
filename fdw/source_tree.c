/*
 * source_tree.c
 *	  Source tables of collections above and below a table, by partitioning or inheritance.
 *
 * Takes no lock on any table, so that it may run in everybody's DDL: what is
 * asked about is either locked by the caller's DDL, or it does not matter
 * whether another session changes it at the same time, because that session's
 * DDL asks, too.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/partition.h"
#include "catalog/pg_inherits.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "fdw/definition.h"
#include "fdw/source_tree.h"

/* Nearest first, without the table itself. */
static List *
ancestors_of(Oid table)
{
	return get_rel_relispartition(table) ? get_partition_ancestors(table) : NIL;
}

bool
vfdw_is_source(Oid table)
{
	return list_member_oid(vfdw_sources(), table);
}

List *
vfdw_sources_of(Oid table)
{
	List *all = vfdw_sources();
	List *sources = NIL;
	ListCell *cell;

	if (all == NIL)
		return NIL;
	foreach (cell, lcons_oid(table, ancestors_of(table)))
	{
		if (list_member_oid(all, lfirst_oid(cell)))
			sources = lappend_oid(sources, lfirst_oid(cell));
	}
	return sources;
}

/* Snapshot NULL: the present. */
static List *
add_parents(List *tables, Relation inherits, Oid table, Snapshot snapshot)
{
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple tuple;

	ScanKeyInit(&key, Anum_pg_inherits_inhrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(table));
	scan = systable_beginscan(inherits, InheritsRelidSeqnoIndexId, true, snapshot, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		tables = list_append_unique_oid(tables, ((Form_pg_inherits) GETSTRUCT(tuple))->inhparent);
	systable_endscan(scan);
	return tables;
}

/* By partitioning or inheritance, at any depth. Upwards, for a child that others drop may be gone.
 */
static bool
is_below(Oid source, Oid table, Relation inherits)
{
	List *line = list_make1_oid(source);
	ListCell *cell;

	foreach (cell, line)
		line = add_parents(line, inherits, lfirst_oid(cell), NULL);
	return source != table && list_member_oid(line, table);
}

List *
vfdw_sources_below(Oid table)
{
	Relation inherits = table_open(InheritsRelationId, AccessShareLock);
	List *below = NIL;
	ListCell *cell;

	foreach (cell, vfdw_sources())
	{
		if (is_below(lfirst_oid(cell), table, inherits))
			below = lappend_oid(below, lfirst_oid(cell));
	}
	table_close(inherits, AccessShareLock);
	return below;
}

/*
 * The row that said so is deleted already, and was visible to no snapshot that
 * could be taken now; but as long as this transaction goes on nobody removes it.
 */
Oid
vfdw_former_parent(Oid table)
{
	Relation inherits = table_open(InheritsRelationId, AccessShareLock);
	Oid parent = InvalidOid;
	ListCell *cell;

	foreach (cell, add_parents(NIL, inherits, table, SnapshotAny))
	{
		if (get_rel_relkind(lfirst_oid(cell)) == RELKIND_PARTITIONED_TABLE)
			parent = lfirst_oid(cell);
	}
	table_close(inherits, AccessShareLock);
	return parent;
}

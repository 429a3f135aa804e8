/*
 * relsize.c
 *	  How many rows a foreign table has, without asking the daemon.
 *
 * In order of trust: what the last reply of this session said, ANALYZE of the
 * foreign table, the source table when it is of this database, a guess. The
 * guess is large, so that an unknown collection is not read whole for a few
 * rows.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/pg_class.h"
#include "optimizer/optimizer.h"
#include "optimizer/plancat.h"
#include "storage/lmgr.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "fdw/plan.h"

#define ROWS_OF_THE_UNKNOWN 100000

/*
 * Rows of a source table; -1 when not known. A table that somebody has locked
 * exclusively is not waited for: an estimate is not worth it.
 */
static double
source_rows(Oid source)
{
	HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(source));
	double rows;
	Relation relation;

	if (!HeapTupleIsValid(tuple))
		return -1;
	rows = ((Form_pg_class) GETSTRUCT(tuple))->reltuples;
	ReleaseSysCache(tuple);
	if (rows >= 0)
		return rows;

	if (!ConditionalLockRelationOid(source, AccessShareLock))
		return -1;
	relation = try_relation_open(source, NoLock);
	if (relation != NULL)
	{
		BlockNumber pages;
		double all_visible;

		estimate_rel_size(relation, NULL, &pages, &rows, &all_visible);
		relation_close(relation, NoLock);
	}
	UnlockRelationOid(source, AccessShareLock);
	return rows;
}

static double
collection_rows(const RelOptInfo *baserel, Oid foreigntableid, const VfdwCollectionFacts *facts)
{
	double rows = vfdw_remembered_rows(foreigntableid);

	if (rows < 0 && baserel->tuples > 0)
		rows = baserel->tuples;
	if (rows < 0 && facts != NULL)
		rows = source_rows(facts->source);
	if (rows < 0)
		rows = ROWS_OF_THE_UNKNOWN;
	return clamp_row_est(rows);
}

/* Callback: estimates rows; core has estimated the width already. */
void
vectorGetForeignRelSize(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid)
{
	VfdwRelation *relation = palloc0(sizeof(VfdwRelation));
	Selectivity selectivity;

	relation->options = vfdw_table_options(foreigntableid);
	relation->facts = vfdw_collection_facts(relation->options);
	relation->rows = collection_rows(baserel, foreigntableid, relation->facts);
	baserel->fdw_private = relation;

	/* clauselist_selectivity looks at tuples for equality with unknown statistics. */
	baserel->tuples = relation->rows;
	vfdw_sort_conditions(root, baserel, relation);
	selectivity = clauselist_selectivity(root, baserel->baserestrictinfo, 0, JOIN_INNER, NULL);
	baserel->rows = clamp_row_est(relation->rows * selectivity);
}

/*
 * readonly.c
 *	  Says no to whoever wants to write, and where to write instead.
 *
 * PostgreSQL would refuse by itself, but cannot name the source table.
 */
#include "postgres.h"

#include "parser/parsetree.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "fdw/vector_fdw.h"

static void
refuse(Relation foreign_table)
{
	const VfdwCollectionFacts *facts =
		vfdw_collection_facts(vfdw_table_options(RelationGetRelid(foreign_table)));
	char *source = facts != NULL ? get_rel_name(facts->source) : NULL;

	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("cannot change foreign table \"%s\"", RelationGetRelationName(foreign_table)),
			 errdetail("It shows a copy that vectord keeps of its source table."),
			 source != NULL
				 ? errhint("Change the source table %s instead.",
						   quote_qualified_identifier(
							   get_namespace_name(get_rel_namespace(facts->source)), source))
				 : errhint("Change the source table of the collection instead.")));
}

/*
 * Callback: nothing is updatable. COPY FROM and rows routed by a partitioned
 * table ask this before anything else and would then raise an error without a
 * hint; they have locked the table for writing. The views of information_schema
 * ask too and get their answer, unless somebody did LOCK TABLE before.
 */
int
vectorIsForeignRelUpdatable(Relation rel)
{
	if (CheckRelationLockedByMe(rel, RowExclusiveLock, false))
		refuse(rel);
	return 0;
}

/* Callback: never reached, but without it vectorIsForeignRelUpdatable() would not be asked. */
TupleTableSlot *
vectorExecForeignInsert(EState *estate, ResultRelInfo *result, TupleTableSlot *slot,
						TupleTableSlot *plan_slot)
{
	refuse(result->ri_RelationDesc);
	return NULL;
}

/* Callback */
void
vectorExecForeignTruncate(List *rels, DropBehavior behavior, bool restart_seqs)
{
	refuse(linitial(rels));
}

/* Callback: UPDATE and DELETE come here when they are planned. */
void
vectorAddForeignUpdateTargets(PlannerInfo *root, Index rtindex, RangeTblEntry *target_rte,
							  Relation target_relation)
{
	refuse(target_relation);
}

/* Callback: INSERT comes here when it is planned. */
List *
vectorPlanForeignModify(PlannerInfo *root, ModifyTable *plan, Index resultRelation,
						int subplan_index)
{
	RangeTblEntry *rte = planner_rt_fetch(resultRelation, root);
	Relation relation = RelationIdGetRelation(rte->relid);

	refuse(relation);
	return NIL;
}

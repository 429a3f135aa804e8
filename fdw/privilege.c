/*
 * privilege.c
 *	  May the owner of a foreign table read what it shows?
 *
 * vectord reads the source tables with its own privileges, so a foreign table
 * would let its owner see any collection. It is therefore treated like a view:
 * its owner needs SELECT on the columns of the source table that it shows, and
 * its users need SELECT on the foreign table, which PostgreSQL checks.
 *
 * vectord knows no policies of row security. If they restrict the owner, the
 * scan is refused: leaving rows out would need them.
 *
 * Only sources of this database can be checked. For any other database vectord
 * decides by the client's key.
 *
 * vectord learns of a change of the catalog a moment later, so until then it may
 * hold a collection that was dropped, or one of another table under the name.
 * What is not defined here is therefore not asked for, and every request says
 * which table was checked.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/sysattr.h"
#include "catalog/pg_attribute.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"
#include "utils/syscache.h"

#include "fdw/definition.h"
#include "fdw/vector_fdw.h"

/* A column of the foreign table that the owner may not read in the source; NULL if there is none.
 */
static char *
forbidden_column(Relation foreign_table, Oid source, Oid owner)
{
	TupleDesc descriptor = RelationGetDescr(foreign_table);
	bool shows_any = false;

	for (int i = 0; i < descriptor->natts; i++)
	{
		char *name;
		AttrNumber attnum;

		if (TupleDescAttr(descriptor, i)->attisdropped)
			continue;
		name = vfdw_remote_column(RelationGetRelid(foreign_table), i + 1);
		attnum = get_attnum(source, name);
		shows_any = true;
		/* The daemon may still serve a column by the name that it had, so that one is forbidden
		 * too. */
		if (attnum == InvalidAttrNumber ||
			pg_attribute_aclcheck(source, attnum, owner, ACL_SELECT) != ACLCHECK_OK)
			return name;
	}
	/* Even without columns, the number of rows is shown. */
	if (!shows_any &&
		pg_attribute_aclcheck_all(source, owner, ACL_SELECT, ACLMASK_ANY) != ACLCHECK_OK)
		return "*";
	return NULL;
}

#define HINT_CREATE                                                                                \
	"Create it with vector_fdw.create_collection(), or correct the option \"collection\"."

/* vectord may hold it a moment longer, and whose rows these are nobody could tell. */
static void
throw_missing(const VfdwOptions *options, const char *detail, const char *hint)
{
	ereport(ERROR, (errcode(ERRCODE_FDW_TABLE_NOT_FOUND),
					errmsg("collection \"%s\" of schema \"%s\" does not exist", options->collection,
						   options->schema_name),
					errdetail_internal("%s", detail), errhint("%s", hint)));
}

Oid
vfdw_check_source_privileges(Relation foreign_table, const VfdwOptions *options)
{
	const VfdwCollectionFacts *facts = vfdw_collection_named(options);
	const Oid owner = foreign_table->rd_rel->relowner;
	char *schema;
	char *column;

	if (facts == NULL && !vfdw_is_local(options))
		return InvalidOid;
	if (facts == NULL)
		throw_missing(options, "This database has no definition of that name.", HINT_CREATE);
	schema = get_namespace_name(get_rel_namespace(facts->source));
	if (schema == NULL)
		throw_missing(options, "Its source table does not exist any more.", HINT_CREATE);
	if (pg_class_aclcheck(facts->source, owner, ACL_SELECT) != ACLCHECK_OK &&
		(column = forbidden_column(foreign_table, facts->source, owner)) != NULL)
		ereport(
			ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied for foreign table \"%s\"",
					RelationGetRelationName(foreign_table)),
			 errdetail("Its owner \"%s\" may not select column \"%s\" of the source table %s.",
					   GetUserNameFromId(owner, false), column, vfdw_qualified_name(facts->source)),
			 errhint("Grant SELECT on the source table to that owner, or give the foreign table "
					 "an owner who has it.")));
	if (check_enable_rls(facts->source, owner, true) == RLS_ENABLED)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for foreign table \"%s\"",
						RelationGetRelationName(foreign_table)),
				 errdetail("Row security of the source table %s restricts its owner \"%s\", and "
						   "vectord does not know policies.",
						   vfdw_qualified_name(facts->source), GetUserNameFromId(owner, false)),
				 errhint("Give the foreign table an owner whom row security does not restrict, and "
						 "join the source table, so that its policies choose the rows.")));
	/* As vectord says too, once it has heard of it; until then nobody would wait for own changes.
	 */
	if (strcmp(schema, options->schema_name) != 0)
		throw_missing(options, psprintf("The collection of that name is of schema \"%s\".", schema),
					  "Correct the option \"schema_name\" of the foreign table.");
	return facts->source;
}

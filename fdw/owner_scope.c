/*
 * owner_scope.c
 *	  Statements that run with the privileges of the extension's owner.
 *
 * Nobody but that owner may write vector_fdw.collection or alter the
 * publication: who may define what is decided by the owner of the source table
 * (definition.c), not by a grant. So those statements run as the owner of the
 * catalog, with a search_path in which nothing of a user's can be found;
 * operators and functions of pg_catalog are therefore not qualified there.
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "fdw/definition.h"
#include "fdw/owner_scope.h"

static Oid
catalog_owner(void)
{
	HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(vfdw_catalog_oid()));
	Oid owner;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("table vector_fdw.collection does not exist"),
						errhint("CREATE EXTENSION vector_fdw makes it.")));
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

void
vfdw_begin_as_owner(VfdwOwnerScope *scope)
{
	Oid owner = catalog_owner();

	GetUserIdAndSecContext(&scope->user, &scope->security_context);
	SetUserIdAndSecContext(owner, scope->security_context | SECURITY_LOCAL_USERID_CHANGE |
									  SECURITY_NOFORCE_RLS);
	scope->guc_level = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
}

void
vfdw_end_as_owner(const VfdwOwnerScope *scope)
{
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");
	AtEOXact_GUC(false, scope->guc_level);
	SetUserIdAndSecContext(scope->user, scope->security_context);
}

/*
 * Under a snapshot of its own, also where the transaction keeps one: the catalog is followed as it
 * is now, like PostgreSQL's own. What another transaction changes meanwhile is a serialization
 * failure there.
 */
uint64
vfdw_run(const char *statement, int expected, int count, Oid *types, Datum *values,
		 const char *nulls)
{
	SPIPlanPtr plan = SPI_prepare(statement, count, types);
	int result;

	if (plan == NULL)
		elog(ERROR, "SPI returned %s for: %s", SPI_result_code_string(SPI_result), statement);
	result = SPI_execute_snapshot(plan, values, nulls, GetLatestSnapshot(), InvalidSnapshot, false,
								  true, 0);
	if (result != expected)
		elog(ERROR, "SPI returned %s for: %s", SPI_result_code_string(result), statement);
	return SPI_processed;
}

void
vfdw_run_as_owner(const char *statement, int expected)
{
	VfdwOwnerScope scope;

	vfdw_begin_as_owner(&scope);
	vfdw_run(statement, expected, 0, NULL, NULL, NULL);
	vfdw_end_as_owner(&scope);
}

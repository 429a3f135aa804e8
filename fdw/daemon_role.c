/*
 * daemon_role.c
 *	  Lets vectord read a source table.
 *
 * vectord logs in as an ordinary role. The owner who defines a collection may
 * grant it what it needs on the table, and does so here, as that owner: nothing
 * runs with more privilege than the caller has. What the caller may not grant
 * is said in a NOTICE.
 */
#include "postgres.h"

#include "catalog/pg_namespace.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"

#include "fdw/definition.h"
#include "fdw/vector_fdw.h"

static bool
has_schema_privilege(Oid schema, Oid role, AclMode privilege)
{
#if PG_VERSION_NUM >= 160000
	return object_aclcheck(NamespaceRelationId, schema, role, privilege) == ACLCHECK_OK;
#else
	return pg_namespace_aclcheck(schema, role, privilege) == ACLCHECK_OK;
#endif
}

static void
grant(const char *privilege, const char *role)
{
	char *statement = psprintf("GRANT %s TO %s", privilege, quote_identifier(role));

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (SPI_execute(statement, false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "could not run: %s", statement);
	SPI_finish();
	ereport(NOTICE, (errmsg("granted %s to role \"%s\"", privilege, role)));
}

void
vfdw_grant_to_daemon(Relation source)
{
	const char *role = vfdw_guc_daemon_role;
	const Oid relid = RelationGetRelid(source);
	const Oid schema = RelationGetNamespace(source);
	char *schema_name = get_namespace_name(schema);
	char *select = psprintf("SELECT ON TABLE %s", vfdw_qualified_name(relid));
	char *usage = psprintf("USAGE ON SCHEMA %s", quote_identifier(schema_name));
	Oid role_oid;

	if (role == NULL || role[0] == '\0')
		return;
	role_oid = get_role_oid(role, true);
	if (!OidIsValid(role_oid))
	{
		ereport(NOTICE,
				(errmsg("nothing was granted, because there is no role \"%s\"", role),
				 errhint("Grant %s to the role that vectord logs in as, or name that role in "
						 "vector_fdw.daemon_role before.",
						 select)));
		return;
	}
	if (pg_class_aclcheck(relid, role_oid, ACL_SELECT) != ACLCHECK_OK)
		grant(select, role);
	if (!has_schema_privilege(schema, role_oid, ACL_USAGE))
	{
		if (has_schema_privilege(schema, GetUserId(), ACL_GRANT_OPTION_FOR(ACL_USAGE)))
			grant(usage, role);
		else
			ereport(NOTICE, (errmsg("role \"%s\" cannot read table %s yet", role,
									vfdw_qualified_name(relid)),
							 errhint("Ask the owner of the schema for GRANT %s TO %s.", usage,
									 quote_identifier(role))));
	}
	if (check_enable_rls(relid, role_oid, true) == RLS_ENABLED)
		ereport(NOTICE,
				(errmsg("row security of table %s applies to role \"%s\"",
						vfdw_qualified_name(relid), role),
				 errdetail("The collection will hold only rows that the role may see."),
				 errhint("Use ALTER ROLE %s BYPASSRLS, or create a policy that shows it every row.",
						 quote_identifier(role))));
}

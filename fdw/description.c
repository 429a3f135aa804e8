/*
 * description.c
 *	  What a daemon says about a collection, for functions that search it
 *	  without a plan. The collection may be of another database, so the catalog
 *	  of this one is not asked.
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"

#include "fdw/daemon_error.h"
#include "fdw/description.h"

#define ROLE_KEY	1 /* ColumnRole of messages.h */
#define ROLE_VECTOR 2

void
vfdw_describe(VfdwConnection *connection, vfdw_client *client, const VfdwOptions *options,
			  const vfdw_collection_ref *collection, VfdwDescription *description)
{
	const vfdw_collection_info *info;
	vfdw_reply *reply;
	vfdw_error error;
	size_t count;
	uint64 id = vfdw_client_send_describe(client, collection, options->request_timeout_ms, &error);

	if (id == 0)
		vfdw_throw(&error, options);
	reply = vfdw_wait_reply(connection, client, id, options, false, &error);
	info = vfdw_reply_collections(reply, &count);
	if (info == NULL || count != 1)
		elog(ERROR, "the daemon did not describe the collection");

	memset(description, 0, sizeof(*description));
	description->metric = info->metric;
	description->dimensions = info->dimensions;
	description->key_columns = palloc(sizeof(char *) * Max(info->column_count, 1));
	for (size_t i = 0; i < info->column_count; i++)
	{
		const vfdw_column_info *column = &info->columns[i];

		if (column->role == ROLE_KEY)
			description->key_columns[description->key_column_count++] = pstrdup(column->name);
		else if (column->role == ROLE_VECTOR)
			description->vector_column = pstrdup(column->name);
	}
	vfdw_free_reply(reply);
	if (description->vector_column == NULL || description->key_column_count == 0)
		elog(ERROR, "the daemon described a collection without a key or a vector");
}

void
vfdw_check_searchable(Oid tableid)
{
	AclResult allowed;
	char *name = get_rel_name(tableid);

	if (name == NULL)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
						errmsg("relation with OID %u does not exist", tableid)));
	if (get_rel_relkind(tableid) != RELKIND_FOREIGN_TABLE ||
		GetForeignServer(GetForeignTable(tableid)->serverid)->fdwid !=
			get_foreign_data_wrapper_oid(VFDW_EXTENSION, false))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a foreign table of vector_fdw", name),
				 errhint("Give the foreign table through which the collection is searched.")));
	allowed = pg_class_aclcheck(tableid, GetUserId(), ACL_SELECT);
	if (allowed != ACLCHECK_OK)
		aclcheck_error(allowed, OBJECT_FOREIGN_TABLE, name);
}

/*
 * collection_ref.c
 *	  How a collection is named to a daemon.
 *
 * Whatever asks for a collection's rows or columns names it by this, so that
 * every name goes over in UTF-8, and every daemon learns which table was
 * checked for the right to read it (privilege.c).
 */
#include "postgres.h"

#include "fdw/daemon_error.h"
#include "fdw/vector_fdw.h"

vfdw_collection_ref
vfdw_name_collection(const VfdwOptions *options, Oid source)
{
	return (vfdw_collection_ref){.database = vfdw_to_utf8(options->dbname),
								 .schema = vfdw_to_utf8(options->schema_name),
								 .name = vfdw_to_utf8(options->collection),
								 .table_oid = source};
}

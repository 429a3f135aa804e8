/*
 * description.h
 *	  What a daemon says about a collection. (description.c)
 */
#ifndef VECTOR_FDW_DESCRIPTION_H
#define VECTOR_FDW_DESCRIPTION_H

#include "fdw/vector_fdw.h"

/* Texts are UTF-8, palloc'ed. */
typedef struct VfdwDescription
{
	enum vfdw_metric metric;
	const char *vector_column;
	const char **key_columns;
	int key_column_count;
	uint32 dimensions; /* 0: not known yet */
} VfdwDescription;

/* Asks the daemon, and waits. */
extern void vfdw_describe(VfdwConnection *connection, vfdw_client *client,
						  const VfdwOptions *options, const vfdw_collection_ref *collection,
						  VfdwDescription *description);

/*
 * The table is a foreign table of this extension, and the current user may read
 * all of it. ereports otherwise.
 */
extern void vfdw_check_searchable(Oid tableid);

#endif /* VECTOR_FDW_DESCRIPTION_H */

/*
 * remembered_rows.c
 *	  How large a collection was when a reply of this session last told.
 *
 * Planning never contacts the daemon, so this is the freshest that the planner
 * can know. An entry costs 16 bytes and is kept for the session.
 */
#include "postgres.h"

#include "utils/hsearch.h"

#include "fdw/vector_fdw.h"

typedef struct RememberedRows
{
	Oid foreigntableid; /* hash key, must be first */
	double rows;
} RememberedRows;

static HTAB *remembered = NULL;

double
vfdw_remembered_rows(Oid foreigntableid)
{
	RememberedRows *entry;

	if (remembered == NULL)
		return -1;
	entry = hash_search(remembered, &foreigntableid, HASH_FIND, NULL);
	return entry != NULL ? entry->rows : -1;
}

void
vfdw_remember_rows(Oid foreigntableid, double rows)
{
	RememberedRows *entry;

	if (remembered == NULL)
	{
		HASHCTL control = {0};

		control.keysize = sizeof(Oid);
		control.entrysize = sizeof(RememberedRows);
		remembered =
			hash_create("vector_fdw remembered rows", 32, &control, HASH_ELEM | HASH_BLOBS);
	}
	entry = hash_search(remembered, &foreigntableid, HASH_ENTER, NULL);
	entry->rows = rows;
}

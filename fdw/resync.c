/*
 * resync.c
 *	  Tells vectord to copy a source table anew.
 *
 * Some DDL changes what a table holds without a word in the stream of changes:
 * a rewrite, partitions that come and go, a column that goes. The message
 * stands in the log at the place of the change, within its transaction, so it
 * is lost with a rollback, and vectord meets it in the right order.
 *
 * Asking twice in a transaction does no harm.
 */
#include "postgres.h"

#include "replication/message.h"

#include "fdw/resync.h"
#include "shared/source_names.h"

void
vfdw_resync(Oid source)
{
	char *content = psprintf("%u", source);

#if PG_VERSION_NUM >= 170000
	(void) LogLogicalMessage(VFDW_RESYNC_PREFIX, content, strlen(content), true, false);
#else
	(void) LogLogicalMessage(VFDW_RESYNC_PREFIX, content, strlen(content), true);
#endif
}

void
vfdw_resync_all(const List *sources)
{
	ListCell *cell;

	foreach (cell, sources)
		vfdw_resync(lfirst_oid(cell));
}

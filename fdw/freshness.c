/*
 * freshness.c
 *	  How much of the WAL an answer must include.
 *
 *   eventual  nothing
 *   session   this session's last commit, and vector_fdw.min_lsn
 *   snapshot  refused for now: a position alone cannot express a snapshot
 *
 * The last commit counts only when the source table is of this database: a
 * position of this cluster means nothing to a daemon that follows another one.
 *
 * A transaction that wrote no row may have written WAL all the same (a SELECT
 * prunes pages), and PostgreSQL calls the end of that a commit, too. Nobody
 * waits for it: a session that only reads would wait for flushes.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"

#include "fdw/plan.h"
#include "fdw/wal_position.h"

/* End of the last commit of this session that may have changed rows. */
static XLogRecPtr last_write = InvalidXLogRecPtr;
/* The value of XactLastCommitEnd that was judged last. */
static XLogRecPtr last_judged = InvalidXLogRecPtr;

/* COMMIT PREPARED has no transaction id of its own, but what it wrote is flushed by now. */
static void
note_commit(XactEvent event, void *unused)
{
	if (event != XACT_EVENT_COMMIT || XactLastCommitEnd == last_judged)
		return;
	last_judged = XactLastCommitEnd;
	if (TransactionIdIsValid(GetTopTransactionIdIfAny()) || XactLastCommitEnd <= vfdw_flushed())
		last_write = XactLastCommitEnd;
}

/* What was committed before the library was loaded counts as written. */
void
vfdw_freshness_init(void)
{
	last_write = last_judged = XactLastCommitEnd;
	RegisterXactCallback(note_commit, NULL);
}

XLogRecPtr
vfdw_required_lsn(const VfdwOptions *options)
{
	XLogRecPtr given = vfdw_reachable(options->min_lsn);
	XLogRecPtr required = Max(given, last_write);

	if (options->consistency == VFDW_CONSISTENCY_EVENTUAL)
		return InvalidXLogRecPtr;
	if (options->consistency == VFDW_CONSISTENCY_SNAPSHOT)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("consistency level \"snapshot\" is not supported yet"),
						errhint("Use \"session\", which includes this session's commits.")));

	if (XLogRecPtrIsInvalid(required) || vfdw_collection_facts(options) == NULL)
		return given;
	vfdw_make_streamable(required);
	return required;
}

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
 */
#include "postgres.h"

#include "access/xlog.h"

#include "fdw/plan.h"

XLogRecPtr
vfdw_required_lsn(const VfdwOptions *options)
{
	XLogRecPtr required;

	if (options->consistency == VFDW_CONSISTENCY_EVENTUAL)
		return InvalidXLogRecPtr;
	if (options->consistency == VFDW_CONSISTENCY_SNAPSHOT)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("consistency level \"snapshot\" is not supported yet"),
						errhint("Use \"session\", which includes this session's commits.")));

	required = options->min_lsn;
	if (XactLastCommitEnd > required && vfdw_collection_facts(options) != NULL)
		required = XactLastCommitEnd;
	return required;
}

/*
 * wal_position.c
 *	  Positions in the write-ahead log that vectord can be asked to reach.
 *
 * PostgreSQL streams what is flushed. A commit with synchronous_commit = off is
 * visible at once and flushed later, by up to three times wal_writer_delay, so
 * whoever waits for one flushes it himself.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "access/xlog_internal.h"
#if PG_VERSION_NUM >= 150000
#include "access/xlogrecovery.h"
#endif

#include "fdw/wal_position.h"

XLogRecPtr
vfdw_flushed(void)
{
#if PG_VERSION_NUM >= 150000
	return GetFlushRecPtr(NULL);
#else
	return GetFlushRecPtr();
#endif
}

XLogRecPtr
vfdw_reachable(XLogRecPtr lsn)
{
	if (XLogSegmentOffset(lsn, wal_segment_size) == SizeOfXLogLongPHD)
		return lsn - SizeOfXLogLongPHD;
	if (lsn % XLOG_BLCKSZ == SizeOfXLogShortPHD)
		return lsn - SizeOfXLogShortPHD;
	return lsn;
}

void
vfdw_make_streamable(XLogRecPtr lsn)
{
	/* On a standby everything that there is was flushed before it was replayed. */
	if (XLogRecPtrIsInvalid(lsn) || RecoveryInProgress())
		return;
	/* A position that a user gave may lie anywhere. */
	XLogFlush(Min(lsn, vfdw_reachable(GetXLogInsertRecPtr())));
}

XLogRecPtr
vfdw_committed_by_now(void)
{
	XLogRecPtr lsn;

	if (RecoveryInProgress())
		return GetXLogReplayRecPtr(NULL);
	lsn = vfdw_reachable(GetXLogInsertRecPtr());
	XLogFlush(lsn);
	return lsn;
}

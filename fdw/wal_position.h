/*
 * wal_position.h
 *	  Positions in the write-ahead log that vectord can be asked to reach.
 */
#ifndef VECTOR_FDW_WAL_POSITION_H
#define VECTOR_FDW_WAL_POSITION_H

#include "postgres.h"

#include "access/xlogdefs.h"

/* Up to where there is WAL now, flushed: all that is committed lies before it. */
extern XLogRecPtr vfdw_committed_by_now(void);

/*
 * The position as the end of the records before it, which is what the stream of
 * changes tells: not behind the header of a page that nothing stands on yet.
 */
extern XLogRecPtr vfdw_reachable(XLogRecPtr lsn);

/* The end of what is flushed. Not while in recovery. */
extern XLogRecPtr vfdw_flushed(void);

/* Flushes up to there, as far as there is WAL; nothing more is streamed than is flushed. */
extern void vfdw_make_streamable(XLogRecPtr lsn);

#endif /* VECTOR_FDW_WAL_POSITION_H */

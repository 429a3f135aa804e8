/*
 * stream.h
 *	  The rows of one search as a stream of batches.
 *
 * Knows requests, replies and connections; knows nothing of ForeignScan, plans
 * or tuples, so that other kinds of scan can use it.
 *
 *   idle --send--> asked --next--> batch --next--> ... --> ended
 *     ^                                                      |
 *     +------------------------- reset ----------------------+
 */
#ifndef VECTOR_FDW_STREAM_H
#define VECTOR_FDW_STREAM_H

#include "fdw/vector_fdw.h"

/* What to ask, names in UTF-8. The caller may change it between vfdw_stream_reset() and
 * vfdw_stream_send() only. */
typedef struct VfdwRequest
{
	const VfdwOptions *options;
	vfdw_collection_ref collection;
	Oid userid;
	const char *vector_column; /* of the collection; NULL without a query vector */
	enum vfdw_metric metric;
	const char **columns; /* of the collection, in the order of the reply's */
	int column_count;
	const float *query; /* NULL: all rows in no order */
	size_t dimensions;
	uint64 rows; /* wanted at first, 0: all; without a query vector in the first batch */
	bool hold;	 /* the daemon shall keep a cursor after the first rows too */
	bool exact;
	const vfdw_filter_node *filter;
	size_t filter_count; /* 0: all rows */
	int range;			 /* enum vfdw_range; only with a query vector */
	double farthest;
	bool nothing;	 /* no row can pass: the daemon is not asked */
	bool count_only; /* the first batch tells how many rows there are, and has none */
	XLogRecPtr min_lsn;
	bool tolerant; /* the first batch may be VFDW_STREAM_UNAVAILABLE */
} VfdwRequest;

typedef enum VfdwStreamResult
{
	VFDW_STREAM_BATCH,
	VFDW_STREAM_END,
	VFDW_STREAM_UNAVAILABLE
} VfdwStreamResult;

typedef struct VfdwStreamStats
{
	uint64 round_trips;
	uint64 engine_us;
	uint64 waited_us;
	uint64 candidates;
	uint32 effort;	   /* of the first batch */
	char strategy[32]; /* of the first batch */
	char index[16];
} VfdwStreamStats;

typedef struct VfdwStream VfdwStream;

/* Contacts nobody. The stream goes away with parent, or by vfdw_stream_close(). */
extern VfdwStream *vfdw_stream_open(const VfdwRequest *request, MemoryContext parent);
/* Sends the first request, if none was sent; does not wait for its reply. */
extern void vfdw_stream_send(VfdwStream *stream);
/* The next batch, valid until the next call for this stream. */
extern VfdwStreamResult vfdw_stream_next(VfdwStream *stream, const vfdw_rows **rows);
/* Begins again with the same rows; asks again only if there were too many to keep. */
extern void vfdw_stream_rewind(VfdwStream *stream);
/* Forgets all, for a changed request. */
extern void vfdw_stream_reset(VfdwStream *stream);
extern void vfdw_stream_close(VfdwStream *stream);
extern const VfdwStreamStats *vfdw_stream_stats(const VfdwStream *stream);
/* Why the last answer was VFDW_STREAM_UNAVAILABLE. */
extern const vfdw_error *vfdw_stream_failure(const VfdwStream *stream);

#endif /* VECTOR_FDW_STREAM_H */

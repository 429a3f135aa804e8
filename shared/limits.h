/*
 * limits.h - bounds that both sides check. Valid C and C++.
 *
 * A bound here is a promise to the peer: nothing larger is ever sent, and
 * whatever is larger is refused before memory is allocated for it.
 */
#ifndef VECTOR_FDW_SHARED_LIMITS_H
#define VECTOR_FDW_SHARED_LIMITS_H

/* Dimensions of one vector. pgvector's type stops at 16,000. */
#define VFDW_MAX_DIMENSIONS 65535
/* One frame of a request; the longest vector plus a large filter fits many times over. */
#define VFDW_MAX_REQUEST_BYTES (8 * 1024 * 1024)
/* One reply. The daemon ends a batch early rather than exceed it, but a batch holds at least a row.
 */
#define VFDW_REPLY_TARGET_BYTES (4 * 1024 * 1024)
/* Hard bound that clients set on a frame: a row may hold one PostgreSQL value of up to 1 GB. */
#define VFDW_MAX_REPLY_BYTES (1200LL * 1024 * 1024)
/* Names: NAMEDATALEN is 64 in every usual build, but may be raised. */
#define VFDW_MAX_NAME_BYTES 1024
/* Columns of one collection: key + vector + included. */
#define VFDW_MAX_COLUMNS 1600
/* Nodes of one filter, and how deep they may stand within each other. */
#define VFDW_MAX_FILTER_NODES 10000
#define VFDW_MAX_FILTER_DEPTH 200
/* Levels of a jsonb operand. */
#define VFDW_MAX_JSONB_DEPTH 500
#define VFDW_MIN_EF_SEARCH 1
#define VFDW_MIN_TARGET_RECALL 0.01
#define VFDW_MAX_EF_SEARCH 100000
#define VFDW_MAX_NPROBE 1000000

#endif

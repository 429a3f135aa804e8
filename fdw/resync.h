/*
 * resync.h
 *	  Tells vectord to copy a source table anew.
 */
#ifndef VECTOR_FDW_RESYNC_H
#define VECTOR_FDW_RESYNC_H

#include "postgres.h"

#include "nodes/pg_list.h"

/* Takes effect in the stream at this place, if and when the transaction commits. */
extern void vfdw_resync(Oid source);
extern void vfdw_resync_all(const List *sources);

#endif /* VECTOR_FDW_RESYNC_H */

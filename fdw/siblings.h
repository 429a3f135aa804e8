/*
 * siblings.h
 *	  Whether the scans of one MergeAppend can be started together.
 */
#ifndef VECTOR_FDW_SIBLINGS_H
#define VECTOR_FDW_SIBLINGS_H

#include "postgres.h"

#include "nodes/plannodes.h"

/* Whether this scan is asked for a row as soon as any other scan of the same MergeAppend is. */
extern bool vfdw_siblings_are_asked(const PlannedStmt *statement, const Plan *scan);

#endif /* VECTOR_FDW_SIBLINGS_H */

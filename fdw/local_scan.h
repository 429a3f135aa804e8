/*
 * local_scan.h
 *	  The same rows from the source table, for "on_unavailable" = "scan".
 */
#ifndef VECTOR_FDW_LOCAL_SCAN_H
#define VECTOR_FDW_LOCAL_SCAN_H

#include "utils/snapshot.h"

#include "fdw/plan.h"
#include "fdw/stream.h"

typedef struct VfdwLocalScan VfdwLocalScan;

/*
 * Opens an exact scan of the source table under a snapshot. NULL when the source table is
 * not of this database. REQUIRES: vfdw_check_source_privileges() passed.
 */
extern VfdwLocalScan *vfdw_local_scan_open(const VfdwPlan *plan, const VfdwRequest *request,
										   Relation foreign_table, Snapshot snapshot);
/* Fills values as plan->targets says; false at the end. Valid until the next call. */
extern bool vfdw_local_scan_next(VfdwLocalScan *scan, Datum *values, bool *nulls);
extern void vfdw_local_scan_close(VfdwLocalScan *scan);

#endif /* VECTOR_FDW_LOCAL_SCAN_H */

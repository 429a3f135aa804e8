/*
 * scan.h
 *	  What a running scan tells EXPLAIN ANALYZE.
 */
#ifndef VECTOR_FDW_SCAN_H
#define VECTOR_FDW_SCAN_H

#include "fdw/stream.h"

typedef struct VfdwScan VfdwScan;

/* NULL when the scan was not run. */
extern const VfdwStreamStats *vfdw_scan_stats(const ForeignScanState *node);

#endif /* VECTOR_FDW_SCAN_H */

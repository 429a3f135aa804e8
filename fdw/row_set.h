/*
 * row_set.h
 *	  The result of a function that returns a set of rows, all of them at once.
 */
#ifndef VECTOR_FDW_ROW_SET_H
#define VECTOR_FDW_ROW_SET_H

#include "fmgr.h"
#include "nodes/execnodes.h"

/* An empty set of the function's row type, to be filled by tuplestore_putvalues(). */
extern ReturnSetInfo *vfdw_start_rows(FunctionCallInfo fcinfo);

#endif

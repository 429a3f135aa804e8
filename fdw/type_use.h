/*
 * type_use.h
 *	  Which sources of collections hold values of a type, be it inside of others.
 */
#ifndef VECTOR_FDW_TYPE_USE_H
#define VECTOR_FDW_TYPE_USE_H

#include "postgres.h"

#include "nodes/pg_list.h"

/* Sources with a column in a definition that is of one of the types (Oid), or made of one. */
extern List *vfdw_sources_made_of(const List *types);
/* The row types of a table, view or composite type, and of all that inherit from it; NIL if gone.
 */
extern List *vfdw_row_types_of(Oid relation);

#endif /* VECTOR_FDW_TYPE_USE_H */

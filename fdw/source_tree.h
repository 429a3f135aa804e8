/*
 * source_tree.h
 *	  Source tables of collections above and below a table, by partitioning or inheritance.
 */
#ifndef VECTOR_FDW_SOURCE_TREE_H
#define VECTOR_FDW_SOURCE_TREE_H

#include "postgres.h"

#include "nodes/pg_list.h"

/* Sources whose rows the table holds: itself, and those that it is a partition of. */
extern List *vfdw_sources_of(Oid table);
/* Sources that are partitions of the table or inherit from it, at any depth, without itself. */
extern List *vfdw_sources_below(Oid table);
extern bool vfdw_is_source(Oid table);

/* What a table that this transaction dropped was a partition of; InvalidOid if it was none, or if
 * that is gone, too. */
extern Oid vfdw_former_parent(Oid table);

#endif /* VECTOR_FDW_SOURCE_TREE_H */

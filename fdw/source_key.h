/*
 * source_key.h
 *	  Whether columns of a table are a key.
 */
#ifndef VECTOR_FDW_SOURCE_KEY_H
#define VECTOR_FDW_SOURCE_KEY_H

#include "postgres.h"

#include "nodes/pg_list.h"
#include "utils/rel.h"

/* Is the name one of these char *? */
extern bool vfdw_contains_name(const List *names, const char *name);

/* Names of the primary key's columns, in its order; NIL: there is none, or it is deferrable. */
extern List *vfdw_primary_key(Relation source);

/* Is there a unique index over exactly these columns, in any order, that holds at each moment? */
extern bool vfdw_is_unique(Relation source, const List *columns);

/* Is there no row in which that column is NULL, and can there be none? */
extern bool vfdw_is_not_null(Relation source, AttrNumber attribute);

/*
 * After DDL that may have taken a key, or the replica identity's hold on it, away: says by WARNINGs
 * which collections over the table have none any more, and returns whether there are such. False
 * also for a table that another session has locked exclusively.
 */
extern bool vfdw_warn_of_lost_keys(Oid source);

#endif /* VECTOR_FDW_SOURCE_KEY_H */

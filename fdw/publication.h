/*
 * publication.h
 *	  Which tables the publication lists for vectord, and which of their columns.
 */
#ifndef VECTOR_FDW_PUBLICATION_H
#define VECTOR_FDW_PUBLICATION_H

#include "postgres.h"

#include "utils/rel.h"

typedef enum VfdwPublished
{
	VFDW_PUBLISHED_AS_BEFORE,
	VFDW_PUBLISHED_OTHERWISE, /* other columns */
	VFDW_PUBLISHED_NEWLY,	  /* it was not listed */
	VFDW_PUBLISHED_NO_MORE	  /* it cannot be followed any more; a WARNING has said why */
} VfdwPublished;

/*
 * After a definition over that table was written: makes the publication if there is none, and lists
 * the table with what its definitions need. Columns listed already stay, because what vectord built
 * from an older definition is served until the new one is ready. ereports if the publication is
 * somebody else's.
 */
extern void vfdw_publish_source(Oid source);

/* After a definition over that table was deleted: lists what the others need, or the table no more.
 */
extern void vfdw_retract_source(Oid source);

/*
 * After DDL that may concern the table. Never an error on account of the publication: if it is gone
 * or is somebody else's, nothing happens. With wait unset, a table that another session has locked
 * exclusively is left alone. withdrawn: it was listed before the DDL began.
 */
extern VfdwPublished vfdw_republish_source(Oid source, bool wait, bool withdrawn);

/* Before DDL that PostgreSQL refuses for a published table; vfdw_republish_source() comes after. */
extern void vfdw_withdraw_source(Oid source);
/*
 * A generated column of the table's replica identity that would not be published with the source,
 * which is the table or a parent of it; NULL: there is none. PostgreSQL would refuse each UPDATE.
 */
extern const char *vfdw_unpublished_identity(Relation table, Oid source);
/* Whether the column stands in a list of the table's columns; false where all are published. */
extern bool vfdw_lists_column(Oid source, const char *column);

#endif /* VECTOR_FDW_PUBLICATION_H */

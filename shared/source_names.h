/*
 * source_names.h - names in a source database that both sides use. Valid C and C++.
 *
 * The extension maintains the publication and writes the messages (fdw/publication.c,
 * fdw/resync.c); vectord reads both through its slot.
 */
#ifndef VECTOR_FDW_SHARED_SOURCE_NAMES_H
#define VECTOR_FDW_SHARED_SOURCE_NAMES_H

/* Lists the source tables of all collections of the database. */
#define VFDW_PUBLICATION "vectord"

/*
 * Prefix of a transactional logical message whose content is the OID of a source table in decimal:
 * the table changed in a way that the stream does not carry, so it has to be copied anew.
 */
#define VFDW_RESYNC_PREFIX "vectord.resync"

#endif

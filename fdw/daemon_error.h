/*
 * daemon_error.h
 *	  Making and judging a vfdw_error in C. To throw one: vfdw_throw() in
 *	  vector_fdw.h.
 */
#ifndef VECTOR_FDW_DAEMON_ERROR_H
#define VECTOR_FDW_DAEMON_ERROR_H

#include "fdw/vector_fdw.h"

/* Fills *error as client.cpp does. The texts are in the database's encoding; what is too long is
 * cut. */
extern void vfdw_fill_error(vfdw_error *error, int code, const char *sqlstate, const char *message,
							const char *detail, const char *hint);

/* A text in the database's encoding as the wire has it; the argument itself where they agree. */
extern char *vfdw_to_utf8(const char *text);

/* unnoticed.c: makes COLLECTION_MISSING and COLUMN_MISSING of what this database defines NOT_READY.
 */
extern void vfdw_explain_unnoticed(vfdw_error *error, const VfdwOptions *options);

/* Does it mean that no answer can be had now, as opposed to a wrong question? */
extern bool vfdw_is_unavailability(const vfdw_error *error);

#endif /* VECTOR_FDW_DAEMON_ERROR_H */

/*
 * owner_scope.h
 *	  Statements that run with the privileges of the extension's owner.
 *
 * The caller has checked what the user may do; what runs inside must not
 * depend on anything that a user controls, names included.
 */
#ifndef VECTOR_FDW_OWNER_SCOPE_H
#define VECTOR_FDW_OWNER_SCOPE_H

#include "postgres.h"

/* What has to be put back. An error does it by ending the (sub)transaction. */
typedef struct VfdwOwnerScope
{
	Oid user;
	int security_context;
	int guc_level;
} VfdwOwnerScope;

/* Until the end, SPI is connected, and nothing of a user's is found by an unqualified name. */
extern void vfdw_begin_as_owner(VfdwOwnerScope *scope);
extern void vfdw_end_as_owner(const VfdwOwnerScope *scope);

/*
 * Runs a statement within a scope; returns the number of rows that it touched
 * or returned. expected is the SPI_OK_... that is no error; nulls may be NULL.
 */
extern uint64 vfdw_run(const char *statement, int expected, int count, Oid *types, Datum *values,
					   const char *nulls);

/* A scope of its own around a statement without parameters. */
extern void vfdw_run_as_owner(const char *statement, int expected);

#endif /* VECTOR_FDW_OWNER_SCOPE_H */

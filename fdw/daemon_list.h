/*
 * daemon_list.h
 *	  What the functions that ask daemons about collections begin with: the
 *	  endpoints to ask, and the definitions to ask about.
 */
#ifndef VECTOR_FDW_DAEMON_LIST_H
#define VECTOR_FDW_DAEMON_LIST_H

#include "datatype/timestamp.h"

#include "fdw/vector_fdw.h"

/* One endpoint of one server. */
typedef struct VfdwDaemon
{
	VfdwOptions *options; /* of the server */
	VfdwConnection *connection;
	int number;	   /* of the endpoint */
	bool is_local; /* the server's source is this database */
	char *name;	   /* as the daemon's configuration has it; NULL: not asked yet */
} VfdwDaemon;

/* Of all servers of this wrapper on which the current user has USAGE, by the server's name. */
extern List *vfdw_list_daemons(void);
/* A server for this database on which the user lacks USAGE; NULL: none. */
extern const char *vfdw_forbidden_server(void);

/* A definition as far as its state is concerned. */
typedef struct VfdwListed
{
	char *name;
	char *schema; /* of the source table; NULL if the table is gone */
	char *metric;
	char *index;
	char *daemon; /* NULL: each daemon that follows this database */
	char *definition_id;
	bool loaded;
	bool uncommitted; /* by this very transaction */
} VfdwListed;

/* All definitions of this database, or those of one name, as committed by now. By name. */
extern List *vfdw_list_definitions(const char *name);

/* ---- asking: NULL with *why for every failure; connect_timeout is given for the reply, too ----
 */

extern const vfdw_daemon_status *vfdw_ask_daemon(const VfdwDaemon *daemon, vfdw_error *why);
/* name NULL: all collections of the server's database. */
extern const vfdw_collection_status *
vfdw_ask_collections(const VfdwDaemon *daemon, const char *name, size_t *count, vfdw_error *why);

/* Does the definition name this daemon, or none? Asks the daemon for its name once. */
extern bool vfdw_is_meant_to_hold(VfdwDaemon *daemon, const VfdwListed *definition);

/* The status of that collection among count others, or NULL. All names in the database's encoding.
 */
extern const vfdw_collection_status *vfdw_find_status(const vfdw_collection_status *statuses,
													  size_t count, const VfdwListed *definition);

/* ---- waiting (wait_for_collection.c) ---- */

/*
 * Returns once the collection is ready and has applied the WAL up to target in each daemon that is
 * to hold it; these, and perhaps daemons that have not heard of it. ereports 57P03 at that time.
 */
extern List *vfdw_wait_for(const char *name, XLogRecPtr target, TimestampTz until);

#endif /* VECTOR_FDW_DAEMON_LIST_H */

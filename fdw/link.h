/*
 * link.h
 *	  A connection to one endpoint of a server.
 *
 *	 new --connect--> connected --loss noticed--> lost --connect--> connected
 */
#ifndef VECTOR_FDW_LINK_H
#define VECTOR_FDW_LINK_H

#include "portability/instr_time.h"
#include "storage/latch.h"

#include "fdw/awake.h"
#include "fdw/vector_fdw.h"

/* CURVE keys; all NULL without */
typedef struct VfdwKeys
{
	char *server_public_key;
	char *public_key;
	char *secret_key;
} VfdwKeys;

typedef struct VfdwLink
{
	char *endpoint;
	const VfdwKeys *keys;
	vfdw_client *client;	/* NULL until it is needed */
	int descriptors;		/* accounted for the client */
	WaitEventSet *wait_set; /* NULL until somebody waits; of the client's descriptor */
	int socket_event;		/* its place there; -1: half made */
	bool worked;			/* it was connected at some time */
	bool silent;			/* a request timed out without a byte: to be connected anew */
	bool lost;				/* it worked, and does not now */
	instr_time lost_at;
	VfdwAwake awake;
} VfdwLink;

/* Also notices that it is lost. Does not wait. */
extern bool vfdw_link_is_connected(VfdwLink *link);

/* One attempt, of at most timeout_ms; fails at once when it is known that nobody listens. */
extern bool vfdw_link_connect(VfdwLink *link, int timeout_ms, vfdw_error *why);

/* Was it lost less than timeout_ms ago, so that waiting for a restart is worth it? */
extern bool vfdw_link_may_come_back(const VfdwLink *link, int timeout_ms);

/* Sleeps until the client can go on, or the time is over; -1: no limit. */
extern void vfdw_link_wait(VfdwLink *link, long timeout_ms);

extern void vfdw_link_close(VfdwLink *link);
/* Hangs up, unless a request or a cursor needs the connection. The client stays valid, but the link
 * must not be connected anew. */
extern void vfdw_link_close_if_idle(VfdwLink *link);

/* Sleeps; interruptible by the latch. */
extern void vfdw_sleep(long timeout_ms);

extern double vfdw_elapsed_ms(instr_time since);

#endif /* VECTOR_FDW_LINK_H */

/*
 * connection.h
 *	  The part of connection.c that the functions about daemons need, beyond
 *	  what scans need (vector_fdw.h): endpoints one by one, and closing.
 */
#ifndef VECTOR_FDW_CONNECTION_H
#define VECTOR_FDW_CONNECTION_H

#include "fdw/vector_fdw.h"

/* Endpoints of the connection's server, in the order of its option. */
extern int vfdw_endpoint_count(const VfdwConnection *connection);
extern const char *vfdw_endpoint_name(const VfdwConnection *connection, int number);

/* As vfdw_connected_client(), for one endpoint. NULL with *why when it cannot be reached. */
extern vfdw_client *vfdw_endpoint_client(VfdwConnection *connection, int number,
										 const VfdwOptions *options, vfdw_error *why);

/* As vfdw_wait_reply(), but NULL with *why for every failure. */
extern vfdw_reply *vfdw_try_reply(VfdwConnection *connection, vfdw_client *client,
								  uint64 request_id, int timeout_ms, vfdw_error *why);

/* Connections of this session go away, those in use at the end of the transaction. Returns how
 * many. */
extern int vfdw_disconnect_all(void);
extern void vfdw_close_retired(void);

#endif /* VECTOR_FDW_CONNECTION_H */

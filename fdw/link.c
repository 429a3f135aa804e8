/*
 * link.c
 *	  A connection to one endpoint, and all sleeping: in a wait event set with
 *	  our latch, so that Ctrl-C, statement_timeout and the postmaster's death
 *	  end every wait. While we wait no C++ frame is on the stack, hence
 *	  ereport() is always safe here.
 *
 * When the daemon is away. If nobody listens on a Unix socket, or whoever does
 * hangs up, that is known at once and said at once. Only a link that once
 * worked is given time, connect_timeout from the moment its loss was noticed,
 * because then a restart may be going on; queries after that fail at once
 * again. A daemon that accepts but does not answer (stopped, or hanging) is
 * given connect_timeout, by each query.
 *
 * Not here: which endpoint to use, and how long a link lives (connection.c).
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/latch.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

#include "fdw/daemon_error.h"
#include "fdw/link.h"

/* Descriptors of a client; of one with threads; of these (two with two each, and what they share)
 */
#define VFDW_CLIENT_DESCRIPTORS			 1
#define VFDW_THREADED_CLIENT_DESCRIPTORS 3
#define VFDW_THREADS_DESCRIPTORS		 5

/* Between two looks while there is nothing to be watched: the daemon's backlog is full. */
#define VFDW_DIAL_STEP_MS 5

/* After that long without a connection the attempt is made anew. */
#define VFDW_CONNECT_STEP_MS 1000

double
vfdw_elapsed_ms(instr_time since)
{
	instr_time now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, since);
	return INSTR_TIME_GET_MILLISEC(now);
}

static uint32
wait_event(void)
{
#if PG_VERSION_NUM >= 170000
	static uint32 event = 0;

	if (event == 0)
		event = WaitEventExtensionNew("VectorDaemon");
	return event;
#else
	return PG_WAIT_EXTENSION;
#endif
}

void
vfdw_sleep(long timeout_ms)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, timeout_ms,
					 wait_event());
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

static void
drop_wait_set(VfdwLink *link)
{
	WaitEventSet *set = link->wait_set;

	link->wait_set = NULL;
	if (set != NULL)
		FreeWaitEventSet(set);
}

/* Kept from wait to wait: making one costs several system calls. */
static void
make_wait_set(VfdwLink *link, int descriptor)
{
#if PG_VERSION_NUM >= 170000
	WaitEventSet *set = CreateWaitEventSet(NULL, 3);
#else
	WaitEventSet *set = CreateWaitEventSet(TopMemoryContext, 3);
#endif
	/* Any of the following may throw: then the next wait begins anew. */
	link->wait_set = set;
	link->socket_event = -1;
	AddWaitEventToSet(set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
	link->socket_event = AddWaitEventToSet(set, WL_SOCKET_READABLE, descriptor, NULL, NULL);
}

/* Until there is something to read or to write, the latch is set or the time is over; -1: no limit.
 */
void
vfdw_link_wait(VfdwLink *link, long timeout_ms)
{
	const int descriptor = vfdw_client_descriptor(link->client);
	int wanted = WL_SOCKET_READABLE;
	WaitEvent event;

	if (descriptor < 0)
	{
		vfdw_sleep(timeout_ms < 0 ? VFDW_DIAL_STEP_MS : Min(timeout_ms, VFDW_DIAL_STEP_MS));
		return;
	}
	if (link->wait_set != NULL && link->socket_event < 0)
		drop_wait_set(link);
	if (link->wait_set == NULL)
		make_wait_set(link, descriptor);
	if (vfdw_client_has_unsent(link->client))
		wanted |= WL_SOCKET_WRITEABLE;
	/* Costs nothing unless it changes. */
	ModifyWaitEvent(link->wait_set, link->socket_event, wanted, NULL);
	(void) WaitEventSetWait(link->wait_set, timeout_ms, &event, 1, wait_event());
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

static void
release_descriptors(int count)
{
	while (count-- > 0)
		ReleaseExternalFD();
}

/* Those of a client, which are released with it, and those of its threads, which stay. */
static int
account_descriptors(bool needs_threads)
{
	static bool threads_accounted = false;
	int of_client = needs_threads ? VFDW_THREADED_CLIENT_DESCRIPTORS : VFDW_CLIENT_DESCRIPTORS;
	int wanted = of_client;
	int acquired = 0;

	if (needs_threads && !threads_accounted)
		wanted += VFDW_THREADS_DESCRIPTORS;
	while (acquired < wanted && AcquireExternalFD())
		acquired++;
	if (acquired == wanted)
	{
		threads_accounted = threads_accounted || needs_threads;
		return of_client;
	}
	release_descriptors(acquired);
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
			 errmsg("could not connect to a vector daemon"),
			 errdetail("This session has too many open files."),
			 errhint("Raise the server's max_files_per_process and/or \"ulimit -n\" limits.")));
}

void
vfdw_link_close(VfdwLink *link)
{
	drop_wait_set(link);
	if (link->client == NULL)
		return;
	vfdw_client_close(link->client);
	link->client = NULL;
	release_descriptors(link->descriptors);
}

void
vfdw_link_close_if_idle(VfdwLink *link)
{
	if (link->client == NULL || !vfdw_client_hang_up_if_idle(link->client))
		return;
	drop_wait_set(link);
	release_descriptors(link->descriptors);
	link->descriptors = 0;
}

/* Makes the link's client, or lets it connect anew. */
static bool
start_connecting(VfdwLink *link, vfdw_error *why)
{
	vfdw_endpoint endpoint = {0};

	link->silent = false;
	drop_wait_set(link);
	if (link->client != NULL)
		return vfdw_client_reconnect(link->client, why);

	endpoint.endpoint = link->endpoint;
	endpoint.server_public_key = link->keys->server_public_key;
	endpoint.public_key = link->keys->public_key;
	endpoint.secret_key = link->keys->secret_key;
	endpoint.max_reply_bytes = VFDW_MAX_REPLY_BYTES;
	link->descriptors = account_descriptors(vfdw_endpoint_needs_threads(&endpoint));
	if (vfdw_client_open(&endpoint, &link->client, why))
		return true;
	release_descriptors(link->descriptors);
	return false;
}

bool
vfdw_link_is_connected(VfdwLink *link)
{
	bool connected = link->client != NULL && !link->silent && vfdw_client_poll(link->client);

	if (connected)
	{
		link->worked = true;
		link->lost = false;
	}
	else if (link->worked && !link->lost)
	{
		link->lost = true;
		INSTR_TIME_SET_CURRENT(link->lost_at);
	}
	return connected;
}

bool
vfdw_link_connect(VfdwLink *link, int timeout_ms, vfdw_error *why)
{
	instr_time start;
	instr_time step;
	double left_ms;

	INSTR_TIME_SET_CURRENT(start);
	if (!start_connecting(link, why))
		return false;
	step = start;
	while (!vfdw_link_is_connected(link))
	{
		if (vfdw_client_has_failed(link->client, why))
			return false;
		left_ms = timeout_ms - vfdw_elapsed_ms(start);
		if (left_ms <= 0)
		{
			vfdw_fill_error(
				why, VFDW_ERR_UNAVAILABLE, "08001", "could not connect",
				psprintf("No connection to %s within %d ms.", link->endpoint, timeout_ms),
				"Check that the vectord service is running.");
			return false;
		}
		if (vfdw_elapsed_ms(step) >= VFDW_CONNECT_STEP_MS)
		{
			if (!start_connecting(link, why))
				return false;
			INSTR_TIME_SET_CURRENT(step);
			continue;
		}
		vfdw_link_wait(link, (long) Min(left_ms, VFDW_CONNECT_STEP_MS) + 1);
	}
	return true;
}

bool
vfdw_link_may_come_back(const VfdwLink *link, int timeout_ms)
{
	return link->lost && vfdw_elapsed_ms(link->lost_at) < timeout_ms;
}

/*
 * awake.c
 *	  Whether a backend stays awake for a reply, or sleeps until it comes.
 *
 * Staying awake saves the time to wake up, which is a good part of a short
 * query's, and costs a core meanwhile. Threads that the reply comes through may
 * need that core: on Linux since 6.6 a thread that looks again and again is not
 * preempted by one that has just woken up until its slice of milliseconds is
 * over. So a backend stays awake only
 *
 *	 - while the daemon says that nobody else asks it (who waits likewise),
 *	 - while the machine has a core to spare. That is looked up in the moment
 *	   that a reply has come, when nobody needs to run for us but ourselves,
 *	 - where replies usually come in so short a time that little is wasted.
 */
#include "postgres.h"

#include <limits.h>
#include <sched.h>
#include <stdio.h>

#include "fdw/awake.h"

#define LONGEST_US 250
/* The look takes some 15 us. */
#define WAITS_BETWEEN_LOOKS 64
/* A new value's part in what is usual. */
#define NEW_SHARE 0.25

/*
 * 0 where it cannot be told: then nobody stays awake. A machine's threads beside
 * a container's CPUs are too many rather than too few.
 */
static int
cores(void)
{
	static int count = -1;

	if (count < 0)
	{
		cpu_set_t mask;

		count = sched_getaffinity(0, sizeof(mask), &mask) == 0 ? CPU_COUNT(&mask) : 0;
	}
	return count;
}

/* Fewer threads run, this one among them, than there are cores. */
static bool
has_core_to_spare(void)
{
	int running = 0;
	FILE *file = fopen("/proc/loadavg", "re");

	if (file == NULL)
		return false;
	if (fscanf(file, "%*f %*f %*f %d/", &running) != 1)
		running = INT_MAX;
	fclose(file);
	return running < cores();
}

void
vfdw_begin_wait(VfdwAwake *awake, bool is_alone)
{
	INSTR_TIME_SET_CURRENT(awake->start);
	awake->is_awake = is_alone && awake->core_to_spare > 0.5 && awake->usual_wait_us < LONGEST_US;
}

bool
vfdw_stay_awake(const VfdwAwake *awake, double waited_us)
{
	return awake->is_awake && waited_us < LONGEST_US;
}

void
vfdw_end_wait(VfdwAwake *awake, double waited_us)
{
	awake->usual_wait_us += NEW_SHARE * (waited_us - awake->usual_wait_us);
	if (awake->waits++ % WAITS_BETWEEN_LOOKS != 0)
		return;
	if (awake->waits == 1)
		awake->core_to_spare = has_core_to_spare(); /* nothing is usual yet */
	else
		awake->core_to_spare += NEW_SHARE * (has_core_to_spare() - awake->core_to_spare);
}

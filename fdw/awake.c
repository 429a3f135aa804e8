/*
 * awake.c
 *	  Whether a backend stays awake for a reply, or sleeps until it comes.
 *
 * Staying awake saves the time to wake up, which is a good part of a short
 * query's, and costs a core meanwhile. Threads that the reply comes through may
 * need that core: a thread that looks again and again is not preempted by one
 * that has just woken up until its slice of milliseconds is over. So a backend
 * stays awake only
 *
 *	 - while the daemon says that nobody else asks it (who waits likewise),
 *	 - where replies usually come in so short a time that little is wasted,
 *	 - as long as the kernel does not take the core away from it meanwhile, by
 *	   which it shows that others want it. On a machine with a core to spare
 *	   that happens in few of a hundred waits, beside a busy process on two
 *	   cores several times in each.
 */
#include "postgres.h"

#include <sys/resource.h>
#include <sys/time.h>

#include "fdw/awake.h"

#define LONGEST_US		 250
#define MOST_PREEMPTIONS 1.0
#define ASLEEP_MS		 500
/* A new value's part in what is usual. Preemptions come in bunches. */
#define NEW_WAITS_SHARE		  0.25
#define NEW_PREEMPTIONS_SHARE 0.03

static long
preemptions_so_far(void)
{
	struct rusage usage;

	/* PostgreSQL's thread is nearly all of the process; the library's threads only sleep and write.
	 */
	return getrusage(RUSAGE_SELF, &usage) == 0 ? usage.ru_nivcsw : 0;
}

static bool
others_want_the_core(VfdwAwake *awake, instr_time now)
{
	if (INSTR_TIME_IS_ZERO(awake->asleep_since))
		return false;
	INSTR_TIME_SUBTRACT(now, awake->asleep_since);
	if (INSTR_TIME_GET_MILLISEC(now) < ASLEEP_MS)
		return true;
	INSTR_TIME_SET_ZERO(awake->asleep_since);
	awake->usual_preemptions = 0;
	return false;
}

void
vfdw_begin_wait(VfdwAwake *awake, bool is_alone)
{
	INSTR_TIME_SET_CURRENT(awake->start);
	awake->is_awake =
		is_alone && awake->usual_wait_us < LONGEST_US && !others_want_the_core(awake, awake->start);
	if (awake->is_awake)
		awake->preemptions = preemptions_so_far();
}

bool
vfdw_stay_awake(const VfdwAwake *awake, double waited_us)
{
	return awake->is_awake && waited_us < LONGEST_US;
}

void
vfdw_end_wait(VfdwAwake *awake, double waited_us)
{
	awake->usual_wait_us += NEW_WAITS_SHARE * (waited_us - awake->usual_wait_us);
	if (!awake->is_awake)
		return;
	awake->usual_preemptions += NEW_PREEMPTIONS_SHARE * (preemptions_so_far() - awake->preemptions -
														 awake->usual_preemptions);
	if (awake->usual_preemptions > MOST_PREEMPTIONS)
		awake->asleep_since = awake->start;
}

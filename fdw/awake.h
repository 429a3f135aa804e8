/*
 * awake.h
 *	  Whether a backend stays awake for a reply, or sleeps until it comes.
 */
#ifndef VECTOR_FDW_AWAKE_H
#define VECTOR_FDW_AWAKE_H

#include "portability/instr_time.h"

/* What one connection's waits have been like. Zeroes at first. */
typedef struct VfdwAwake
{
	double usual_wait_us; /* the last waits counting most */
	double core_to_spare; /* likewise, how often there was one, 0 to 1 */
	unsigned waits;

	/* of the wait under way */
	bool is_awake;
	instr_time start;
} VfdwAwake;

/* A wait begins. is_alone: the daemon says that nobody else asks it. */
extern void vfdw_begin_wait(VfdwAwake *awake, bool is_alone);

/* Not to sleep yet? waited_us: since the wait began. */
extern bool vfdw_stay_awake(const VfdwAwake *awake, double waited_us);

extern void vfdw_end_wait(VfdwAwake *awake, double waited_us);

#endif /* VECTOR_FDW_AWAKE_H */

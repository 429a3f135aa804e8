// allocator.h - how malloc treats memory that was given back.
#ifndef VECTOR_FDW_DAEMON_BASE_ALLOCATOR_H
#define VECTOR_FDW_DAEMON_BASE_ALLOCATOR_H

namespace vectord {

// Lets freed memory go back to the system, so that what is resident follows what the memory budget
// counts. Does nothing where malloc is not glibc's. To be called before there are threads.
void PinMallocThresholds();

// Gives back the free pages between what is in use, too: after a build, whose threads leave many.
// Takes about 0.2 ms for each MB of small blocks, during which malloc waits in one arena after the
// other. Any thread.
void ReturnFreePages();

}  // namespace vectord

#endif

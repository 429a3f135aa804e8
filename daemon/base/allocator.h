// allocator.h - how malloc treats memory that was given back.
//
// Threads: to be called before there are any.
#ifndef VECTOR_FDW_DAEMON_BASE_ALLOCATOR_H
#define VECTOR_FDW_DAEMON_BASE_ALLOCATOR_H

namespace vectord {

// Lets freed memory go back to the system, so that what is resident follows what the memory budget
// counts. Does nothing where malloc is not glibc's.
void ReturnFreedMemory();

}  // namespace vectord

#endif

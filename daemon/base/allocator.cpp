// allocator.cpp - see allocator.h.
#include "daemon/base/allocator.h"

#include <malloc.h>

namespace vectord {

// By default glibc raises both thresholds, up to 32 and 64 MB, whenever a large block is freed: it
// guesses that blocks of that size come again. Here they do not: what a copy or a build needed
// stays in pieces of the heap for good. Setting a threshold to its first value pins it.
void PinMallocThresholds() {
#ifdef __GLIBC__
  constexpr int kThresholdBytes = 128 * 1024;
  mallopt(M_MMAP_THRESHOLD, kThresholdBytes);
  mallopt(M_TRIM_THRESHOLD, kThresholdBytes);
#endif
}

// Small blocks that threads allocated beside each other are freed to their arenas, which glibc
// shrinks at their ends only.
void ReturnFreePages() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

}  // namespace vectord

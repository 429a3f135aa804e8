// descriptor_limit.h - how many files and sockets this process may have open.
#ifndef VECTOR_FDW_DAEMON_BASE_DESCRIPTOR_LIMIT_H
#define VECTOR_FDW_DAEMON_BASE_DESCRIPTOR_LIMIT_H

#include <cstddef>

#include "daemon/base/status.h"

namespace vectord {

// Raises the soft limit (RLIMIT_NOFILE) to the hard one. ZeroMQ's ipc listener aborts the process
// when descriptors run out, so all there are are claimed, and connections are capped below that.
Status RaiseDescriptorLimit();

// The soft limit now.
size_t DescriptorLimit();

}  // namespace vectord

#endif

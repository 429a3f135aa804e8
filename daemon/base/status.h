// status.h - the outcome types of shared/status.h under the daemon's own namespace.
#ifndef VECTOR_FDW_DAEMON_BASE_STATUS_H
#define VECTOR_FDW_DAEMON_BASE_STATUS_H

#include "shared/status.h"

namespace vectord {

using vfdw::ErrorCode;
using vfdw::Result;
using vfdw::Status;

}  // namespace vectord

#endif

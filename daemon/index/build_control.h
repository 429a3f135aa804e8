// build_control.h - how the build of an index is run, watched and stopped.
#ifndef VECTOR_FDW_DAEMON_INDEX_BUILD_CONTROL_H
#define VECTOR_FDW_DAEMON_INDEX_BUILD_CONTROL_H

#include <atomic>
#include <cstdint>

#include "daemon/base/status.h"

namespace vectord {

struct BuildControl {
  int threads = 1;
  const std::atomic<bool>* cancelled = nullptr;  // may be null
  std::atomic<uint64_t>* rows_done = nullptr;    // may be null; rises to the number of rows

  bool IsCancelled() const {
    return cancelled != nullptr && cancelled->load(std::memory_order_relaxed);
  }
};

inline Status BuildCanceledStatus() {
  return Status(ErrorCode::CANCELED, "the build of the index was canceled");
}

}  // namespace vectord

#endif

// refused_memory.h - a system that refuses memory, as the error of what was being done.
//
// The budget (memory_budget.h) counts what is large, but the system may grant less than it: then
// containers throw. Where a thread's work is divided into steps that can fail one by one, each of
// them runs in here, so that its error ends the step and not the process.
#ifndef VECTORD_BASE_REFUSED_MEMORY_H
#define VECTORD_BASE_REFUSED_MEMORY_H

#include <new>
#include <string>

#include "daemon/base/status.h"

namespace vectord {

// Runs step, which returns a Status or a Result, and returns that. what: of the message "not enough
// memory to <what>". What step had changed before it threw is for the caller to give up.
template <typename Step>
auto WithRefusedMemory(const char* what, const Step& step) -> decltype(step()) {
  try {
    return step();
  } catch (const std::bad_alloc&) {
    return Status(ErrorCode::OUT_OF_MEMORY, std::string("not enough memory to ") + what,
                  "The system refused memory.");
  }
}

}  // namespace vectord

#endif

// request_context.cpp - why a request was stopped, as its client reads it.
#include "daemon/service/request_context.h"

namespace vectord {

Status RequestContext::StopStatus() const {
  switch (reason.load(std::memory_order_relaxed)) {
    case StopReason::kDeadline:
      return Status(ErrorCode::DEADLINE_EXCEEDED, "request took longer than its time-out",
                    "The client allowed " + std::to_string(envelope.timeout_ms) + " ms.");
    case StopReason::kShutdown:
      return Status(ErrorCode::SHUTTING_DOWN, "vectord is shutting down");
    default:
      return Status(ErrorCode::CANCELED, "request was canceled by its client");
  }
}

}  // namespace vectord

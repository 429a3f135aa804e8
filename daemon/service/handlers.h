// handlers.h - the one table of operations: number, who may ask, what it does.
//
// A handler runs on a worker thread and may take long; it looks at context.cancelled. It answers
// by its return value and has no other way to reach the client.
#ifndef VECTOR_FDW_DAEMON_SERVICE_HANDLERS_H
#define VECTOR_FDW_DAEMON_SERVICE_HANDLERS_H

#include <cstdint>

#include "daemon/service/reply.h"
#include "daemon/service/request_context.h"
#include "daemon/service/service.h"
#include "shared/envelope.h"

namespace vectord {

// What a client must be to use an operation. Over ipc the permissions of the socket decide, and
// whoever could connect is both.
enum class Role : uint8_t {
  kMonitor,  // may see names, states and numbers
  kReader    // may also see rows
};

struct Handler {
  vfdw::Op op;
  Role who;
  bool changes;  // something outside of the client's own requests
  bool limited;  // counts against [listen] requests_in_flight, and is refused while stopping
  Reply (*function)(Service& service, RequestContext& context);
};

// search_handler.cpp
Reply HandleSearch(Service& service, RequestContext& context);
// fetch_handler.cpp
Reply HandleFetch(Service& service, RequestContext& context);
Reply HandleCloseCursor(Service& service, RequestContext& context);
// cancel_handler.cpp
Reply HandleCancel(Service& service, RequestContext& context);
// status_handlers.cpp
Reply HandleDescribe(Service& service, RequestContext& context);
Reply HandleList(Service& service, RequestContext& context);
Reply HandleStatus(Service& service, RequestContext& context);
Reply HandleDaemonStatus(Service& service, RequestContext& context);

inline constexpr Handler kHandlers[] = {
    //  op                     who             changes limited function
    {vfdw::Op::kSearch, Role::kReader, false, true, &HandleSearch},
    {vfdw::Op::kFetch, Role::kReader, false, true, &HandleFetch},
    {vfdw::Op::kCloseCursor, Role::kReader, false, false, &HandleCloseCursor},
    {vfdw::Op::kCancel, Role::kReader, false, false, &HandleCancel},
    {vfdw::Op::kDescribe, Role::kMonitor, false, false, &HandleDescribe},
    {vfdw::Op::kList, Role::kMonitor, false, false, &HandleList},
    {vfdw::Op::kStatus, Role::kMonitor, false, false, &HandleStatus},
    {vfdw::Op::kDaemonStatus, Role::kMonitor, false, false, &HandleDaemonStatus},
};

// The row of an operation, or null.
constexpr const Handler* FindHandler(vfdw::Op op) {
  for (const Handler& handler : kHandlers)
    if (handler.op == op) return &handler;
  return nullptr;
}

}  // namespace vectord

#endif

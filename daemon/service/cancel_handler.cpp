// cancel_handler.cpp - stops a request of the same connection. One that has ended is no error.
#include <utility>

#include "daemon/service/handlers.h"
#include "shared/codec.h"

namespace vectord {

Reply HandleCancel(Service& service, RequestContext& context) {
  vfdw::CancelRequest request;
  if (Status status = vfdw::Decode(context.body, &request); !status.ok())
    return Reply::Error(std::move(status));
  service.in_flight.StopRequest(context.client, request.request_id, StopReason::kClient);
  return Reply::None();
}

}  // namespace vectord

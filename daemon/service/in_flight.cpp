// in_flight.cpp - see in_flight.h.
#include "daemon/service/in_flight.h"

#include <cassert>

namespace vectord {

void InFlight::Add(RequestContext* request) {
  MutexLock lock(mu_);
  request->in_flight_index = requests_.size();
  requests_.push_back(request);
}

void InFlight::Remove(RequestContext* request) {
  MutexLock lock(mu_);
  const size_t index = request->in_flight_index;
  assert(index < requests_.size() && requests_[index] == request);
  requests_[index] = requests_.back();
  requests_[index]->in_flight_index = index;
  requests_.pop_back();
}

template <typename Matches>
size_t InFlight::StopWhere(StopReason why, Matches matches) {
  size_t stopped = 0;
  MutexLock lock(mu_);
  for (RequestContext* request : requests_) {
    if (request->cancelled.load(std::memory_order_relaxed) || !matches(*request)) continue;
    request->Stop(why);
    stopped++;
  }
  return stopped;
}

size_t InFlight::StopRequest(const std::string& client, vfdw::RequestId request_id,
                             StopReason why) {
  return StopWhere(why, [&](const RequestContext& request) {
    return request.envelope.request_id == request_id && request.client == client;
  });
}

size_t InFlight::StopConnection(ConnectionId connection) {
  return StopWhere(StopReason::kGone, [connection](const RequestContext& request) {
    return request.connection == connection;
  });
}

size_t InFlight::StopExpired(int64_t now_ns) {
  return StopWhere(StopReason::kDeadline, [now_ns](const RequestContext& request) {
    return request.deadline_ns <= now_ns;
  });
}

size_t InFlight::StopAll(StopReason why) {
  return StopWhere(why, [](const RequestContext&) { return true; });
}

size_t InFlight::size() const {
  MutexLock lock(mu_);
  return requests_.size();
}

}  // namespace vectord

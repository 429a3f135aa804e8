// in_flight.h - the requests being worked on or waiting, so that others can stop them.
//
// Threads: any. Holds no ownership: Remove() must come before a request is destroyed. Its lock is
// taken alone and for a few instructions per request.
#ifndef VECTOR_FDW_DAEMON_SERVICE_IN_FLIGHT_H
#define VECTOR_FDW_DAEMON_SERVICE_IN_FLIGHT_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "daemon/base/mutex.h"
#include "daemon/service/request_context.h"
#include "shared/ids.h"

namespace vectord {

class InFlight {
 public:
  void Add(RequestContext* request);
  void Remove(RequestContext* request);

  // Each stops what matches and returns how many that were.
  size_t StopRequest(const std::string& client, vfdw::RequestId request_id, StopReason why);
  size_t StopConnection(ConnectionId connection);
  size_t StopExpired(int64_t now_ns);
  size_t StopAll(StopReason why);

  size_t size() const;

 private:
  template <typename Matches>
  size_t StopWhere(StopReason why, Matches matches);

  mutable Mutex mu_;
  std::vector<RequestContext*> requests_ GUARDED_BY(mu_);  // each knows its index
};

}  // namespace vectord

#endif

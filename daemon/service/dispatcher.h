// dispatcher.h - takes a request to its handler and the answer to the transport.
//
// Life of a request, on one worker thread unless it is parked:
//
//   Accept (in order of arrival) -> Handle -> handler -> sink.Send -> forgotten
//                                     |-> parked in admission.h, goes on in the Handle() of the
//                                     |   worker that ends a long request
//                                     \-> parked in freshness_queue.h, goes on in the worker that
//                                         TakeResumed() gives it to
//
// Stopping: BeginStop() refuses what comes and answers what is parked; the transport waits for
// busy() to fall, then StopRequests(), then waits again.
//
// Threads: any, but Accept() of a connection's requests in their order.
#ifndef VECTOR_FDW_DAEMON_SERVICE_DISPATCHER_H
#define VECTOR_FDW_DAEMON_SERVICE_DISPATCHER_H

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "daemon/base/clock.h"
#include "daemon/base/config.h"
#include "daemon/base/memory_budget.h"
#include "daemon/base/metrics.h"
#include "daemon/base/mutex.h"
#include "daemon/collection/catalog.h"
#include "daemon/service/handlers.h"
#include "daemon/service/reply.h"
#include "daemon/service/request_context.h"
#include "daemon/service/service.h"

namespace vectord {

class Dispatcher {
 public:
  // All that is lent must outlive it.
  Dispatcher(Catalog* catalog, const Config& config, MemoryBudget* budget, Metrics* metrics,
             const Clock* clock);
  ~Dispatcher();  // REQUIRES: every accepted request has been handled

  // Threads that the transport should have: one per thread of [search] threads, so that each core
  // can compute, and one that receives meanwhile; at least four, so that also on small
  // machines statuses, cancels and cheap searches find a thread beside long ones.
  size_t worker_threads() const { return worker_threads_; }

  // Takes effect for what comes: [listen] requests_in_flight, [cursor].
  void Reconfigure(const Config& config);

  // Notes a request, so that cancels and deadlines find it from now on.
  void Accept(RequestContext* request);
  // Answers it, and perhaps parked ones after it. REQUIRES: it was accepted.
  void Handle(std::unique_ptr<RequestContext> request, ReplySink* sink);
  // A request that was parked and can go on, to be given to Handle(); null: none.
  std::unique_ptr<RequestContext> TakeResumed() { return service_.freshness.TakeReady(); }
  bool has_resumed() const { return service_.freshness.has_ready(); }
  // Counts an answer that the transport gives itself, to what it could not accept.
  void CountMalformed();
  // Counts a reply that the transport could not deliver.
  void CountDropped() { service_.replies_dropped.Add(); }

  // Deadlines, searches that wait for changes, and idle cursors; to be called every few tens of
  // milliseconds. True: TakeResumed() has something.
  bool Tick();
  // A connection ended: stops its requests and drops its cursors.
  void ConnectionGone(ConnectionId connection);
  // A reply found its client gone: its cursors go. The request may have been taken for one of the
  // next connection with the same descriptor, whose end ConnectionGone() would wait for.
  void ClientGone(const std::string& client) { service_.cursors.CloseClient(client); }

  void BeginStop(ReplySink* sink);
  void StopRequests() { service_.in_flight.StopAll(StopReason::kShutdown); }
  size_t requests_in_flight() const { return service_.in_flight.size(); }
  bool busy() const { return requests_in_flight() > 0; }

  // The page /metrics.
  std::string MetricsText() const;
  // OK when the sources are synced and every collection that is known answers; else NOT_READY
  // saying what is missing.
  Status Readiness() const;
  // Tells whether all definitions have been read; asked by any thread while the dispatcher lives.
  // Until it is set, that is taken for granted.
  void SetSourcesSynced(std::function<bool()> synced);

  Metrics* metrics() { return service_.metrics; }
  const Clock* clock() const { return service_.clock; }

 private:
  Reply Run(RequestContext& request);
  Reply RunHandler(const Handler& handler, RequestContext& request);
  void Finish(std::unique_ptr<RequestContext> request, Reply reply, ReplySink* sink);

  const size_t worker_threads_;
  Service service_;
  std::atomic<bool> stopping_{false};
  mutable Mutex sources_mu_;
  std::function<bool()> sources_synced_ GUARDED_BY(sources_mu_);
};

}  // namespace vectord

#endif

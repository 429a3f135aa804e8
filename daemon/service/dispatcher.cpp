// dispatcher.cpp - see dispatcher.h.
#include "daemon/service/dispatcher.h"

#include <algorithm>
#include <cassert>
#include <exception>
#include <new>
#include <utility>

#include "daemon/base/log.h"
#include "daemon/base/thread_pool.h"
#include "daemon/service/metrics_page.h"

namespace vectord {
namespace {

constexpr size_t kLeastWorkers = 4;

size_t SearchThreads(const Config& config) {
  return static_cast<size_t>(ResolveThreadCount(config.search.threads));
}

int64_t Nanoseconds(std::chrono::milliseconds time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time).count();
}

}  // namespace

Dispatcher::Dispatcher(Catalog* catalog, const Config& config, MemoryBudget* budget,
                       Metrics* metrics, const Clock* clock)
    : worker_threads_(std::max(kLeastWorkers, SearchThreads(config) + 1)),
      service_{catalog,
               budget,
               metrics,
               clock,
               config.daemon.name,
               clock->WallUs(),
               // Long requests may keep all cores busy, but never all workers.
               {static_cast<size_t>(config.listen.requests_in_flight), SearchThreads(config)},
               FreshnessQueue(clock),
               {static_cast<size_t>(config.cursor.max), Nanoseconds(config.cursor.idle_timeout),
                clock, budget, metrics},
               {},
               {}} {}

Dispatcher::~Dispatcher() { assert(!busy()); }

void Dispatcher::Reconfigure(const Config& config) {
  service_.admission.SetMaxInFlight(static_cast<size_t>(config.listen.requests_in_flight));
  service_.cursors.SetLimits(static_cast<size_t>(config.cursor.max),
                             Nanoseconds(config.cursor.idle_timeout));
}

void Dispatcher::Accept(RequestContext* request) {
  service_.metrics->requests.Add();
  service_.metrics->requests_in_flight.Add(1);
  service_.in_flight.Add(request);
}

void Dispatcher::CountMalformed() {
  service_.metrics->requests.Add();
  service_.metrics->errors.Add();
  service_.metrics->malformed_messages.Add();
}

void Dispatcher::Handle(std::unique_ptr<RequestContext> request, ReplySink* sink) {
  while (request != nullptr) {
    Reply reply = Run(*request);
    if (reply.kind == Reply::Kind::kNeedsLongSlot) {
      if (!service_.admission.StartOrPark(&request)) {
        // BeginStop() may have emptied the queue just before: then nobody else would answer.
        if (stopping_) BeginStop(sink);
        return;
      }
      continue;  // it has a slot now
    }
    const bool had_slot = request->has_long_slot;
    if (reply.kind == Reply::Kind::kMustWait) {
      request->has_long_slot = false;
      service_.freshness.Park(std::move(request));
      if (stopping_) BeginStop(sink);  // as above
    } else {
      Finish(std::move(request), std::move(reply), sink);
    }
    request = had_slot ? service_.admission.FinishLong() : nullptr;
  }
}

Reply Dispatcher::Run(RequestContext& request) {
  const Handler* const handler = FindHandler(request.envelope.op);
  if (handler == nullptr)
    return Reply::Error(Status(ErrorCode::UNKNOWN_OPERATION, "unknown operation",
                               "The request asks for operation " +
                                   std::to_string(static_cast<unsigned>(request.envelope.op)) +
                                   ", which this version of vectord does not know."));
  if (handler->limited) {
    if (stopping_)
      return Reply::Error(Status(ErrorCode::SHUTTING_DOWN, "vectord is shutting down"));
    if (request.cancelled) return Reply::Error(request.StopStatus());
    if (!request.counted) {
      if (!service_.admission.Enter()) {
        service_.metrics->requests_overloaded.Add();
        return Reply::Error(
            Status(ErrorCode::OVERLOADED, "too many requests at once",
                   std::to_string(service_.admission.max_in_flight()) +
                       " requests are being answered, as many as [listen] requests_in_flight "
                       "allows."));
      }
      request.counted = true;
      service_.metrics->queue_time.Record(service_.clock->SteadyNs() - request.received_ns);
    }
  }
  return RunHandler(*handler, request);
}

// Handlers report failures as Status; what still throws is memory and bugs, and neither may end
// the process or leave a client without an answer.
Reply Dispatcher::RunHandler(const Handler& handler, RequestContext& request) {
  try {
    return handler.function(service_, request);
  } catch (const std::bad_alloc&) {
    return Reply::Error(
        Status(ErrorCode::OUT_OF_MEMORY, "not enough memory to answer the request"));
  } catch (const std::exception& error) {
    LogError({{}, request.envelope.request_id}, "request of operation {} failed: {}",
             static_cast<unsigned>(request.envelope.op), error.what());
    return Reply::Error(Status(ErrorCode::INTERNAL, "unexpected failure in vectord", error.what()));
  }
}

void Dispatcher::Finish(std::unique_ptr<RequestContext> request, Reply reply, ReplySink* sink) {
  Metrics& metrics = *service_.metrics;
  if (reply.kind == Reply::Kind::kError) {
    metrics.errors.Add();
    if (request->cancelled) metrics.requests_canceled.Add();
    if (reply.status.code() == ErrorCode::MALFORMED_MESSAGE) metrics.malformed_messages.Add();
    LogDebug({{}, request->envelope.request_id}, "request of operation {} failed: {}",
             static_cast<unsigned>(request->envelope.op), reply.status.ToString());
  }
  const bool is_answered_search =
      request->envelope.op == vfdw::Op::kSearch && reply.kind == Reply::Kind::kMessage;
  // Before the reply, or a client that asks again at once could be refused for its own request.
  if (request->counted) service_.admission.Leave();
  if (reply.kind != Reply::Kind::kNone) sink->Send(*request, std::move(reply));
  if (is_answered_search)
    metrics.search_time.Record(service_.clock->SteadyNs() - request->received_ns);
  metrics.requests_in_flight.Add(-1);
  service_.in_flight.Remove(request.get());
}

bool Dispatcher::Tick() {
  service_.in_flight.StopExpired(service_.clock->SteadyNs());
  service_.cursors.Expire();
  return service_.freshness.Look();
}

void Dispatcher::ConnectionGone(ConnectionId connection) {
  service_.in_flight.StopConnection(connection);
  service_.cursors.CloseConnection(connection);
}

void Dispatcher::BeginStop(ReplySink* sink) {
  stopping_ = true;
  std::vector<std::unique_ptr<RequestContext>> parked = service_.admission.TakeParked();
  for (std::unique_ptr<RequestContext>& request : service_.freshness.TakeAll())
    parked.push_back(std::move(request));
  for (std::unique_ptr<RequestContext>& request : parked)
    Finish(std::move(request),
           Reply::Error(Status(ErrorCode::SHUTTING_DOWN, "vectord is shutting down")), sink);
}

std::string Dispatcher::MetricsText() const { return MetricsPage(service_); }

void Dispatcher::SetSourcesSynced(std::function<bool()> synced) {
  MutexLock lock(sources_mu_);
  sources_synced_ = std::move(synced);
}

Status Dispatcher::Readiness() const {
  std::string waiting;
  for (const auto& collection : service_.catalog->All())
    if (collection->current() == nullptr && collection->state() != CollectionState::kUnloaded)
      waiting += (waiting.empty() ? "" : ", ") + collection->name();
  if (stopping_) return Status(ErrorCode::SHUTTING_DOWN, "vectord is shutting down");
  std::function<bool()> synced;
  {
    MutexLock lock(sources_mu_);
    synced = sources_synced_;
  }
  if (waiting.empty() && synced && !synced())
    return Status(ErrorCode::NOT_READY, "the definitions of collections are still being read");
  if (waiting.empty()) return Status::Ok();
  return Status(ErrorCode::NOT_READY, "some collections do not answer yet", waiting);
}

}  // namespace vectord

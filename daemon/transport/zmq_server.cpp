// zmq_server.cpp - see zmq_server.h.
#include "daemon/transport/zmq_server.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <system_error>
#include <utility>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/base/thread_pool.h"
#include "shared/codec.h"
#include "shared/version.h"

namespace vectord {
namespace {

constexpr int kIoThreads = 1;
// How long requests may go on after Stop() was called, and how long they are given to notice that
// they were stopped before the log says so.
constexpr int64_t kGraceMs = 2000;
constexpr int64_t kStoppedMs = 5000;
constexpr int kLingerMs = 500;
constexpr int64_t kPatienceUs = 200000;
constexpr size_t kMostDeafClients = 1000;
// So long no other client may have asked for one to be called alone. Clients that wait for each
// reply awake would take the cores from each other, and from us.
constexpr int64_t kAloneNs = 5000000;

// A worker takes the next request as soon as it has sent a reply, unless that freed a long slot.
thread_local bool is_worker = false;

std::string_view Bytes(const zmq::message_t& frame) {
  return {static_cast<const char*>(frame.data()), frame.size()};
}

zmq::message_t Copied(std::string_view bytes) { return {bytes.data(), bytes.size()}; }

// Hands the bytes over without a copy; the library frees them once they are written out.
zmq::message_t Moved(RawBytes raw) {
  auto owned = std::make_unique<RawBytes>(std::move(raw));
  zmq::message_t frame(
      owned->data(), owned->size(), [](void*, void* hint) { delete static_cast<RawBytes*>(hint); },
      owned.get());
  [[maybe_unused]] RawBytes* const with_the_frame = owned.release();
  return frame;
}

}  // namespace

// A request together with the frames that its views point into.
struct ReceivedRequest : RequestContext {
  ReceivedMessage message;
};

ZmqServer::ZmqServer(const Config& config, Dispatcher* dispatcher)
    : dispatcher_(dispatcher),
      gate_(AcceptGate::Cap(config.listen.max_connections), dispatcher->metrics()),
      context_(kIoThreads) {
  // The library's own limit on sockets has nothing to do with connections.
  context_.set(zmq::ctxopt::blocky, 0);
}

Result<std::unique_ptr<ZmqServer>> ZmqServer::Start(const Config& config, Dispatcher* dispatcher) {
  try {
    std::unique_ptr<ZmqServer> server(new ZmqServer(config, dispatcher));
    VFDW_ASSIGN_OR_RETURN(server->router_, SharedRouter::Create(&server->context_));
    VFDW_ASSIGN_OR_RETURN(server->monitor_,
                          ConnectionMonitor::Start(&server->context_, server->router_.get(),
                                                   &server->gate_, dispatcher));
    VFDW_RETURN_IF_ERROR(server->StartThreads());
    VFDW_RETURN_IF_ERROR(server->Listen(config));
    return server;
  } catch (const zmq::error_t& error) {
    return Status(ErrorCode::IO, "could not start ZeroMQ", std::string(error.what()) + ".");
  }
}

Status ZmqServer::Listen(const Config& config) {
  for (const std::string& endpoint : config.listen.endpoints) {
    VFDW_ASSIGN_OR_RETURN(std::unique_ptr<IpcListener> listener,
                          IpcListener::Open(endpoint, config.listen.socket_mode));
    gate_.Watch(listener->descriptor());
    VFDW_RETURN_IF_ERROR(router_->Adopt(listener->descriptor(), endpoint));
    listener->TakeDescriptor();
    LogInfo({}, "listening on \"{}\"", endpoint);
    listeners_.push_back(std::move(listener));
  }
  return Status::Ok();
}

Status ZmqServer::StartThreads() {
  try {
    for (size_t i = 0; i < dispatcher_->worker_threads(); i++)
      workers_.emplace_back(&ZmqServer::Work, this, i);
  } catch (const std::system_error& error) {
    return Status(ErrorCode::IO, "could not start a thread", std::string(error.what()) + ".");
  }
  return Status::Ok();
}

// ---- workers ----

void ZmqServer::Work(size_t worker) {
  SetThreadName("worker-" + std::to_string(worker));
  is_worker = true;
  for (;;) {
    router_->Wait();
    while (std::unique_ptr<RequestContext> request = TakeRequest())
      dispatcher_->Handle(std::move(request), this);
    if (!stopping_) continue;
    router_->Wake();  // the next worker, which is to end too
    return;
  }
}

std::unique_ptr<RequestContext> ZmqServer::TakeRequest() {
  for (;;) {
    if (std::unique_ptr<RequestContext> resumed = dispatcher_->TakeResumed()) {
      if (dispatcher_->has_resumed()) router_->Wake();
      router_->PassOn();  // whatever woke this thread may have been a message
      return resumed;
    }
    auto request = std::make_unique<ReceivedRequest>();
    Status refusal;
    bool answerable = false;
    Taken taken;
    {
      MutexLock lock(taking_mu_);
      taken = stopping_ ? Taken::kNothing : TakeMessage(request.get(), &refusal, &answerable);
    }
    if (taken == Taken::kNothing) return nullptr;
    router_->PassOn();
    if (taken == Taken::kRequest) return request;
    if (taken == Taken::kGarbage) RefuseMessage(*request, answerable, refusal);
  }
}

ZmqServer::Taken ZmqServer::TakeMessage(ReceivedRequest* request, Status* refusal,
                                        bool* answerable) {
  ReceivedMessage& message = request->message;
  if (!router_->TryReceive(&message)) return Taken::kNothing;
  request->client = message.identity.to_string();
  RequestFrames frames;
  frames.count = message.count;
  for (size_t i = 0; i < std::min(message.count, kMaxRequestFrames); i++)
    frames.frames[i] = Bytes(message.frames[i]);
  Answerable can_be_answered;
  *refusal = ReadRequestFrames(frames, &request->envelope, &can_be_answered);
  *answerable = can_be_answered == Answerable::kYes;
  if (!refusal->ok()) {
    dispatcher_->CountMalformed();
    return Taken::kGarbage;
  }
  const int fd = zmq_msg_get(message.frames[0].handle(), ZMQ_SRCFD);
  request->connection = gate_.Current(fd);
  if (fd >= 0 && request->connection == 0) return Taken::kOrphan;  // the client has left already
  request->body = frames.frames[1];
  request->raw = frames.frames[2];
  request->Arrived(dispatcher_->clock()->SteadyNs());
  dispatcher_->Accept(request);
  request->is_alone = IsAlone(*request);
  // The connection may have ended before the request could be found by it.
  if (gate_.Current(fd) != request->connection) dispatcher_->ConnectionGone(request->connection);
  return Taken::kRequest;
}

bool ZmqServer::IsAlone(const RequestContext& request) {
  if (request.client != last_client_) {
    last_client_ = request.client;
    alone_since_ns_ = request.received_ns;
  }
  return request.received_ns - alone_since_ns_ >= kAloneNs &&
         dispatcher_->requests_in_flight() == 1;
}

void ZmqServer::RefuseMessage(const RequestContext& request, bool answerable, const Status& why) {
  uint64_t left_out;
  if (malformed_log_.Allows(&left_out))
    LogWarning({}, "dropped a message that is not a request: {} ({} more since the last warning)",
               why.ToString(), left_out);
  if (answerable) Send(request, Reply::Error(why));
}

// ---- replies ----

void ZmqServer::Send(const RequestContext& request, Reply reply) {
  if (reply.kind == Reply::Kind::kError) reply.body = vfdw::Encode(ErrorReplyFrom(reply.status));
  vfdw::Envelope header;
  header.version = VFDW_PROTOCOL_VERSION;
  header.op = request.envelope.op;
  header.request_id = request.envelope.request_id;
  header.flags = vfdw::kFlagReply | (reply.kind == Reply::Kind::kError ? vfdw::kFlagError : 0u) |
                 (reply.raw.size() > 0 ? vfdw::kFlagRaw : 0u) |
                 (request.is_alone ? vfdw::kFlagAlone : 0u);
  header.body_bytes = static_cast<uint32_t>(reply.body.size());
  header.raw_bytes = static_cast<uint32_t>(reply.raw.size());
  std::array<uint8_t, vfdw::kEnvelopeBytes> header_bytes;
  vfdw::WriteEnvelope(header, header_bytes.data());

  SendOutcome outcome = SendOutcome::kFailed;
  try {
    std::vector<zmq::message_t> frames;
    frames.reserve(3);
    frames.emplace_back(header_bytes.data(), header_bytes.size());
    frames.push_back(Copied(reply.body));
    if (reply.raw.size() > 0) frames.push_back(Moved(std::move(reply.raw)));
    outcome = SendPatiently(request.client, &frames, is_worker && !request.has_long_slot);
  } catch (const std::exception& error) {  // no memory for a frame
    LogError({{}, request.envelope.request_id}, "could not send a reply: {}", error.what());
  }
  if (outcome == SendOutcome::kSent) return;
  dispatcher_->CountDropped();
  if (outcome == SendOutcome::kGone) dispatcher_->ClientGone(request.client);
  // A client that left wants no reply. One that does not read has its queue full of replies:
  // this one is dropped rather than kept, and its request runs into the client's time-out.
  uint64_t left_out;
  if (outcome == SendOutcome::kGone || !dropped_log_.Allows(&left_out)) return;
  LogWarning({{}, request.envelope.request_id},
             "dropped a reply to process {}, which does not read its replies ({} more since the "
             "last warning)",
             request.envelope.client_pid, left_out);
}

// A client that asks for much at once finds its queue full for the moment that the library needs to
// write it out; one that does not read finds it full for ever. So the first time the worker waits
// a little, and no worker waits for that client again until one of its replies went out.
SendOutcome ZmqServer::SendPatiently(const std::string& client, std::vector<zmq::message_t>* frames,
                                     bool comes_back) {
  SendOutcome outcome = router_->Send(client, frames, comes_back);
  if (outcome != SendOutcome::kFull) {
    if (!has_deaf_clients_.load(std::memory_order_relaxed)) return outcome;
    MutexLock lock(deaf_mu_);
    deaf_clients_.erase(client);
    has_deaf_clients_ = !deaf_clients_.empty();
    return outcome;
  }
  {
    MutexLock lock(deaf_mu_);
    if (deaf_clients_.count(client) > 0) return outcome;
  }
  const int64_t until_us = SteadyNowUs() + kPatienceUs;
  while (outcome == SendOutcome::kFull && SteadyNowUs() < until_us) {
    std::this_thread::sleep_for(std::chrono::microseconds(200));
    outcome = router_->Send(client, frames, /*comes_back=*/false);
  }
  if (outcome != SendOutcome::kFull) return outcome;
  MutexLock lock(deaf_mu_);
  if (deaf_clients_.size() >= kMostDeafClients) deaf_clients_.clear();  // of clients that left
  deaf_clients_.insert(client);
  has_deaf_clients_ = true;
  return outcome;
}

bool ZmqServer::LogLimit::Allows(uint64_t* left_out) {
  constexpr int64_t kIntervalNs = 1000000000;
  const int64_t now_ns = SteadyNowNs();
  int64_t next_ns = next_ns_.load(std::memory_order_relaxed);
  if (now_ns < next_ns ||
      !next_ns_.compare_exchange_strong(next_ns, now_ns + kIntervalNs, std::memory_order_relaxed)) {
    left_out_.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  *left_out = left_out_.exchange(0, std::memory_order_relaxed);
  return true;
}

// ---- stopping ----

void ZmqServer::WaitUntilIdle(int64_t at_most_ms) {
  const int64_t until_us = SteadyNowUs() + at_most_ms * 1000;
  while (dispatcher_->busy() && SteadyNowUs() < until_us)
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
}

void ZmqServer::Stop() {
  if (std::exchange(stopped_, true)) return;
  for (const auto& listener : listeners_) listener->Unlink();
  if (router_ != nullptr) {
    dispatcher_->BeginStop(this);
    WaitUntilIdle(kGraceMs);
    dispatcher_->StopRequests();
    WaitUntilIdle(kStoppedMs);
    if (dispatcher_->busy()) LogWarning({}, "waiting for a search that does not stop");
    stopping_ = true;
    router_->Wake();
    for (std::thread& worker : workers_) worker.join();
    if (monitor_ != nullptr) monitor_->Stop();
    router_->Close(kLingerMs);
  }
  context_.close();  // returns when all is written out or the time for it is over
  gate_.StopWatching();
  listeners_.clear();
}

}  // namespace vectord

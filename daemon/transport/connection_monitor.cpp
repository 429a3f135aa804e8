// connection_monitor.cpp - see connection_monitor.h.
#include "daemon/transport/connection_monitor.h"

#include <poll.h>

#include <chrono>
#include <cstring>
#include <system_error>
#include <utility>

#include "daemon/base/log.h"
#include "daemon/base/thread_pool.h"

namespace vectord {
namespace {

constexpr char kAddress[] = "inproc://connections";
constexpr std::chrono::milliseconds kTick{50};

// An event is a frame of a 16-bit number and a 32-bit value, then a frame with the endpoint
// (zmq_socket_monitor(3)).
struct Event {
  uint16_t number = 0;
  int32_t value = 0;
};

Event ReadEvent(const zmq::message_t& frame) {
  Event event;
  if (frame.size() < sizeof event.number + sizeof event.value) return event;
  const char* const bytes = frame.data<char>();
  memcpy(&event.number, bytes, sizeof event.number);
  memcpy(&event.value, bytes + sizeof event.number, sizeof event.value);
  return event;
}

}  // namespace

Result<std::unique_ptr<ConnectionMonitor>> ConnectionMonitor::Start(zmq::context_t* context,
                                                                    SharedRouter* router,
                                                                    AcceptGate* gate,
                                                                    Dispatcher* dispatcher) {
  VFDW_RETURN_IF_ERROR(router->Monitor(kAddress, ZMQ_EVENT_DISCONNECTED));
  try {
    zmq::socket_t events(*context, zmq::socket_type::pair);
    events.set(zmq::sockopt::linger, 0);
    events.connect(kAddress);
    std::unique_ptr<ConnectionMonitor> monitor(
        new ConnectionMonitor(std::move(events), router, gate, dispatcher));
    monitor->thread_ = std::thread(&ConnectionMonitor::Run, monitor.get());
    return monitor;
  } catch (const zmq::error_t& error) {
    return Status(ErrorCode::IO, "could not watch connections", std::string(error.what()) + ".");
  } catch (const std::system_error& error) {
    return Status(ErrorCode::IO, "could not start a thread", std::string(error.what()) + ".");
  }
}

void ConnectionMonitor::Stop() {
  if (!thread_.joinable()) return;
  if (const Status status = router_->Monitor("", 0); !status.ok())
    LogWarning({}, "{}", status.ToString());
  stopping_ = true;
  thread_.join();
}

void ConnectionMonitor::Run() {
  SetThreadName("connections");
  while (!stopping_) {
    zmq::pollitem_t item{events_.handle(), 0, ZMQ_POLLIN, 0};
    try {
      zmq::poll(&item, 1, kTick);
      ReadEvents();
    } catch (const zmq::error_t& error) {
      LogError({}, "could not read events of connections: {}", error.what());
      std::this_thread::sleep_for(kTick);
    }
    if (dispatcher_->Tick()) router_->Wake();
  }
  events_.close();
}

void ConnectionMonitor::ReadEvents() {
  for (zmq::message_t frame; events_.recv(frame, zmq::recv_flags::dontwait);) {
    const Event event = ReadEvent(frame);
    while (frame.more() && events_.recv(frame, zmq::recv_flags::dontwait)) {
    }
    if (event.number != ZMQ_EVENT_DISCONNECTED) continue;
    if (const ConnectionId ended = gate_->Ended(event.value)) dispatcher_->ConnectionGone(ended);
  }
}

}  // namespace vectord

// connection_monitor.h - the thread that hears of connections ending, and calls the dispatcher's
// Tick() in between.
//
// It must keep reading for as long as the socket sends it events: libzmq's I/O thread waits for it
// when its queue is full. So Stop() first unhooks it from the socket.
#ifndef VECTOR_FDW_DAEMON_TRANSPORT_CONNECTION_MONITOR_H
#define VECTOR_FDW_DAEMON_TRANSPORT_CONNECTION_MONITOR_H

#include <atomic>
#include <memory>
#include <thread>
#include <zmq.hpp>

#include "daemon/base/status.h"
#include "daemon/service/dispatcher.h"
#include "daemon/transport/accept_gate.h"
#include "daemon/transport/shared_router.h"

namespace vectord {

class ConnectionMonitor {
 public:
  // All that is lent must outlive it.
  static Result<std::unique_ptr<ConnectionMonitor>> Start(zmq::context_t* context,
                                                          SharedRouter* router, AcceptGate* gate,
                                                          Dispatcher* dispatcher);
  ~ConnectionMonitor() { Stop(); }
  ConnectionMonitor(const ConnectionMonitor&) = delete;
  ConnectionMonitor& operator=(const ConnectionMonitor&) = delete;

  void Stop();

 private:
  ConnectionMonitor(zmq::socket_t events, SharedRouter* router, AcceptGate* gate,
                    Dispatcher* dispatcher)
      : events_(std::move(events)), router_(router), gate_(gate), dispatcher_(dispatcher) {}
  void Run();
  void ReadEvents();

  zmq::socket_t events_;  // of the thread, once it runs
  SharedRouter* const router_;
  AcceptGate* const gate_;
  Dispatcher* const dispatcher_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace vectord

#endif

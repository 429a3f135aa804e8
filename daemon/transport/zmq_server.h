// zmq_server.h - the daemon's front: requests of clients come in and replies go out here.
//
// Workers share one ROUTER socket. The idle ones sleep on it, and the kernel wakes one of them for
// a request: it takes the request, lets another worker take the next one if there is more, answers,
// and sends the reply itself. So between the library's I/O thread and the search there is one
// wake-up, and none on the way back; the others sleep on.
//
//   idle --woken--> taking --noted--> working --reply sent--> taking --nothing left--> idle
//
// One worker takes at a time, and notes in the dispatcher what it took before another one takes, so
// that a cancel finds the request that came before it.
//
// The number of workers is the dispatcher's; it sees to it that some are always free of long
// requests, so one is idle nearly always. When all are working, requests wait in the socket.
//
// Garbage: a message that is not a request is dropped, and answered by an error if its header
// could be read. Frames are limited in size, requests per client in number (shared_router.cpp),
// clients in number (accept_gate.h).
#ifndef VECTOR_FDW_DAEMON_TRANSPORT_ZMQ_SERVER_H
#define VECTOR_FDW_DAEMON_TRANSPORT_ZMQ_SERVER_H

#include <atomic>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>
#include <zmq.hpp>

#include "daemon/base/config.h"
#include "daemon/base/mutex.h"
#include "daemon/base/status.h"
#include "daemon/service/dispatcher.h"
#include "daemon/transport/accept_gate.h"
#include "daemon/transport/connection_monitor.h"
#include "daemon/transport/ipc_listener.h"
#include "daemon/transport/shared_router.h"

namespace vectord {

struct ReceivedRequest;

class ZmqServer final : public ReplySink {
 public:
  // Listens on config.listen.endpoints and answers by the dispatcher, which must outlive it, as
  // must the memory budget that replies are reserved from. When this returns, clients are served.
  static Result<std::unique_ptr<ZmqServer>> Start(const Config& config, Dispatcher* dispatcher);
  ~ZmqServer() override { Stop(); }
  ZmqServer(const ZmqServer&) = delete;
  ZmqServer& operator=(const ZmqServer&) = delete;

  // Lets requests under way end for a while, then stops them; those that come meanwhile are
  // refused. Returns when every thread has ended and nothing is left of the sockets.
  void Stop();

  // Of ReplySink, for the dispatcher.
  void Send(const RequestContext& request, Reply reply) override;

 private:
  ZmqServer(const Config& config, Dispatcher* dispatcher);
  Status Listen(const Config& config);
  Status StartThreads();

  void Work(size_t worker);
  // The next request, or null when there is none.
  std::unique_ptr<RequestContext> TakeRequest();
  enum class Taken { kNothing, kRequest, kGarbage, kOrphan };
  Taken TakeMessage(ReceivedRequest* request, Status* refusal, bool* answerable)
      REQUIRES(taking_mu_);
  bool IsAlone(const RequestContext& request) REQUIRES(taking_mu_);
  void RefuseMessage(const RequestContext& request, bool answerable, const Status& why);
  SendOutcome SendPatiently(const std::string& client, std::vector<zmq::message_t>* frames,
                            bool comes_back);
  void WaitUntilIdle(int64_t at_most_ms);

  // One warning a second at most, with the number of those left out.
  class LogLimit {
   public:
    bool Allows(uint64_t* left_out);

   private:
    std::atomic<int64_t> next_ns_{0};
    std::atomic<uint64_t> left_out_{0};
  };

  Dispatcher* const dispatcher_;
  std::vector<std::unique_ptr<IpcListener>> listeners_;
  AcceptGate gate_;
  zmq::context_t context_;
  std::unique_ptr<SharedRouter> router_;
  std::unique_ptr<ConnectionMonitor> monitor_;
  std::vector<std::thread> workers_;
  LogLimit malformed_log_, dropped_log_;
  // Clients whose queue stayed full for as long as we wait: not waited for again until they read.
  Mutex deaf_mu_;
  std::set<std::string> deaf_clients_ GUARDED_BY(deaf_mu_);
  std::atomic<bool> has_deaf_clients_{false};
  bool stopped_ = false;

  std::atomic<bool> stopping_{false};  // workers are to end
  Mutex taking_mu_;  // from receiving a request to noting it; the router's lock is taken within
  std::string last_client_ GUARDED_BY(taking_mu_);
  int64_t alone_since_ns_ GUARDED_BY(taking_mu_) = 0;  // last_client_ is the only one that asks
};

}  // namespace vectord

#endif

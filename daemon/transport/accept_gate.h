// accept_gate.h - decides at the moment of accept() whether a client may stay, and numbers those
// that do.
//
// Why it must be there: libzmq's ipc listener ends the process by an assertion when accept() fails
// for want of descriptors (ipc_listener.cpp; EMFILE is not among the errors that it tolerates), and
// the only thing that a user of the library can do about too many clients, zmq_unbind(), also
// closes every connection that was accepted before. So accept_gate.cpp defines accept4() for this
// process: on the listeners that are watched here it accepts and at once closes what is too much;
// all other calls go straight to the kernel.
//
// A gate must be told when a connection ends, by its descriptor and in the order of the ends
// (connection_monitor.h does); until then it counts.
//
// Threads: any. Its lock is taken alone, by accepts, ends, and once for each request received.
#ifndef VECTOR_FDW_DAEMON_TRANSPORT_ACCEPT_GATE_H
#define VECTOR_FDW_DAEMON_TRANSPORT_ACCEPT_GATE_H

#include <cstddef>
#include <deque>
#include <unordered_map>

#include "daemon/base/metrics.h"
#include "daemon/base/mutex.h"
#include "daemon/service/request_context.h"

namespace vectord {

class AcceptGate {
 public:
  // At most max_connections at a time.
  AcceptGate(size_t max_connections, Metrics* metrics);
  ~AcceptGate();  // stops watching; REQUIRES: no listener of it can accept any more

  // The cap for [listen] max_connections: 0 stands for what RLIMIT_NOFILE leaves after a reserve
  // for files, sources and the process itself.
  static size_t Cap(int configured);

  // From now on connections to this listening descriptor pass here.
  void Watch(int listening_fd);
  // Nothing passes here any more. For when the listeners have been closed.
  void StopWatching();

  // The connection that uses the descriptor now; 0 if none does.
  ConnectionId Current(int fd) const;
  // The connection that used it and ended; 0 if there was none.
  ConnectionId Ended(int fd);
  size_t open() const;

  // accept4() as the process sees it: -1 and ECONNABORTED, which libzmq takes for a client that
  // went away, when the client was turned away.
  static int Accept(int listening_fd, void* address, void* length, int flags);

 private:
  int AcceptHere(int listening_fd, void* address, void* length, int flags);
  bool Admit(int fd);
  int TurnAway(int listening_fd);
  void NoteRefusal();

  const size_t max_connections_;
  Metrics* const metrics_;
  mutable Mutex mu_;
  // Connections by descriptor, oldest first: a descriptor is used again as soon as it is closed,
  // which may be before anyone said that its connection ended.
  std::unordered_map<int, std::deque<ConnectionId>> connections_ GUARDED_BY(mu_);
  size_t open_ GUARDED_BY(mu_) = 0;
  int spare_fd_ GUARDED_BY(mu_);  // given up for a moment when there is no other left
  int64_t last_warning_ns_ GUARDED_BY(mu_) = 0;
};

}  // namespace vectord

#endif

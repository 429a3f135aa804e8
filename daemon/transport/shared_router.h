// shared_router.h - one ROUTER socket used by many threads, one at a time.
//
// A ZeroMQ socket may be used by several threads when a lock orders their calls. What is not
// obvious is how threads sleep until a message comes while others send, because any call may
// swallow the wake-up: ZMQ_FD becomes readable when the library queues a command for the socket,
// and every zmq_send, zmq_recv and zmq_getsockopt takes all commands off the queue.
//
// All idle threads sleep on one epoll descriptor, which watches ZMQ_FD and wake_fd_ for edges: the
// kernel wakes one thread per edge, the one that slept last, or keeps the edge until a thread
// comes. So nobody needs to be told to watch the socket while another one works.
//
// Why no message is overlooked. Call the state after a call "quiet" when ZMQ_EVENTS, read in the
// same critical section after everything else, has no ZMQ_POLLIN. Reading ZMQ_EVENTS takes all
// commands off the queue, so in a quiet state any later message makes ZMQ_FD readable: an edge.
// Every critical section here ends (1) with a quiet state, or (2) by an edge of wake_fd_, or (3)
// with a caller who must end the section's work by PassOn() or TryReceive(). A thread that an edge
// woke calls TryReceive() first of all. So whenever a message can be received, an edge is under way
// to a thread, or a thread is about to look.
//
// Threads: any, all functions but Close.
#ifndef VECTOR_FDW_DAEMON_TRANSPORT_SHARED_ROUTER_H
#define VECTOR_FDW_DAEMON_TRANSPORT_SHARED_ROUTER_H

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "daemon/base/mutex.h"
#include "daemon/base/status.h"
#include "daemon/transport/request_frames.h"

namespace vectord {

// A message as it came: identity, then the first frames; the rest was read and dropped.
struct ReceivedMessage {
  zmq::message_t identity;
  std::array<zmq::message_t, kMaxRequestFrames> frames;
  size_t count = 0;  // of all frames after the identity
};

enum class SendOutcome {
  kSent,
  kGone,   // there is no such client any more
  kFull,   // the client does not read its replies
  kFailed  // anything else
};

class SharedRouter {
 public:
  // Creates the socket with its limits. The context must outlive it.
  static Result<std::unique_ptr<SharedRouter>> Create(zmq::context_t* context);
  ~SharedRouter();
  SharedRouter(const SharedRouter&) = delete;
  SharedRouter& operator=(const SharedRouter&) = delete;

  // Listens on a descriptor that listens already; the library owns it on success.
  Status Adopt(int listening_fd, const std::string& endpoint);
  // Sends the events of connections to this inproc address; empty: no more.
  Status Monitor(const std::string& address, int events);

  // Takes the next message, if there is one; then the caller must call PassOn() soon.
  bool TryReceive(ReceivedMessage* message);
  // Lets another thread receive what is left.
  void PassOn();
  // Sleeps until TryReceive() may find something, or Wake(). The caller must call one of them next.
  void Wait();
  // Ends the sleep of one thread, or the next one.
  void Wake();

  // All frames or none; they are consumed, unless the outcome is kFull.
  // comes_back: unless the outcome is kFull, this thread calls TryReceive() before it does anything
  // that takes long.
  SendOutcome Send(const std::string& identity, std::vector<zmq::message_t>* frames,
                   bool comes_back);

  // Closes the socket; replies not yet written out get this long. No other call may follow.
  void Close(int linger_ms);

 private:
  SharedRouter(zmq::socket_t socket, int wake_fd, int epoll_fd);
  bool Readable() REQUIRES(mu_);

  Mutex mu_;
  zmq::socket_t socket_ GUARDED_BY(mu_);
  const int wake_fd_;   // never read: an edge is a write, whatever the count
  const int epoll_fd_;  // of ZMQ_FD and wake_fd_
};

}  // namespace vectord

#endif

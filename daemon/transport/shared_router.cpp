// shared_router.cpp - see shared_router.h for why no wake-up is lost; (1), (2), (3) refer to it.
#include "daemon/transport/shared_router.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "daemon/base/file.h"
#include "shared/limits.h"

namespace vectord {
namespace {

// Messages, not bytes, per client. A client has few requests under way; what is more waits in its
// own queue. What a client does not read beyond the second limit: ZmqServer::SendPatiently.
constexpr int kReceiveQueue = 16;
constexpr int kSendQueue = 256;
constexpr int kHandshakeMs = 5000;

Status ZmqStatus(const char* what, const zmq::error_t& error) {
  return Status(ErrorCode::IO, std::string("could not ") + what, std::string(error.what()) + ".");
}

}  // namespace

Result<std::unique_ptr<SharedRouter>> SharedRouter::Create(zmq::context_t* context) {
  const int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_fd < 0) return ErrnoStatus(errno, "could not create an eventfd");
  const int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_fd < 0) {
    const Status status = ErrnoStatus(errno, "could not create an epoll descriptor");
    close(wake_fd);
    return status;
  }
  std::unique_ptr<SharedRouter> router;
  try {
    zmq::socket_t socket(*context, zmq::socket_type::router);
    socket.set(zmq::sockopt::router_mandatory, true);
    socket.set(zmq::sockopt::maxmsgsize, int64_t{VFDW_MAX_REQUEST_BYTES});
    socket.set(zmq::sockopt::rcvhwm, kReceiveQueue);
    socket.set(zmq::sockopt::sndhwm, kSendQueue);
    socket.set(zmq::sockopt::handshake_ivl, kHandshakeMs);
    socket.set(zmq::sockopt::linger, 0);
    const int zmq_fd = socket.get(zmq::sockopt::fd);
    router.reset(new SharedRouter(std::move(socket), wake_fd, epoll_fd));
    for (const int fd : {zmq_fd, wake_fd}) {
      epoll_event event{};
      event.events = EPOLLIN | EPOLLET;
      if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
        return ErrnoStatus(errno, "could not watch the socket for requests");
    }
    return router;
  } catch (const zmq::error_t& error) {
    if (router == nullptr) {
      close(epoll_fd);
      close(wake_fd);
    }
    return ZmqStatus("create the socket for requests", error);
  }
}

SharedRouter::SharedRouter(zmq::socket_t socket, int wake_fd, int epoll_fd)
    : socket_(std::move(socket)), wake_fd_(wake_fd), epoll_fd_(epoll_fd) {}

SharedRouter::~SharedRouter() {
  Close(0);
  close(epoll_fd_);
  close(wake_fd_);
}

Status SharedRouter::Adopt(int listening_fd, const std::string& endpoint) {
  MutexLock lock(mu_);
  try {
    socket_.set(zmq::sockopt::use_fd, listening_fd);
    socket_.bind(endpoint);
    socket_.set(zmq::sockopt::use_fd, -1);
  } catch (const zmq::error_t& error) {
    return ZmqStatus(("listen on \"" + endpoint + "\"").c_str(), error);
  }
  if (Readable()) Wake();
  return Status::Ok();
}

Status SharedRouter::Monitor(const std::string& address, int events) {
  MutexLock lock(mu_);
  const char* const where = address.empty() ? nullptr : address.c_str();
  if (zmq_socket_monitor(socket_.handle(), where, events) != 0)
    return ZmqStatus("watch connections", zmq::error_t());
  if (Readable()) Wake();
  return Status::Ok();
}

bool SharedRouter::Readable() { return (socket_.get(zmq::sockopt::events) & ZMQ_POLLIN) != 0; }

bool SharedRouter::TryReceive(ReceivedMessage* message) {
  MutexLock lock(mu_);
  while (Readable()) {
    if (!socket_.recv(message->identity, zmq::recv_flags::dontwait)) continue;
    message->count = 0;
    for (bool more = message->identity.more(); more;) {
      zmq::message_t surplus;
      zmq::message_t& frame =
          message->count < kMaxRequestFrames ? message->frames[message->count] : surplus;
      // The frames of one message come all at once.
      if (!socket_.recv(frame, zmq::recv_flags::dontwait)) break;
      message->count++;
      more = frame.more();
    }
    return true;  // (3)
  }
  return false;  // (1)
}

void SharedRouter::PassOn() {
  bool readable;
  {
    MutexLock lock(mu_);
    readable = Readable();
  }
  if (readable) Wake();  // (2), else (1)
}

void SharedRouter::Wait() {
  epoll_event event;                     // which of the two it was does not matter
  epoll_wait(epoll_fd_, &event, 1, -1);  // an interruption is as good as a wake-up
}

void SharedRouter::Wake() { eventfd_write(wake_fd_, 1); }

SendOutcome SharedRouter::Send(const std::string& identity, std::vector<zmq::message_t>* frames,
                               bool comes_back) {
  SendOutcome outcome = SendOutcome::kSent;
  MutexLock lock(mu_);
  try {
    zmq::message_t to(identity.data(), identity.size());
    const auto flags = zmq::send_flags::dontwait | zmq::send_flags::sndmore;
    if (!socket_.send(to, flags)) {
      outcome = SendOutcome::kFull;
    } else {
      // From here on nothing can fail: the way to this client is chosen and has room.
      for (size_t i = 0; i < frames->size(); i++)
        socket_.send((*frames)[i], i + 1 < frames->size() ? flags : zmq::send_flags::dontwait);
    }
  } catch (const zmq::error_t& error) {
    outcome = error.num() == EHOSTUNREACH ? SendOutcome::kGone : SendOutcome::kFailed;
  }
  const bool looks_at_once = comes_back && outcome != SendOutcome::kFull;
  if (!looks_at_once && Readable()) Wake();  // (2), else (1) or (3)
  return outcome;
}

void SharedRouter::Close(int linger_ms) {
  MutexLock lock(mu_);
  if (!socket_) return;
  socket_.set(zmq::sockopt::linger, linger_ms);
  socket_.close();
}

}  // namespace vectord

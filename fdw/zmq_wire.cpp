// zmq_wire.cpp - a wire through libzmq, of which this is the extension's only file: tcp, and CURVE.
//
// A DEALER socket. The certainty of wire.h's picture rests on three options: IMMEDIATE (a pipe
// exists only while the peer has finished its handshake), SNDHWM 0 (a pipe is never full, so that
// POLLOUT means "connected" and nothing else), and RECONNECT_IVL -1 (libzmq does not reconnect
// behind our back, where a loss between two looks would go unnoticed and its requests would wait
// for their time-out).
//
// Context. One per process, made at the first use, because libzmq's threads do not survive a fork.
// It is never destroyed: zmq_ctx_term() may block, and a backend must not block in exit(). The
// kernel closes the descriptors, and LINGER 0 means that nothing was to be flushed.
//
// Threads: libzmq's own run with all signals blocked, as PostgreSQL's handlers may only run in the
// main thread.
#include <pthread.h>
#include <signal.h>
#include <zmq.h>

#include <cerrno>
#include <utility>

#include "fdw/wire.h"

namespace vfdw {
namespace {

void* g_context = nullptr;
unsigned g_context_forks = 0;  // ForkCount() when it was made

class AllSignalsBlocked {
 public:
  AllSignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old_);
  }
  ~AllSignalsBlocked() { pthread_sigmask(SIG_SETMASK, &old_, nullptr); }
  AllSignalsBlocked(const AllSignalsBlocked&) = delete;
  AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;

 private:
  sigset_t old_;
};

Status ZmqFailed(const char* step) {
  const int error = zmq_errno();
  const ErrorCode code =
      error == ENOMEM || error == EMFILE ? ErrorCode::OVERLOADED : ErrorCode::INTERNAL;
  return Status(code, "could not use ZeroMQ",
                std::string(step) + " failed: " + zmq_strerror(error) + ".");
}

// libzmq starts its threads with the first socket, not with the context.
Status MakeSocket(void** out) {
  const AllSignalsBlocked blocked;
  if (g_context == nullptr || g_context_forks != ForkCount()) {
    // A parent's is leaked: its threads do not exist here, and zmq_ctx_term() would hang.
    g_context = zmq_ctx_new();
    if (g_context == nullptr) return ZmqFailed("zmq_ctx_new");
    g_context_forks = ForkCount();
    zmq_ctx_set(g_context, ZMQ_IO_THREADS, 1);
  }
  *out = zmq_socket(g_context, ZMQ_DEALER);
  return *out == nullptr ? ZmqFailed("zmq_socket") : Status::Ok();
}

Frame TakeFrame(zmq_msg_t* from) {
  auto kept = std::make_unique<zmq_msg_t>();
  zmq_msg_init(kept.get());
  zmq_msg_move(kept.get(), from);
  Frame frame;
  frame.data = static_cast<const uint8_t*>(zmq_msg_data(kept.get()));
  frame.size = zmq_msg_size(kept.get());
  frame.owner = {kept.release(), [](void* p) {
                   auto* message = static_cast<zmq_msg_t*>(p);
                   zmq_msg_close(message);
                   delete message;
                 }};
  return frame;
}

class ZmqWire final : public Wire {
 public:
  explicit ZmqWire(WireOptions options) : options_(std::move(options)) {}
  ~ZmqWire() override {
    if (socket_ != nullptr && forks_ == ForkCount()) zmq_close(socket_);
  }
  ZmqWire(const ZmqWire&) = delete;
  ZmqWire& operator=(const ZmqWire&) = delete;

  Status Open();

  Status Send(const Part* parts, size_t count) override;
  bool Receive(Message* message) override;
  WireState state() const override { return state_; }
  Status failure() const override { return ConnectionLost(); }
  int descriptor() const override { return descriptor_; }
  bool has_unsent() const override { return false; }

 private:
  Status SetOptions();
  Status SetKeys();
  Status SetInt(int option, int value);
  bool ReceiveFrames(Message* message);

  const WireOptions options_;
  const unsigned forks_ = ForkCount();
  void* socket_ = nullptr;
  int descriptor_ = -1;
  WireState state_ = WireState::kConnecting;
};

Status ZmqWire::SetInt(int option, int value) {
  return zmq_setsockopt(socket_, option, &value, sizeof(value)) == 0 ? Status::Ok()
                                                                     : ZmqFailed("zmq_setsockopt");
}

Status ZmqWire::SetOptions() {
  VFDW_RETURN_IF_ERROR(SetInt(ZMQ_LINGER, 0));
  VFDW_RETURN_IF_ERROR(SetInt(ZMQ_IMMEDIATE, 1));
  VFDW_RETURN_IF_ERROR(SetInt(ZMQ_RECONNECT_IVL, -1));
  VFDW_RETURN_IF_ERROR(SetInt(ZMQ_SNDHWM, 0));
  // No more replies than requests come, and each request is awaited: memory is bounded by them.
  VFDW_RETURN_IF_ERROR(SetInt(ZMQ_RCVHWM, 0));
  // A tcp peer that vanished without a word is noticed by the kernel; waking up idle backends for
  // heartbeats of our own would not be worth it, as every request has a time-out.
  VFDW_RETURN_IF_ERROR(SetInt(ZMQ_TCP_KEEPALIVE, 1));
  VFDW_RETURN_IF_ERROR(SetInt(ZMQ_TCP_KEEPALIVE_IDLE, 30));
  VFDW_RETURN_IF_ERROR(SetInt(ZMQ_TCP_KEEPALIVE_INTVL, 10));
  VFDW_RETURN_IF_ERROR(SetInt(ZMQ_TCP_KEEPALIVE_CNT, 3));
  VFDW_RETURN_IF_ERROR(SetInt(ZMQ_IPV6, 1));
  if (zmq_setsockopt(socket_, ZMQ_MAXMSGSIZE, &options_.most_frame_bytes,
                     sizeof(options_.most_frame_bytes)) != 0)
    return ZmqFailed("zmq_setsockopt");
  return options_.server_public_key.empty() ? Status::Ok() : SetKeys();
}

Status ZmqWire::SetKeys() {
  const struct {
    int option;
    const char* name;
    const std::string& key;
  } keys[] = {{ZMQ_CURVE_SERVERKEY, "server_public_key", options_.server_public_key},
              {ZMQ_CURVE_PUBLICKEY, "public_key", options_.public_key},
              {ZMQ_CURVE_SECRETKEY, "secret_key", options_.secret_key}};
  if (options_.public_key.empty() || options_.secret_key.empty())
    return Status(
        ErrorCode::INVALID_PARAMETER, "the user has no CURVE keys",
        "The server has the option \"server_public_key\", so its daemon knows its users by "
        "their keys.",
        "Use CREATE USER MAPPING ... OPTIONS (public_key '...', secret_key '...').");
  for (const auto& k : keys)
    if (k.key.size() != 40 || zmq_setsockopt(socket_, k.option, k.key.data(), k.key.size()) != 0)
      return Status(ErrorCode::INVALID_PARAMETER, "invalid CURVE key",
                    "The option \"" + std::string(k.name) + "\" is not a key.",
                    "A key is 40 characters in Z85, as \"curve_keygen\" prints them.");
  return Status::Ok();
}

Status ZmqWire::Open() {
  VFDW_RETURN_IF_ERROR(MakeSocket(&socket_));
  VFDW_RETURN_IF_ERROR(SetOptions());
  if (zmq_connect(socket_, options_.endpoint.c_str()) != 0)
    return Status(
        ErrorCode::INVALID_PARAMETER, "invalid endpoint of the vector daemon",
        "\"" + options_.endpoint + "\" cannot be used: " + zmq_strerror(zmq_errno()) + ".",
        "Write ipc:///path/of/socket or tcp://host:port.");
  size_t size = sizeof(descriptor_);
  if (zmq_getsockopt(socket_, ZMQ_FD, &descriptor_, &size) != 0) return ZmqFailed("zmq_getsockopt");
  return Status::Ok();
}

Status ZmqWire::Send(const Part* parts, size_t count) {
  for (size_t i = 0; i < count; i++) {
    const int flags = ZMQ_DONTWAIT | (i + 1 < count ? ZMQ_SNDMORE : 0);
    int sent;
    do {
      sent = zmq_send(socket_, parts[i].data, parts[i].size, flags);
    } while (sent < 0 && zmq_errno() == EINTR);
    if (sent >= 0) continue;
    if (i == 0 && zmq_errno() == EAGAIN) return NotConnected();
    state_ = WireState::kLost;  // half a message cannot be taken back
    return zmq_errno() == EAGAIN ? NotConnected() : ZmqFailed("zmq_send");
  }
  return Status::Ok();
}

// The frames of a message arrive together.
bool ZmqWire::ReceiveFrames(Message* message) {
  zmq_msg_t frame;
  zmq_msg_init(&frame);
  bool more = true;
  for (message->count = 0; more; message->count++) {
    if (zmq_msg_recv(&frame, socket_, ZMQ_DONTWAIT) < 0) break;
    more = zmq_msg_more(&frame) != 0;
    if (message->count < Message::kMostFrames) message->frames[message->count] = TakeFrame(&frame);
  }
  zmq_msg_close(&frame);
  return !more;
}

bool ZmqWire::Receive(Message* message) {
  if (state_ == WireState::kLost) return false;
  int events = 0;
  size_t size = sizeof(events);
  while (zmq_getsockopt(socket_, ZMQ_EVENTS, &events, &size) != 0) {
    if (zmq_errno() == EINTR) continue;
    state_ = WireState::kLost;
    return false;
  }
  // What came before the loss is taken first.
  if ((events & ZMQ_POLLIN) != 0 && ReceiveFrames(message)) return true;
  if ((events & ZMQ_POLLOUT) != 0)
    state_ = WireState::kConnected;
  else if (state_ == WireState::kConnected)
    state_ = WireState::kLost;
  return false;
}

}  // namespace

Result<std::unique_ptr<Wire>> ConnectZmq(const WireOptions& options) {
  auto wire = std::make_unique<ZmqWire>(options);
  VFDW_RETURN_IF_ERROR(wire->Open());
  return std::unique_ptr<Wire>(std::move(wire));
}

}  // namespace vfdw

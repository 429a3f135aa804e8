// client.cpp - one connection to one vectord: requests out, replies in, by id.
//
// A DEALER socket of libzmq; the only file of the extension that includes it. Nothing here blocks,
// and no exception leaves: whatever fails becomes a vfdw_error.
//
//   Connecting --POLLOUT--> Connected --no POLLOUT--> Broken
//        ^------------------ vfdw_client_reconnect() ---'
//
// poll() moves the arrows to the right. The pictured certainty rests on three options: IMMEDIATE
// (a pipe exists only while the peer has finished its handshake), SNDHWM 0 (a pipe is never full,
// so that POLLOUT means "connected" and nothing else), and RECONNECT_IVL -1 (libzmq does not
// reconnect behind our back, where a loss between two polls would go unnoticed and its requests
// would wait for their time-out).
//
// Context. One per process, made at the first use, because libzmq's threads do not survive a fork.
// It is never destroyed: zmq_ctx_term() may block, and a backend must not block in exit(). The
// kernel closes the descriptors, and LINGER 0 means that nothing was to be flushed.
//
// Threads: the caller's one. libzmq's own run with all signals blocked, as PostgreSQL's handlers
// may only run in the main thread.
#include "fdw/client.h"

#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "fdw/error_text.h"
#include "fdw/reply.h"
#include "fdw/search_message.h"
#include "shared/codec.h"
#include "shared/limits.h"
#include "shared/version.h"

using vfdw::ErrorCode;
using vfdw::Op;
using vfdw::Status;

namespace {

constexpr char kIpcPrefix[] = "ipc://";
constexpr size_t kIpcPrefixBytes = sizeof(kIpcPrefix) - 1;
constexpr size_t kMostFrames = 3;

void* g_context = nullptr;
// Counts forks of this process, as seen by the child. A client of another count is the parent's.
std::atomic<unsigned> g_forks{0};

void AfterForkInChild() {
  g_context = nullptr;  // leaked: its threads do not exist here, and zmq_ctx_term() would hang
  g_forks.fetch_add(1, std::memory_order_relaxed);
}

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
  if (g_context == nullptr) {
    static const int registered = pthread_atfork(nullptr, nullptr, &AfterForkInChild);
    if (registered != 0)
      return Status(ErrorCode::OUT_OF_MEMORY, "could not watch for forks of this process");
    g_context = zmq_ctx_new();
    if (g_context == nullptr) return ZmqFailed("zmq_ctx_new");
    zmq_ctx_set(g_context, ZMQ_IO_THREADS, 1);
  }
  *out = zmq_socket(g_context, ZMQ_DEALER);
  return *out == nullptr ? ZmqFailed("zmq_socket") : Status::Ok();
}

// Chosen by chance, so that a reply meant for another session could not be taken for one of ours.
uint64_t RandomStart(const void* salt) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  uint64_t x = static_cast<uint64_t>(now.tv_sec) * 1000000000u + static_cast<uint64_t>(now.tv_nsec);
  x ^= static_cast<uint64_t>(getpid()) << 40 ^ reinterpret_cast<uintptr_t>(salt);
  // The finalizer of SplitMix64 (Steele, Lea, Flood 2014).
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

Status NotConnected() {
  return Status(ErrorCode::UNAVAILABLE, "not connected to the vector daemon");
}
Status ConnectionLost() {
  return Status(ErrorCode::CONNECTION_LOST, "lost the connection to the vector daemon",
                "The daemon stopped, or closed the connection, before it had answered.");
}
Status OutOfMemory() {
  return Status(ErrorCode::OUT_OF_MEMORY, "out of memory", "Talking to the vector daemon failed.",
                "Free memory on this machine.");
}

// Runs body, which returns Status, and turns its failure or exception into *error.
template <typename Body>
bool Guarded(vfdw_error* error, const Body& body) noexcept {
  try {
    Status status;
    try {
      status = body();
    } catch (const std::bad_alloc&) {
      status = OutOfMemory();
    } catch (const std::exception& e) {
      status = Status(ErrorCode::INTERNAL, "unexpected error in the client of vectord", e.what());
    }
    if (status.ok()) return true;
    vfdw::CopyError(status, error);
  } catch (...) {  // no memory even for the report
    *error = vfdw_error{};
    error->code = VFDW_ERR_OUT_OF_MEMORY;
    memcpy(error->sqlstate, "53200", 6);
    memcpy(error->message, "out of memory", 14);
  }
  return false;
}

std::string OrEmpty(const char* text) { return text == nullptr ? std::string() : text; }

// One received message: its frames, at most kMostFrames of them kept.
class Message {
 public:
  Message() {
    for (zmq_msg_t& frame : frames_) zmq_msg_init(&frame);
  }
  ~Message() {
    for (zmq_msg_t& frame : frames_) zmq_msg_close(&frame);
  }
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;

  // False when there is none. The frames of a message arrive together.
  bool Receive(void* socket) {
    for (bool more = true; more; count_++) {
      zmq_msg_t* frame = &frames_[std::min(count_, kMostFrames)];
      if (zmq_msg_recv(frame, socket, ZMQ_DONTWAIT) < 0) return false;
      more = zmq_msg_more(frame) != 0;
    }
    return true;
  }
  size_t count() const { return count_; }
  std::string_view frame(size_t i) {
    return {static_cast<const char*>(zmq_msg_data(&frames_[i])), zmq_msg_size(&frames_[i])};
  }
  // Hands the third frame over without copying it.
  vfdw::RawFrame TakeRaw() {
    vfdw::RawFrame raw;
    auto kept = std::make_unique<zmq_msg_t>();
    zmq_msg_init(kept.get());
    zmq_msg_move(kept.get(), &frames_[2]);
    raw.data = static_cast<const uint8_t*>(zmq_msg_data(kept.get()));
    raw.size = zmq_msg_size(kept.get());
    raw.owner = {kept.release(), [](void* p) {
                   auto* frame = static_cast<zmq_msg_t*>(p);
                   zmq_msg_close(frame);
                   delete frame;
                 }};
    return raw;
  }

 private:
  zmq_msg_t frames_[kMostFrames + 1];  // the last takes whatever is too many
  size_t count_ = 0;
};

// A request under way, or answered and not taken yet.
struct Request {
  vfdw::RequestId id;
  vfdw::ExpectedReply expected;
  bool answered = false;
  Status failure;
  std::unique_ptr<vfdw_reply> reply;
};

struct Outgoing {
  Op op;
  std::string body;
  const void* raw = nullptr;
  size_t raw_bytes = 0;
  uint32_t timeout_ms = 0;
};

}  // namespace

struct vfdw_client {
 public:
  explicit vfdw_client(const vfdw_endpoint& endpoint)
      : endpoint_(OrEmpty(endpoint.endpoint)),
        server_public_key_(OrEmpty(endpoint.server_public_key)),
        public_key_(OrEmpty(endpoint.public_key)),
        secret_key_(OrEmpty(endpoint.secret_key)),
        max_reply_bytes_(endpoint.max_reply_bytes > 0 ? endpoint.max_reply_bytes
                                                      : VFDW_MAX_REPLY_BYTES),
        pid_(static_cast<uint32_t>(getpid())),
        last_id_(RandomStart(this)) {}
  ~vfdw_client() { CloseSocket(); }
  vfdw_client(const vfdw_client&) = delete;
  vfdw_client& operator=(const vfdw_client&) = delete;

  Status Connect();
  Status Reconnect() {
    Break();
    return Connect();
  }
  bool Poll();
  Status Send(const Outgoing& out, const vfdw::ExpectedReply& expected, uint64_t* id);
  Status SendFetch(uint64_t cursor, uint32_t batch_rows, uint32_t timeout_ms, uint64_t* id);
  void CloseCursor(uint64_t cursor);
  void Forget(uint64_t id);
  vfdw_outcome Take(uint64_t id, vfdw_reply** out, vfdw_error* error);
  int descriptor() const { return descriptor_; }
  uint64_t arrivals() const { return arrivals_; }
  bool is_alone() const { return is_alone_; }

 private:
  struct Cursor {
    uint64_t id;
    size_t columns;
  };

  bool Usable() const {
    return socket_ != nullptr && forks_ == g_forks.load(std::memory_order_relaxed);
  }
  Status SetOptions();
  Status SetKeys();
  Status SetInt(int option, int value);
  void CloseSocket();
  void Break();
  Status SendFrames(const Outgoing& out, uint64_t id);
  void SendQuietly(Op op, std::string body);
  bool ReceiveOne();
  void Deliver(Message* message);
  void DropLate(const vfdw::Envelope& envelope, Message* message);
  Status Understand(const vfdw::Envelope& envelope, Message* message, Request* request);
  void Settle(Request* request, Status failure);
  void SettleAll(const Status& failure);
  std::vector<Request>::iterator Find(uint64_t id) {
    return std::find_if(requests_.begin(), requests_.end(),
                        [id](const Request& r) { return r.id == id; });
  }

  const std::string endpoint_, server_public_key_, public_key_, secret_key_;
  const int64_t max_reply_bytes_;
  const uint32_t pid_;
  unsigned forks_ = 0;      // g_forks when socket_ was made
  void* socket_ = nullptr;  // NULL: broken, and to be connected anew
  int descriptor_ = -1;
  bool connected_ = false;
  bool broken_ = false;
  bool is_alone_ = false;
  uint64_t last_id_;
  uint64_t arrivals_ = 0;
  size_t unanswered_ = 0;
  std::vector<Request> requests_;  // few: searched from front to back
  std::vector<Cursor> cursors_;    // of this connection; a new one's daemon may reuse the numbers
};

// ---- connecting

Status vfdw_client::SetInt(int option, int value) {
  return zmq_setsockopt(socket_, option, &value, sizeof(value)) == 0 ? Status::Ok()
                                                                     : ZmqFailed("zmq_setsockopt");
}

Status vfdw_client::SetOptions() {
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
  if (zmq_setsockopt(socket_, ZMQ_MAXMSGSIZE, &max_reply_bytes_, sizeof(max_reply_bytes_)) != 0)
    return ZmqFailed("zmq_setsockopt");
  return server_public_key_.empty() ? Status::Ok() : SetKeys();
}

Status vfdw_client::SetKeys() {
  const struct {
    int option;
    const char* name;
    const std::string& key;
  } keys[] = {{ZMQ_CURVE_SERVERKEY, "server_public_key", server_public_key_},
              {ZMQ_CURVE_PUBLICKEY, "public_key", public_key_},
              {ZMQ_CURVE_SECRETKEY, "secret_key", secret_key_}};
  if (public_key_.empty() || secret_key_.empty())
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

Status vfdw_client::Connect() {
  connected_ = broken_ = is_alone_ = false;
  forks_ = g_forks.load(std::memory_order_relaxed);
  VFDW_RETURN_IF_ERROR(MakeSocket(&socket_));
  Status status = SetOptions();
  if (status.ok() && zmq_connect(socket_, endpoint_.c_str()) != 0)
    status = Status(ErrorCode::INVALID_PARAMETER, "invalid endpoint of the vector daemon",
                    "\"" + endpoint_ + "\" cannot be used: " + zmq_strerror(zmq_errno()) + ".",
                    "Write ipc:///path/of/socket or tcp://host:port.");
  size_t size = sizeof(descriptor_);
  if (status.ok() && zmq_getsockopt(socket_, ZMQ_FD, &descriptor_, &size) != 0)
    status = ZmqFailed("zmq_getsockopt");
  if (!status.ok()) CloseSocket();
  return status;
}

void vfdw_client::CloseSocket() {
  if (Usable()) zmq_close(socket_);
  socket_ = nullptr;
  descriptor_ = -1;
  connected_ = false;
}

void vfdw_client::Break() {
  CloseSocket();
  broken_ = true;
  cursors_.clear();
  SettleAll(ConnectionLost());
}

// ---- sending

Status vfdw_client::SendFrames(const Outgoing& out, uint64_t id) {
  const bool has_raw = out.raw_bytes != 0;
  vfdw::Envelope envelope;
  envelope.version = VFDW_PROTOCOL_VERSION;
  envelope.op = out.op;
  envelope.request_id = id;
  envelope.timeout_ms = out.timeout_ms;
  envelope.flags = has_raw ? uint32_t{vfdw::kFlagRaw} : 0;
  envelope.client_pid = pid_;
  envelope.body_bytes = static_cast<uint32_t>(out.body.size());
  envelope.raw_bytes = static_cast<uint32_t>(out.raw_bytes);
  uint8_t header[vfdw::kEnvelopeBytes];
  vfdw::WriteEnvelope(envelope, header);

  const struct {
    const void* data;
    size_t size;
    int flags;
  } frames[] = {{header, sizeof(header), ZMQ_SNDMORE},
                {out.body.data(), out.body.size(), has_raw ? ZMQ_SNDMORE : 0},
                {out.raw, out.raw_bytes, 0}};
  for (size_t i = 0; i < (has_raw ? 3 : 2); i++) {
    int sent;
    do {
      sent = zmq_send(socket_, frames[i].data, frames[i].size, frames[i].flags | ZMQ_DONTWAIT);
    } while (sent < 0 && zmq_errno() == EINTR);
    if (sent >= 0) continue;
    if (i > 0) Break();  // half a message cannot be taken back
    return zmq_errno() == EAGAIN ? NotConnected() : ZmqFailed("zmq_send");
  }
  return Status::Ok();
}

Status vfdw_client::Send(const Outgoing& out, const vfdw::ExpectedReply& expected, uint64_t* id) {
  if (!Usable()) return broken_ ? ConnectionLost() : NotConnected();
  if (out.body.size() > VFDW_MAX_REQUEST_BYTES || out.raw_bytes > VFDW_MAX_REQUEST_BYTES)
    return Status(ErrorCode::LIMIT_EXCEEDED, "request to the vector daemon is too long",
                  "It has " + std::to_string(out.body.size() + out.raw_bytes) + " bytes.");
  if (++last_id_ == 0) last_id_ = 1;
  Request request;
  request.id = last_id_;
  request.expected = expected;
  requests_.reserve(requests_.size() + 1);  // so that nothing can fail once it has been sent
  VFDW_RETURN_IF_ERROR(SendFrames(out, last_id_));
  requests_.push_back(std::move(request));
  unanswered_++;
  *id = last_id_;
  return Status::Ok();
}

// For requests without a reply.
void vfdw_client::SendQuietly(Op op, std::string body) {
  if (!Usable() || !connected_) return;
  if (++last_id_ == 0) last_id_ = 1;
  Outgoing out{op, std::move(body)};
  (void)SendFrames(out, last_id_);
}

Status vfdw_client::SendFetch(uint64_t cursor, uint32_t batch_rows, uint32_t timeout_ms,
                              uint64_t* id) {
  const auto known = std::find_if(cursors_.begin(), cursors_.end(),
                                  [cursor](const Cursor& c) { return c.id == cursor; });
  if (known == cursors_.end()) return ConnectionLost();
  vfdw::FetchRequest m;
  m.cursor = cursor;
  m.batch_rows = batch_rows;
  Outgoing out{Op::kFetch, vfdw::Encode(m)};
  out.timeout_ms = timeout_ms;
  return Send(out, {Op::kFetch, known->columns, batch_rows}, id);
}

void vfdw_client::CloseCursor(uint64_t cursor) {
  const auto known = std::find_if(cursors_.begin(), cursors_.end(),
                                  [cursor](const Cursor& c) { return c.id == cursor; });
  if (known == cursors_.end()) return;
  cursors_.erase(known);
  vfdw::CloseCursorRequest m;
  m.cursor = cursor;
  SendQuietly(Op::kCloseCursor, vfdw::Encode(m));
}

void vfdw_client::Forget(uint64_t id) {
  const auto request = Find(id);
  if (request == requests_.end()) return;
  const bool pending = !request->answered;
  const uint64_t cursor = request->reply != nullptr && vfdw_reply_rows(request->reply.get())
                              ? request->reply->rows.cursor
                              : 0;
  if (pending) unanswered_--;
  requests_.erase(request);
  if (cursor != 0) CloseCursor(cursor);
  if (!pending) return;
  vfdw::CancelRequest m;
  m.request_id = id;
  SendQuietly(Op::kCancel, vfdw::Encode(m));
}

// ---- receiving

// One read of ZMQ_EVENTS costs a system call, hence it ends as soon as nothing is awaited: what
// remains is late replies to requests that were forgotten, and nobody sleeps for those.
bool vfdw_client::Poll() {
  while (Usable()) {
    int events = 0;
    size_t size = sizeof(events);
    if (zmq_getsockopt(socket_, ZMQ_EVENTS, &events, &size) != 0) {
      if (zmq_errno() == EINTR) continue;
      Break();
      return false;
    }
    if ((events & ZMQ_POLLIN) != 0 && ReceiveOne() && unanswered_ > 0) continue;
    if ((events & ZMQ_POLLOUT) != 0)
      connected_ = true;
    else if (connected_)
      Break();
    return connected_;
  }
  return false;
}

bool vfdw_client::ReceiveOne() {
  Message message;
  if (!message.Receive(socket_)) return false;
  arrivals_++;
  Deliver(&message);
  return true;
}

void vfdw_client::Deliver(Message* message) {
  vfdw::Envelope envelope;
  Status status = vfdw::ParseEnvelope(message->frame(0), &envelope);
  if (status.ok() && (envelope.flags & vfdw::kFlagReply) == 0)
    status = Status(ErrorCode::MALFORMED_MESSAGE, "malformed message header",
                    "The message is not marked as a reply.");
  if (status.code() == ErrorCode::MALFORMED_MESSAGE) {
    SettleAll(status);  // whoever this is does not speak the protocol: no use to wait for more
    return;
  }
  const auto request = Find(envelope.request_id);
  if (request == requests_.end()) {
    if (status.ok()) DropLate(envelope, message);
    return;
  }
  if (request->answered) return;
  is_alone_ = (envelope.flags & vfdw::kFlagAlone) != 0;
  if (status.ok()) status = Understand(envelope, message, &*request);
  Settle(&*request, std::move(status));
}

// The reply crossed our cancellation. Its cursor is of no use to anybody.
void vfdw_client::DropLate(const vfdw::Envelope& envelope, Message* message) {
  if ((envelope.flags & vfdw::kFlagError) != 0 || message->count() < 2 ||
      (envelope.op != Op::kSearch && envelope.op != Op::kFetch))
    return;
  vfdw::SearchReply reply;
  if (!vfdw::Decode(message->frame(1), &reply).ok() || reply.cursor == 0) return;
  vfdw::CloseCursorRequest m;
  m.cursor = reply.cursor;
  SendQuietly(Op::kCloseCursor, vfdw::Encode(m));
}

Status vfdw_client::Understand(const vfdw::Envelope& envelope, Message* message, Request* request) {
  const bool has_raw = (envelope.flags & vfdw::kFlagRaw) != 0;
  const size_t body_bytes = message->count() > 1 ? message->frame(1).size() : 0;
  const size_t raw_bytes = message->count() > 2 ? message->frame(2).size() : 0;
  const bool is_error = (envelope.flags & vfdw::kFlagError) != 0;
  if (message->count() != (has_raw ? 3u : 2u) || body_bytes != envelope.body_bytes ||
      raw_bytes != envelope.raw_bytes)
    return Status(ErrorCode::MALFORMED_MESSAGE, "malformed message",
                  "The frames do not have the lengths that the header tells.");
  if (is_error) {
    vfdw::ErrorReply error;
    VFDW_RETURN_IF_ERROR(vfdw::Decode(message->frame(1), &error));
    return vfdw::StatusFrom(error);
  }
  if (envelope.op != request->expected.op)
    return Status(ErrorCode::MALFORMED_MESSAGE, "malformed message",
                  "The reply is to operation " +
                      std::to_string(static_cast<unsigned>(envelope.op)) + ", the request was " +
                      std::to_string(static_cast<unsigned>(request->expected.op)) + ".");
  vfdw::RawFrame raw;
  if (has_raw) raw = message->TakeRaw();
  return vfdw::ParseReply(request->expected, message->frame(1), std::move(raw), &request->reply);
}

void vfdw_client::Settle(Request* request, Status failure) {
  request->answered = true;
  unanswered_--;
  request->failure = std::move(failure);
  if (request->reply == nullptr || vfdw_reply_rows(request->reply.get()) == nullptr) return;
  const uint64_t cursor = request->reply->rows.cursor;
  const auto known = std::find_if(cursors_.begin(), cursors_.end(),
                                  [cursor](const Cursor& c) { return c.id == cursor; });
  if (cursor != 0 && known == cursors_.end())
    cursors_.push_back({cursor, request->expected.columns});
}

void vfdw_client::SettleAll(const Status& failure) {
  for (Request& request : requests_)
    if (!request.answered) Settle(&request, failure);
}

vfdw_outcome vfdw_client::Take(uint64_t id, vfdw_reply** out, vfdw_error* error) {
  const auto request = Find(id);
  if (request == requests_.end()) {
    vfdw::CopyError(Status(ErrorCode::INTERNAL, "the request is not known"), error);
    return VFDW_FAILED;
  }
  if (!request->answered) return VFDW_PENDING;
  const bool arrived = request->reply != nullptr;
  if (arrived)
    *out = request->reply.release();
  else
    vfdw::CopyError(request->failure, error);
  requests_.erase(request);
  return arrived ? VFDW_ARRIVED : VFDW_FAILED;
}

// ---- the C functions

bool vfdw_client_open(const vfdw_endpoint* endpoint, vfdw_client** out,
                      vfdw_error* error) noexcept {
  return Guarded(error, [&] {
    auto client = std::make_unique<vfdw_client>(*endpoint);
    VFDW_RETURN_IF_ERROR(client->Connect());
    *out = client.release();
    return Status::Ok();
  });
}

void vfdw_client_close(vfdw_client* client) noexcept { delete client; }

bool vfdw_client_reconnect(vfdw_client* client, vfdw_error* error) noexcept {
  return Guarded(error, [&] { return client->Reconnect(); });
}

int vfdw_client_descriptor(const vfdw_client* client) noexcept { return client->descriptor(); }

uint64_t vfdw_client_arrivals(const vfdw_client* client) noexcept { return client->arrivals(); }

bool vfdw_client_is_alone(const vfdw_client* client) noexcept { return client->is_alone(); }

bool vfdw_client_poll(vfdw_client* client) noexcept {
  bool connected = false;
  vfdw_error ignored;
  // Without memory for a reply its request stays unanswered and ends by its time-out.
  (void)Guarded(&ignored, [&] {
    connected = client->Poll();
    return Status::Ok();
  });
  return connected;
}

bool vfdw_endpoint_listens(const char* endpoint, vfdw_error* error) noexcept {
  return Guarded(error, [&]() -> Status {
    if (strncmp(endpoint, kIpcPrefix, kIpcPrefixBytes) != 0) return Status::Ok();
    const std::string path = endpoint + kIpcPrefixBytes;
    sockaddr_un address{};
    if (path.empty() || path.size() >= sizeof(address.sun_path))
      return Status(ErrorCode::UNAVAILABLE, "invalid socket path",
                    "The path in " + std::string(endpoint) + " is empty or longer than " +
                        std::to_string(sizeof(address.sun_path) - 1) + " bytes.");
    address.sun_family = AF_UNIX;
    memcpy(address.sun_path, path.data(), path.size());
    if (path[0] == '@') address.sun_path[0] = '\0';  // abstract, as libzmq writes it
    const auto length =
        static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + (path[0] != '@'));
    const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (probe < 0) return Status::Ok();  // then let ZeroMQ find out
    const bool refused =
        connect(probe, reinterpret_cast<const sockaddr*>(&address), length) != 0 && errno != EAGAIN;
    const int reason = errno;
    close(probe);
    if (!refused) return Status::Ok();
    return Status(ErrorCode::UNAVAILABLE, "could not connect",
                  reason == ENOENT ? "There is no socket " + path + "."
                  : reason == ECONNREFUSED
                      ? "Nobody listens on the socket " + path + "."
                      : "The socket " + path + " refused: " + strerror(reason) + ".");
  });
}

uint64_t vfdw_client_send_search(vfdw_client* client, const vfdw_search* search,
                                 vfdw_error* error) noexcept {
  uint64_t id = 0;
  Guarded(error, [&] {
    const vfdw::SearchRequest m = vfdw::SearchMessage(*search);
    Outgoing out{Op::kSearch, vfdw::Encode(m)};
    out.raw = search->query;
    out.raw_bytes = search->query != nullptr ? search->dimensions * sizeof(float) : 0;
    out.timeout_ms = search->timeout_ms;
    return client->Send(out, {Op::kSearch, m.columns.size(), m.batch_rows}, &id);
  });
  return id;
}

uint64_t vfdw_client_send_fetch(vfdw_client* client, uint64_t cursor, uint32_t batch_rows,
                                uint32_t timeout_ms, vfdw_error* error) noexcept {
  uint64_t id = 0;
  Guarded(error, [&] { return client->SendFetch(cursor, batch_rows, timeout_ms, &id); });
  return id;
}

namespace {

template <typename Request>
uint64_t SendRequest(vfdw_client* client, Op op, const Request& request, uint32_t timeout_ms,
                     vfdw_error* error) noexcept {
  uint64_t id = 0;
  Guarded(error, [&] {
    Outgoing out{op, vfdw::Encode(request)};
    out.timeout_ms = timeout_ms;
    return client->Send(out, {op}, &id);
  });
  return id;
}

}  // namespace

uint64_t vfdw_client_send_describe(vfdw_client* client, const vfdw_collection_ref* collection,
                                   uint32_t timeout_ms, vfdw_error* error) noexcept {
  uint64_t id = 0;
  Guarded(error, [&] {
    vfdw::DescribeRequest m;
    m.collection = vfdw::CollectionMessage(*collection);
    id = SendRequest(client, Op::kDescribe, m, timeout_ms, error);
    return Status::Ok();
  });
  return id;
}

uint64_t vfdw_client_send_list(vfdw_client* client, const char* database, const char* schema,
                               uint32_t timeout_ms, vfdw_error* error) noexcept {
  uint64_t id = 0;
  Guarded(error, [&] {
    const vfdw::ListRequest m{OrEmpty(database), OrEmpty(schema)};
    id = SendRequest(client, Op::kList, m, timeout_ms, error);
    return Status::Ok();
  });
  return id;
}

uint64_t vfdw_client_send_status(vfdw_client* client, const char* database, const char* name,
                                 uint32_t timeout_ms, vfdw_error* error) noexcept {
  uint64_t id = 0;
  Guarded(error, [&] {
    const vfdw::StatusRequest m{OrEmpty(database), OrEmpty(name)};
    id = SendRequest(client, Op::kStatus, m, timeout_ms, error);
    return Status::Ok();
  });
  return id;
}

uint64_t vfdw_client_send_daemon_status(vfdw_client* client, uint32_t timeout_ms,
                                        vfdw_error* error) noexcept {
  return SendRequest(client, Op::kDaemonStatus, vfdw::EmptyMessage{}, timeout_ms, error);
}

void vfdw_client_close_cursor(vfdw_client* client, uint64_t cursor) noexcept {
  vfdw_error ignored;
  (void)Guarded(&ignored, [&] {
    client->CloseCursor(cursor);
    return Status::Ok();
  });
}

void vfdw_client_forget(vfdw_client* client, uint64_t request_id) noexcept {
  vfdw_error ignored;
  (void)Guarded(&ignored, [&] {
    client->Forget(request_id);
    return Status::Ok();
  });
}

vfdw_outcome vfdw_client_take(vfdw_client* client, uint64_t request_id, vfdw_reply** out,
                              vfdw_error* error) noexcept {
  vfdw_outcome outcome = VFDW_FAILED;
  return Guarded(error,
                 [&] {
                   outcome = client->Take(request_id, out, error);
                   return Status::Ok();
                 })
             ? outcome
             : VFDW_FAILED;
}

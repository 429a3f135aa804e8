// client.cpp - one connection to one vectord: requests out, replies in, by id.
//
// Over a wire (wire.h), which knows of bytes and frames only. Nothing here blocks, and no exception
// leaves: whatever fails becomes a vfdw_error.
//
// Threads: the caller's one.
#include "fdw/client.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "fdw/error_text.h"
#include "fdw/reply.h"
#include "fdw/search_message.h"
#include "fdw/wire.h"
#include "shared/codec.h"
#include "shared/limits.h"
#include "shared/version.h"

using vfdw::ConnectionLost;
using vfdw::ErrorCode;
using vfdw::Message;
using vfdw::NotConnected;
using vfdw::Op;
using vfdw::Status;

namespace {

// Messages of one connection that answer nothing, beside the late replies to what was forgotten.
constexpr uint64_t kMostUnasked = 1000;

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

// A request under way, or answered and not taken yet.
struct Request {
  vfdw::RequestId id;
  vfdw::ExpectedReply expected;
  uint64_t cursor = 0;  // that it fetches from
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
      : options_{OrEmpty(endpoint.endpoint), OrEmpty(endpoint.server_public_key),
                 OrEmpty(endpoint.public_key), OrEmpty(endpoint.secret_key),
                 endpoint.max_reply_bytes > 0 ? endpoint.max_reply_bytes : VFDW_MAX_REPLY_BYTES},
        pid_(static_cast<uint32_t>(getpid())),
        last_id_(RandomStart(this)) {}
  vfdw_client(const vfdw_client&) = delete;
  vfdw_client& operator=(const vfdw_client&) = delete;

  Status Connect();
  Status Reconnect() {
    Break(ConnectionLost());
    return Connect();
  }
  bool HangUpIfIdle();
  bool Poll();
  Status Send(const Outgoing& out, const vfdw::ExpectedReply& expected, uint64_t* id,
              uint64_t cursor = 0);
  Status SendFetch(uint64_t cursor, uint32_t batch_rows, uint32_t timeout_ms, uint64_t* id);
  void CloseCursor(uint64_t cursor);
  void Forget(uint64_t id);
  vfdw_outcome Take(uint64_t id, vfdw_reply** out, vfdw_error* error);
  int descriptor() const { return wire_ == nullptr ? -1 : wire_->descriptor(); }
  bool has_unsent() const { return wire_ != nullptr && wire_->has_unsent(); }
  const Status& failure() const { return failure_; }
  uint64_t arrivals() const { return arrivals_; }
  uint64_t connects() const { return connects_; }
  bool is_alone() const { return is_alone_; }

 private:
  struct Cursor {
    uint64_t id;
    size_t columns;
  };

  bool Usable() const { return wire_ != nullptr && forks_ == vfdw::ForkCount(); }
  void Break(const Status& why);
  Status SendFrames(const Outgoing& out, uint64_t id);
  void SendQuietly(Op op, std::string body);
  void Deliver(Message* message);
  void DropLate(const vfdw::Envelope& envelope, Message* message);
  Status Understand(const vfdw::Envelope& envelope, Message* message, Request* request);
  void Settle(Request* request, Status failure);
  void SettleAll(const Status& failure);
  bool HangUpIfOnlyLateRepliesCome();
  std::vector<Cursor>::iterator FindCursor(uint64_t id) {
    return std::find_if(cursors_.begin(), cursors_.end(),
                        [id](const Cursor& c) { return c.id == id; });
  }
  std::vector<Request>::iterator Find(uint64_t id) {
    return std::find_if(requests_.begin(), requests_.end(),
                        [id](const Request& r) { return r.id == id; });
  }

  const vfdw::WireOptions options_;
  const uint32_t pid_;
  unsigned forks_ = 0;                // ForkCount() when wire_ was made
  std::unique_ptr<vfdw::Wire> wire_;  // null: lost, and to be connected anew
  Status failure_;                    // of the wire that was lost
  bool is_alone_ = false;
  uint64_t last_id_;
  uint64_t arrivals_ = 0;
  uint64_t connects_ = 0;
  uint64_t forgotten_ = 0;  // requests of this connection, before they were answered
  uint64_t unasked_ = 0;    // messages of this connection that answered nothing
  size_t unanswered_ = 0;
  std::vector<Request> requests_;  // few: searched from front to back
  std::vector<Cursor> cursors_;    // of this connection; a new one's daemon may reuse the numbers
};

// ---- connecting

Status vfdw_client::Connect() {
  is_alone_ = false;
  forgotten_ = unasked_ = 0;
  connects_++;
  failure_ = Status::Ok();
  forks_ = vfdw::ForkCount();
  auto wire = vfdw::Connect(options_);
  if (!wire.ok()) return wire.status();
  wire_ = std::move(*wire);
  return Status::Ok();
}

void vfdw_client::Break(const Status& why) {
  wire_.reset();
  failure_ = why;
  cursors_.clear();
  SettleAll(why);
}

bool vfdw_client::HangUpIfIdle() {
  if (!requests_.empty() || !cursors_.empty()) return false;
  Break(ConnectionLost());
  return true;
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

  const vfdw::Part parts[] = {
      {header, sizeof(header)}, {out.body.data(), out.body.size()}, {out.raw, out.raw_bytes}};
  const Status status = wire_->Send(parts, has_raw ? 3 : 2);
  if (wire_->state() == vfdw::WireState::kLost) Break(wire_->failure());
  return status;
}

Status vfdw_client::Send(const Outgoing& out, const vfdw::ExpectedReply& expected, uint64_t* id,
                         uint64_t cursor) {
  if (!Usable()) return failure_.ok() ? NotConnected() : failure_;
  if (out.body.size() > VFDW_MAX_REQUEST_BYTES || out.raw_bytes > VFDW_MAX_REQUEST_BYTES)
    return Status(ErrorCode::LIMIT_EXCEEDED, "request to the vector daemon is too long",
                  "It has " + std::to_string(out.body.size() + out.raw_bytes) + " bytes.");
  if (++last_id_ == 0) last_id_ = 1;
  Request request;
  request.id = last_id_;
  request.expected = expected;
  request.cursor = cursor;
  requests_.reserve(requests_.size() + 1);  // so that nothing can fail once it has been sent
  VFDW_RETURN_IF_ERROR(SendFrames(out, last_id_));
  requests_.push_back(std::move(request));
  unanswered_++;
  *id = last_id_;
  return Status::Ok();
}

// For requests without a reply.
void vfdw_client::SendQuietly(Op op, std::string body) {
  if (!Usable() || wire_->state() != vfdw::WireState::kConnected) return;
  if (++last_id_ == 0) last_id_ = 1;
  Outgoing out{op, std::move(body)};
  (void)SendFrames(out, last_id_);
}

Status vfdw_client::SendFetch(uint64_t cursor, uint32_t batch_rows, uint32_t timeout_ms,
                              uint64_t* id) {
  const auto known = FindCursor(cursor);
  if (known == cursors_.end()) return ConnectionLost();
  vfdw::FetchRequest m;
  m.cursor = cursor;
  m.batch_rows = batch_rows;
  Outgoing out{Op::kFetch, vfdw::Encode(m)};
  out.timeout_ms = timeout_ms;
  return Send(out, {Op::kFetch, known->columns, batch_rows}, id, cursor);
}

void vfdw_client::CloseCursor(uint64_t cursor) {
  const auto known = FindCursor(cursor);
  if (known == cursors_.end()) return;
  cursors_.erase(known);
  if (HangUpIfOnlyLateRepliesCome()) return;
  vfdw::CloseCursorRequest m;
  m.cursor = cursor;
  SendQuietly(Op::kCloseCursor, vfdw::Encode(m));
}

// A reply to what was forgotten may be large, and would lie in the daemon until this session reads
// again, which may be never. Nobody minds that the next request connects anew.
bool vfdw_client::HangUpIfOnlyLateRepliesCome() {
  if (unanswered_ > 0 || !cursors_.empty() || forgotten_ <= unasked_) return false;
  Break(ConnectionLost());
  return true;
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
  forgotten_++;
  if (HangUpIfOnlyLateRepliesCome()) return;
  vfdw::CancelRequest m;
  m.request_id = id;
  SendQuietly(Op::kCancel, vfdw::Encode(m));
}

// ---- receiving

// Each look costs a system call, so who waits for a reply looks no further than to that. Else the
// end may lie behind late replies, and is looked for.
bool vfdw_client::Poll() {
  const bool awaits = unanswered_ > 0;
  while (Usable()) {
    Message message;
    if (wire_->Receive(&message)) {
      arrivals_++;
      const size_t unanswered = unanswered_;
      Deliver(&message);
      if (unanswered_ == unanswered && ++unasked_ > forgotten_ + kMostUnasked)
        Break(ConnectionLost("The daemon sent replies that nobody had asked for."));
      if (unanswered_ > 0 || !awaits || !Usable()) continue;
    }
    if (wire_->state() == vfdw::WireState::kLost) Break(wire_->failure());
    return Usable() && wire_->state() == vfdw::WireState::kConnected;
  }
  return false;
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
  if ((envelope.flags & vfdw::kFlagError) != 0 || message->count < 2 ||
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
  const size_t body_bytes = message->count > 1 ? message->frame(1).size() : 0;
  const size_t raw_bytes = message->count > 2 ? message->frame(2).size() : 0;
  const bool is_error = (envelope.flags & vfdw::kFlagError) != 0;
  if (message->count != (has_raw ? 3u : 2u) || body_bytes != envelope.body_bytes ||
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
  vfdw::Frame raw;
  if (has_raw) raw = std::move(message->frames[2]);
  return vfdw::ParseReply(request->expected, message->frame(1), std::move(raw), &request->reply);
}

void vfdw_client::Settle(Request* request, Status failure) {
  request->answered = true;
  unanswered_--;
  request->failure = std::move(failure);
  const auto fetched = FindCursor(request->cursor);
  if (fetched != cursors_.end()) cursors_.erase(fetched);  // unless the reply names it again
  if (request->reply == nullptr || vfdw_reply_rows(request->reply.get()) == nullptr) return;
  const uint64_t cursor = request->reply->rows.cursor;
  if (cursor != 0 && FindCursor(cursor) == cursors_.end())
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

bool vfdw_client_hang_up_if_idle(vfdw_client* client) noexcept {
  vfdw_error ignored;
  bool hung_up = false;
  (void)Guarded(&ignored, [&] {
    hung_up = client->HangUpIfIdle();
    return Status::Ok();
  });
  return hung_up;
}

int vfdw_client_descriptor(const vfdw_client* client) noexcept { return client->descriptor(); }

uint64_t vfdw_client_arrivals(const vfdw_client* client) noexcept { return client->arrivals(); }

uint64_t vfdw_client_connects(const vfdw_client* client) noexcept { return client->connects(); }

bool vfdw_client_is_alone(const vfdw_client* client) noexcept { return client->is_alone(); }

bool vfdw_client_has_unsent(const vfdw_client* client) noexcept { return client->has_unsent(); }

bool vfdw_client_has_failed(const vfdw_client* client, vfdw_error* error) noexcept {
  if (client->failure().ok()) return false;
  vfdw::CopyError(client->failure(), error);
  return true;
}

bool vfdw_endpoint_needs_threads(const vfdw_endpoint* endpoint) noexcept {
  return vfdw::NeedsZmq(endpoint->endpoint, endpoint->server_public_key);
}

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

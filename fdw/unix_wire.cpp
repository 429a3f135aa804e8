// unix_wire.cpp - a wire over a Unix socket, without libzmq: one descriptor, no thread.
//
// A full backlog refuses connect() with EAGAIN, and nothing tells when it would not: the socket is
// then dialled again at each look, and until then there is no descriptor to be watched.
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <new>
#include <utility>

#include "fdw/wire.h"
#include "fdw/zmtp.h"

namespace vfdw {
namespace {

// So often a call of Receive() reads at most, lest a peer that never ends keeps us from looking at
// interrupts: 1 MB of what is small, more of a long frame.
constexpr int kMostReads = 64;

std::string Reason(int error) { return std::string(strerror(error)) + "."; }

Status NobodyThere(const std::string& path, int error) {
  return Status(ErrorCode::UNAVAILABLE, "could not connect",
                error == ENOENT         ? "There is no socket " + path + "."
                : error == ECONNREFUSED ? "Nobody listens on the socket " + path + "."
                                        : "The socket " + path + " refused: " + Reason(error));
}

class UnixWire final : public Wire {
 public:
  UnixWire(std::string path, size_t most_frame_bytes)
      : path_(std::move(path)), reader_(most_frame_bytes) {}
  ~UnixWire() override {
    if (fd_ >= 0) close(fd_);
  }
  UnixWire(const UnixWire&) = delete;
  UnixWire& operator=(const UnixWire&) = delete;

  Status Open();

  Status Send(const Part* parts, size_t count) override;
  bool Receive(Message* message) override;
  WireState state() const override { return state_; }
  Status failure() const override { return failure_; }
  int descriptor() const override { return is_dialling_ || state_ == WireState::kLost ? -1 : fd_; }
  bool has_unsent() const override { return !unsent_.empty(); }

 private:
  Status Dial();
  bool Lose(Status why);
  bool LosePeer();
  bool Fill();
  void Queue(std::string_view bytes);
  void Flush();
  bool Write(iovec* pieces, size_t count, size_t* written);

  const std::string path_;
  ZmtpReader reader_;
  int fd_ = -1;
  bool is_dialling_ = true;
  WireState state_ = WireState::kConnecting;
  Status failure_;
  std::string unsent_;      // what the socket did not take yet, but for
  size_t unsent_from_ = 0;  // as many bytes of it: at most half
};

Status UnixWire::Open() {
  fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) {
    const int error = errno;
    return Status(ErrorCode::OVERLOADED, "could not create a socket", Reason(error),
                  "Raise the limit of open files of PostgreSQL's processes (\"ulimit -n\").");
  }
  return Dial();
}

Status UnixWire::Dial() {
  sockaddr_un address{};
  if (path_.empty() || path_.size() >= sizeof(address.sun_path))
    return Status(ErrorCode::UNAVAILABLE, "invalid socket path",
                  "The path in ipc://" + path_ + " is empty or longer than " +
                      std::to_string(sizeof(address.sun_path) - 1) + " bytes.");
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path, path_.data(), path_.size());
  const bool is_abstract = path_[0] == '@';  // as libzmq writes it
  if (is_abstract) address.sun_path[0] = '\0';
  const auto bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path_.size() +
                                            (is_abstract ? 0 : 1));
  int result;
  do {
    result = connect(fd_, reinterpret_cast<const sockaddr*>(&address), bytes);
  } while (result != 0 && errno == EINTR);
  if (result != 0 && errno == EAGAIN) return Status::Ok();
  if (result != 0) return NobodyThere(path_, errno);
  is_dialling_ = false;
  Queue(ZmtpGreeting());
  return Status::Ok();
}

bool UnixWire::Lose(Status why) {
  state_ = WireState::kLost;
  failure_ = std::move(why);
  unsent_.clear();
  unsent_from_ = 0;
  return false;
}

bool UnixWire::LosePeer() {
  return Lose(state_ == WireState::kConnecting
                  ? Status(ErrorCode::UNAVAILABLE, "could not connect",
                           "The daemon closed the connection at once. Its log says why.")
                  : ConnectionLost());
}

// ---- out

// At least one byte, or *written is 0 when the socket is full; false: the wire is lost.
bool UnixWire::Write(iovec* pieces, size_t count, size_t* written) {
  msghdr message{};
  message.msg_iov = pieces;
  message.msg_iovlen = count;
  ssize_t sent;
  do {
    sent = sendmsg(fd_, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  *written = sent < 0 ? 0 : static_cast<size_t>(sent);
  if (sent >= 0 || errno == EAGAIN || errno == EWOULDBLOCK) return true;
  return LosePeer();
}

void UnixWire::Flush() {
  size_t written = 1;
  while (unsent_from_ < unsent_.size() && written > 0) {
    iovec rest{unsent_.data() + unsent_from_, unsent_.size() - unsent_from_};
    if (!Write(&rest, 1, &written)) return;
    unsent_from_ += written;
  }
  if (unsent_from_ < unsent_.size() / 2) return;
  unsent_.erase(0, unsent_from_);
  unsent_from_ = 0;
  if (unsent_.empty()) unsent_.shrink_to_fit();  // it may have been large
}

void UnixWire::Queue(std::string_view bytes) {
  unsent_ += bytes;
  Flush();
}

Status UnixWire::Send(const Part* parts, size_t count) {
  if (state_ != WireState::kConnected) return NotConnected();
  std::array<std::array<uint8_t, kMostZmtpHeaderBytes>, Message::kMostFrames> headers;
  std::array<iovec, 2 * Message::kMostFrames> pieces;
  size_t total = 0;
  for (size_t i = 0; i < count; i++) {
    const size_t bytes = WriteZmtpHeader(parts[i].size, i + 1 < count, headers[i].data());
    pieces[2 * i] = {headers[i].data(), bytes};
    pieces[2 * i + 1] = {const_cast<void*>(parts[i].data), parts[i].size};
    total += bytes + parts[i].size;
  }
  size_t written = 0;
  if (unsent_.empty() && !Write(pieces.data(), 2 * count, &written)) return failure_;
  if (written == total) return Status::Ok();
  try {
    unsent_.reserve(unsent_.size() + total - written);
  } catch (const std::bad_alloc&) {  // half a message cannot be taken back
    Lose(Status(ErrorCode::OUT_OF_MEMORY, "out of memory", "Sending a request failed."));
    return failure_;
  }
  for (size_t i = 0; i < 2 * count; i++) {
    const size_t gone = std::min(written, pieces[i].iov_len);
    unsent_.append(static_cast<const char*>(pieces[i].iov_base) + gone, pieces[i].iov_len - gone);
    written -= gone;
  }
  return Status::Ok();
}

// ---- in

// Whether something has come.
bool UnixWire::Fill() {
  const ZmtpReader::Room room = reader_.room();
  ssize_t bytes;
  do {
    bytes = recv(fd_, room.data, room.size, MSG_DONTWAIT);
  } while (bytes < 0 && errno == EINTR);
  if (bytes > 0) {
    reader_.Filled(static_cast<size_t>(bytes));
    return true;
  }
  if (bytes < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return false;
  return LosePeer();
}

bool UnixWire::Receive(Message* message) {
  if (state_ == WireState::kLost) return false;
  if (is_dialling_) {
    const Status status = Dial();
    if (!status.ok()) return Lose(status);
    if (is_dialling_) return false;
  }
  if (!unsent_.empty()) Flush();
  int reads = 0;
  while (state_ != WireState::kLost) {
    switch (reader_.Next()) {
      case ZmtpReader::Event::kWantsMore:
        // Nothing that has been read waits here, so the descriptor tells when to come back.
        if (reads++ == kMostReads || !Fill()) return false;
        break;
      case ZmtpReader::Event::kGreeted:
        Queue(ZmtpReady());
        break;
      case ZmtpReader::Event::kReady:
        state_ = WireState::kConnected;
        break;
      case ZmtpReader::Event::kPinged:
        // Who does not read what we send is not sent more.
        if (unsent_.empty()) Queue(ZmtpPong(reader_.ping_context()));
        break;
      case ZmtpReader::Event::kMessage:
        *message = reader_.TakeMessage();
        return true;
      case ZmtpReader::Event::kBroken:
        return Lose(reader_.failure());
    }
  }
  return false;
}

}  // namespace

Result<std::unique_ptr<Wire>> ConnectUnix(const WireOptions& options) {
  auto wire = std::make_unique<UnixWire>(options.endpoint.substr(strlen(kIpcPrefix)),
                                         static_cast<size_t>(options.most_frame_bytes));
  VFDW_RETURN_IF_ERROR(wire->Open());
  return std::unique_ptr<Wire>(std::move(wire));
}

}  // namespace vfdw

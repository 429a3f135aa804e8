// zmtp.h - ZeroMQ's protocol on a stream, as bytes: what a DEALER without encryption sends, and
// what it reads.
//
// ZMTP 3.0 with the NULL mechanism (https://rfc.zeromq.org/spec/23/): each side sends a greeting of
// 64 bytes, then a READY command, then messages of frames. Any ZeroMQ library of version 4 or later
// speaks it at the other end.
//
// Pure functions of bytes, which come from outside and are trusted in nothing; no socket here.
#ifndef VECTOR_FDW_FDW_ZMTP_H
#define VECTOR_FDW_FDW_ZMTP_H

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fdw/frame.h"
#include "shared/status.h"

namespace vfdw {

std::string ZmtpGreeting();
// To be sent once the peer's greeting has come.
std::string ZmtpReady();
// The answer to a PING with this context.
std::string ZmtpPong(std::string_view context);

inline constexpr size_t kMostZmtpHeaderBytes = 9;
// What stands before a frame of a message. Returns how many bytes of out were written.
size_t WriteZmtpHeader(size_t frame_bytes, bool more, uint8_t out[kMostZmtpHeaderBytes]);

// What comes from the peer. Use: write bytes to room(), say how many, call Next() until it wants
// more.
class ZmtpReader {
 public:
  // A frame longer than that breaks the stream, before memory is taken for it.
  explicit ZmtpReader(size_t most_frame_bytes);

  struct Room {
    uint8_t* data;
    size_t size;  // never 0
  };
  // REQUIRES: Next() has wanted more.
  Room room();
  void Filled(size_t bytes);

  enum class Event {
    kWantsMore,
    kGreeted,  // the peer's greeting has come
    kReady,    // the handshake is over
    kPinged,   // ping_context() is to be sent back
    kMessage,  // TakeMessage() must be called next
    kBroken    // failure() says why; for ever
  };
  Event Next();
  Message TakeMessage();
  const std::string& ping_context() const { return ping_context_; }
  const Status& failure() const { return failure_; }

 private:
  size_t available() const { return end_ - begin_; }
  const uint8_t* front() const { return buffer_.data() + begin_; }
  Event Break(Status why);
  Event ReadGreeting();
  // False, and nothing has changed, when the header has not come whole.
  bool StartFrame();
  Status StartCommand(uint64_t bytes);
  Status StartMessageFrame(uint64_t bytes);
  void ReadFrame();
  std::optional<Event> EndFrame();
  std::optional<Event> EndCommand();

  const size_t most_frame_bytes_;
  std::vector<uint8_t> buffer_;
  size_t begin_ = 0, end_ = 0;  // what came and was not looked at, in buffer_
  bool is_direct_ = false;      // the last room() was the frame's own
  bool is_greeted_ = false, is_ready_ = false;

  bool in_frame_ = false;
  uint8_t flags_ = 0;      // of the frame
  uint8_t* to_ = nullptr;  // where the rest of the frame goes; null: it is dropped
  size_t left_ = 0;        // of the frame
  std::string command_;
  Message message_;
  std::string ping_context_;
  Status failure_;
};

}  // namespace vfdw

#endif

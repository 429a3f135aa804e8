// wire.h - the way to one daemon: messages of frames go out and come in.
//
// Two kinds. On a Unix socket we speak ZeroMQ's protocol ourselves (unix_wire.cpp): the backend
// reads and writes the socket, and has no thread beside its own. Through libzmq (zmq_wire.cpp)
// every message passes a thread of the library, in both directions; that costs a query two wake-ups
// of some 15 us each, and is what tcp and CURVE are left to.
//
//   kConnecting --handshake over--> kConnected --end, error--> kLost
//        '----------------------refused, end, error--------------^
//
// Nothing here blocks. A wire that was lost stays so; another one is made then, hence a loss cannot
// be overlooked. Threads: the caller's one, of the process that made it.
#ifndef VECTOR_FDW_FDW_WIRE_H
#define VECTOR_FDW_FDW_WIRE_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "fdw/frame.h"
#include "shared/status.h"

namespace vfdw {

// A frame that goes out; needed during the call only.
struct Part {
  const void* data;
  size_t size;
};

inline constexpr char kIpcPrefix[] = "ipc://";

struct WireOptions {
  std::string endpoint;  // kIpcPrefix and a path, or "tcp://HOST:PORT"
  std::string server_public_key, public_key, secret_key;
  int64_t most_frame_bytes;
};

enum class WireState { kConnecting, kConnected, kLost };

class Wire {
 public:
  virtual ~Wire() = default;

  // All parts, at most three, as one message, at once or as the peer reads. NotConnected() unless
  // kConnected; by any other failure the wire is lost.
  virtual Status Send(const Part* parts, size_t count) = 0;
  // Moves on what can be moved on, and takes the next message, if there is one. To be called before
  // every sleep.
  virtual bool Receive(Message* message) = 0;
  // As of the last call.
  virtual WireState state() const = 0;
  // Why it was lost.
  virtual Status failure() const = 0;
  // To be watched for readability; -1: there is none yet, look again in some milliseconds.
  virtual int descriptor() const = 0;
  // Also to be watched for writability.
  virtual bool has_unsent() const = 0;
};

// Whether Connect() makes a wire that uses libzmq. server_public_key: null or empty without.
bool NeedsZmq(const char* endpoint, const char* server_public_key);
// UNAVAILABLE when it is known at once that nobody listens there.
Result<std::unique_ptr<Wire>> Connect(const WireOptions& options);

// For Connect().
Result<std::unique_ptr<Wire>> ConnectUnix(const WireOptions& options);
Result<std::unique_ptr<Wire>> ConnectZmq(const WireOptions& options);

// Counts the forks between the first process that called it and this one.
unsigned ForkCount();

Status NotConnected();
// detail: a whole sentence.
Status ConnectionLost(const std::string& detail =
                          "The daemon stopped, or closed the connection, before it had answered.");

}  // namespace vfdw

#endif

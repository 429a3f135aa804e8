// envelope.h - the fixed header in front of every message, both ways.
//
// A message is two or three frames: [header: 40 bytes][body: msgpack][raw: numbers as they are].
// The raw frame is left out when it is empty. PROTOCOL.md gives every byte.
//
// ParseEnvelope is a pure function of bytes and trusts none of them. Threads: any.
#ifndef VECTOR_FDW_SHARED_ENVELOPE_H
#define VECTOR_FDW_SHARED_ENVELOPE_H

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "shared/ids.h"
#include "shared/status.h"

namespace vfdw {

// Fixed numbers of the protocol, never reused.
enum class Op : uint16_t {
  kNone = 0,
  kSearch = 1,        // SearchRequest + query vector -> SearchReply + rows
  kFetch = 2,         // FetchRequest -> SearchReply + rows
  kCloseCursor = 3,   // CloseCursorRequest -> no reply
  kCancel = 4,        // CancelRequest -> no reply
  kDescribe = 5,      // DescribeRequest -> CollectionInfo
  kList = 6,          // ListRequest -> ListReply
  kStatus = 7,        // StatusRequest -> StatusReply
  kDaemonStatus = 8,  // EmptyMessage -> DaemonStatusReply
};

inline constexpr uint32_t kEnvelopeMagic = 0x31444656;  // "VFD1" in memory
inline constexpr size_t kEnvelopeBytes = 40;

enum EnvelopeFlags : uint32_t {
  kFlagReply = 1u << 0,
  kFlagError = 1u << 1,  // the body is an ErrorReply
  kFlagRaw = 1u << 2,    // a raw frame follows the body
  kFlagAlone = 1u << 3,  // of a reply: no other client has asked anything for some milliseconds
};

struct Envelope {
  uint16_t version = 0;
  Op op = Op::kNone;
  RequestId request_id = 0;
  uint32_t timeout_ms = 0;  // how long the client will wait from the send on; 0: for ever
  uint32_t flags = 0;
  uint32_t client_pid = 0;
  uint32_t body_bytes = 0;  // must equal the body frame's length
  uint32_t raw_bytes = 0;   // must equal the raw frame's length, 0 without one
};

// Writes kEnvelopeBytes to out.
void WriteEnvelope(const Envelope& envelope, uint8_t* out);

// Reads a header. MALFORMED_MESSAGE: wrong length, magic or reserved bytes. PROTOCOL_MISMATCH: a
// version outside [VFDW_PROTOCOL_OLDEST, VFDW_PROTOCOL_VERSION]; *out is then filled as far as the
// fields common to all versions go (request_id, op), so that an error can be sent back.
Status ParseEnvelope(std::string_view bytes, Envelope* out);

}  // namespace vfdw

#endif

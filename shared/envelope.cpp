// envelope.cpp - the header's bytes. All integers little-endian.
//
//   0 magic u32 | 4 version u16 | 6 op u16 | 8 request_id u64 | 16 timeout_ms u32 | 20 flags u32
//   24 client_pid u32 | 28 body_bytes u32 | 32 raw_bytes u32 | 36 reserved u32 (zero)
#include "shared/envelope.h"

#include <string>

#include "shared/version.h"

namespace vfdw {
namespace {

void Put(uint8_t* out, uint64_t value, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) out[i] = static_cast<uint8_t>(value >> (8 * i));
}

uint64_t Get(std::string_view bytes, size_t offset, size_t count) {
  uint64_t value = 0;
  for (size_t i = 0; i < count; i++)
    value |= static_cast<uint64_t>(static_cast<uint8_t>(bytes[offset + i])) << (8 * i);
  return value;
}

}  // namespace

void WriteEnvelope(const Envelope& e, uint8_t* out) {
  Put(out, kEnvelopeMagic, 4);
  Put(out + 4, e.version, 2);
  Put(out + 6, static_cast<uint16_t>(e.op), 2);
  Put(out + 8, e.request_id, 8);
  Put(out + 16, e.timeout_ms, 4);
  Put(out + 20, e.flags, 4);
  Put(out + 24, e.client_pid, 4);
  Put(out + 28, e.body_bytes, 4);
  Put(out + 32, e.raw_bytes, 4);
  Put(out + 36, 0, 4);
}

Status ParseEnvelope(std::string_view bytes, Envelope* out) {
  *out = Envelope{};
  if (bytes.size() != kEnvelopeBytes)
    return Status(ErrorCode::MALFORMED_MESSAGE, "malformed message header",
                  "The header has " + std::to_string(bytes.size()) + " bytes instead of " +
                      std::to_string(kEnvelopeBytes) + ".");
  if (Get(bytes, 0, 4) != kEnvelopeMagic)
    return Status(ErrorCode::MALFORMED_MESSAGE, "malformed message header",
                  "The message does not begin with the magic number of vector_fdw.");
  out->version = static_cast<uint16_t>(Get(bytes, 4, 2));
  out->op = static_cast<Op>(Get(bytes, 6, 2));
  out->request_id = Get(bytes, 8, 8);
  if (out->version < VFDW_PROTOCOL_OLDEST || out->version > VFDW_PROTOCOL_VERSION)
    return Status(ErrorCode::PROTOCOL_MISMATCH, "protocol version mismatch",
                  "The peer speaks protocol version " + std::to_string(out->version) +
                      "; this side speaks " + std::to_string(VFDW_PROTOCOL_OLDEST) + " to " +
                      std::to_string(VFDW_PROTOCOL_VERSION) + ".");
  out->timeout_ms = static_cast<uint32_t>(Get(bytes, 16, 4));
  out->flags = static_cast<uint32_t>(Get(bytes, 20, 4));
  out->client_pid = static_cast<uint32_t>(Get(bytes, 24, 4));
  out->body_bytes = static_cast<uint32_t>(Get(bytes, 28, 4));
  out->raw_bytes = static_cast<uint32_t>(Get(bytes, 32, 4));
  if (Get(bytes, 36, 4) != 0)
    return Status(ErrorCode::MALFORMED_MESSAGE, "malformed message header",
                  "The reserved bytes of the header are not zero.");
  return Status::Ok();
}

}  // namespace vfdw

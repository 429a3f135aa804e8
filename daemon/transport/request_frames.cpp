// request_frames.cpp - see request_frames.h.
#include "daemon/transport/request_frames.h"

#include <string>

namespace vectord {
namespace {

Status Malformed(std::string detail) {
  return Status(ErrorCode::MALFORMED_MESSAGE, "malformed request", std::move(detail));
}

Status CheckLength(const char* frame, size_t bytes, uint32_t said) {
  if (bytes == said) return Status::Ok();
  return Malformed(std::string("The ") + frame + " frame has " + std::to_string(bytes) +
                   " bytes, the header says " + std::to_string(said) + ".");
}

}  // namespace

Status ReadRequestFrames(const RequestFrames& message, vfdw::Envelope* envelope,
                         Answerable* answerable) {
  *answerable = Answerable::kNo;
  if (message.count == 0) return Malformed("It has no frames.");
  const Status header = vfdw::ParseEnvelope(message.frames[0], envelope);
  // Id 0 is never used, and a reply to a reply could go round for ever.
  if ((!header.ok() && header.code() != ErrorCode::PROTOCOL_MISMATCH) ||
      envelope->request_id == 0 || (envelope->flags & vfdw::kFlagReply) != 0)
    return header.ok() ? Malformed("The header is not that of a request.") : header;
  *answerable = Answerable::kYes;
  if (!header.ok()) return header;

  const bool has_raw = (envelope->flags & vfdw::kFlagRaw) != 0;
  const size_t expected = has_raw ? 3 : 2;
  if (message.count != expected)
    return Malformed("It has " + std::to_string(message.count) + " frames instead of " +
                     std::to_string(expected) + ".");
  VFDW_RETURN_IF_ERROR(CheckLength("body", message.frames[1].size(), envelope->body_bytes));
  return CheckLength("raw", has_raw ? message.frames[2].size() : 0, envelope->raw_bytes);
}

}  // namespace vectord

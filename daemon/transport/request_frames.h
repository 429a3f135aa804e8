// request_frames.h - are the frames of a message one request?
//
// A pure function of bytes, which come from outside and are trusted in nothing. The frames after
// the ROUTER's identity frame are [header][body] or [header][body][raw] (shared/PROTOCOL.md).
#ifndef VECTOR_FDW_DAEMON_TRANSPORT_REQUEST_FRAMES_H
#define VECTOR_FDW_DAEMON_TRANSPORT_REQUEST_FRAMES_H

#include <array>
#include <cstddef>
#include <string_view>

#include "daemon/base/status.h"
#include "shared/envelope.h"

namespace vectord {

inline constexpr size_t kMaxRequestFrames = 3;

struct RequestFrames {
  size_t count = 0;  // of all that came; only the first kMaxRequestFrames are kept
  std::array<std::string_view, kMaxRequestFrames> frames;
};

// Whether a peer could tell from which of its requests an error reply is.
enum class Answerable { kNo, kYes };

// OK and the header, or what is wrong with the message, and then whether the header was good
// enough (*answerable) to send that back.
Status ReadRequestFrames(const RequestFrames& message, vfdw::Envelope* envelope,
                         Answerable* answerable);

}  // namespace vectord

#endif

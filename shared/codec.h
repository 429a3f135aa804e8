// codec.h - messages to bytes and back.
//
// Decode is a pure function of bytes and trusts none of them: depth, element counts and lengths are
// bounded by the input's own size before anything is allocated. Neither function throws.
// Instantiated in codec.cpp for each row of VFDW_MESSAGES. Threads: any.
#ifndef VECTOR_FDW_SHARED_CODEC_H
#define VECTOR_FDW_SHARED_CODEC_H

#include <string>
#include <string_view>

#include "shared/messages.h"
#include "shared/status.h"

namespace vfdw {

template <typename Message>
std::string Encode(const Message& message);

// MALFORMED_MESSAGE when the bytes are not one whole message of this type; *out is then
// unspecified.
template <typename Message>
Status Decode(std::string_view bytes, Message* out);

// Error replies carry a Status.
ErrorReply ErrorReplyFrom(const Status& status);
Status StatusFrom(const ErrorReply& reply);

}  // namespace vfdw

#endif

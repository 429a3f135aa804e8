// codec_fuzzer.cpp - bytes as the body of every message.
//
// The first byte chooses the message; what decodes must encode, and decode again to the same bytes.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "shared/codec.h"

namespace {

template <typename Message>
void RoundTrip(std::string_view bytes) {
  Message message;
  if (!vfdw::Decode(bytes, &message).ok()) return;
  const std::string encoded = vfdw::Encode(message);
  Message again;
  if (!vfdw::Decode(encoded, &again).ok()) abort();
  if (vfdw::Encode(again) != encoded) abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  uint8_t number = 0;
#define VFDW_CASE_(Message) \
  if (data[0] == number++) RoundTrip<vfdw::Message>(bytes);
  VFDW_MESSAGES(VFDW_CASE_)
#undef VFDW_CASE_
  return 0;
}

// envelope_fuzzer.cpp - bytes as a message header. What is accepted must be written back the same.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "shared/envelope.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  vfdw::Envelope envelope;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (!vfdw::ParseEnvelope(bytes, &envelope).ok()) return 0;
  uint8_t written[vfdw::kEnvelopeBytes];
  vfdw::WriteEnvelope(envelope, written);
  if (memcmp(written, data, sizeof(written)) != 0) abort();
  return 0;
}

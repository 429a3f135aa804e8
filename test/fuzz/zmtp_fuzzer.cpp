// zmtp_fuzzer.cpp - bytes as what a peer sends on a stream, after a good handshake or from its very
// beginning. What is read must not depend on the pieces that they come in.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "fdw/zmtp.h"

namespace {

using vfdw::ZmtpReader;

std::string Read(const std::string& stream, size_t piece) {
  ZmtpReader reader(1 << 20);
  std::string found;
  for (size_t at = 0;;) {
    const ZmtpReader::Event event = reader.Next();
    if (event == ZmtpReader::Event::kWantsMore) {
      if (at == stream.size()) return found;
      const ZmtpReader::Room room = reader.room();
      const size_t bytes = std::min({room.size, piece, stream.size() - at});
      if (bytes == 0) abort();
      memcpy(room.data, stream.data() + at, bytes);
      reader.Filled(bytes);
      at += bytes;
      continue;
    }
    found += static_cast<char>('0' + static_cast<int>(event));
    if (event == ZmtpReader::Event::kPinged) found += reader.ping_context();
    if (event == ZmtpReader::Event::kBroken) return found + reader.failure().detail();
    if (event != ZmtpReader::Event::kMessage) continue;
    const vfdw::Message message = reader.TakeMessage();
    found += std::to_string(message.count);
    for (size_t i = 0; i < vfdw::Message::kMostFrames; i++) found.append(message.frame(i));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  std::string stream;
  if (data[0] % 4 != 0) stream = vfdw::ZmtpGreeting() + vfdw::ZmtpReady();
  stream.append(reinterpret_cast<const char*>(data + 2), size - 2);
  if (Read(stream, 1 << 20) != Read(stream, 1 + data[1])) abort();
  return 0;
}

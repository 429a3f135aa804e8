// envelope_test.cpp - the header of every message.
#include "shared/envelope.h"

#include <gtest/gtest.h>

#include <string>

#include "shared/version.h"

namespace vfdw {
namespace {

std::string Written(const Envelope& envelope) {
  std::string bytes(kEnvelopeBytes, '\x55');
  WriteEnvelope(envelope, reinterpret_cast<uint8_t*>(bytes.data()));
  return bytes;
}

Envelope Example() {
  Envelope e;
  e.version = VFDW_PROTOCOL_VERSION;
  e.op = Op::kStatus;
  e.request_id = 0x0123456789abcdef;
  e.timeout_ms = 30000;
  e.flags = kFlagReply | kFlagRaw;
  e.client_pid = 4242;
  e.body_bytes = 0xfffffffe;
  e.raw_bytes = 17;
  return e;
}

TEST(Envelope, ReadsWhatWasWritten) {
  Envelope e;
  ASSERT_TRUE(ParseEnvelope(Written(Example()), &e).ok());
  EXPECT_EQ(Op::kStatus, e.op);
  EXPECT_EQ(0x0123456789abcdefu, e.request_id);
  EXPECT_EQ(30000u, e.timeout_ms);
  EXPECT_EQ(kFlagReply | kFlagRaw, e.flags);
  EXPECT_EQ(4242u, e.client_pid);
  EXPECT_EQ(0xfffffffeu, e.body_bytes);
  EXPECT_EQ(17u, e.raw_bytes);
}

TEST(Envelope, AnyOtherLengthIsRefused) {
  const std::string bytes = Written(Example()) + std::string(40, '\0');
  Envelope e;
  for (size_t n = 0; n <= bytes.size(); n++)
    EXPECT_EQ(n == kEnvelopeBytes, ParseEnvelope(bytes.substr(0, n), &e).ok()) << n;
}

TEST(Envelope, ForeignMagicAndReservedBytesAreRefused) {
  for (size_t i : {0, 1, 2, 3, 36, 37, 38, 39}) {
    std::string bytes = Written(Example());
    bytes[i] = static_cast<char>(bytes[i] ^ 0x40);
    Envelope e;
    EXPECT_EQ(ErrorCode::MALFORMED_MESSAGE, ParseEnvelope(bytes, &e).code()) << i;
  }
}

TEST(Envelope, OtherVersionStillTellsWhichRequestToAnswer) {
  for (uint16_t version : {0, VFDW_PROTOCOL_OLDEST - 1, VFDW_PROTOCOL_VERSION + 1, 65535}) {
    Envelope written = Example(), e;
    written.version = version;
    EXPECT_EQ(ErrorCode::PROTOCOL_MISMATCH, ParseEnvelope(Written(written), &e).code());
    EXPECT_EQ(written.request_id, e.request_id);
    EXPECT_EQ(written.op, e.op);
  }
}

}  // namespace
}  // namespace vfdw

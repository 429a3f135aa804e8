// request_frames_test.cpp - which messages are requests.
#include "daemon/transport/request_frames.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "shared/version.h"

namespace vectord {
namespace {

struct Message {
  Message() {
    envelope.version = VFDW_PROTOCOL_VERSION;
    envelope.op = vfdw::Op::kSearch;
    envelope.request_id = 7;
    envelope.body_bytes = 4;
  }
  Status Read(size_t count = 0) {
    std::string header(vfdw::kEnvelopeBytes, '\0');
    vfdw::WriteEnvelope(envelope, reinterpret_cast<uint8_t*>(header.data()));
    RequestFrames frames;
    frames.count = count != 0 ? count : raw.empty() ? 2 : 3;
    frames.frames = {header, body, raw};
    return ReadRequestFrames(frames, &read, &answerable);
  }
  vfdw::Envelope envelope, read;
  std::string body = "body", raw;
  Answerable answerable = Answerable::kNo;
};

TEST(RequestFrames, TakesARequestWithAndWithoutRawFrame) {
  Message message;
  EXPECT_TRUE(message.Read().ok());
  EXPECT_EQ(message.read.request_id, 7u);
  message.raw = "12345678";
  message.envelope.raw_bytes = 8;
  message.envelope.flags = vfdw::kFlagRaw;
  EXPECT_TRUE(message.Read().ok());
}

TEST(RequestFrames, AnswersWhatHasAGoodHeaderOnly) {
  const auto check = [](Message message, ErrorCode code, Answerable answerable, size_t count = 0) {
    EXPECT_EQ(message.Read(count).code(), code);
    EXPECT_EQ(message.answerable, answerable);
  };
  Message m;
  check(m, ErrorCode::MALFORMED_MESSAGE, Answerable::kYes, 1);
  check(m, ErrorCode::MALFORMED_MESSAGE, Answerable::kYes, 3);
  check(m, ErrorCode::MALFORMED_MESSAGE, Answerable::kYes, 1000);
  m.envelope.body_bytes = 5;
  check(m, ErrorCode::MALFORMED_MESSAGE, Answerable::kYes);
  m = Message();
  m.envelope.raw_bytes = 5;
  check(m, ErrorCode::MALFORMED_MESSAGE, Answerable::kYes);
  m = Message();
  m.envelope.flags = vfdw::kFlagRaw;
  check(m, ErrorCode::MALFORMED_MESSAGE, Answerable::kYes);
  m = Message();
  m.envelope.version = 99;
  check(m, ErrorCode::PROTOCOL_MISMATCH, Answerable::kYes);
  m = Message();
  m.envelope.request_id = 0;
  check(m, ErrorCode::MALFORMED_MESSAGE, Answerable::kNo);
  m = Message();
  m.envelope.flags = vfdw::kFlagReply;
  check(m, ErrorCode::MALFORMED_MESSAGE, Answerable::kNo);
}

TEST(RequestFrames, NoBytesAreTrusted) {
  std::mt19937 random(11);
  for (int i = 0; i < 20000; i++) {
    std::string header(random() % 50, '\0');
    for (char& c : header) c = static_cast<char>(random());
    RequestFrames frames;
    frames.count = random() % 5;
    frames.frames[0] = header;
    vfdw::Envelope envelope;
    Answerable answerable;
    EXPECT_FALSE(ReadRequestFrames(frames, &envelope, &answerable).ok());
  }
}

}  // namespace
}  // namespace vectord

// zmtp_test.cpp - ZeroMQ's protocol as bytes. That the library understands it shows
// client_test.cpp.
#include "fdw/zmtp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

namespace vfdw {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Event = ZmtpReader::Event;

constexpr size_t kMostFrameBytes = 100000;

std::string MessageBytes(const std::vector<std::string>& frames) {
  std::string out;
  for (size_t i = 0; i < frames.size(); i++) {
    uint8_t header[kMostZmtpHeaderBytes];
    const size_t bytes = WriteZmtpHeader(frames[i].size(), i + 1 < frames.size(), header);
    out.append(reinterpret_cast<const char*>(header), bytes).append(frames[i]);
  }
  return out;
}

std::string CommandBytes(const std::string& name, const std::string& body) {
  const size_t bytes = 1 + name.size() + body.size();
  return std::string{4, static_cast<char>(bytes), static_cast<char>(name.size())} + name + body;
}

// Reads a stream that comes in pieces, and tells what it found.
class Reading {
 public:
  explicit Reading(const std::string& stream, size_t piece = 1 << 20) {
    size_t at = 0;
    for (;;) {
      const Event event = reader_.Next();
      switch (event) {
        case Event::kWantsMore: {
          if (at == stream.size()) return;
          const ZmtpReader::Room room = reader_.room();
          EXPECT_GT(room.size, 0u);
          const size_t bytes = std::min({room.size, piece, stream.size() - at});
          memcpy(room.data, stream.data() + at, bytes);
          reader_.Filled(bytes);
          at += bytes;
          break;
        }
        case Event::kGreeted:
          found_.push_back("greeted");
          break;
        case Event::kReady:
          found_.push_back("ready");
          break;
        case Event::kPinged:
          found_.push_back("ping " + reader_.ping_context());
          break;
        case Event::kMessage: {
          const Message message = reader_.TakeMessage();
          std::string text = std::to_string(message.count);
          for (size_t i = 0; i < Message::kMostFrames; i++)
            text.append(" ").append(message.frame(i));
          found_.push_back(text);
          break;
        }
        case Event::kBroken:
          EXPECT_EQ(Event::kBroken, reader_.Next());
          why_ = reader_.failure().detail();
          return;
      }
    }
  }
  const std::vector<std::string>& found() const { return found_; }
  const std::string& why() const { return why_; }

 private:
  ZmtpReader reader_{kMostFrameBytes};
  std::vector<std::string> found_;
  std::string why_;
};

std::string Handshake() { return ZmtpGreeting() + ZmtpReady(); }

TEST(Zmtp, GreetingAndReadyAreThoseOfTheSpecification) {
  const std::string greeting = ZmtpGreeting();
  ASSERT_EQ(64u, greeting.size());
  EXPECT_EQ(std::string("\xff\0\0\0\0\0\0\0\0\x7f\3\0NULL", 16), greeting.substr(0, 16));
  EXPECT_EQ(std::string(48, '\0'), greeting.substr(16));
  EXPECT_EQ(std::string("\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06"
                        "DEALER",
                        30),
            ZmtpReady());
}

TEST(Zmtp, ReadsTheSameHoweverTheStreamIsCut) {
  const std::string longer(70000, 'y');
  const std::string stream = Handshake() + MessageBytes({"head", "body", longer}) +
                             CommandBytes("PING", std::string("\0\7ctx", 5)) +
                             MessageBytes({"", std::string(255, 'a'), std::string(256, 'b')}) +
                             CommandBytes("SOMETHING", "else") + MessageBytes({"alone"});
  const std::vector<std::string> all = {"greeted",
                                        "ready",
                                        "3 head body " + longer,
                                        "ping ctx",
                                        "3  " + std::string(255, 'a') + " " + std::string(256, 'b'),
                                        "1 alone  "};
  for (const size_t piece : {1, 2, 3, 7, 63, 64, 65, 1000, 16384, 16385, 65536, 1000000}) {
    const Reading reading(stream, piece);
    EXPECT_TRUE(reading.found() == all) << piece;
    EXPECT_EQ("", reading.why()) << piece;
  }
}

TEST(Zmtp, FramesBeyondTheThirdAreCountedAndDropped) {
  std::vector<std::string> frames = {"a", "b", "c"};
  frames.resize(50, std::string(1000, 'x'));
  const Reading reading(Handshake() + MessageBytes(frames) + MessageBytes({"d"}));
  EXPECT_THAT(reading.found(), ElementsAre("greeted", "ready", "50 a b c", "1 d  "));
}

TEST(Zmtp, WhoSpeaksSomethingElseIsToldFromTheFirstBytes) {
  EXPECT_THAT(Reading("H").why(), HasSubstr("does not speak"));
  EXPECT_THAT(Reading(std::string("\xff\0\0\0\0\0\0\0\1\0", 10)).why(),
              HasSubstr("does not speak"));
  std::string greeting = ZmtpGreeting();
  greeting[10] = 2;
  EXPECT_THAT(Reading(greeting.substr(0, 11)).why(), HasSubstr("does not speak"));
  greeting = ZmtpGreeting();
  greeting.replace(12, 5, "CURVE");
  EXPECT_THAT(Reading(greeting).why(), HasSubstr("keys"));
}

TEST(Zmtp, WhatIsNotAllowedBreaksTheStreamBeforeMemoryIsTaken) {
  const std::string huge("\2\xff\xff\xff\xff\xff\xff\xff\xff", 9);
  EXPECT_THAT(Reading(Handshake() + huge).why(), HasSubstr("frame of 18446744073709551615 bytes"));
  EXPECT_THAT(Reading(Handshake() + MessageBytes({std::string(kMostFrameBytes + 1, 'x')})).why(),
              HasSubstr("frame of 100001 bytes"));
  std::string command = huge;
  command[0] = 6;
  EXPECT_THAT(Reading(Handshake() + command).why(), HasSubstr("command of"));
  EXPECT_THAT(Reading(Handshake() + "\x08").why(), "");  // not yet
  EXPECT_THAT(Reading(Handshake() + std::string("\x08\0", 2)).why(), HasSubstr("does not know"));
  EXPECT_THAT(Reading(Handshake() + std::string("\x05\0", 2)).why(), HasSubstr("does not know"));
  EXPECT_THAT(Reading(ZmtpGreeting() + MessageBytes({"early"})).why(), HasSubstr("before it was"));
  EXPECT_THAT(Reading(ZmtpGreeting() + CommandBytes("ERROR", "\3no!")).why(), HasSubstr("refused"));
}

TEST(Zmtp, EmptyAndShortCommandsAreNoCommandsOfOurs) {
  const Reading reading(ZmtpGreeting() + std::string("\4\0", 2) + CommandBytes("PING", "\1") +
                        CommandBytes("READ", "") + ZmtpReady() + MessageBytes({"x"}));
  EXPECT_THAT(reading.found(), ElementsAre("greeted", "ready", "1 x  "));
}

}  // namespace
}  // namespace vfdw

// zmtp.cpp - see zmtp.h.
#include "fdw/zmtp.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "fdw/wire.h"

namespace vfdw {
namespace {

constexpr size_t kGreetingBytes = 64;
constexpr size_t kSignatureBytes = 10;
constexpr size_t kMajorAt = 10, kMechanismAt = 12, kMechanismBytes = 20;
constexpr char kMechanism[] = "NULL";
constexpr uint8_t kMore = 1, kLong = 2, kCommand = 4;

// Most replies to searches fit; what is longer than that goes straight to its frame.
constexpr size_t kBufferBytes = 16 * 1024;
// READY with its properties, PING with its context, ERROR with its reason.
constexpr size_t kMostCommandBytes = 4096;

void AppendBigEndian(uint64_t number, size_t bytes, std::string* out) {
  while (bytes-- > 0) *out += static_cast<char>(number >> (8 * bytes));
}

uint64_t BigEndian(const uint8_t* bytes, size_t count) {
  uint64_t number = 0;
  for (size_t i = 0; i < count; i++) number = number << 8 | bytes[i];
  return number;
}

std::string Command(std::string_view name, std::string_view body) {
  std::string out;
  const size_t bytes = 1 + name.size() + body.size();
  out += static_cast<char>(bytes < 256 ? kCommand : kCommand | kLong);
  AppendBigEndian(bytes, bytes < 256 ? 1 : 8, &out);
  out += static_cast<char>(name.size());
  return out.append(name).append(body);
}

// The body of a command of that name.
bool IsCommand(std::string_view command, std::string_view name, std::string_view* body) {
  if (command.size() <= name.size() || static_cast<uint8_t>(command[0]) != name.size() ||
      command.substr(1, name.size()) != name)
    return false;
  *body = command.substr(1 + name.size());
  return true;
}

Status Foreign(const std::string& detail) {
  return Status(ErrorCode::UNAVAILABLE, "could not connect", detail,
                "Check the option \"endpoint\" of the server.");
}

}  // namespace

std::string ZmtpGreeting() {
  std::string out = "\xff";
  out.resize(kSignatureBytes - 1, '\0');
  out += '\x7f';
  out += '\3';  // ZMTP 3.0
  out += '\0';
  out += kMechanism;
  out.resize(kGreetingBytes, '\0');  // and as-server: no
  return out;
}

std::string ZmtpReady() {
  const std::string_view name = "Socket-Type", value = "DEALER";
  std::string property(1, static_cast<char>(name.size()));
  property += name;
  AppendBigEndian(value.size(), 4, &property);
  property += value;
  return Command("READY", property);
}

std::string ZmtpPong(std::string_view context) { return Command("PONG", context); }

size_t WriteZmtpHeader(size_t frame_bytes, bool more, uint8_t out[kMostZmtpHeaderBytes]) {
  out[0] = more ? kMore : 0;
  if (frame_bytes < 256) {
    out[1] = static_cast<uint8_t>(frame_bytes);
    return 2;
  }
  out[0] |= kLong;
  for (size_t i = 0; i < 8; i++)
    out[1 + i] = static_cast<uint8_t>(uint64_t{frame_bytes} >> (8 * (7 - i)));
  return kMostZmtpHeaderBytes;
}

ZmtpReader::ZmtpReader(size_t most_frame_bytes)
    : most_frame_bytes_(most_frame_bytes), buffer_(kBufferBytes) {}

ZmtpReader::Room ZmtpReader::room() {
  is_direct_ = begin_ == end_ && to_ != nullptr && left_ >= buffer_.size();
  if (is_direct_) return {to_, left_};
  // What is left is the beginning of a header or of the greeting: both fit.
  memmove(buffer_.data(), front(), available());
  end_ -= begin_;
  begin_ = 0;
  return {buffer_.data() + end_, buffer_.size() - end_};
}

void ZmtpReader::Filled(size_t bytes) {
  if (is_direct_) {
    to_ += bytes;
    left_ -= bytes;
  } else {
    end_ += bytes;
  }
}

ZmtpReader::Event ZmtpReader::Break(Status why) {
  failure_ = std::move(why);
  return Event::kBroken;
}

ZmtpReader::Event ZmtpReader::Next() {
  if (!failure_.ok()) return Event::kBroken;
  if (!is_greeted_) return ReadGreeting();
  for (;;) {
    if (!in_frame_ && !StartFrame()) return failure_.ok() ? Event::kWantsMore : Event::kBroken;
    ReadFrame();
    if (left_ > 0) return Event::kWantsMore;
    in_frame_ = false;
    to_ = nullptr;
    if (const auto event = EndFrame()) return *event;
  }
}

Message ZmtpReader::TakeMessage() {
  Message message = std::move(message_);
  message_ = Message();
  return message;
}

// As soon as it can be told that it is none: whoever speaks something else may be waiting for us.
ZmtpReader::Event ZmtpReader::ReadGreeting() {
  const uint8_t* greeting = front();
  const size_t bytes = available();
  if ((bytes > 0 && greeting[0] != 0xff) ||
      (bytes >= kSignatureBytes && (greeting[kSignatureBytes - 1] & 1) == 0) ||
      (bytes > kMajorAt && greeting[kMajorAt] < 3))
    return Break(Foreign("What listens there does not speak ZeroMQ's protocol."));
  if (bytes < kGreetingBytes) return Event::kWantsMore;
  std::string mechanism(reinterpret_cast<const char*>(greeting + kMechanismAt), kMechanismBytes);
  mechanism.resize(strnlen(mechanism.data(), mechanism.size()));
  if (mechanism != kMechanism)
    return Break(Foreign("The daemon wants its clients to be known by keys."));
  begin_ += kGreetingBytes;
  is_greeted_ = true;
  return Event::kGreeted;
}

bool ZmtpReader::StartFrame() {
  if (available() == 0) return false;
  flags_ = front()[0];
  const size_t length_bytes = (flags_ & kLong) != 0 ? 8 : 1;
  if (available() < 1 + length_bytes) return false;
  const uint64_t bytes = BigEndian(front() + 1, length_bytes);
  const bool is_command = (flags_ & kCommand) != 0;
  if ((flags_ & ~(kMore | kLong | kCommand)) != 0 || (is_command && (flags_ & kMore) != 0))
    failure_ = ConnectionLost("The daemon sent a frame that ZeroMQ's protocol does not know.");
  else
    failure_ = is_command ? StartCommand(bytes) : StartMessageFrame(bytes);
  if (!failure_.ok()) return false;
  begin_ += 1 + length_bytes;
  left_ = static_cast<size_t>(bytes);
  in_frame_ = true;
  return true;
}

Status ZmtpReader::StartCommand(uint64_t bytes) {
  if (bytes > kMostCommandBytes)
    return ConnectionLost("The daemon sent a command of " + std::to_string(bytes) + " bytes.");
  command_.resize(static_cast<size_t>(bytes));
  to_ = reinterpret_cast<uint8_t*>(command_.data());
  return Status::Ok();
}

Status ZmtpReader::StartMessageFrame(uint64_t bytes) {
  if (!is_ready_) return ConnectionLost("The daemon sent a message before it was ready.");
  if (bytes > most_frame_bytes_)
    return ConnectionLost("The daemon sent a frame of " + std::to_string(bytes) +
                          " bytes, and at most " + std::to_string(most_frame_bytes_) +
                          " are allowed.");
  to_ = nullptr;
  if (message_.count < Message::kMostFrames) {
    // Left as it is: it is written once, and touched only as far as bytes come.
    to_ = static_cast<uint8_t*>(::operator new(static_cast<size_t>(bytes), std::nothrow));
    if (to_ == nullptr)
      return Status(ErrorCode::OUT_OF_MEMORY, "out of memory",
                    "A frame of " + std::to_string(bytes) + " bytes came from the vector daemon.");
    Frame& frame = message_.frames[message_.count];
    frame.data = to_;
    frame.size = static_cast<size_t>(bytes);
    frame.owner = {to_, [](void* data) { ::operator delete(data); }};
  }
  message_.count++;
  return Status::Ok();
}

void ZmtpReader::ReadFrame() {
  const size_t bytes = std::min(left_, available());
  if (to_ != nullptr && bytes > 0) {
    memcpy(to_, front(), bytes);
    to_ += bytes;
  }
  begin_ += bytes;
  left_ -= bytes;
}

std::optional<ZmtpReader::Event> ZmtpReader::EndFrame() {
  if ((flags_ & kCommand) != 0) return EndCommand();
  if ((flags_ & kMore) != 0) return std::nullopt;
  return Event::kMessage;
}

std::optional<ZmtpReader::Event> ZmtpReader::EndCommand() {
  constexpr size_t kTtlBytes = 2;
  std::string_view body;
  if (IsCommand(command_, "READY", &body)) {
    is_ready_ = true;
    return Event::kReady;
  }
  if (IsCommand(command_, "PING", &body) && body.size() >= kTtlBytes) {
    ping_context_ = body.substr(kTtlBytes);
    return Event::kPinged;
  }
  if (IsCommand(command_, "ERROR", &body))
    return Break(ConnectionLost("The daemon refused the connection."));
  return std::nullopt;
}

}  // namespace vfdw

// raw_client.h - a DEALER that sends what a test wants, and a server to send it to.
#ifndef VECTOR_FDW_TEST_UNIT_TRANSPORT_RAW_CLIENT_H
#define VECTOR_FDW_TEST_UNIT_TRANSPORT_RAW_CLIENT_H

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>
#include <zmq.hpp>

#include "daemon/transport/zmq_server.h"
#include "shared/codec.h"
#include "shared/version.h"
#include "test/unit/service/small_collection.h"
#include "test/unit/transport/temp_directory.h"

namespace vectord {

struct RawReply {
  vfdw::Envelope envelope;
  std::string body, raw;
  template <typename Message>
  Message As() const {
    Message message;
    EXPECT_TRUE(vfdw::Decode(body, &message).ok());
    return message;
  }
  ErrorCode error() const {
    return (envelope.flags & vfdw::kFlagError) == 0
               ? ErrorCode::OK
               : vfdw::StatusFrom(As<vfdw::ErrorReply>()).code();
  }
};

class RawClient {
 public:
  RawClient(zmq::context_t* context, const std::string& endpoint)
      : socket_(*context, zmq::socket_type::dealer) {
    socket_.set(zmq::sockopt::linger, 0);
    socket_.connect(endpoint);
  }
  void SendFrames(const std::vector<std::string>& frames) {
    for (size_t i = 0; i < frames.size(); i++)
      socket_.send(zmq::buffer(frames[i]),
                   i + 1 < frames.size() ? zmq::send_flags::sndmore : zmq::send_flags::none);
  }
  template <typename Message>
  uint64_t Send(vfdw::Op op, const Message& message, const std::string& raw = {},
                uint32_t timeout_ms = 0) {
    vfdw::Envelope envelope;
    envelope.version = VFDW_PROTOCOL_VERSION;
    envelope.op = op;
    envelope.request_id = ++last_id_;
    envelope.timeout_ms = timeout_ms;
    const std::string body = vfdw::Encode(message);
    envelope.body_bytes = static_cast<uint32_t>(body.size());
    envelope.raw_bytes = static_cast<uint32_t>(raw.size());
    envelope.flags = raw.empty() ? 0u : vfdw::kFlagRaw;
    std::string header(vfdw::kEnvelopeBytes, '\0');
    vfdw::WriteEnvelope(envelope, reinterpret_cast<uint8_t*>(header.data()));
    std::vector<std::string> frames = {header, body};
    if (!raw.empty()) frames.push_back(raw);
    SendFrames(frames);
    return last_id_;
  }
  // Nothing when none came in time.
  std::optional<RawReply> Receive(int timeout_ms = 10000) {
    socket_.set(zmq::sockopt::rcvtimeo, timeout_ms);
    zmq::message_t header, frame;
    if (!socket_.recv(header)) return std::nullopt;
    RawReply reply;
    EXPECT_TRUE(vfdw::ParseEnvelope(header.to_string_view(), &reply.envelope).ok());
    if (header.more() && socket_.recv(frame)) reply.body = frame.to_string();
    if (frame.more() && socket_.recv(frame)) reply.raw = frame.to_string();
    EXPECT_FALSE(frame.more());
    EXPECT_EQ(reply.body.size(), reply.envelope.body_bytes);
    EXPECT_EQ(reply.raw.size(), reply.envelope.raw_bytes);
    return reply;
  }
  template <typename Message>
  RawReply Ask(vfdw::Op op, const Message& message, const std::string& raw = {}) {
    const uint64_t id = Send(op, message, raw);
    auto reply = Receive();
    EXPECT_TRUE(reply.has_value());
    if (!reply) return {};
    EXPECT_EQ(reply->envelope.request_id, id);
    EXPECT_EQ(reply->envelope.op, op);
    return *reply;
  }

 private:
  zmq::socket_t socket_;
  uint64_t last_id_ = 0;
};

// A server over a small collection.
struct TestServer {
  explicit TestServer(const SmallCollection& small = {}, Config config = SmallConfig())
      : service(small, [&] {
          config.listen.endpoints = {endpoint()};
          return config;
        }()) {
    auto started = ZmqServer::Start(service.config, &service.dispatcher);
    EXPECT_TRUE(started.ok()) << started.status().ToString();
    if (started.ok()) server = std::move(started).value();
  }
  std::string endpoint() const { return "ipc://" + directory.File("vectord.sock"); }
  RawClient NewClient() { return RawClient(&context, endpoint()); }

  TempDirectory directory;
  TestService service;
  std::unique_ptr<ZmqServer> server;
  zmq::context_t context;
};

// A connection that says nothing; -1 when it was refused.
inline int ConnectTo(const std::string& path) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  strcpy(address.sun_path, path.c_str());
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return fd;
  close(fd);
  return -1;
}

// Waits until the condition is true; false after ten seconds.
template <typename Condition>
bool Eventually(Condition condition) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace vectord

#endif

// mock_daemon.h - the daemon's end of the wire, moved by hand.
//
// A ROUTER socket without a thread: a test takes a request, looks at it, and answers whatever it
// likes, well-formed or not. Threads: the test's.
#ifndef VECTOR_FDW_TEST_UNIT_SUPPORT_MOCK_DAEMON_H
#define VECTOR_FDW_TEST_UNIT_SUPPORT_MOCK_DAEMON_H

#include <gtest/gtest.h>
#include <unistd.h>
#include <zmq.h>

#include <string>
#include <vector>

#include "shared/codec.h"
#include "shared/envelope.h"
#include "shared/version.h"

namespace vfdw {

class MockDaemon {
 public:
  struct Request {
    std::string peer;
    Envelope envelope;
    std::string body, raw;
  };

  explicit MockDaemon(const std::string& endpoint) : context_(zmq_ctx_new()) {
    socket_ = zmq_socket(context_, ZMQ_ROUTER);
    const int linger = 0, timeout_ms = 5000;
    zmq_setsockopt(socket_, ZMQ_LINGER, &linger, sizeof(linger));
    zmq_setsockopt(socket_, ZMQ_RCVTIMEO, &timeout_ms, sizeof(timeout_ms));
    EXPECT_EQ(0, zmq_bind(socket_, endpoint.c_str())) << endpoint;
  }
  ~MockDaemon() {
    zmq_close(socket_);
    zmq_ctx_term(context_);
  }
  MockDaemon(const MockDaemon&) = delete;
  MockDaemon& operator=(const MockDaemon&) = delete;

  static std::string FreeTcpEndpoint() {
    void* context = zmq_ctx_new();
    void* socket = zmq_socket(context, ZMQ_ROUTER);
    char endpoint[100] = "";
    size_t size = sizeof(endpoint);
    EXPECT_EQ(0, zmq_bind(socket, "tcp://127.0.0.1:*"));
    EXPECT_EQ(0, zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &size));
    zmq_close(socket);
    zmq_ctx_term(context);
    return endpoint;
  }

  Request Receive() {
    Request request;
    std::vector<std::string> frames = ReceiveFrames();
    EXPECT_GE(frames.size(), 3u) << "no request came";
    if (frames.size() < 3) return request;
    request.peer = frames[0];
    EXPECT_TRUE(ParseEnvelope(frames[1], &request.envelope).ok());
    request.body = frames[2];
    if (frames.size() > 3) request.raw = frames[3];
    return request;
  }

  void Send(const std::vector<std::string>& frames) {
    for (size_t i = 0; i < frames.size(); i++)
      ASSERT_GE(zmq_send(socket_, frames[i].data(), frames[i].size(),
                         i + 1 < frames.size() ? ZMQ_SNDMORE : 0),
                0);
  }

  // What was sent still goes out when this ends.
  void Linger() {
    const int for_ever = -1;
    zmq_setsockopt(socket_, ZMQ_LINGER, &for_ever, sizeof(for_ever));
  }

  static std::string Header(const Envelope& envelope) {
    std::string bytes(kEnvelopeBytes, '\0');
    WriteEnvelope(envelope, reinterpret_cast<uint8_t*>(bytes.data()));
    return bytes;
  }

  // What an honest daemon would write above such a reply.
  static Envelope HeaderFor(const Request& request, const std::string& body,
                            const std::string& raw) {
    Envelope envelope = request.envelope;
    envelope.version = VFDW_PROTOCOL_VERSION;
    envelope.flags = raw.empty() ? uint32_t{kFlagReply} : kFlagReply | kFlagRaw;
    envelope.body_bytes = static_cast<uint32_t>(body.size());
    envelope.raw_bytes = static_cast<uint32_t>(raw.size());
    return envelope;
  }

  template <typename Message>
  void Reply(const Request& request, const Message& message, const std::string& raw = {}) {
    const std::string body = Encode(message);
    std::vector<std::string> frames = {request.peer, Header(HeaderFor(request, body, raw)), body};
    if (!raw.empty()) frames.push_back(raw);
    Send(frames);
  }

  void ReplyError(const Request& request, const Status& status) {
    const std::string body = Encode(ErrorReplyFrom(status));
    Envelope envelope = HeaderFor(request, body, {});
    envelope.flags |= kFlagError;
    Send({request.peer, Header(envelope), body});
  }

 private:
  std::vector<std::string> ReceiveFrames() {
    std::vector<std::string> frames;
    for (bool more = true; more;) {
      zmq_msg_t frame;
      zmq_msg_init(&frame);
      if (zmq_msg_recv(&frame, socket_, 0) < 0) return {};
      frames.emplace_back(static_cast<const char*>(zmq_msg_data(&frame)), zmq_msg_size(&frame));
      more = zmq_msg_more(&frame) != 0;
      zmq_msg_close(&frame);
    }
    return frames;
  }

  void* context_;
  void* socket_ = nullptr;
};

}  // namespace vfdw

#endif

// echo_driver.cpp - the round trip of messages as big as a search's, through ZeroMQ and nothing
// else.
//
// What a query costs outside the search cannot be less than about this: DEALER and ROUTER over
// ipc, as the extension and vectord talk, in two processes that do nothing with what they receive.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <initializer_list>
#include <string>
#include <vector>

#include "shared/codec.h"
#include "shared/envelope.h"
#include "shared/messages.h"
#include "test/bench/drivers.h"

namespace bench {
namespace {

// Bytes of each frame: envelope, message, vector or rows.
using Frames = std::vector<std::vector<char>>;

Frames MadeOf(std::initializer_list<size_t> sizes) {
  Frames frames;
  for (const size_t size : sizes) frames.emplace_back(size);
  return frames;
}

Frames RequestFrames(size_t dimensions) {
  vfdw::SearchRequest request;
  request.collection = {"bench", "public", "near"};
  request.k = 10;
  request.columns = {"id"};
  request.vector_column = "v";
  return MadeOf({vfdw::kEnvelopeBytes, vfdw::Encode(request).size(), dimensions * sizeof(float)});
}

Frames ReplyFrames() {
  constexpr size_t kRows = 10;
  vfdw::SearchReply reply;
  reply.rows = kRows;
  reply.columns.resize(1);
  reply.strategy = "graph";
  reply.index = "hnsw";
  return MadeOf({vfdw::kEnvelopeBytes, vfdw::Encode(reply).size(),
                 kRows * (sizeof(double) + sizeof(int32_t))});
}

bool Send(void* socket, const Frames& frames) {
  for (size_t i = 0; i < frames.size(); i++)
    if (zmq_send(socket, frames[i].data(), frames[i].size(),
                 i + 1 < frames.size() ? ZMQ_SNDMORE : 0) < 0)
      return false;
  return true;
}

// Whatever the sizes of its frames.
bool Receive(void* socket) {
  char body[1 << 16];
  int more = 1;
  size_t bytes = sizeof more;
  while (more != 0)
    if (zmq_recv(socket, body, sizeof body, 0) < 0 ||
        zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &bytes) != 0)
      return false;
  return true;
}

size_t BytesOf(const Frames& frames) {
  size_t bytes = 0;
  for (const auto& frame : frames) bytes += frame.size();
  return bytes;
}

// Never returns: answers until it is killed.
void Answer(const std::string& endpoint, const Frames& reply) {
  void* const context = zmq_ctx_new();
  void* const router = zmq_socket(context, ZMQ_ROUTER);
  if (zmq_bind(router, endpoint.c_str()) != 0) _exit(1);
  char identity[256];
  for (;;) {
    const int identity_bytes = zmq_recv(router, identity, sizeof identity, 0);
    if (identity_bytes < 0 || !Receive(router)) _exit(1);
    zmq_send(router, identity, static_cast<size_t>(identity_bytes), ZMQ_SNDMORE);
    if (!Send(router, reply)) _exit(1);
  }
}

// Empty: no answer came.
std::vector<double> TimeRoundTrips(const std::string& endpoint, const Frames& request, int count) {
  constexpr int kWarmUp = 500;
  std::vector<double> times_us;
  void* const context = zmq_ctx_new();
  void* const dealer = zmq_socket(context, ZMQ_DEALER);
  const int linger_ms = 0, timeout_ms = 5000;
  zmq_setsockopt(dealer, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
  zmq_setsockopt(dealer, ZMQ_RCVTIMEO, &timeout_ms, sizeof timeout_ms);
  bool ok = zmq_connect(dealer, endpoint.c_str()) == 0;
  for (int i = -kWarmUp; ok && i < count; i++) {
    const auto start = std::chrono::steady_clock::now();
    ok = Send(dealer, request) && Receive(dealer);
    if (i >= 0)
      times_us.push_back(
          std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start)
              .count());
  }
  zmq_close(dealer);
  zmq_ctx_term(context);
  return ok ? times_us : std::vector<double>();
}

}  // namespace

int RunEchoDriver(size_t dimensions, int count) {
  char directory[] = "/tmp/vector_fdw-echo.XXXXXX";
  if (mkdtemp(directory) == nullptr) {
    perror("mkdtemp");
    return 1;
  }
  const std::string path = std::string(directory) + "/socket", endpoint = "ipc://" + path;
  const Frames request = RequestFrames(dimensions), reply = ReplyFrames();
  const pid_t server = fork();  // before there is any thread
  if (server == 0) Answer(endpoint, reply);
  std::vector<double> times_us;
  if (server > 0) {
    times_us = TimeRoundTrips(endpoint, request, count);
    kill(server, SIGKILL);
    waitpid(server, nullptr, 0);
  }
  unlink(path.c_str());
  rmdir(directory);
  if (times_us.empty()) {
    fputs("no answer through ZeroMQ\n", stderr);
    return 1;
  }
  std::sort(times_us.begin(), times_us.end());
  printf("echo,request_bytes,,%zu\necho,reply_bytes,,%zu\n", BytesOf(request), BytesOf(reply));
  printf("echo,p50_us,,%.1f\necho,p99_us,,%.1f\n", times_us[times_us.size() / 2],
         times_us[times_us.size() * 99 / 100]);
  return 0;
}

}  // namespace bench

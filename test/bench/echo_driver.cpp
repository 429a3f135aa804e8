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
#include <string>
#include <vector>

#include "shared/codec.h"
#include "shared/messages.h"
#include "test/bench/drivers.h"

namespace bench {
namespace {

size_t RequestBytes(size_t dimensions) {
  vfdw::SearchRequest request;
  request.collection = {"bench", "public", "near"};
  request.k = 10;
  request.columns = {"id"};
  request.vector_column = "v";
  return vfdw::Encode(request).size() + dimensions * sizeof(float);
}

size_t ReplyBytes() {
  constexpr size_t kRows = 10;
  vfdw::SearchReply reply;
  reply.rows = kRows;
  reply.columns.resize(1);
  reply.strategy = "graph";
  reply.index = "hnsw";
  return vfdw::Encode(reply).size() + kRows * (sizeof(double) + sizeof(int32_t));
}

// Never returns: answers until it is killed.
void Answer(const std::string& endpoint, size_t reply_bytes) {
  void* const context = zmq_ctx_new();
  void* const router = zmq_socket(context, ZMQ_ROUTER);
  if (zmq_bind(router, endpoint.c_str()) != 0) _exit(1);
  const std::vector<char> reply(reply_bytes);
  char identity[256], body[1 << 16];
  for (;;) {
    const int identity_bytes = zmq_recv(router, identity, sizeof identity, 0);
    if (identity_bytes < 0 || zmq_recv(router, body, sizeof body, 0) < 0) _exit(1);
    zmq_send(router, identity, static_cast<size_t>(identity_bytes), ZMQ_SNDMORE);
    zmq_send(router, reply.data(), reply.size(), 0);
  }
}

// Empty: no answer came.
std::vector<double> TimeRoundTrips(const std::string& endpoint, size_t request_bytes, int count) {
  constexpr int kWarmUp = 500;
  std::vector<double> times_us;
  void* const context = zmq_ctx_new();
  void* const dealer = zmq_socket(context, ZMQ_DEALER);
  const int linger_ms = 0, timeout_ms = 5000;
  zmq_setsockopt(dealer, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
  zmq_setsockopt(dealer, ZMQ_RCVTIMEO, &timeout_ms, sizeof timeout_ms);
  const std::vector<char> request(request_bytes);
  char body[1 << 16];
  bool ok = zmq_connect(dealer, endpoint.c_str()) == 0;
  for (int i = -kWarmUp; ok && i < count; i++) {
    const auto start = std::chrono::steady_clock::now();
    ok = zmq_send(dealer, request.data(), request.size(), 0) >= 0 &&
         zmq_recv(dealer, body, sizeof body, 0) >= 0;
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
  const size_t request_bytes = RequestBytes(dimensions), reply_bytes = ReplyBytes();
  const pid_t server = fork();  // before there is any thread
  if (server == 0) Answer(endpoint, reply_bytes);
  std::vector<double> times_us;
  if (server > 0) {
    times_us = TimeRoundTrips(endpoint, request_bytes, count);
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
  printf("echo,request_bytes,,%zu\necho,reply_bytes,,%zu\n", request_bytes, reply_bytes);
  printf("echo,p50_us,,%.1f\necho,p99_us,,%.1f\n", times_us[times_us.size() / 2],
         times_us[times_us.size() * 99 / 100]);
  return 0;
}

}  // namespace bench

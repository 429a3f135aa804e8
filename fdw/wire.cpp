// wire.cpp - see wire.h.
#include "fdw/wire.h"

#include <pthread.h>

#include <atomic>
#include <cstring>

namespace vfdw {
namespace {

std::atomic<unsigned> g_forks{0};

void AfterForkInChild() { g_forks.fetch_add(1, std::memory_order_relaxed); }

}  // namespace

unsigned ForkCount() {
  static const int registered = pthread_atfork(nullptr, nullptr, &AfterForkInChild);
  (void)registered;  // fails for want of memory only, and then a child does not use our wires
  return g_forks.load(std::memory_order_relaxed);
}

bool NeedsZmq(const char* endpoint, const char* server_public_key) {
  const bool has_keys = server_public_key != nullptr && *server_public_key != '\0';
  return has_keys || strncmp(endpoint, kIpcPrefix, strlen(kIpcPrefix)) != 0;
}

Result<std::unique_ptr<Wire>> Connect(const WireOptions& options) {
  return NeedsZmq(options.endpoint.c_str(), options.server_public_key.c_str())
             ? ConnectZmq(options)
             : ConnectUnix(options);
}

Status NotConnected() {
  return Status(ErrorCode::UNAVAILABLE, "not connected to the vector daemon");
}

Status ConnectionLost(const std::string& detail) {
  return Status(ErrorCode::CONNECTION_LOST, "lost the connection to the vector daemon", detail);
}

}  // namespace vfdw

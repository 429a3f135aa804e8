// http_server.h - /metrics for Prometheus, /healthz and /readyz for whoever supervises.
//
//   /metrics   200, the text exposition format
//   /healthz   200 while the process can answer at all
//   /readyz    200 when every collection that is known answers searches, else 503 and which do not
//
// Made for a scraper or two on a trusted address, not for the world: one thread, one connection at
// a time, GET and HEAD only, each connection closed after its reply, a few kilobytes and a second
// for a request. It shares nothing with the searches but the counters.
#ifndef VECTOR_FDW_DAEMON_TRANSPORT_HTTP_SERVER_H
#define VECTOR_FDW_DAEMON_TRANSPORT_HTTP_SERVER_H

#include <memory>
#include <string>
#include <thread>

#include "daemon/base/config.h"
#include "daemon/base/status.h"
#include "daemon/service/dispatcher.h"

namespace vectord {

class HttpServer {
 public:
  // Serves on config.http.address: host:port, an IPv6 host in brackets, port 0 for any free one.
  // REQUIRES: it is not empty. The dispatcher must outlive the server.
  static Result<std::unique_ptr<HttpServer>> Start(const Config& config, Dispatcher* dispatcher);
  ~HttpServer() { Stop(); }
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  void Stop();
  int port() const { return port_; }

 private:
  HttpServer(int listening_fd, int stop_fd, int port, Dispatcher* dispatcher)
      : listening_fd_(listening_fd), stop_fd_(stop_fd), port_(port), dispatcher_(dispatcher) {}
  void Run();
  void Serve(int fd);

  const int listening_fd_, stop_fd_, port_;
  Dispatcher* const dispatcher_;
  std::thread thread_;
  bool stopped_ = false;
};

}  // namespace vectord

#endif

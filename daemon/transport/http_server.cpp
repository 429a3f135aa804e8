// http_server.cpp - see http_server.h. One table of pages.
#include "daemon/transport/http_server.h"

#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <system_error>
#include <utility>

#include "daemon/base/clock.h"
#include "daemon/base/file.h"
#include "daemon/base/log.h"
#include "daemon/base/thread_pool.h"

namespace vectord {
namespace {

constexpr size_t kMaxRequestBytes = 8192;
constexpr int kRequestMs = 1000, kReplyMs = 5000;

struct Response {
  const char* status;
  const char* content_type;
  std::string body;
};

constexpr char kText[] = "text/plain; charset=utf-8";
constexpr char kMetricsText[] = "text/plain; version=0.0.4; charset=utf-8";

struct Page {
  std::string_view path;
  Response (*make)(Dispatcher* dispatcher);
};

const Page kPages[] = {
    {"/metrics",
     [](Dispatcher* dispatcher) {
       return Response{"200 OK", kMetricsText, dispatcher->MetricsText()};
     }},
    {"/healthz",
     [](Dispatcher*) {
       return Response{"200 OK", kText, "ok\n"};
     }},
    {"/readyz",
     [](Dispatcher* dispatcher) {
       const Status ready = dispatcher->Readiness();
       return ready.ok() ? Response{"200 OK", kText, "ready\n"}
                         : Response{"503 Service Unavailable", kText, ready.ToString() + "\n"};
     }},
};

// The reply to a request of which at least the first line has come.
Response Answer(std::string_view request, Dispatcher* dispatcher) {
  const std::string_view line = request.substr(0, request.find_first_of("\r\n"));
  const size_t first = line.find(' ');
  const size_t second = first == line.npos ? line.npos : line.find(' ', first + 1);
  if (second == line.npos || line.substr(second + 1, 5) != "HTTP/")
    return {"400 Bad Request", kText, "not an HTTP request\n"};
  const std::string_view method = line.substr(0, first);
  if (method != "GET" && method != "HEAD")
    return {"405 Method Not Allowed", kText, "only GET and HEAD\n"};
  std::string_view path = line.substr(first + 1, second - first - 1);
  path = path.substr(0, path.find('?'));
  for (const Page& page : kPages)
    if (page.path == path) return page.make(dispatcher);
  std::string paths;
  for (const Page& page : kPages) paths += std::string(page.path) + "\n";
  return {"404 Not Found", kText, paths};
}

// Waits for the descriptor until the time is over.
bool WaitFor(int fd, short events, int64_t until_us) {
  const int64_t left_us = until_us - SteadyNowUs();
  pollfd waiting = {fd, events, 0};
  return left_us > 0 && poll(&waiting, 1, static_cast<int>(left_us / 1000) + 1) > 0;
}

// The head of a request; empty if it does not come whole, in time and short enough.
std::string ReadHead(int fd) {
  const int64_t until_us = SteadyNowUs() + kRequestMs * 1000;
  std::string head;
  while (head.find("\r\n\r\n") == head.npos && head.find("\n\n") == head.npos) {
    char buffer[2048];
    if (head.size() > kMaxRequestBytes || !WaitFor(fd, POLLIN, until_us)) return {};
    const ssize_t bytes = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (bytes < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (bytes <= 0) return {};
    head.append(buffer, static_cast<size_t>(bytes));
  }
  return head;
}

void WriteAll(int fd, std::string_view bytes) {
  const int64_t until_us = SteadyNowUs() + kReplyMs * 1000;
  while (!bytes.empty() && WaitFor(fd, POLLOUT, until_us)) {
    const ssize_t written = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (written < 0 && errno != EAGAIN && errno != EINTR) return;
    bytes.remove_prefix(static_cast<size_t>(std::max<ssize_t>(written, 0)));
  }
}

Status BadAddress(const std::string& address, std::string detail) {
  return Status(ErrorCode::BAD_CONFIG, "cannot serve HTTP on \"" + address + "\"",
                std::move(detail), "Correct [http] address; \"\" turns it off.");
}

Result<int> Listen(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == address.npos) return BadAddress(address, "It is not host:port.");
  std::string host = address.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host.c_str(), address.c_str() + colon + 1, &hints, &found);
  if (error != 0) return BadAddress(address, std::string(gai_strerror(error)) + ".");
  int fd = -1, reason = 0;
  for (const addrinfo* a = found; a != nullptr && fd < 0; a = a->ai_next) {
    fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const int on = 1;
    if (fd >= 0) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd >= 0 && bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, 16) == 0) break;
    reason = errno;
    if (fd >= 0) close(std::exchange(fd, -1));
  }
  freeaddrinfo(found);
  if (fd < 0) return BadAddress(address, std::generic_category().message(reason) + ".");
  return fd;
}

int PortOf(int fd) {
  sockaddr_storage bound = {};
  socklen_t length = sizeof bound;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &length) != 0) return 0;
  return ntohs(bound.ss_family == AF_INET6
                   ? reinterpret_cast<const sockaddr_in6*>(&bound)->sin6_port
                   : reinterpret_cast<const sockaddr_in*>(&bound)->sin_port);
}

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::Start(const Config& config,
                                                      Dispatcher* dispatcher) {
  const std::string& address = config.http.address;
  VFDW_ASSIGN_OR_RETURN(const int listening_fd, Listen(address));
  const int stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (stop_fd < 0) {
    close(listening_fd);
    return ErrnoStatus(errno, "could not create an eventfd");
  }
  std::unique_ptr<HttpServer> server(
      new HttpServer(listening_fd, stop_fd, PortOf(listening_fd), dispatcher));
  try {
    server->thread_ = std::thread(&HttpServer::Run, server.get());
  } catch (const std::system_error& error) {
    return Status(ErrorCode::IO, "could not start a thread", std::string(error.what()) + ".");
  }
  LogInfo({}, "serving /metrics, /healthz and /readyz on {}", address);
  return server;
}

void HttpServer::Stop() {
  if (std::exchange(stopped_, true)) return;
  eventfd_write(stop_fd_, 1);
  if (thread_.joinable()) thread_.join();
  close(listening_fd_);
  close(stop_fd_);
}

void HttpServer::Run() {
  SetThreadName("http");
  for (;;) {
    pollfd fds[] = {{stop_fd_, POLLIN, 0}, {listening_fd_, POLLIN, 0}};
    poll(fds, 2, -1);
    if (fds[0].revents != 0) return;
    const int fd = accept4(listening_fd_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
      Serve(fd);
      close(fd);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
      poll(fds, 1, 100);  // the connection stays waiting: not to be tried again at once
    }
  }
}

void HttpServer::Serve(int fd) {
  const std::string request = ReadHead(fd);
  if (request.empty()) return;
  Response response;
  try {
    response = Answer(request, dispatcher_);
  } catch (const std::exception& error) {
    response = {"500 Internal Server Error", kText, std::string(error.what()) + "\n"};
  }
  std::string reply = std::string("HTTP/1.1 ") + response.status +
                      "\r\nContent-Type: " + response.content_type +
                      "\r\nContent-Length: " + std::to_string(response.body.size()) +
                      "\r\nConnection: close\r\n\r\n";
  if (request.compare(0, 5, "HEAD ") != 0) reply += response.body;
  WriteAll(fd, reply);
}

}  // namespace vectord

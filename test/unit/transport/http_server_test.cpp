// http_server_test.cpp - the three pages, and peers that do not speak HTTP.
#include "daemon/transport/http_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test/unit/service/small_collection.h"

namespace vectord {
namespace {

struct HttpTest : testing::Test {
  HttpTest() {
    service.config.http.address = "127.0.0.1:0";
    auto started = HttpServer::Start(service.config, &service.dispatcher);
    EXPECT_TRUE(started.ok());
    server = std::move(started).value();
  }
  int Connect() {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(server->port()));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return fd;
  }
  std::string Exchange(const std::string& request) {
    const int fd = Connect();
    EXPECT_EQ(send(fd, request.data(), request.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(request.size()));
    std::string reply;
    char buffer[4096];
    for (ssize_t n; (n = recv(fd, buffer, sizeof buffer, 0)) > 0;)
      reply.append(buffer, static_cast<size_t>(n));
    close(fd);
    return reply;
  }
  std::string Get(const std::string& path) {
    return Exchange("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n");
  }
  static bool Has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  }
  TestService service;
  std::unique_ptr<HttpServer> server;
};

TEST_F(HttpTest, ServesMetricsHealthAndReadiness) {
  const std::string metrics = Get("/metrics");
  EXPECT_EQ(metrics.compare(0, 15, "HTTP/1.1 200 OK"), 0);
  EXPECT_TRUE(Has(metrics, "vectord_requests_total 0\n"));
  EXPECT_TRUE(Has(metrics, "vectord_collection_rows{"));
  EXPECT_TRUE(Has(Get("/healthz"), "200 OK"));
  EXPECT_TRUE(Has(Get("/readyz?verbose"), "200 OK"));
  Definition other = SmallCollection().MakeDefinition();
  other.name = "other_vec";
  service.catalog.Add(std::make_shared<Collection>(other, &service.budget));
  const std::string not_ready = Get("/readyz");
  EXPECT_TRUE(Has(not_ready, "503"));
  EXPECT_TRUE(Has(not_ready, "other_vec"));
}

TEST_F(HttpTest, RefusesWhatItDoesNotServe) {
  EXPECT_TRUE(Has(Get("/nothing"), "404"));
  EXPECT_TRUE(Has(Exchange("POST /metrics HTTP/1.1\r\n\r\n"), "405"));
  EXPECT_TRUE(Has(Exchange("nonsense\r\n\r\n"), "400"));
  const std::string head = Exchange("HEAD /healthz HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(Has(head, "200 OK"));
  EXPECT_EQ(head.substr(head.size() - 4), "\r\n\r\n");
}

TEST_F(HttpTest, ASilentOrEndlessPeerHoldsItUpForAMomentOnly) {
  const int silent = Connect();
  const int endless = Connect();
  const std::string junk(5000, 'x');
  for (int i = 0; i < 3; i++) send(endless, junk.data(), junk.size(), MSG_NOSIGNAL);
  EXPECT_TRUE(Has(Get("/healthz"), "200 OK"));
  close(silent);
  close(endless);
}

TEST_F(HttpTest, AnAddressInUseIsAnErrorThatNamesIt) {
  Config config = service.config;
  config.http.address = "127.0.0.1:" + std::to_string(server->port());
  const auto second = HttpServer::Start(config, &service.dispatcher);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), ErrorCode::BAD_CONFIG);
  EXPECT_TRUE(Has(second.status().message(), config.http.address));
}

}  // namespace
}  // namespace vectord

// accept_gate_test.cpp - descriptors run out, and the server goes on.
#include "daemon/transport/accept_gate.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "test/unit/transport/raw_client.h"

namespace vectord {
namespace {

TEST(AcceptGate, KeepsAReserveOfDescriptors) {
  EXPECT_EQ(AcceptGate::Cap(10), 10u);
  rlimit limit;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_LT(AcceptGate::Cap(0), limit.rlim_cur);
  EXPECT_EQ(AcceptGate::Cap(1000000), AcceptGate::Cap(0));
}

TEST(AcceptGate, NumbersAConnectionUntilItsEndIsTold) {
  Metrics metrics;
  TempDirectory directory;
  const std::string path = directory.File("s");
  auto listener = IpcListener::Open("ipc://" + path, 0600);
  ASSERT_TRUE(listener.ok());
  AcceptGate gate(2, &metrics);
  gate.Watch((*listener)->descriptor());
  const auto accept_one = [&] {
    const int client = ConnectTo(path);
    EXPECT_GE(client, 0);
    const int fd = accept4((*listener)->descriptor(), nullptr, nullptr, SOCK_CLOEXEC);
    close(client);
    return fd;
  };
  const int first = accept_one();
  const ConnectionId first_id = gate.Current(first);
  EXPECT_NE(first_id, 0u);
  close(first);
  const int again = accept_one();  // the same descriptor, before the end of the first was told
  ASSERT_EQ(again, first);
  const ConnectionId second_id = gate.Current(again);
  EXPECT_GT(second_id, first_id);
  EXPECT_EQ(accept_one(), -1);
  EXPECT_EQ(errno, ECONNABORTED);
  EXPECT_EQ(metrics.connections_refused.value(), 1u);
  EXPECT_EQ(gate.Ended(first), first_id);
  EXPECT_EQ(gate.Current(again), second_id);
  EXPECT_EQ(gate.Ended(again), second_id);
  EXPECT_EQ(gate.Ended(again), 0u);
  EXPECT_EQ(metrics.connections.value(), 0);
  close(again);
}

// In a process of its own, which may then be short of descriptors.
void ServeWithoutDescriptors() {
  TestServer test;
  RawClient client = test.NewClient();
  if (client.Ask(vfdw::Op::kSearch, SmallSearch(1), RawVector({1, 2, 3, 4})).error() !=
      ErrorCode::OK)
    _exit(2);
  const std::string path = test.directory.File("vectord.sock");
  // The clients have their descriptors before nothing is left for the server.
  std::vector<int> crowd;
  for (int i = 0; i < 60; i++) crowd.push_back(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int lowest_free = dup(0);
  close(lowest_free);
  const rlimit none = {static_cast<rlim_t>(lowest_free), static_cast<rlim_t>(lowest_free)};
  if (setrlimit(RLIMIT_NOFILE, &none) != 0) _exit(3);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  for (const int fd : crowd) {
    (void)connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }
  if (!Eventually([&] { return test.service.metrics.connections_refused.value() > 0; })) _exit(5);
  for (const int fd : crowd) close(fd);
  if (client.Ask(vfdw::Op::kSearch, SmallSearch(1), RawVector({1, 2, 3, 4})).error() !=
      ErrorCode::OK)
    _exit(4);
  _exit(0);
}

TEST(AcceptGateDeathTest, TheServerSurvivesTheLackOfDescriptors) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(ServeWithoutDescriptors(), testing::ExitedWithCode(0), "turning clients away");
}

}  // namespace
}  // namespace vectord

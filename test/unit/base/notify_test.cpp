// notify_test.cpp - the datagrams that systemd receives.
#include "daemon/base/notify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace vectord {
namespace {

// Stands in for systemd.
class NotifyTest : public testing::Test {
 protected:
  void SetUp() override {
    fd_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ASSERT_GE(fd_, 0);
    path_ = "/tmp/vectord_notify_test_" + std::to_string(getpid());
    unlink(path_.c_str());
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof(address.sun_path) - 1);
    ASSERT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    setenv("NOTIFY_SOCKET", path_.c_str(), 1);
  }
  void TearDown() override {
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    close(fd_);
    unlink(path_.c_str());
  }
  std::string Received() {
    char bytes[1000];
    const ssize_t size = recv(fd_, bytes, sizeof(bytes), MSG_DONTWAIT);
    return size < 0 ? "nothing" : std::string(bytes, static_cast<size_t>(size));
  }

  int fd_ = -1;
  std::string path_;
};

TEST_F(NotifyTest, EachStateIsSent) {
  NotifyReady();
  EXPECT_EQ(Received(), "READY=1");
  NotifyReloading();
  EXPECT_THAT(Received(), testing::MatchesRegex("RELOADING=1\nMONOTONIC_USEC=[0-9]+"));
  NotifyStopping();
  EXPECT_EQ(Received(), "STOPPING=1");
  NotifyWatchdog();
  EXPECT_EQ(Received(), "WATCHDOG=1");
}

TEST_F(NotifyTest, AStatusCannotSmuggleAnotherAssignment) {
  NotifyStatus("copying\nMAINPID=1");
  EXPECT_EQ(Received(), "STATUS=copying MAINPID=1");
}

TEST_F(NotifyTest, TheWatchdogIsFedTwiceInItsTime) {
  EXPECT_EQ(WatchdogInterval(), std::nullopt);
  setenv("WATCHDOG_USEC", "30000000", 1);
  setenv("WATCHDOG_PID", std::to_string(getpid()).c_str(), 1);
  EXPECT_EQ(WatchdogInterval(), std::chrono::milliseconds(15000));
}

TEST_F(NotifyTest, WithoutSystemdNothingIsSent) {
  unsetenv("NOTIFY_SOCKET");
  NotifyReady();
  EXPECT_EQ(Received(), "nothing");
}

}  // namespace
}  // namespace vectord

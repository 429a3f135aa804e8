// ipc_listener_test.cpp - who may listen on a path, and how the socket looks.
#include "daemon/transport/ipc_listener.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "test/unit/transport/temp_directory.h"

namespace vectord {
namespace {

struct IpcListenerTest : testing::Test {
  Status StatusOf(const std::string& endpoint) {
    return IpcListener::Open(endpoint, 0600).status();
  }
  void ExpectRefused(const std::string& endpoint, const std::string& why) {
    const Status status = StatusOf(endpoint);
    EXPECT_EQ(status.code(), ErrorCode::BAD_CONFIG);
    EXPECT_NE(status.ToString().find(why), std::string::npos) << status.ToString();
  }
  TempDirectory directory;
  const std::string path = directory.File("vectord.sock");
  const std::string endpoint = "ipc://" + path;
};

TEST_F(IpcListenerTest, TheModeIsAsConfiguredWhateverTheUmask) {
  for (const mode_t mask : {0000, 0077, 0177}) {
    const mode_t old = umask(mask);
    auto listener = IpcListener::Open(endpoint, 0660);
    umask(old);
    ASSERT_TRUE(listener.ok());
    struct stat found;
    ASSERT_EQ(stat(path.c_str(), &found), 0);
    EXPECT_TRUE(S_ISSOCK(found.st_mode));
    EXPECT_EQ(found.st_mode & 0777, 0660u);
  }
  EXPECT_NE(access(path.c_str(), F_OK), 0);
  EXPECT_NE(access((path + ".lock").c_str(), F_OK), 0);
}

TEST_F(IpcListenerTest, ASecondOneIsRefusedAndTheFirstGoesOn) {
  auto first = IpcListener::Open(endpoint, 0600);
  ASSERT_TRUE(first.ok());
  ExpectRefused(endpoint, "Another vectord");
  EXPECT_EQ(access(path.c_str(), F_OK), 0);
  (*first)->Close();
  EXPECT_TRUE(StatusOf(endpoint).ok());
}

TEST_F(IpcListenerTest, TheSocketOfADeadProcessIsReplacedButNotThatOfALivingOne) {
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  strcpy(address.sun_path, path.c_str());
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(listen(fd, 1), 0);
  ExpectRefused(endpoint, "Another process listens");
  close(fd);
  EXPECT_TRUE(StatusOf(endpoint).ok());
}

TEST_F(IpcListenerTest, WhatCannotBeListenedOnIsRefusedWithTheReason) {
  ExpectRefused("tcp://127.0.0.1:5970", "would not be encrypted");
  ExpectRefused("ipc://relative", "absolute path");
  ExpectRefused("ipc://@abstract", "absolute path");
  ExpectRefused("inproc://x", "absolute path");
  ExpectRefused("ipc:///" + std::string(110, 'x'), "at most 107");
  ExpectRefused("ipc://" + directory.File("missing/vectord.sock"), "no directory");
  std::ofstream(path) << "precious";
  ExpectRefused(endpoint, "is not a socket");
  EXPECT_EQ(access(path.c_str(), F_OK), 0);
}

TEST_F(IpcListenerTest, RemovesOnlyItsOwnSocket) {
  auto listener = IpcListener::Open(endpoint, 0600);
  ASSERT_TRUE(listener.ok());
  unlink(path.c_str());
  std::ofstream(path) << "of somebody else";
  (*listener)->Close();
  EXPECT_EQ(access(path.c_str(), F_OK), 0);
}

}  // namespace
}  // namespace vectord

// standard_descriptors_test.cpp - closed descriptors are filled, open ones stay. Each test runs in
// a process of its own, since the descriptors are everybody's.
#include "daemon/base/standard_descriptors.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace vectord {
namespace {

bool IsNull(int fd) {
  struct stat opened, null;
  return fstat(fd, &opened) == 0 && stat("/dev/null", &null) == 0 &&
         opened.st_rdev == null.st_rdev && opened.st_ino == null.st_ino;
}

// Exit code 0 when every step holds, else the number of the first that does not.
[[noreturn]] void ClosedOnesAreFilledOpenOnesStay() {
  int ends[2];
  if (pipe(ends) != 0 || dup2(ends[1], STDOUT_FILENO) < 0) _exit(1);
  close(STDIN_FILENO);
  close(STDERR_FILENO);
  if (!FillStandardDescriptors()) _exit(2);
  if (!IsNull(STDIN_FILENO) || !IsNull(STDERR_FILENO)) _exit(3);
  if (IsNull(STDOUT_FILENO)) _exit(4);
  const int next = dup(STDIN_FILENO);
  _exit(next > STDERR_FILENO ? 0 : 5);
}

TEST(StandardDescriptorsDeathTest, ClosedOnesAreFilledOpenOnesStay) {
  EXPECT_EXIT(ClosedOnesAreFilledOpenOnesStay(), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace vectord

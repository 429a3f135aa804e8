// standard_descriptors.cpp - see standard_descriptors.h.
#include "daemon/base/standard_descriptors.h"

#include <fcntl.h>
#include <unistd.h>

namespace vectord {

bool FillStandardDescriptors() {
  for (int fd = 0; fd <= STDERR_FILENO; fd++) {
    if (fcntl(fd, F_GETFD) >= 0) continue;
    if (open("/dev/null", O_RDWR) != fd) return false;  // the lowest that is free, hence this one
  }
  return true;
}

}  // namespace vectord

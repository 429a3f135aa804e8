// descriptor_limit.cpp - RLIMIT_NOFILE.
#include "daemon/base/descriptor_limit.h"

#include <sys/resource.h>

#include <cerrno>
#include <string>

#include "daemon/base/file.h"

namespace vectord {

Status RaiseDescriptorLimit() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return ErrnoStatus(errno, "could not read the limit on open files");
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
    return ErrnoStatus(
        errno, "could not raise the limit on open files to " + std::to_string(limit.rlim_max));
  return Status::Ok();
}

size_t DescriptorLimit() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;  // what Linux starts with
  return static_cast<size_t>(limit.rlim_cur);
}

}  // namespace vectord

// stop_signal.cpp - see stop_signal.h.
#include "daemon/source/stop_signal.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

namespace vectord {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

StopSignal::StopSignal() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

StopSignal::~StopSignal() {
  if (fd_ >= 0) close(fd_);
}

void StopSignal::Request() {
  requested_.store(true, std::memory_order_release);
  if (fd_ >= 0) eventfd_write(fd_, 1);
}

bool StopSignal::SleepFor(milliseconds time) const {
  return WaitFor(-1, 0, steady_clock::now() + time) != Ready::kStop;
}

StopSignal::Ready StopSignal::WaitFor(int socket, short events,
                                      steady_clock::time_point deadline) const {
  constexpr milliseconds kLongest{60000}, kWithoutDescriptor{50};
  for (;;) {
    if (requested()) return Ready::kStop;
    const auto left =
        std::chrono::duration_cast<milliseconds>(deadline - steady_clock::now()) + milliseconds(1);
    if (left <= milliseconds(0)) return Ready::kTimeout;
    pollfd waits[] = {{socket, events, 0}, {fd_, POLLIN, 0}};
    const auto slice = std::min(left, fd_ >= 0 ? kLongest : kWithoutDescriptor);
    const int ready = poll(waits, 2, static_cast<int>(slice.count()));
    if (ready > 0 && waits[0].revents != 0 && !requested()) return Ready::kSocket;
  }
}

}  // namespace vectord

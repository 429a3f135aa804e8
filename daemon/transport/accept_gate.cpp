// accept_gate.cpp - see accept_gate.h.
//
// The last resort against EMFILE is an old one: a descriptor is held in reserve, closed so that the
// client can be accepted and closed, then opened again. Leaving the client in the backlog instead
// would keep the listener readable and its thread spinning.
#include "daemon/transport/accept_gate.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <iterator>

#include "daemon/base/clock.h"
#include "daemon/base/descriptor_limit.h"
#include "daemon/base/log.h"

namespace vectord {
namespace {

constexpr int64_t kWarningIntervalNs = 10LL * 1000 * 1000 * 1000;

// The gates by listening descriptor. Its lock comes before that of a gate.
Mutex registry_mu;
std::unordered_map<int, AcceptGate*>& Registry() REQUIRES(registry_mu) {
  static std::unordered_map<int, AcceptGate*> gates;
  return gates;
}

ConnectionId NextConnectionId() {
  static std::atomic<ConnectionId> last{0};
  return ++last;
}

int KernelAccept(int fd, void* address, void* length, int flags) {
  return static_cast<int>(syscall(SYS_accept4, fd, address, length, flags));
}

int OpenSpare() { return open("/dev/null", O_RDONLY | O_CLOEXEC); }

}  // namespace

AcceptGate::AcceptGate(size_t max_connections, Metrics* metrics)
    : max_connections_(max_connections), metrics_(metrics), spare_fd_(OpenSpare()) {}

void AcceptGate::StopWatching() {
  MutexLock lock(registry_mu);
  auto& gates = Registry();
  for (auto it = gates.begin(); it != gates.end();)
    it = it->second == this ? gates.erase(it) : std::next(it);
}

AcceptGate::~AcceptGate() {
  StopWatching();
  MutexLock lock(mu_);
  if (spare_fd_ >= 0) close(spare_fd_);
  metrics_->connections.Add(-static_cast<int64_t>(open_));
}

size_t AcceptGate::Cap(int configured) {
  const size_t descriptors = DescriptorLimit();
  const size_t reserve = std::max<size_t>(64, std::min<size_t>(descriptors / 4, 1024));
  const size_t possible = descriptors > 2 * reserve ? descriptors - reserve : descriptors / 2;
  return configured == 0 ? possible : std::min(static_cast<size_t>(configured), possible);
}

void AcceptGate::Watch(int listening_fd) {
  MutexLock lock(registry_mu);
  Registry()[listening_fd] = this;
}

ConnectionId AcceptGate::Current(int fd) const {
  MutexLock lock(mu_);
  const auto it = connections_.find(fd);
  return it == connections_.end() ? 0 : it->second.back();
}

ConnectionId AcceptGate::Ended(int fd) {
  MutexLock lock(mu_);
  const auto it = connections_.find(fd);
  if (it == connections_.end()) return 0;
  const ConnectionId ended = it->second.front();
  it->second.pop_front();
  if (it->second.empty()) connections_.erase(it);
  open_--;
  metrics_->connections.Add(-1);
  return ended;
}

size_t AcceptGate::open() const {
  MutexLock lock(mu_);
  return open_;
}

int AcceptGate::Accept(int listening_fd, void* address, void* length, int flags) {
  {
    // Held during the accept, so that the gate cannot go away. The listeners do not block.
    MutexLock lock(registry_mu);
    const auto& gates = Registry();
    if (const auto it = gates.find(listening_fd); it != gates.end())
      return it->second->AcceptHere(listening_fd, address, length, flags);
  }
  return KernelAccept(listening_fd, address, length, flags);
}

int AcceptGate::AcceptHere(int listening_fd, void* address, void* length, int flags) {
  const int fd = KernelAccept(listening_fd, address, length, flags);
  if (fd < 0) return errno == EMFILE || errno == ENFILE ? TurnAway(listening_fd) : fd;
  if (Admit(fd)) return fd;
  close(fd);
  NoteRefusal();
  errno = ECONNABORTED;
  return -1;
}

bool AcceptGate::Admit(int fd) {
  MutexLock lock(mu_);
  if (open_ >= max_connections_) return false;
  connections_[fd].push_back(NextConnectionId());
  open_++;
  metrics_->connections.Add(1);
  return true;
}

int AcceptGate::TurnAway(int listening_fd) {
  {
    MutexLock lock(mu_);
    if (spare_fd_ >= 0) {
      close(spare_fd_);
      const int fd = KernelAccept(listening_fd, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd >= 0) close(fd);
      spare_fd_ = OpenSpare();
    } else {
      spare_fd_ = OpenSpare();  // another thread took it; perhaps there is one again
    }
  }
  NoteRefusal();
  errno = ECONNABORTED;
  return -1;
}

void AcceptGate::NoteRefusal() {
  metrics_->connections_refused.Add();
  size_t open;
  {
    const int64_t now_ns = SteadyNowNs();
    MutexLock lock(mu_);
    if (last_warning_ns_ != 0 && now_ns - last_warning_ns_ < kWarningIntervalNs) return;
    last_warning_ns_ = now_ns;
    open = open_;
  }
  LogWarning({},
             "turning clients away: {} are connected, the most is {} ([listen] max_connections "
             "and the limit on open files)",
             open, max_connections_);
}

}  // namespace vectord

// Takes the place of the C library's function in the whole process, for libzmq's calls too.
extern "C" int accept4(int fd, sockaddr* address, socklen_t* length, int flags) {
  return vectord::AcceptGate::Accept(fd, address, length, flags);
}

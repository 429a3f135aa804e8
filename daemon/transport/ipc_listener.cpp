// ipc_listener.cpp - see ipc_listener.h.
#include "daemon/transport/ipc_listener.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace vectord {
namespace {

constexpr char kScheme[] = "ipc://";
constexpr size_t kSchemeBytes = sizeof(kScheme) - 1;
constexpr int kBacklog = 1024;

Status BadEndpoint(const std::string& endpoint, std::string detail, std::string hint = {}) {
  return Status(ErrorCode::BAD_CONFIG, "cannot listen on \"" + endpoint + "\"", std::move(detail),
                std::move(hint));
}

sockaddr_un AddressOf(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path, path.data(), path.size());  // its length was checked
  return address;
}

Status CheckEndpoint(const std::string& endpoint) {
  if (endpoint.compare(0, 6, "tcp://") == 0)
    return BadEndpoint(endpoint, "Connections over tcp would not be encrypted.",
                       "Use an ipc:// endpoint.");
  if (endpoint.compare(0, kSchemeBytes, kScheme) != 0 || endpoint.size() < kSchemeBytes + 2 ||
      endpoint[kSchemeBytes] != '/')
    return BadEndpoint(endpoint, "It is not ipc:// followed by an absolute path.");
  const size_t length = endpoint.size() - kSchemeBytes;
  constexpr size_t kLongest = sizeof(sockaddr_un::sun_path) - 1;
  if (length > kLongest)
    return BadEndpoint(endpoint, "The path has " + std::to_string(length) +
                                     " bytes; that of a unix socket can have at most " +
                                     std::to_string(kLongest) + ".");
  return Status::Ok();
}

Status CheckDirectory(const std::string& endpoint, const std::string& path) {
  const std::string directory = path.substr(0, std::max<size_t>(path.rfind('/'), 1));
  struct stat found;
  if (stat(directory.c_str(), &found) == 0 && S_ISDIR(found.st_mode)) return Status::Ok();
  return BadEndpoint(endpoint, "There is no directory \"" + directory + "\".",
                     "Create it, owned by the user of vectord, mode 0750.");
}

// Whether some process accepts connections there. We hold the lock, so it is none of ours.
bool SomebodyListens(const std::string& path) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const sockaddr_un address = AddressOf(path);
  const bool connected =
      connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ||
      errno == EAGAIN;  // its backlog is full
  close(fd);
  return connected;
}

// Removes what a dead process left, and nothing else.
Status RemoveStaleSocket(const std::string& endpoint, const std::string& path) {
  struct stat found;
  if (lstat(path.c_str(), &found) != 0) {
    if (errno == ENOENT) return Status::Ok();
    return ErrnoStatus(errno, "could not look at \"" + path + "\"");
  }
  if (!S_ISSOCK(found.st_mode))
    return BadEndpoint(endpoint, "\"" + path + "\" exists and is not a socket.",
                       "Remove it, or change [listen] endpoints.");
  if (SomebodyListens(path))
    return BadEndpoint(endpoint, "Another process listens there.",
                       "Stop it, or change [listen] endpoints.");
  if (unlink(path.c_str()) != 0 && errno != ENOENT)
    return ErrnoStatus(errno, "could not remove the old socket \"" + path + "\"");
  return Status::Ok();
}

}  // namespace

Result<std::unique_ptr<IpcListener>> IpcListener::Open(const std::string& endpoint, int mode) {
  VFDW_RETURN_IF_ERROR(CheckEndpoint(endpoint));
  const std::string path = endpoint.substr(kSchemeBytes);
  VFDW_RETURN_IF_ERROR(CheckDirectory(endpoint, path));
  Result<FileLock> lock = FileLock::Acquire(path + ".lock");
  if (!lock.ok()) {
    if (lock.status().code() != ErrorCode::BAD_CONFIG) return lock.status();
    return BadEndpoint(endpoint, "Another vectord listens there: " + lock.status().ToString(),
                       "Stop it, or change [listen] endpoints.");
  }
  VFDW_RETURN_IF_ERROR(RemoveStaleSocket(endpoint, path));
  std::unique_ptr<IpcListener> listener(new IpcListener(endpoint, path, std::move(lock).value()));
  VFDW_RETURN_IF_ERROR(listener->Listen(mode));
  return listener;
}

// The mode is set before bind: Linux makes the file with the socket's own mode less the umask, so
// it is never more open than it should be. chmod then adds what the umask took.
Status IpcListener::Listen(int mode) {
  fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return ErrnoStatus(errno, "could not create a socket");
  const auto failed = [this](const char* step) {
    return ErrnoStatus(errno, std::string("could not ") + step + " socket \"" + path_ + "\"");
  };
  const sockaddr_un address = AddressOf(path_);
  if (fchmod(fd_, static_cast<mode_t>(mode)) != 0) return failed("set the mode of");
  if (bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return failed("bind");
  struct stat made;
  if (lstat(path_.c_str(), &made) != 0) return failed("look at");
  device_ = made.st_dev;
  inode_ = made.st_ino;
  linked_ = true;
  if (chmod(path_.c_str(), static_cast<mode_t>(mode)) != 0) return failed("set the mode of");
  if (listen(fd_, kBacklog) != 0) return failed("listen on");
  return Status::Ok();
}

int IpcListener::TakeDescriptor() { return std::exchange(fd_, -1); }

void IpcListener::Unlink() {
  struct stat found;
  if (linked_ && lstat(path_.c_str(), &found) == 0 && found.st_dev == device_ &&
      found.st_ino == inode_)
    unlink(path_.c_str());
  linked_ = false;
}

void IpcListener::Close() {
  if (fd_ >= 0) close(std::exchange(fd_, -1));
  Unlink();
  lock_.Release();
}

}  // namespace vectord

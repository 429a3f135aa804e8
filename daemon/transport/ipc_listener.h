// ipc_listener.h - a unix socket to listen on, made so that ZeroMQ's own dangers do not apply.
//
// ZeroMQ's bind to an ipc path removes whatever is there, also the socket of a daemon that lives,
// and takes its permissions from the umask, which belongs to all threads. So we own the path by a
// locked file beside it ("PATH.lock"), make the socket ourselves with its mode from the first
// moment on, and give ZeroMQ the listening descriptor (ZMQ_USE_FD).
//
// Close() removes the path, if it is still ours, and the lock. The descriptor is not closed here:
// it belongs to ZeroMQ once TakeDescriptor() was called.
#ifndef VECTOR_FDW_DAEMON_TRANSPORT_IPC_LISTENER_H
#define VECTOR_FDW_DAEMON_TRANSPORT_IPC_LISTENER_H

#include <sys/types.h>

#include <memory>
#include <string>

#include "daemon/base/file.h"
#include "daemon/base/status.h"

namespace vectord {

class IpcListener {
 public:
  // endpoint: "ipc://" and an absolute path. mode: permissions of the socket. BAD_CONFIG, with what
  // to do, when the endpoint is of another kind, the directory is missing or the path is owned by
  // a process that lives. The socket of a process that died is replaced.
  static Result<std::unique_ptr<IpcListener>> Open(const std::string& endpoint, int mode);
  ~IpcListener() { Close(); }
  IpcListener(const IpcListener&) = delete;
  IpcListener& operator=(const IpcListener&) = delete;

  const std::string& endpoint() const { return endpoint_; }
  const std::string& path() const { return path_; }
  int descriptor() const { return fd_; }
  // Gives the descriptor away.
  int TakeDescriptor();
  // No client finds the socket any more; those connected stay.
  void Unlink();
  void Close();

 private:
  IpcListener(std::string endpoint, std::string path, FileLock lock)
      : endpoint_(std::move(endpoint)), path_(std::move(path)), lock_(std::move(lock)) {}
  Status Listen(int mode);

  const std::string endpoint_, path_;
  FileLock lock_;
  int fd_ = -1;
  bool linked_ = false;  // the path names the socket device_, inode_
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace vectord

#endif

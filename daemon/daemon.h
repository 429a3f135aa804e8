// daemon.h - the parts of vectord, put together: started in order, stopped in reverse.
//
// Threads: Start, Reload and Stop are called by main's thread only.
#ifndef VECTORD_DAEMON_H
#define VECTORD_DAEMON_H

#include <memory>

#include "daemon/base/config.h"
#include "daemon/base/status.h"

namespace vectord {

class Daemon {
 public:
  // On return sockets are bound and threads run: searches are answered, with NOT_READY until the
  // collections are built.
  static Result<std::unique_ptr<Daemon>> Start(Config config);

  // Takes over what may change while running, all or nothing.
  Status Reload(Config config);

  // Refuses new work, ends what is under way, closes the sockets. Idempotent.
  void Stop();

  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

 private:
  struct Parts;
  explicit Daemon(std::unique_ptr<Parts> parts);
  const std::unique_ptr<Parts> parts_;
};

}  // namespace vectord

#endif

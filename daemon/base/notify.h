// notify.h - what systemd is told about the life of the process.
//
// Without systemd (NOTIFY_SOCKET unset) every function does nothing. A message that cannot be sent
// is dropped: systemd's own time-outs handle a service that it cannot hear. Thread safe.
#ifndef VECTOR_FDW_DAEMON_BASE_NOTIFY_H
#define VECTOR_FDW_DAEMON_BASE_NOTIFY_H

#include <chrono>
#include <optional>
#include <string_view>

namespace vectord {

// Only when searches can succeed; also ends a reload.
void NotifyReady();
void NotifyReloading();
void NotifyStopping();
// One line for `systemctl status`; control characters in it become spaces.
void NotifyStatus(std::string_view text);
void NotifyWatchdog();

// How often NotifyWatchdog must be called: half of WatchdogSec. Nothing when no watchdog is set.
std::optional<std::chrono::milliseconds> WatchdogInterval();

}  // namespace vectord

#endif

// notify.cpp - the sd_notify protocol, by libsystemd.
#include "daemon/base/notify.h"

#include <systemd/sd-daemon.h>

#include <algorithm>
#include <cstdint>
#include <string>

#include "daemon/base/clock.h"

namespace vectord {
namespace {

void Send(const std::string& state) { (void)sd_notify(/*unset_environment=*/0, state.c_str()); }

}  // namespace

void NotifyReady() { Send("READY=1"); }

void NotifyReloading() {
  // systemd 253 (Type=notify-reload) wants the time, to tell this reload from an earlier one.
  Send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(SteadyNowUs()));
}

void NotifyStopping() { Send("STOPPING=1"); }

void NotifyStatus(std::string_view text) {
  std::string state = "STATUS=" + std::string(text);
  // A newline would start another assignment, such as MAINPID=.
  for (char& c : state)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  Send(state);
}

void NotifyWatchdog() { Send("WATCHDOG=1"); }

std::optional<std::chrono::milliseconds> WatchdogInterval() {
  uint64_t usec = 0;
  if (sd_watchdog_enabled(/*unset_environment=*/0, &usec) <= 0) return std::nullopt;
  return std::chrono::milliseconds(std::max<int64_t>(1, static_cast<int64_t>(usec / 2000)));
}

}  // namespace vectord

// main.cpp - the command line of vectord, and the loop that turns signals into calls of Daemon.
//
// The main thread does nothing else: it starts the daemon, then waits for signals and feeds
// systemd's watchdog. Stopping runs beside it, so that a second SIGTERM can end a stop that hangs;
// one that comes at once is the echo of the first, since tools signal a process and its group.
#include <sys/eventfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "daemon/base/allocator.h"
#include "daemon/base/build_info.h"
#include "daemon/base/config.h"
#include "daemon/base/descriptor_limit.h"
#include "daemon/base/file.h"
#include "daemon/base/log.h"
#include "daemon/base/notify.h"
#include "daemon/base/signals.h"
#include "daemon/base/standard_descriptors.h"
#include "daemon/base/thread_pool.h"
#include "daemon/daemon.h"
#include "daemon/source/source_manager.h"

namespace vectord {
namespace {

constexpr std::chrono::seconds kEchoOfStop{1};

struct Arguments {
  std::string config_file = "/etc/vectord/vectord.toml";
  std::string pid_file;
  bool check_config = false;
  bool print_default_config = false;
};

int PrintError(const Status& status) {
  fprintf(stderr, "vectord: %s\n", status.message().c_str());
  if (!status.detail().empty()) fprintf(stderr, "%s\n", status.detail().c_str());
  if (!status.hint().empty()) fprintf(stderr, "Hint: %s\n", status.hint().c_str());
  return 1;
}

// The result of a command whose purpose is what it prints.
int Printed(int exit_code) {
  std::cout.flush();
  const bool failed = fflush(stdout) != 0 || ferror(stdout) != 0 || std::cout.fail();
  if (!failed) return exit_code;
  return PrintError(ErrnoStatus(errno, "could not write to standard output"));
}

Result<Config> LoadChecked(const std::string& config_file) {
  VFDW_ASSIGN_OR_RETURN(Config config, LoadConfig(config_file));
  VFDW_RETURN_IF_ERROR(SourceManager::Check(config));
  return config;
}

void Reload(const std::string& config_file, Daemon* daemon) {
  NotifyReloading();
  Result<Config> config = LoadChecked(config_file);
  const Status status = config.ok() ? daemon->Reload(*config) : config.status();
  if (status.ok()) {
    LogInfo({}, "reloaded \"{}\"", config_file);
  } else {
    LogError({}, "reload refused, the old settings stay");
    LogStatus({}, status);
  }
  NotifyReady();
}

// Waits for a signal, for other_fd (-1: none), or until the watchdog is to be fed, which it does.
void Wait(const Signals& signals, int other_fd) {
  NotifyWatchdog();
  signals.Wait(other_fd, WatchdogInterval());
}

// stopped is an eventfd, made at the start: at the end there may be no descriptor left.
void Stop(Signals* signals, std::unique_ptr<Daemon> daemon, int stopped) {
  const auto told_at = std::chrono::steady_clock::now();
  NotifyStopping();
  LogInfo({}, "stopping");
  std::thread stopper([&daemon, stopped] {
    SetThreadName("stop");
    daemon->Stop();
    daemon.reset();
    eventfd_write(stopped, 1);
  });
  eventfd_t value;
  while (eventfd_read(stopped, &value) != 0) {
    Wait(*signals, stopped);
    if (signals->Next() != SignalEvent::kStop) continue;
    if (std::chrono::steady_clock::now() - told_at >= kEchoOfStop) {
      LogError({}, "told to stop a second time: leaving at once, without finishing");
      _exit(1);
    }
  }
  stopper.join();
  LogInfo({}, "stopped");
}

Status Run(const Arguments& arguments, Config config) {
  VFDW_ASSIGN_OR_RETURN(Signals signals, Signals::Catch());
  FileLock pid_file;
  if (!arguments.pid_file.empty()) {
    VFDW_ASSIGN_OR_RETURN(pid_file, FileLock::Acquire(arguments.pid_file));
  }
  if (const Status status = RaiseDescriptorLimit(); !status.ok()) LogStatus({}, status);
  const int stopped = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (stopped < 0) return ErrnoStatus(errno, "could not create an event descriptor");
  LogInfo({}, "{} starting with \"{}\"", VersionLine(), arguments.config_file);
  VFDW_ASSIGN_OR_RETURN(std::unique_ptr<Daemon> daemon, Daemon::Start(std::move(config)));
  NotifyReady();
  LogInfo({}, "ready");
  for (;;) {
    Wait(signals, -1);
    while (const auto event = signals.Next()) {
      if (*event == SignalEvent::kReload) {
        Reload(arguments.config_file, daemon.get());
      } else {
        Stop(&signals, std::move(daemon), stopped);
        return Status::Ok();
      }
    }
  }
}

int Main(const Arguments& arguments) {
  if (arguments.print_default_config) {
    fputs(DefaultConfigText().c_str(), stdout);
    return Printed(0);
  }
  Result<Config> config = LoadChecked(arguments.config_file);
  if (arguments.check_config || !config.ok()) {
    if (!config.ok()) return PrintError(config.status());
    puts("configuration is valid");
    return Printed(0);
  }
  InitLog(*ParseLogLevel(config->log.level));
  const Status status = Run(arguments, std::move(*config));
  if (!status.ok()) LogStatus({}, status);
  return status.ok() ? 0 : 1;
}

}  // namespace
}  // namespace vectord

int main(int argc, char** argv) {
  if (!vectord::FillStandardDescriptors()) return 1;  // there is nowhere to say why
  vectord::PinMallocThresholds();
  vectord::Arguments arguments;
  CLI::App app("vectord: vector indexes of PostgreSQL tables, kept in memory.", "vectord");
  app.set_version_flag("--version", vectord::VersionLine());
  app.add_option("--config", arguments.config_file, "The configuration file")
      ->capture_default_str();
  app.add_option("--pidfile", arguments.pid_file, "File to lock, and to write the process id to");
  app.add_flag("--check-config", arguments.check_config, "Say whether the file is valid, and exit");
  app.add_flag("--print-default-config", arguments.print_default_config,
               "Print every setting with its default, and exit");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? vectord::Printed(0) : 2;
  }
  return vectord::Main(arguments);
}

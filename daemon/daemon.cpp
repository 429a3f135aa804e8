// daemon.cpp - see daemon.h. Members of Parts stand in the order in which they start; they are
// destroyed in reverse, so that nothing outlives what it was lent.
#include "daemon/daemon.h"

#include <utility>

#include "daemon/base/clock.h"
#include "daemon/base/file.h"
#include "daemon/base/log.h"
#include "daemon/base/memory_budget.h"
#include "daemon/base/metrics.h"
#include "daemon/collection/catalog.h"
#include "daemon/kernel/cpu.h"
#include "daemon/service/dispatcher.h"
#include "daemon/source/source_manager.h"
#include "daemon/storage/data_dir.h"
#include "daemon/transport/http_server.h"
#include "daemon/transport/zmq_server.h"

namespace vectord {

struct Daemon::Parts {
  explicit Parts(Config c)
      : config(std::move(c)),
        budget(config.memory.limit_bytes, "vectord"),
        dispatcher(&catalog, config, &budget, &metrics, &clock) {}

  Config config;
  SystemClock clock;
  Metrics metrics;
  MemoryBudget budget;
  PosixFileSystem files;
  std::unique_ptr<DataDir> data;
  Catalog catalog;
  Dispatcher dispatcher;
  std::unique_ptr<ZmqServer> server;
  std::unique_ptr<HttpServer> http;  // null when [http] address is empty
  std::unique_ptr<SourceManager> sources;
  bool stopped = false;
};

Daemon::Daemon(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Daemon::~Daemon() { Stop(); }

Result<std::unique_ptr<Daemon>> Daemon::Start(Config config) {
  if (config.search.isa != "auto") VFDW_RETURN_IF_ERROR(ForceIsa(IsaFromName(config.search.isa)));
  std::unique_ptr<Daemon> daemon(new Daemon(std::make_unique<Parts>(std::move(config))));
  Parts& parts = *daemon->parts_;

  // Owned before anything else, so that a second vectord with the same directory disturbs nobody.
  VFDW_ASSIGN_OR_RETURN(parts.data,
                        DataDir::Open(parts.config.data.directory, &parts.files, &parts.clock));
  // Clients first: while collections are built they are told so, instead of finding nobody.
  VFDW_ASSIGN_OR_RETURN(parts.server, ZmqServer::Start(parts.config, &parts.dispatcher));
  if (!parts.config.http.address.empty()) {
    VFDW_ASSIGN_OR_RETURN(parts.http, HttpServer::Start(parts.config, &parts.dispatcher));
  }
  VFDW_ASSIGN_OR_RETURN(parts.sources,
                        SourceManager::Start(parts.config, &parts.catalog, &parts.budget,
                                             parts.data.get(), &parts.files, &parts.metrics));
  parts.dispatcher.SetSourcesSynced(
      [sources = parts.sources.get()] { return sources->AllSynced(); });
  LogInfo({}, "vectord \"{}\" is ready: {} sources, memory limit {}, {} kernels",
          parts.config.daemon.name, parts.config.sources.size(),
          ReadableBytes(parts.config.memory.limit_bytes), IsaName(ActiveIsa()));
  return daemon;
}

Status Daemon::Reload(Config config) {
  const ConfigDiff diff = Diff(parts_->config, config);
  for (const std::string& setting : diff.needs_restart)
    LogWarning({}, "{} was changed in the file; it takes effect when vectord is restarted",
               setting);
  parts_->config = WithReloadable(parts_->config, config);
  parts_->budget.SetLimit(parts_->config.memory.limit_bytes);
  SetLogLevel(*ParseLogLevel(parts_->config.log.level));  // validated with the rest of the file
  parts_->dispatcher.Reconfigure(parts_->config);
  parts_->sources->Reconfigure(parts_->config);
  for (const std::string& setting : diff.reloadable) LogInfo({}, "{} was reloaded", setting);
  return {};
}

void Daemon::Stop() {
  if (std::exchange(parts_->stopped, true)) return;
  if (parts_->http) parts_->http->Stop();
  if (parts_->server) parts_->server->Stop();
  if (parts_->sources) parts_->sources->Stop();
}

}  // namespace vectord

// source_manager.cpp - see source_manager.h.
#include "daemon/source/source_manager.h"

#include <set>
#include <string>
#include <utility>

#include "daemon/base/log.h"
#include "daemon/base/thread_pool.h"

namespace vectord {
namespace {

// Neither the string nor libpq's words, which quote it, may be shown: it may hold a password.
Status CheckConnectionStrings(const Config& config) {
  for (size_t i = 0; i < config.sources.size(); i++) {
    if (PgConnection::IsConnectionString(config.sources[i].dsn)) continue;
    return Status(
        ErrorCode::BAD_CONFIG,
        "the dsn of [[source]] number " + std::to_string(i + 1) + " is not a connection string",
        "libpq cannot read it: a keyword that it does not know, a \"=\" or a quote that "
        "is missing, or a URI that is not well formed.",
        "Write it as in \"host=/run/postgresql dbname=app user=vectord\", with values "
        "that hold spaces in single quotes.");
  }
  return {};
}

// Databases of the same name on different servers collide just so: clients name a database only.
Status CheckDatabases(const Config& config) {
  std::set<std::string> databases;
  for (const SourceConfig& source : config.sources) {
    const std::string database = PgConnection::DatabaseOf(source.dsn);
    if (database.empty() || databases.insert(database).second) continue;
    return Status(ErrorCode::BAD_CONFIG,
                  "two [[source]] sections name databases called \"" + database + "\"",
                  "Collections are found by the database's name, so it must be unique.",
                  "Remove one of the sections, or hold that database by another vectord.");
  }
  return {};
}

// A place for files that mean nothing after a crash. Whether it can be written to shows when it is
// needed.
std::string PrepareScratch(const std::string& data_directory, FileSystem* files) {
  const std::string scratch = data_directory + "/scratch";
  if (const Status made = files->CreateDirectory(scratch); !made.ok()) {
    LogDebug({}, "no directory for large transactions: {}", made.ToString());
    return scratch;
  }
  const auto left_over = files->List(scratch);
  if (left_over.ok())
    for (const std::string& name : *left_over) (void)files->Remove(scratch + "/" + name);
  return scratch;
}

}  // namespace

Status SourceManager::Check(const Config& config) {
  VFDW_RETURN_IF_ERROR(CheckConnectionStrings(config));
  return CheckDatabases(config);
}

Result<std::unique_ptr<SourceManager>> SourceManager::Start(const Config& config, Catalog* catalog,
                                                            MemoryBudget* budget, DataDir* data,
                                                            FileSystem* files, Metrics* metrics) {
  VFDW_RETURN_IF_ERROR(Check(config));
  std::unique_ptr<SourceManager> manager(new SourceManager());
  const int build_threads = ResolveThreadCount(config.build.threads);
  VFDW_ASSIGN_OR_RETURN(manager->compactor_, Compactor::Start(build_threads));
  VFDW_ASSIGN_OR_RETURN(manager->queue_, BuildQueue::Start());
  FollowerContext& context = manager->context_;
  context.daemon_name = config.daemon.name;
  context.index_threads = build_threads;
  context.catalog = catalog;
  context.budget = budget;
  context.metrics = metrics;
  context.queue = manager->queue_.get();
  context.compactor = manager->compactor_.get();
  context.files = files;
  context.scratch = PrepareScratch(config.data.directory, files);
  context.checkpoint_interval = config.checkpoint.interval;
  context.data = data;
  VFDW_ASSIGN_OR_RETURN(context.manifests, data->Recover());
  std::vector<std::string> databases;
  for (const SourceConfig& source : config.sources)
    databases.push_back(PgConnection::DatabaseOf(source.dsn));
  catalog->SetDatabases(databases);
  metrics->sources.Set(static_cast<int64_t>(config.sources.size()));
  for (const SourceConfig& source : config.sources) {
    manager->followers_.push_back(std::make_unique<SourceFollower>(source, &context));
    VFDW_RETURN_IF_ERROR(manager->followers_.back()->Start());
  }
  return manager;
}

void SourceManager::Reconfigure(const Config& config) {
  const int build_threads = ResolveThreadCount(config.build.threads);
  context_.index_threads = build_threads;
  compactor_->SetBuildThreads(build_threads);
  context_.checkpoint_interval = config.checkpoint.interval;
}

void SourceManager::Stop() {
  for (const auto& follower : followers_) follower->RequestStop();
  if (queue_ != nullptr) queue_->Stop();
  if (compactor_ != nullptr) compactor_->Stop();
  for (const auto& follower : followers_) follower->Stop();
}

bool SourceManager::AllSynced() const {
  for (const auto& follower : followers_)
    if (!follower->synced()) return false;
  return true;
}

}  // namespace vectord

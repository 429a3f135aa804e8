// source_manager.cpp - see source_manager.h.
#include "daemon/source/source_manager.h"

#include <set>
#include <string>
#include <utility>

#include "daemon/base/thread_pool.h"

namespace vectord {
namespace {

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

}  // namespace

Result<std::unique_ptr<SourceManager>> SourceManager::Start(const Config& config, Catalog* catalog,
                                                            MemoryBudget* budget) {
  VFDW_RETURN_IF_ERROR(CheckDatabases(config));
  std::unique_ptr<SourceManager> manager(new SourceManager());
  VFDW_ASSIGN_OR_RETURN(manager->queue_, BuildQueue::Start());
  FollowerContext& context = manager->context_;
  context.daemon_name = config.daemon.name;
  context.index_threads = ResolveThreadCount(config.build.threads);
  context.catalog = catalog;
  context.budget = budget;
  context.queue = manager->queue_.get();
  for (const SourceConfig& source : config.sources) {
    manager->followers_.push_back(std::make_unique<SourceFollower>(source, &context));
    VFDW_RETURN_IF_ERROR(manager->followers_.back()->Start());
  }
  return manager;
}

void SourceManager::Stop() {
  for (const auto& follower : followers_) follower->RequestStop();
  if (queue_ != nullptr) queue_->Stop();
  for (const auto& follower : followers_) follower->Stop();
}

bool SourceManager::AllSynced() const {
  for (const auto& follower : followers_)
    if (!follower->synced()) return false;
  return true;
}

}  // namespace vectord

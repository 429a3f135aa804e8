// source_manager.h - everything that fills the catalog of collections from PostgreSQL.
//
// Owns a follower for each [[source]], and what they share: the queue of builds, the compactor. No
// other part of vectord talks to a source database.
//
// Threads: Stop() (once or more) and Reconfigure() by the owner; AllSynced() by any.
#ifndef VECTORD_SOURCE_SOURCE_MANAGER_H
#define VECTORD_SOURCE_SOURCE_MANAGER_H

#include <memory>
#include <vector>

#include "daemon/base/config.h"
#include "daemon/base/file.h"
#include "daemon/base/memory_budget.h"
#include "daemon/base/metrics.h"
#include "daemon/base/status.h"
#include "daemon/collection/catalog.h"
#include "daemon/collection/compactor.h"
#include "daemon/source/build_queue.h"
#include "daemon/source/source_follower.h"

namespace vectord {

class SourceManager {
 public:
  // BAD_CONFIG when libpq cannot read a connection string, or two name one database. Connects to
  // nothing.
  static Status Check(const Config& config);

  // Does not wait for any database. BAD_CONFIG as Check() says.
  // catalog, budget, data, files and metrics must outlive the manager.
  static Result<std::unique_ptr<SourceManager>> Start(const Config& config, Catalog* catalog,
                                                      MemoryBudget* budget, DataDir* data,
                                                      FileSystem* files, Metrics* metrics);
  ~SourceManager() { Stop(); }

  // Ends all work on the sources, whatever it is waiting for. The collections stay as they are.
  void Stop();

  // Takes over what may change while running.
  void Reconfigure(const Config& config);

  // True when each source has been read and has nothing left to build first: for /readyz.
  bool AllSynced() const;

 private:
  SourceManager() = default;

  std::unique_ptr<Compactor> compactor_;
  std::unique_ptr<BuildQueue> queue_;
  FollowerContext context_;
  std::vector<std::unique_ptr<SourceFollower>> followers_;
};

}  // namespace vectord

#endif

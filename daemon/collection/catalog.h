// catalog.h - the collections that this daemon holds, by database and name.
//
// Threads: any. Lookups share a lock and return owners, so a collection that is dropped meanwhile
// stays valid for who found it. source/ adds and removes; service/ looks up.
#ifndef VECTORD_COLLECTION_CATALOG_H
#define VECTORD_COLLECTION_CATALOG_H

#include <map>
#include <memory>
#include <shared_mutex>
#include <string>
#include <utility>
#include <vector>

#include "daemon/base/status.h"
#include "daemon/collection/collection.h"

namespace vectord {

class Catalog {
 public:
  // COLLECTION_MISSING, with what is known of near misses (other schema, source unreachable); as
  // long as nobody can know, CheckRead's error.
  Result<std::shared_ptr<Collection>> Find(const std::string& database, const std::string& schema,
                                           const std::string& name) const;
  std::shared_ptr<Collection> FindByName(const std::string& database,
                                         const std::string& name) const;  // null if absent
  std::vector<std::shared_ptr<Collection>> All() const;
  std::vector<std::shared_ptr<Collection>> OfDatabase(const std::string& database) const;

  // NOT_READY until the definitions of the database have been read for the first time.
  Status CheckRead(const std::string& database) const;

  void Add(std::shared_ptr<Collection> collection);
  void Remove(const std::string& database, const std::string& name);

  // The databases that are going to be read; others are not followed at all. Before this is called
  // it is not known which there are.
  void SetDatabases(const std::vector<std::string>& databases);
  // What source/ last knew of a database: OK, which means that its definitions have been read, or
  // why they cannot be. Adds the database when it is not known.
  void SetSourceStatus(const std::string& database, const Status& status);

 private:
  struct Source {
    Status status;
    bool was_read = false;
  };
  Status NotRead(const std::string& database) const;

  mutable std::shared_mutex mu_;
  std::map<std::pair<std::string, std::string>, std::shared_ptr<Collection>> collections_;
  std::map<std::string, Source> sources_;
  bool has_databases_ = false;
};

}  // namespace vectord

#endif

// database_claims.h - which source follows which database: one at a time, because collections are
// found by the database's name.
//
// Threads: any.
#ifndef VECTORD_SOURCE_DATABASE_CLAIMS_H
#define VECTORD_SOURCE_DATABASE_CLAIMS_H

#include <map>
#include <string>

#include "daemon/base/mutex.h"

namespace vectord {

class DatabaseClaims {
 public:
  // False when another owner holds the database. To claim it again is allowed.
  bool Claim(const std::string& database, const void* owner) {
    MutexLock lock(mu_);
    return owners_.emplace(database, owner).first->second == owner;
  }

  // Gives up whatever the owner holds.
  void ReleaseAll(const void* owner) {
    MutexLock lock(mu_);
    for (auto it = owners_.begin(); it != owners_.end();)
      it = it->second == owner ? owners_.erase(it) : std::next(it);
  }

 private:
  Mutex mu_;
  std::map<std::string, const void*> owners_ GUARDED_BY(mu_);
};

}  // namespace vectord

#endif

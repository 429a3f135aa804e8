// recovery.h - what a start finds on disk of the collections of one source, and takes over.
//
// Files are taken over only when the server still has every change that they lack: it must be the
// cluster and the timeline that they were made from, its WAL must not end before them, and the slot
// must be there and not ahead of them. Then the stream goes on where the oldest of them ends; the
// others skip what they have. Anything else is said in the log, set aside, and copied anew.
//
//   Prepare() -> Restore() for each collection -> Finish(); then the stream may start
//
// Threads: one.
#ifndef VECTORD_SOURCE_RECOVERY_H
#define VECTORD_SOURCE_RECOVERY_H

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base/status.h"
#include "daemon/collection/collection.h"
#include "daemon/source/change_applier.h"
#include "daemon/source/checkpointer.h"
#include "daemon/source/slot.h"
#include "daemon/source/stop_signal.h"
#include "daemon/storage/data_dir.h"

namespace vectord {

class Recovery {
 public:
  // manifests: those of the directory; the ones of other databases are none of its business.
  Recovery(std::string database, std::string slot_name, const std::vector<Manifest>& manifests,
           DataDir* data, ChangeApplier* applier, Checkpointer* checkpointer);

  // Asks the server for what decides whether files are still true.
  Status Prepare(const std::string& dsn, const StopSignal& stop);
  // What Prepare() finds out. slot: none when there is none of our name. An error: the server still
  // replays WAL, and it is too early to tell.
  Status UseServer(const SystemIdentity& source, const std::optional<SlotStatus>& slot);

  // Serves the collection by its current definition from its files, and has it follow. Null when
  // there are none. An error: they are of no use, and it is to be copied anew.
  Result<std::shared_ptr<TableFeed>> Restore(const std::shared_ptr<Collection>& collection);

  // Removes the files of collections that are not there any more, tells the applier where the
  // stream begins.
  void Finish();

 private:
  struct Found {
    Manifest manifest;
    bool is_wanted = false;
  };
  Status CheckUsable(const Manifest& manifest) const;
  Result<std::shared_ptr<TableFeed>> Load(const std::shared_ptr<Collection>& collection,
                                          const Manifest& manifest);

  const std::string database_, slot_name_;
  DataDir* const data_;
  ChangeApplier* const applier_;
  Checkpointer* const checkpointer_;
  std::vector<Found> found_;
  std::vector<CollectionKey> wanted_;  // those that Restore() was called for
  SystemIdentity source_;
  std::optional<SlotStatus> slot_;
  Lsn start_ = Lsn::kNone;  // the oldest that was restored
};

}  // namespace vectord

#endif

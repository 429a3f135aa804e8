// incarnation.h - the rows of a collection by one of its definitions, as its table changes.
//
// A rebuild makes a second incarnation beside the first: both follow the table, the first one
// answers, until the second takes its place.
//
//   Following --Serve()--> Serving
//       \---------\----Retire()--> Retired: publishes nothing any more, its rows are freed
//                         (also by itself, when Publish() failed: failure() says why)
//
// Threads: whoever holds mu. The applier holds it from the first to the last change of a
// transaction, so that a set is never made of half of one; a merge holds it to plan and to finish.
#ifndef VECTORD_COLLECTION_INCARNATION_H
#define VECTORD_COLLECTION_INCARNATION_H

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "daemon/base/mutex.h"
#include "daemon/base/status.h"
#include "daemon/collection/collection.h"
#include "daemon/collection/collection_writer.h"

namespace vectord {

// Up to where the stream of a source has been applied, to all incarnations: shared by those of one
// source.
using SharedPosition = std::shared_ptr<std::atomic<uint64_t>>;

class Incarnation {
 public:
  enum class State { kFollowing, kServing, kRetired };

  Incarnation(std::shared_ptr<Collection> collection, std::shared_ptr<const Definition> definition,
              SharedPosition stream_position);

  Mutex mu;

  // REQUIRES: not Retired.
  CollectionWriter& writer() REQUIRES(mu) { return *writer_; }
  State state() const REQUIRES(mu) { return state_; }
  // All that was committed before lsn has been applied. A smaller one than before changes nothing:
  // a stream behind the copy brings transactions that the copy holds.
  void NoteApplied(uint64_t lsn) REQUIRES(mu) { applied_lsn_ = std::max(applied_lsn_, lsn); }

  // Makes a set of what was applied, if that is anything, and publishes it when Serving. After an
  // error the incarnation is Retired. REQUIRES: not Retired.
  Status Publish() REQUIRES(mu);
  // Publishes the first set. REQUIRES: Following.
  Status Serve() REQUIRES(mu);
  // The same for rows that came from the disk.
  Status ServeRestored(uint64_t builds) REQUIRES(mu);
  // All that was applied, as it may be written to disk: true as of its as_of, whatever is applied
  // meanwhile. Null when there is nothing to write. REQUIRES: Serving.
  Result<std::shared_ptr<const SegmentSet>> Freeze() REQUIRES(mu);
  void Retire(Status failure = Status()) REQUIRES(mu);
  const Status& failure() const REQUIRES(mu) { return failure_; }

  // Rows from the disk that were not checked yet are not merged: that would write what is damaged
  // to a new file, with a checksum that says it is sound.
  void HoldMerges() REQUIRES(mu) { merges_held_ = true; }
  void AllowMerges() REQUIRES(mu) { merges_held_ = false; }
  bool merges_held() const REQUIRES(mu) { return merges_held_; }
  // For the control of merges: set when nobody wants them any more, also by Retire(). Any thread.
  const std::atomic<bool>* merges_cancelled() const { return &merges_cancelled_; }
  void CancelMerges() { merges_cancelled_ = true; }

  // For last_error; empty: no row was rejected.
  std::string RejectionText() const REQUIRES(mu);

  const std::shared_ptr<Collection>& collection() const { return collection_; }
  const std::shared_ptr<const Definition>& definition() const { return definition_; }

 private:
  Status PublishChanges(uint64_t applied_lsn) REQUIRES(mu);
  void BeginServing() REQUIRES(mu);
  // All commits before it have been applied.
  uint64_t AppliedLsn() const REQUIRES(mu);

  const std::shared_ptr<Collection> collection_;
  const std::shared_ptr<const Definition> definition_;
  const SharedPosition stream_position_;
  std::atomic<bool> merges_cancelled_{false};
  std::unique_ptr<CollectionWriter> writer_ GUARDED_BY(mu);
  State state_ GUARDED_BY(mu) = State::kFollowing;
  Status failure_ GUARDED_BY(mu);
  bool merges_held_ GUARDED_BY(mu) = false;
  uint64_t applied_lsn_ GUARDED_BY(mu) = 0;
  std::string shown_rejection_ GUARDED_BY(mu);
};

}  // namespace vectord

#endif

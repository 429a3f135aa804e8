// change_sink.h - who receives the changes of a source database.
//
// Threads: all calls come from the stream's thread, one at a time and never one within another, in
// commit order. DurableLsn() may be answered from what other threads (the checkpoint) have set.
#ifndef VECTORD_SOURCE_CHANGE_SINK_H
#define VECTORD_SOURCE_CHANGE_SINK_H

#include "daemon/base/status.h"
#include "daemon/source/pgoutput.h"
#include "daemon/source/relation_map.h"
#include "daemon/source/transaction.h"
#include "shared/ids.h"

namespace vectord {

class ChangeSink {
 public:
  virtual ~ChangeSink() = default;

  // A committed transaction, all of it. After an error the same transaction comes again, so what
  // was done of it must be undone or be harmless to repeat. Transactions without a change of
  // published tables do not come; Progress() tells of them.
  virtual Status Apply(const Transaction& transaction) = 0;

  // Every transaction with commit_lsn < applied_end has come, and been applied. Also after each
  // Apply(), with its end_lsn.
  virtual void Progress(Lsn applied_end) = 0;

  // All before this would survive a crash of this process, so the server may forget it. kNone:
  // nothing is durable. Never decreases, never greater than the last Progress().
  virtual Lsn DurableLsn() = 0;

  // A table was described for the first time (previous is null), or differently. An early notice:
  // it comes while the transaction that has the first such change is still being received; changes
  // name the description that is true for them.
  virtual Status OnRelation(const Relation& /*relation*/, const Relation* /*previous*/) {
    return {};
  }

  // Nothing more has arrived: the stream is about to wait. What was put off is to be done now.
  virtual void BeforeWait() {}

  // A logical message outside of any transaction. May come again after a lost connection.
  virtual Status OnMessage(const LogicalMessage& /*message*/) { return {}; }
};

}  // namespace vectord

#endif

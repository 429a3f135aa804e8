// transaction.h - one committed transaction of the source, as the stream hands it over.
#ifndef VECTORD_SOURCE_TRANSACTION_H
#define VECTORD_SOURCE_TRANSACTION_H

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "daemon/base/status.h"
#include "daemon/source/pgoutput.h"
#include "daemon/source/relation_map.h"
#include "shared/ids.h"

namespace vectord {

using vfdw::FullXid;

enum class ChangeKind {
  kInsert,
  kUpdate,
  kDelete,
  kTruncate,  // one for each table of a TRUNCATE
  kMessage    // transactional pg_logical_emit_message()
};

// Valid during the visit only. Values are as pgoutput.h describes them.
struct Change {
  ChangeKind kind = ChangeKind::kMessage;
  const Relation* relation = nullptr;  // as it was at this change; null for kMessage
  OldTuple old_kind = OldTuple::kNone;
  const Tuple* old_tuple = nullptr;  // null with OldTuple::kNone
  const Tuple* new_tuple = nullptr;  // of kInsert, kUpdate
  std::string_view prefix, content;  // of kMessage
  bool cascade = false;              // of kTruncate; the other tables come on their own
  std::string_view message;          // as it was received; empty for kTruncate
};

// The value that a column has after the change: that of the new tuple or, where this is kUnchanged,
// of the old one when it holds it. So kUnchanged remains only for what was not sent at all. A key
// column stored out of line arrives this way.
// REQUIRES: change.new_tuple != nullptr, position is one of both tuples.
inline const TupleValue& ValueAfter(const Change& change, size_t position,
                                    const Relation& relation) {
  const TupleValue& value = (*change.new_tuple)[position];
  if (value.kind != TupleValueKind::kUnchanged || change.old_tuple == nullptr) return value;
  const bool is_known =
      change.old_kind == OldTuple::kFull || relation.columns[position].in_identity;
  return is_known ? (*change.old_tuple)[position] : value;
}

struct TransactionInfo {
  FullXid xid = FullXid::kNobody;  // of the top-level transaction
  Lsn commit_lsn = Lsn::kNone;     // where its commit record starts: the order of commits
  Lsn end_lsn = Lsn::kNone;    // where it ends: all before this is applied with this transaction
  int64_t commit_time_us = 0;  // since 2000-01-01 UTC
  std::string origin;          // of a transaction that was itself replicated; else empty
  uint64_t changes = 0;
  uint64_t bytes = 0;  // of the changes as received
};

class Transaction {
 public:
  using Visitor = std::function<Status(const Change&)>;
  virtual ~Transaction() = default;
  virtual const TransactionInfo& info() const = 0;
  // Calls visit for each change in order; its first error ends the visit and is returned. May be
  // called several times. CANCELED when the stream is to stop.
  virtual Status ForEach(const Visitor& visit) const = 0;
  // Tells the server that we are alive. ForEach does so by itself; whoever waits for something
  // else while he holds the transaction must call this every second. CANCELED as above.
  virtual Status KeepAlive() const = 0;
};

}  // namespace vectord

#endif

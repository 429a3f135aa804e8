// change_decoder.h - from messages of pgoutput to transactions for a sink.
//
// Holds the order of things: what may follow what, what was applied, and up to where. Knows no
// connection, so it can be tested with bytes alone.
//
//   Outside --Begin--> Inside --Commit: Apply--> Outside
//      ^ BeginSession() from anywhere: the open transaction is forgotten, it will come again
//
// Invariant: position() is the end of what was applied; a transaction that committed before it is
// never applied again, whatever the server sends.
//
// Threads: one.
#ifndef VECTORD_SOURCE_CHANGE_DECODER_H
#define VECTORD_SOURCE_CHANGE_DECODER_H

#include <functional>
#include <memory>
#include <string_view>

#include "daemon/base/status.h"
#include "daemon/source/change_sink.h"
#include "daemon/source/pgoutput.h"
#include "daemon/source/relation_map.h"
#include "daemon/source/txn_buffer.h"

namespace vectord {

// Prefix of the logical message that we write to get the slot ahead. It never reaches the sink.
inline constexpr std::string_view kHeartbeatPrefix = "vectord.heartbeat";

class ChangeDecoder {
 public:
  struct Counters {
    uint64_t transactions = 0;  // applied
    uint64_t changes = 0;       // of them
    uint64_t spilled_bytes = 0;
    int64_t last_commit_time_us = 0;  // since 2000-01-01 UTC
  };

  // keep_alive as in TxnBuffer. What is pointed to outlives the decoder.
  ChangeDecoder(ChangeSink* sink, MemoryBudget* budget, FileSystem* files, TxnBufferOptions options,
                std::function<Status()> keep_alive);

  // The server will send what committed from start on. near_xid: an id of the present.
  void BeginSession(Lsn start, FullXid near_xid);

  // Takes one message. SOURCE_FAILED when it is malformed or not allowed here; else what the sink
  // or the buffer said. After an error only BeginSession() may follow.
  Status Decode(std::string_view message);
  // The server has sent all that it had to send before wal_end.
  void NoteServerPosition(Lsn wal_end);
  void NoteNearXid(FullXid near_xid) { near_xid_ = near_xid; }

  Lsn position() const { return position_; }
  bool in_transaction() const { return in_transaction_; }
  // The last error was the sink's.
  bool sink_failed() const { return sink_failed_; }
  const Counters& counters() const { return counters_; }

 private:
  Status Begin(const BeginMessage& begin);
  Status Commit(const CommitMessage& commit);
  Status AddRow(std::string_view message);
  Status AddTruncate();
  Status AddMessage(std::string_view message);
  Status Announce();
  Status RequireTransaction() const;
  Status FromSink(Status status);

  ChangeSink* const sink_;
  RelationMap relations_;
  TxnBuffer buffer_;
  PgOutputMessage message_;
  Lsn position_ = Lsn::kNone;
  FullXid near_xid_ = FullXid::kNobody;
  bool in_transaction_ = false;
  bool is_skipping_ = false;  // the transaction was applied before
  bool sink_failed_ = false;
  Counters counters_;
};

}  // namespace vectord

#endif

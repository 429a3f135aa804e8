// txn_buffer.h - the changes of the transaction that is being received, until it is committed.
//
// Changes are kept as they were received, in blocks of memory that a budget has granted. Beyond
// memory_limit_bytes, or when the budget refuses, all of them go to a file and the blocks are used
// again, so a transaction of any size needs only the disk. A visit reads the file first and then
// the blocks: that is the order of the changes.
//
//   Empty --Begin()--> Open --Commit()--> Committed --Reset()--> Empty
//                        \------------------Reset()------------>/     (a lost connection)
//
// After an error of Append or Commit only Reset is allowed. The file is scratch: it is never
// synced, means nothing after a crash, and the next one replaces it.
//
// Threads: one.
#ifndef VECTORD_SOURCE_TXN_BUFFER_H
#define VECTORD_SOURCE_TXN_BUFFER_H

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/file.h"
#include "daemon/base/memory_budget.h"
#include "daemon/base/status.h"
#include "daemon/source/relation_map.h"
#include "daemon/source/transaction.h"

namespace vectord {

struct TxnBufferOptions {
  size_t memory_limit_bytes = 64 << 20;
  size_t block_bytes = 256 << 10;
  std::string spill_path;  // of a file that nobody else uses
};

class TxnBuffer final : public Transaction {
 public:
  // keep_alive is called now and then during a visit; its error ends the visit.
  // budget and files outlive the buffer.
  TxnBuffer(MemoryBudget* budget, FileSystem* files, TxnBufferOptions options,
            std::function<Status()> keep_alive);
  ~TxnBuffer() override;

  // REQUIRES: Empty.
  void Begin(FullXid xid, Lsn commit_lsn, int64_t commit_time_us);
  void SetOrigin(std::string_view origin) { info_.origin = origin; }

  // A message of kind insert, update, delete (with its relation) or a transactional logical message
  // (without). REQUIRES: Open, and ParsePgOutput() has accepted the message.
  Status Append(std::string_view message, const std::shared_ptr<const Relation>& relation);
  Status AppendTruncate(const std::shared_ptr<const Relation>& relation, bool cascade);

  // REQUIRES: Open. On success the buffer is a Transaction.
  Status Commit(Lsn end_lsn);
  void Reset();

  bool open() const { return state_ == State::kOpen; }
  size_t memory_bytes() const { return memory_.bytes(); }
  uint64_t spilled_bytes() const { return spilled_bytes_; }

  const TransactionInfo& info() const override { return info_; }
  Status ForEach(const Visitor& visit) const override;  // REQUIRES: Committed
  Status KeepAlive() const override { return keep_alive_(); }

 private:
  enum class State { kEmpty, kOpen, kCommitted };
  struct Block {
    std::unique_ptr<char[]> bytes;
    size_t used = 0, capacity = 0;
    size_t room() const { return capacity - used; }
  };
  struct RecordHead;
  class Visit;

  Status AppendRecord(RecordHead head, std::string_view message);
  Status MakeRoom(size_t bytes, bool* is_in_memory);
  Status AddBlock(size_t capacity);
  Status Spill();
  Status SpillBytes(std::string_view bytes);
  uint32_t NumberOf(const std::shared_ptr<const Relation>& relation);
  void DropBlocks(size_t keep);
  Status VisitFile(Visit* visit) const;

  MemoryBudget* const budget_;
  FileSystem* const files_;
  const TxnBufferOptions options_;
  const std::function<Status()> keep_alive_;

  State state_ = State::kEmpty;
  TransactionInfo info_;
  std::vector<std::shared_ptr<const Relation>>
      relations_;                      // each description that changes refer to
  MemoryReservation memory_;           // of blocks_
  std::vector<Block> blocks_;          // only the last one is filled further
  std::unique_ptr<AppendFile> spill_;  // open while Open, once it is needed
  uint64_t spilled_bytes_ = 0;
};

}  // namespace vectord

#endif

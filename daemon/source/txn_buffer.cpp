// txn_buffer.cpp - see txn_buffer.h.
//
// In memory and in the file stands a sequence of records: a RecordHead, then the message. A record
// never crosses two blocks. The head is in this machine's byte order, for it never leaves it.
#include "daemon/source/txn_buffer.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

namespace vectord {

struct TxnBuffer::RecordHead {
  static constexpr uint32_t kNoRelation = UINT32_MAX;
  static constexpr uint32_t kTruncate = 1;  // has no message
  static constexpr uint32_t kCascade = 2;
  uint32_t message_bytes = 0;
  uint32_t relation = kNoRelation;  // an index of relations_
  uint32_t flags = 0;
};

namespace {

// PostgreSQL cannot make a larger message.
constexpr size_t kMaxMessageBytes = 0x40000000;
constexpr size_t kReadBytes = 256 << 10;
constexpr uint64_t kChangesPerKeepAlive = 32;

Status SpillIsCorrupt() {
  return Status(ErrorCode::CORRUPT,
                "the file of a large transaction does not hold what was written",
                "A record of the file has an impossible length or content.");
}

ChangeKind KindOf(PgOutputKind kind) {
  switch (kind) {
    case PgOutputKind::kInsert:
      return ChangeKind::kInsert;
    case PgOutputKind::kUpdate:
      return ChangeKind::kUpdate;
    case PgOutputKind::kDelete:
      return ChangeKind::kDelete;
    default:
      return ChangeKind::kMessage;
  }
}

}  // namespace

// One pass over the records: it decodes them and calls the visitor.
class TxnBuffer::Visit {
 public:
  Visit(const TxnBuffer& buffer, const Visitor& visitor) : buffer_(buffer), visitor_(visitor) {}

  // Visits the whole records at the start of bytes, and takes them away. *missing is how many bytes
  // a record that was cut off lacks; 0: none was.
  Status Records(std::string_view* bytes, size_t* missing) {
    *missing = 0;
    while (!bytes->empty()) {
      RecordHead head;
      if (bytes->size() < sizeof(head)) {
        *missing = sizeof(head) - bytes->size();
        return {};
      }
      memcpy(&head, bytes->data(), sizeof(head));
      if (head.message_bytes > kMaxMessageBytes) return SpillIsCorrupt();
      const size_t record_bytes = sizeof(head) + head.message_bytes;
      if (bytes->size() < record_bytes) {
        *missing = record_bytes - bytes->size();
        return {};
      }
      VFDW_RETURN_IF_ERROR(Record(head, bytes->substr(sizeof(head), head.message_bytes)));
      bytes->remove_prefix(record_bytes);
    }
    return {};
  }

 private:
  Status Record(const RecordHead& head, std::string_view bytes) {
    if (visited_++ % kChangesPerKeepAlive == 0) VFDW_RETURN_IF_ERROR(buffer_.KeepAlive());
    Change change;
    if (head.relation != RecordHead::kNoRelation) {
      if (head.relation >= buffer_.relations_.size()) return SpillIsCorrupt();
      change.relation = buffer_.relations_[head.relation].get();
    }
    if (head.flags & RecordHead::kTruncate) {
      change.kind = ChangeKind::kTruncate;
      change.cascade = (head.flags & RecordHead::kCascade) != 0;
      return visitor_(change);
    }
    VFDW_RETURN_IF_ERROR(ParsePgOutput(bytes, &message_));
    change.message = bytes;
    change.kind = KindOf(message_.kind);
    if (change.kind == ChangeKind::kMessage) {
      change.prefix = message_.message.prefix;
      change.content = message_.message.content;
      return visitor_(change);
    }
    if (change.relation == nullptr) return SpillIsCorrupt();
    change.old_kind = message_.row.old_kind;
    if (change.old_kind != OldTuple::kNone) change.old_tuple = &message_.row.old_tuple;
    if (change.kind != ChangeKind::kDelete) change.new_tuple = &message_.row.new_tuple;
    return visitor_(change);
  }

  const TxnBuffer& buffer_;
  const Visitor& visitor_;
  PgOutputMessage message_;
  uint64_t visited_ = 0;
};

TxnBuffer::TxnBuffer(MemoryBudget* budget, FileSystem* files, TxnBufferOptions options,
                     std::function<Status()> keep_alive)
    : budget_(budget),
      files_(files),
      options_(std::move(options)),
      keep_alive_(std::move(keep_alive)) {}

TxnBuffer::~TxnBuffer() { Reset(); }

void TxnBuffer::Begin(FullXid xid, Lsn commit_lsn, int64_t commit_time_us) {
  assert(state_ == State::kEmpty);
  info_.xid = xid;
  info_.commit_lsn = commit_lsn;
  info_.commit_time_us = commit_time_us;
  state_ = State::kOpen;
}

Status TxnBuffer::Append(std::string_view message,
                         const std::shared_ptr<const Relation>& relation) {
  RecordHead head;
  if (relation != nullptr) head.relation = NumberOf(relation);
  return AppendRecord(head, message);
}

Status TxnBuffer::AppendTruncate(const std::shared_ptr<const Relation>& relation, bool cascade) {
  RecordHead head;
  head.relation = NumberOf(relation);
  head.flags = RecordHead::kTruncate | (cascade ? RecordHead::kCascade : 0);
  return AppendRecord(head, {});
}

uint32_t TxnBuffer::NumberOf(const std::shared_ptr<const Relation>& relation) {
  // From the end: changes of one table mostly follow each other.
  for (size_t i = relations_.size(); i > 0; i--)
    if (relations_[i - 1] == relation) return static_cast<uint32_t>(i - 1);
  relations_.push_back(relation);
  return static_cast<uint32_t>(relations_.size() - 1);
}

Status TxnBuffer::AppendRecord(RecordHead head, std::string_view message) {
  assert(state_ == State::kOpen);
  if (message.size() > kMaxMessageBytes)
    return Status(ErrorCode::SOURCE_FAILED, "the source sent a change that is too long",
                  "It has " + std::to_string(message.size()) + " bytes.");
  head.message_bytes = static_cast<uint32_t>(message.size());
  const std::string_view head_bytes(reinterpret_cast<const char*>(&head), sizeof(head));
  const size_t record_bytes = head_bytes.size() + message.size();
  bool is_in_memory = false;
  VFDW_RETURN_IF_ERROR(MakeRoom(record_bytes, &is_in_memory));
  if (is_in_memory) {
    Block& block = blocks_.back();
    char* const to = block.bytes.get() + block.used;
    memcpy(to, head_bytes.data(), head_bytes.size());
    if (!message.empty()) memcpy(to + head_bytes.size(), message.data(), message.size());
    block.used += record_bytes;
  } else {
    VFDW_RETURN_IF_ERROR(SpillBytes(head_bytes));
    VFDW_RETURN_IF_ERROR(SpillBytes(message));
  }
  info_.changes++;
  info_.bytes += message.size();
  return {};
}

// Afterwards the last block has room for the bytes, or none has and they belong to the file.
Status TxnBuffer::MakeRoom(size_t bytes, bool* is_in_memory) {
  *is_in_memory = true;
  if (!blocks_.empty() && blocks_.back().room() >= bytes) return {};
  const size_t capacity = std::max(options_.block_bytes, bytes);
  Status refused;
  if (memory_.bytes() + capacity <= options_.memory_limit_bytes) {
    refused = AddBlock(capacity);
    if (refused.ok()) return {};
  }
  // Without a block every change would be a write, and there is no memory to read them again.
  if (blocks_.empty() && !refused.ok()) return refused;
  VFDW_RETURN_IF_ERROR(Spill());
  *is_in_memory = !blocks_.empty() && blocks_.back().room() >= bytes;
  return {};
}

Status TxnBuffer::AddBlock(size_t capacity) {
  if (memory_.bytes() == 0) {
    VFDW_ASSIGN_OR_RETURN(memory_, budget_->Reserve(capacity, "changes of a transaction"));
  } else {
    VFDW_RETURN_IF_ERROR(memory_.Resize(memory_.bytes() + capacity));
  }
  // Not value-initialised: each byte is written before it is read.
  blocks_.push_back({std::unique_ptr<char[]>(new char[capacity]), 0, capacity});
  return {};
}

// Writes all blocks to the file and keeps the first, empty.
Status TxnBuffer::Spill() {
  for (const Block& block : blocks_)
    VFDW_RETURN_IF_ERROR(SpillBytes({block.bytes.get(), block.used}));
  DropBlocks(1);
  return {};
}

Status TxnBuffer::SpillBytes(std::string_view bytes) {
  if (bytes.empty()) return {};
  if (spill_ == nullptr) {
    VFDW_ASSIGN_OR_RETURN(spill_, files_->Create(options_.spill_path));
  }
  spilled_bytes_ += bytes.size();
  return spill_->Append(bytes);
}

void TxnBuffer::DropBlocks(size_t keep) {
  // A block of unusual size is not worth keeping.
  if (!blocks_.empty() && blocks_[0].capacity > options_.block_bytes) keep = 0;
  blocks_.resize(std::min(keep, blocks_.size()));
  size_t kept_bytes = 0;
  for (Block& block : blocks_) {
    block.used = 0;
    kept_bytes += block.capacity;
  }
  if (kept_bytes == 0)
    memory_.Release();
  else
    (void)memory_.Resize(kept_bytes);  // shrinking never fails
}

Status TxnBuffer::Commit(Lsn end_lsn) {
  assert(state_ == State::kOpen);
  if (spill_ != nullptr) {
    // The tail goes to the file too: what it occupied serves for reading.
    VFDW_RETURN_IF_ERROR(Spill());
    VFDW_RETURN_IF_ERROR(spill_->Close());
    spill_.reset();
  }
  info_.end_lsn = end_lsn;
  state_ = State::kCommitted;
  return {};
}

void TxnBuffer::Reset() {
  spill_.reset();
  if (spilled_bytes_ > 0) (void)files_->Remove(options_.spill_path);  // the next one replaces it
  spilled_bytes_ = 0;
  DropBlocks(1);
  relations_.clear();
  info_ = TransactionInfo();
  state_ = State::kEmpty;
}

Status TxnBuffer::ForEach(const Visitor& visitor) const {
  assert(state_ == State::kCommitted);
  Visit visit(*this, visitor);
  if (spilled_bytes_ > 0) VFDW_RETURN_IF_ERROR(VisitFile(&visit));
  for (const Block& block : blocks_) {
    std::string_view bytes(block.bytes.get(), block.used);
    size_t missing = 0;
    VFDW_RETURN_IF_ERROR(visit.Records(&bytes, &missing));
    assert(missing == 0);
  }
  return {};
}

// Reads ahead by kReadBytes, or by one record when it is longer.
Status TxnBuffer::VisitFile(Visit* visit) const {
  VFDW_ASSIGN_OR_RETURN(const std::unique_ptr<ReadFile> file, files_->Open(options_.spill_path));
  if (file->size() != spilled_bytes_) return SpillIsCorrupt();
  VFDW_ASSIGN_OR_RETURN(MemoryReservation memory,
                        budget_->Reserve(kReadBytes, "reading a large transaction"));
  std::vector<char> window(kReadBytes);
  size_t held = 0, missing = 0;
  for (uint64_t offset = 0; offset < spilled_bytes_;) {
    if (held + missing > window.size()) {
      VFDW_RETURN_IF_ERROR(memory.Resize(held + missing));
      window.resize(held + missing);
    }
    const size_t count = std::min<uint64_t>(window.size() - held, spilled_bytes_ - offset);
    if (count < missing) return SpillIsCorrupt();
    VFDW_RETURN_IF_ERROR(file->ReadAt(offset, count, window.data() + held));
    offset += count;
    std::string_view bytes(window.data(), held + count);
    VFDW_RETURN_IF_ERROR(visit->Records(&bytes, &missing));
    memmove(window.data(), bytes.data(), bytes.size());
    held = bytes.size();
  }
  return missing == 0 ? Status() : SpillIsCorrupt();
}

}  // namespace vectord

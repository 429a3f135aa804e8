// change_decoder.cpp - see change_decoder.h.
#include "daemon/source/change_decoder.h"

#include <algorithm>
#include <string>
#include <utility>

#include "daemon/base/lsn_text.h"
#include "daemon/source/full_xid.h"

namespace vectord {
namespace {

Status OutOfOrder(const std::string& detail) {
  return Status(ErrorCode::SOURCE_FAILED, "the source sent a change that does not belong there",
                detail);
}

}  // namespace

ChangeDecoder::ChangeDecoder(ChangeSink* sink, MemoryBudget* budget, FileSystem* files,
                             TxnBufferOptions options, std::function<Status()> keep_alive)
    : sink_(sink), buffer_(budget, files, std::move(options), std::move(keep_alive)) {}

void ChangeDecoder::BeginSession(Lsn start, FullXid near_xid) {
  buffer_.Reset();
  relations_.BeginSession();
  in_transaction_ = is_skipping_ = sink_failed_ = false;
  position_ = std::max(position_, start);
  near_xid_ = near_xid;
}

void ChangeDecoder::NoteServerPosition(Lsn wal_end) {
  // Within a transaction the server is at its commit record, and has not sent it yet.
  if (in_transaction_ || wal_end <= position_) return;
  position_ = wal_end;
  sink_->Progress(position_);
}

Status ChangeDecoder::Decode(std::string_view message) {
  VFDW_RETURN_IF_ERROR(ParsePgOutput(message, &message_));
  switch (message_.kind) {
    case PgOutputKind::kBegin:
      return Begin(message_.begin);
    case PgOutputKind::kCommit:
      return Commit(message_.commit);
    case PgOutputKind::kOrigin:
      VFDW_RETURN_IF_ERROR(RequireTransaction());
      if (!is_skipping_) buffer_.SetOrigin(message_.origin.name);
      return {};
    case PgOutputKind::kRelation:
      return Announce();
    case PgOutputKind::kType:
      return {};  // values come in the binary form of types that we know by their OID, or not at
                  // all
    case PgOutputKind::kInsert:
    case PgOutputKind::kUpdate:
    case PgOutputKind::kDelete:
      return AddRow(message);
    case PgOutputKind::kTruncate:
      return AddTruncate();
    case PgOutputKind::kMessage:
      return AddMessage(message);
  }
  return {};
}

Status ChangeDecoder::RequireTransaction() const {
  return in_transaction_ ? Status() : OutOfOrder("It came outside of any transaction.");
}

Status ChangeDecoder::FromSink(Status status) {
  sink_failed_ = !status.ok();
  return status;
}

Status ChangeDecoder::Begin(const BeginMessage& begin) {
  if (in_transaction_) return OutOfOrder("A transaction began before the last one was committed.");
  in_transaction_ = true;
  is_skipping_ = begin.commit_lsn < position_;
  if (is_skipping_) return {};
  const FullXid xid = ExtendXid(begin.xid, near_xid_);
  near_xid_ = std::max(near_xid_, xid);
  buffer_.Begin(xid, begin.commit_lsn, begin.commit_time_us);
  return {};
}

Status ChangeDecoder::Commit(const CommitMessage& commit) {
  VFDW_RETURN_IF_ERROR(RequireTransaction());
  if (commit.end_lsn <= commit.commit_lsn)
    return OutOfOrder("A commit ends at " + LsnText(commit.end_lsn) + ", before it starts.");
  if (!is_skipping_) {
    if (commit.commit_lsn != buffer_.info().commit_lsn)
      return OutOfOrder("The transaction was to be committed at " +
                        LsnText(buffer_.info().commit_lsn) + ", not at " +
                        LsnText(commit.commit_lsn) + ".");
    if (buffer_.info().changes > 0) {
      VFDW_RETURN_IF_ERROR(buffer_.Commit(commit.end_lsn));
      VFDW_RETURN_IF_ERROR(FromSink(sink_->Apply(buffer_)));
      counters_.transactions++;
      counters_.changes += buffer_.info().changes;
      counters_.spilled_bytes += buffer_.spilled_bytes();
    }
    counters_.last_commit_time_us = commit.commit_time_us;
    buffer_.Reset();
  }
  in_transaction_ = is_skipping_ = false;
  NoteServerPosition(commit.end_lsn);
  return {};
}

Status ChangeDecoder::Announce() {
  const RelationMap::Announcement announcement = relations_.Announce(message_.relation);
  if (!announcement.changed()) return {};
  return FromSink(sink_->OnRelation(*announcement.relation, announcement.previous.get()));
}

Status ChangeDecoder::AddRow(std::string_view message) {
  VFDW_RETURN_IF_ERROR(RequireTransaction());
  const RowMessage& row = message_.row;
  const auto relation = relations_.Find(row.relation_id);
  if (relation == nullptr)
    return OutOfOrder("Table " + std::to_string(row.relation_id) + " has not been described.");
  const size_t columns = relation->columns.size();
  const bool has_new = message_.kind != PgOutputKind::kDelete;
  const bool has_old = row.old_kind != OldTuple::kNone;
  if ((has_new && row.new_tuple.size() != columns) || (has_old && row.old_tuple.size() != columns))
    return OutOfOrder("Its number of columns is not that of table \"" + relation->QualifiedName() +
                      "\".");
  return is_skipping_ ? Status() : buffer_.Append(message, relation);
}

Status ChangeDecoder::AddTruncate() {
  VFDW_RETURN_IF_ERROR(RequireTransaction());
  for (const uint32_t id : message_.truncate.relation_ids) {
    const auto relation = relations_.Find(id);
    if (relation == nullptr)
      return OutOfOrder("Table " + std::to_string(id) + " has not been described.");
    if (is_skipping_) continue;
    VFDW_RETURN_IF_ERROR(buffer_.AppendTruncate(relation, message_.truncate.cascade));
  }
  return {};
}

Status ChangeDecoder::AddMessage(std::string_view message) {
  const LogicalMessage& logical = message_.message;
  if (!logical.transactional) {
    if (logical.prefix == kHeartbeatPrefix) return {};
    return FromSink(sink_->OnMessage(logical));
  }
  VFDW_RETURN_IF_ERROR(RequireTransaction());
  if (is_skipping_ || logical.prefix == kHeartbeatPrefix) return {};
  return buffer_.Append(message, nullptr);
}

}  // namespace vectord

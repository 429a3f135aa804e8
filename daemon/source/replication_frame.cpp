// replication_frame.cpp - see replication_frame.h.
#include "daemon/source/replication_frame.h"

#include "daemon/source/big_endian_reader.h"

namespace vectord {
namespace {

void AppendBig64(uint64_t value, std::string* bytes) {
  for (int shift = 56; shift >= 0; shift -= 8) bytes->push_back(static_cast<char>(value >> shift));
}

}  // namespace

Status ParseReplicationFrame(std::string_view bytes, ReplicationFrame* frame) {
  BigEndianReader reader(bytes);
  frame->kind = static_cast<ReplicationFrame::Kind>(reader.Int8());
  bool complete = false;
  switch (frame->kind) {
    case ReplicationFrame::Kind::kData:
      frame->data_start = static_cast<Lsn>(reader.Int64());
      frame->wal_end = static_cast<Lsn>(reader.Int64());
      frame->sent_at_us = static_cast<int64_t>(reader.Int64());
      frame->reply_requested = false;
      complete = !reader.failed();
      frame->data = reader.Bytes(reader.remaining());
      break;
    case ReplicationFrame::Kind::kKeepalive:
      frame->data_start = Lsn::kNone;
      frame->wal_end = static_cast<Lsn>(reader.Int64());
      frame->sent_at_us = static_cast<int64_t>(reader.Int64());
      frame->reply_requested = reader.Int8() != 0;
      frame->data = {};
      complete = reader.done();
      break;
  }
  if (complete) return {};
  return Status(ErrorCode::SOURCE_FAILED, "the source sent a frame that cannot be read",
                "It has " + std::to_string(bytes.size()) +
                    " bytes and is neither WAL data nor a keepalive of the replication protocol.");
}

std::string EncodeStandbyStatus(const StandbyStatus& status) {
  std::string bytes(1, 'r');
  AppendBig64(static_cast<uint64_t>(status.written), &bytes);
  AppendBig64(static_cast<uint64_t>(status.flushed), &bytes);
  AppendBig64(static_cast<uint64_t>(status.applied), &bytes);
  AppendBig64(static_cast<uint64_t>(status.sent_at_us), &bytes);
  bytes.push_back(status.reply_requested ? 1 : 0);
  return bytes;
}

}  // namespace vectord

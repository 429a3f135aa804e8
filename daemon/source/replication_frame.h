// replication_frame.h - the frames that go to and fro while a replication stream runs.
//
// The server sends XLogData and keepalives, we send standby status updates
// (https://www.postgresql.org/docs/current/protocol-replication.html). Pure functions; any input is
// safe, and views point into it. Times are microseconds since 2000-01-01 UTC.
#ifndef VECTORD_SOURCE_REPLICATION_FRAME_H
#define VECTORD_SOURCE_REPLICATION_FRAME_H

#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/base/status.h"
#include "shared/ids.h"

namespace vectord {

using vfdw::Lsn;

struct ReplicationFrame {
  enum class Kind : char { kData = 'w', kKeepalive = 'k' };
  Kind kind = Kind::kKeepalive;
  Lsn data_start = Lsn::kNone;  // of kData
  // kKeepalive: all that the server had to send of the WAL before this has been sent. (In kData it
  // says no such thing: a transaction is sent with the position of each of its changes.)
  Lsn wal_end = Lsn::kNone;
  int64_t sent_at_us = 0;
  bool reply_requested = false;  // of kKeepalive
  std::string_view data;         // of kData: a message of the output plugin
};

// SOURCE_FAILED for what is no such frame; then *frame is undefined.
Status ParseReplicationFrame(std::string_view bytes, ReplicationFrame* frame);

struct StandbyStatus {
  Lsn written = Lsn::kNone;  // received
  Lsn flushed = Lsn::kNone;  // durable here: the server may forget all before it
  Lsn applied = Lsn::kNone;
  int64_t sent_at_us = 0;
  bool reply_requested = false;
};

std::string EncodeStandbyStatus(const StandbyStatus& status);

// Of a time in microseconds since 1970-01-01 UTC, and back.
constexpr int64_t kPostgresEpochUnixUs = 946684800LL * 1000000;

}  // namespace vectord

#endif

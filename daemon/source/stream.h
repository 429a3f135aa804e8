// stream.h - follows one source database: the thread that receives its changes.
//
//   Connecting --checks passed, START_REPLICATION--> Streaming
//       ^  \--a fault that does not pass--> Failed      |
//       '--any fault that may pass, after a back-off----'
//   from each state: Stop() --> Stopped
//
// The first session starts at the sink's DurableLsn(), later ones where the last has ended. The
// server is told to forget only what is durable. After a fault that does not pass (stream_fault.h)
// the thread ends: the owner cures it (new slot, new copies) and starts another stream.
//
// An idle source costs next to nothing: the thread sleeps, answers the server's keepalives, and
// looks every status_interval, or as often as is saved, whether more has become durable. When only
// other databases of the cluster are written to, the server's keepalives move us on; should the
// slot nevertheless keep more than heartbeat_after_bytes, a logical message is written to get it
// ahead.
//
// Threads: Start(), Stop() by the owner; RequestStop(), status() by any. Calls of the sink come
// from the stream's thread; it must not stop the stream there (RequestStop() is allowed).
#ifndef VECTORD_SOURCE_STREAM_H
#define VECTORD_SOURCE_STREAM_H

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "daemon/base/file.h"
#include "daemon/base/memory_budget.h"
#include "daemon/base/metrics.h"
#include "daemon/base/mutex.h"
#include "daemon/base/status.h"
#include "daemon/source/backoff.h"
#include "daemon/source/change_decoder.h"
#include "daemon/source/change_sink.h"
#include "daemon/source/replication_connection.h"
#include "daemon/source/replication_frame.h"
#include "daemon/source/slot.h"
#include "daemon/source/stop_signal.h"
#include "daemon/source/stream_fault.h"

namespace vectord {

struct StreamOptions {
  std::string dsn;
  std::string slot;
  std::vector<std::string> publications;
  ExpectedSource expected;
  TxnBufferOptions buffer;  // its spill_path belongs to this stream

  std::chrono::milliseconds status_interval{std::chrono::seconds(10)};
  // Another bound of it, which may change while the stream runs; null: none.
  const std::atomic<std::chrono::milliseconds>* checkpoint_interval = nullptr;
  Counter* failures = nullptr;  // connections lost or refused; null: they are not counted
  // A server that says nothing for so long is given up. It is asked for a sign of life at the half.
  std::chrono::milliseconds silence_limit{std::chrono::seconds(60)};
  std::chrono::milliseconds first_backoff{100};
  std::chrono::milliseconds longest_backoff{std::chrono::seconds(30)};
  uint64_t heartbeat_after_bytes = 256 << 20;
};

enum class StreamState { kConnecting, kStreaming, kFailed, kStopped };

struct StreamStatus {
  StreamState state = StreamState::kConnecting;
  StreamProblem problem;  // why it is not streaming, or kNone
  SystemIdentity source;  // of the last connection
  int server_version = 0;
  Lsn received_lsn = Lsn::kNone;  // of the server's WAL, what it has told us of
  Lsn applied_lsn = Lsn::kNone;
  Lsn confirmed_lsn = Lsn::kNone;  // what the server was told to forget
  std::optional<SlotStatus> slot;  // when it was last looked at
  std::string warning;             // of the WAL that it keeps, for people; empty: all is well
  ChangeDecoder::Counters counters;
  uint64_t sessions = 0;
  uint64_t heartbeats = 0;
};

class ChangeStream {
 public:
  // What is pointed to outlives the stream.
  ChangeStream(StreamOptions options, ChangeSink* sink, MemoryBudget* budget, FileSystem* files);
  ~ChangeStream() { Stop(); }
  ChangeStream(const ChangeStream&) = delete;
  ChangeStream& operator=(const ChangeStream&) = delete;

  Status Start();
  void RequestStop() { stop_.Request(); }
  // Returns within a second, unless the sink takes longer to come back from Apply().
  void Stop();
  StreamStatus status() const;

 private:
  using TimePoint = std::chrono::steady_clock::time_point;

  void Run();
  StreamProblem RunSession();
  StreamProblem OpenSession();
  StreamProblem CheckServer(Lsn* start, FullXid* near_xid);
  StreamProblem ReceiveLoop();
  StreamProblem HandleFrame(std::string_view bytes);
  StreamProblem HandleKeepalive(const ReplicationFrame& frame);
  StreamProblem ProblemOf(const Status& status) const;
  bool IsServerStopping(const ReplicationFrame& frame);

  std::chrono::milliseconds StatusInterval() const;
  Status KeepAlive();
  Status SendStatus(bool asks_for_reply);
  Status SendStatus(bool asks_for_reply, Lsn durable_lsn);
  Status SendStatusIfDue();
  Status PingIfSilent();
  void LookAfterSlot();
  Status ReadSlotAndBeat();
  void WarnAboutSlot(const SlotStatus& slot);
  void NoteProblem(const StreamProblem& problem, StreamState state);
  void NoteProgress();

  const StreamOptions options_;
  ChangeSink* const sink_;
  StopSignal stop_;
  std::thread thread_;

  // Of the stream's thread.
  ChangeDecoder decoder_;
  Backoff backoff_;
  std::unique_ptr<ReplicationConnection> connection_;
  std::chrono::milliseconds allowed_interval_;  // as the server's time-out allows
  bool is_standby_ = false;
  Lsn received_lsn_ = Lsn::kNone;
  StandbyStatus sent_;  // the last status that was sent
  TimePoint began_at_, sent_at_, heard_at_, asked_at_;
  Lsn slot_seen_at_ = Lsn::kNone;  // received_lsn_ when the slot was last looked at
  TimePoint slot_looked_at_;
  Lsn beat_at_ = Lsn::kNone;   // received_lsn_ at the last heartbeat
  int urgent_keepalives_ = 0;  // that asked for a reply, one right after the other
  TimePoint urgent_since_;
  uint64_t warned_at_bytes_ = 0;
  StreamFault logged_fault_ = StreamFault::kNone;

  mutable Mutex mu_;
  StreamStatus status_ GUARDED_BY(mu_);
};

}  // namespace vectord

#endif

// stream_fault.h - why a stream of changes cannot go on, and whether waiting helps.
//
// The check before a stream starts is here too: is this server, with this slot, the one whose
// changes we hold up to `start`? Starting at the wrong one would lose or invent rows without any
// error: a server that is asked for less than its slot has confirmed skips ahead silently, and one
// restored from a backup has other rows at the same positions. Pure computation.
#ifndef VECTORD_SOURCE_STREAM_FAULT_H
#define VECTORD_SOURCE_STREAM_FAULT_H

#include <cstdint>
#include <optional>
#include <string>

#include "daemon/base/status.h"
#include "daemon/source/slot.h"

namespace vectord {

enum class StreamFault {
  kNone,
  // These pass, or are cured from outside; the stream tries again.
  kUnreachable,  // no connection, or it was lost
  kRefused,      // the server refuses for a reason that a person must remove
  kSlotBusy,     // another walsender reads the slot: ours of before, or another daemon's
  kMalformed,    // what the server sent could not be read
  kSinkFailed,   // what was received could not be applied, or had no room
  kInRecovery,   // the server's WAL ends before what we hold, but it still replays some
  // These do not pass by themselves: what was built from the stream must be built anew.
  kUnsupportedServer,  // older than PostgreSQL 14
  kOtherSystem,        // another cluster
  kOtherTimeline,      // the cluster was promoted or restored
  kOtherDatabase,      // the slot is of another database, or no slot of ours
  kServerBehind,       // the server's WAL ends before what we hold: it was restored
  kSlotMissing,
  kSlotLost,            // the server has removed WAL that we need
  kSlotAhead,           // the slot has confirmed more than we hold
  kPublicationMissing,  // or it was made after the slot: the slot cannot see it
};

const char* StreamFaultName(StreamFault fault);  // "slot lost"
bool MayPass(StreamFault fault);

// The server that the rows we hold came from. Zero or empty: not known yet, any will do.
struct ExpectedSource {
  uint64_t system_identifier = 0;
  uint32_t timeline = 0;
};

struct StreamProblem {
  StreamFault fault = StreamFault::kNone;
  Status status;  // not OK unless kNone
};

// start: what we hold; kNone: nothing, so any position of the slot will do.
StreamProblem CheckSource(const ExpectedSource& expected, const SystemIdentity& actual, Lsn start);
StreamProblem CheckSlot(const std::string& slot_name, const std::optional<SlotStatus>& slot,
                        const std::string& database, Lsn start);

}  // namespace vectord

#endif

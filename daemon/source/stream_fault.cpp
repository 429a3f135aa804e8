// stream_fault.cpp - see stream_fault.h.
#include "daemon/source/stream_fault.h"

namespace vectord {
namespace {

StreamProblem Problem(StreamFault fault, std::string message, std::string detail,
                      std::string hint = {}) {
  return {fault,
          Status(ErrorCode::SOURCE_FAILED, std::move(message), std::move(detail), std::move(hint))};
}

std::string Slot(const std::string& name) { return "replication slot \"" + name + "\""; }

}  // namespace

const char* StreamFaultName(StreamFault fault) {
  switch (fault) {
    case StreamFault::kNone:
      return "none";
    case StreamFault::kUnreachable:
      return "unreachable";
    case StreamFault::kRefused:
      return "refused";
    case StreamFault::kSlotBusy:
      return "slot busy";
    case StreamFault::kMalformed:
      return "malformed";
    case StreamFault::kSinkFailed:
      return "not applied";
    case StreamFault::kInRecovery:
      return "in recovery";
    case StreamFault::kUnsupportedServer:
      return "unsupported server";
    case StreamFault::kOtherSystem:
      return "other system";
    case StreamFault::kOtherTimeline:
      return "other timeline";
    case StreamFault::kOtherDatabase:
      return "other database";
    case StreamFault::kServerBehind:
      return "server behind";
    case StreamFault::kSlotMissing:
      return "slot missing";
    case StreamFault::kSlotLost:
      return "slot lost";
    case StreamFault::kSlotAhead:
      return "slot ahead";
    case StreamFault::kPublicationMissing:
      return "publication missing";
  }
  return "unknown";
}

bool MayPass(StreamFault fault) {
  switch (fault) {
    case StreamFault::kNone:
    case StreamFault::kUnreachable:
    case StreamFault::kRefused:
    case StreamFault::kSlotBusy:
    case StreamFault::kMalformed:
    case StreamFault::kSinkFailed:
    case StreamFault::kInRecovery:
      return true;
    default:
      return false;
  }
}

StreamProblem CheckSource(const ExpectedSource& expected, const SystemIdentity& actual, Lsn start) {
  if (expected.system_identifier != 0 && expected.system_identifier != actual.system_identifier)
    return Problem(StreamFault::kOtherSystem, "the source is another database system than before",
                   "Its identifier is " + std::to_string(actual.system_identifier) + ", not " +
                       std::to_string(expected.system_identifier) + ".");
  if (expected.timeline != 0 && expected.timeline != actual.timeline)
    return Problem(StreamFault::kOtherTimeline, "the source was promoted or restored",
                   "Its timeline is " + std::to_string(actual.timeline) + ", not " +
                       std::to_string(expected.timeline) + ".");
  if (start > actual.flushed_lsn && actual.is_in_recovery)
    return Problem(StreamFault::kInRecovery, "the source is in recovery",
                   "It has replayed its WAL up to " + LsnText(actual.flushed_lsn) +
                       "; what is held here is true up to " + LsnText(start) + ".",
                   "It is asked again. A standby can be followed when it is promoted.");
  if (start > actual.flushed_lsn)
    return Problem(
        StreamFault::kServerBehind, "the source has lost changes that are held here",
        "Its WAL ends at " + LsnText(actual.flushed_lsn) + ", before " + LsnText(start) + ".");
  return {};
}

StreamProblem CheckSlot(const std::string& slot_name, const std::optional<SlotStatus>& slot,
                        const std::string& database, Lsn start) {
  if (!slot)
    return Problem(StreamFault::kSlotMissing, Slot(slot_name) + " does not exist",
                   "It was dropped, or the source was restored or promoted.");
  if (slot->database != database || slot->plugin != "pgoutput" || slot->temporary)
    return Problem(
        StreamFault::kOtherDatabase, Slot(slot_name) + " is not ours",
        "It is one of database \"" + slot->database + "\" with plugin \"" + slot->plugin + "\".",
        "Set another slot in the [[source]] section of vectord.toml.");
  if (slot->wal_status == WalStatus::kLost)
    return Problem(StreamFault::kSlotLost, Slot(slot_name) + " has lost WAL that is needed",
                   slot->invalidation.empty()
                       ? "It kept more than max_slot_wal_keep_size allows."
                       : "The server has invalidated it: " + slot->invalidation + ".");
  if (start != Lsn::kNone && slot->confirmed_flush_lsn > start)
    return Problem(StreamFault::kSlotAhead, Slot(slot_name) + " is ahead of what is held here",
                   "It has confirmed " + LsnText(slot->confirmed_flush_lsn) +
                       ", but only what was committed before " + LsnText(start) + " is held.");
  if (slot->active_pid != 0)
    return Problem(StreamFault::kSlotBusy, Slot(slot_name) + " is in use",
                   "Process " + std::to_string(slot->active_pid) + " of the server reads it.",
                   "If another vectord reads it, give each its own slot in vectord.toml.");
  return {};
}

}  // namespace vectord

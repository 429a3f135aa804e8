// cursor_table.h - searches whose continuation is kept for the client.
//
// A cursor holds a segment set, hence memory that a rebuild or a drop would otherwise free; so it
// goes after an idle time, with its connection, or, when the table is full, as the one that has
// been idle longest. A client whose cursor is gone can go on by the resume point of its last row.
//
//   Keep --> idle --Take--> in use --Return--> idle       (the owner of a request moves these)
//            idle --Close, Expire, connection gone, table full--> gone
//            in use --Close, connection gone--> gone once returned
//
// Threads: any. Cursors are destroyed outside of the lock.
#ifndef VECTOR_FDW_DAEMON_SERVICE_CURSOR_TABLE_H
#define VECTOR_FDW_DAEMON_SERVICE_CURSOR_TABLE_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/memory_budget.h"
#include "daemon/base/metrics.h"
#include "daemon/base/mutex.h"
#include "daemon/collection/result_stream.h"
#include "daemon/service/request_context.h"
#include "daemon/service/row_encoder.h"

namespace vectord {

struct Cursor {
  Cursor(std::shared_ptr<const SegmentSet> set, Query query, std::vector<OutputColumn> output)
      : stream(std::move(set), std::move(query)), columns(std::move(output)) {}
  size_t memory_bytes() const {
    return sizeof(*this) + stream.memory_bytes() + columns.size() * sizeof(OutputColumn);
  }

  ResultStream stream;
  const std::vector<OutputColumn> columns;
  bool hold = false;  // to be kept until the stream is complete, not only until k is reached
  MemoryReservation memory;
};

class CursorTable {
 public:
  // clock, budget and metrics must outlive the table. max > 0.
  CursorTable(size_t max, int64_t idle_timeout_ns, const Clock* clock, MemoryBudget* budget,
              Metrics* metrics);

  void SetLimits(size_t max, int64_t idle_timeout_ns);

  // Takes the cursor in; returns its id, or 0 when there is no room or no memory for it, or the
  // request was stopped.
  uint64_t Keep(const RequestContext& owner, std::unique_ptr<Cursor> cursor);
  // The cursor, now in use by the caller. SNAPSHOT_TOO_OLD when the client has none of that id,
  // INVALID_PARAMETER when another of its requests uses it.
  Result<std::unique_ptr<Cursor>> Take(const RequestContext& owner, uint64_t id);
  // Ends the use. False: it was closed meanwhile, or there is no memory for it.
  bool Return(uint64_t id, std::unique_ptr<Cursor> cursor);
  // Ends the use and the cursor.
  void Drop(uint64_t id);
  // For the client's own request to forget it; one that does not exist is no error.
  void Close(const RequestContext& owner, uint64_t id);

  void CloseConnection(ConnectionId connection);
  void CloseClient(const std::string& client);
  void Expire();
  size_t size() const;

 private:
  struct Entry {
    std::string client;
    ConnectionId connection = 0;
    std::unique_ptr<Cursor> cursor;  // null: in use
    int64_t idle_since_ns = 0;
  };
  using Entries = std::unordered_map<uint64_t, Entry>;

  bool ReserveMemory(Cursor* cursor) const;
  // Removes an entry; what it held is returned, to be destroyed outside of the lock.
  std::unique_ptr<Cursor> Erase(Entries::iterator entry) REQUIRES(mu_);
  template <typename Matches>
  size_t EraseWhere(Matches matches);

  const Clock* const clock_;
  MemoryBudget* const budget_;
  Metrics* const metrics_;
  mutable Mutex mu_;
  size_t max_ GUARDED_BY(mu_);
  int64_t idle_timeout_ns_ GUARDED_BY(mu_);
  Entries entries_ GUARDED_BY(mu_);
  std::mt19937_64 random_ GUARDED_BY(mu_);  // ids of one process do not repeat those of the last
};

}  // namespace vectord

#endif

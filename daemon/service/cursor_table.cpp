// cursor_table.cpp - see cursor_table.h.
#include "daemon/service/cursor_table.h"

#include <utility>

namespace vectord {

CursorTable::CursorTable(size_t max, int64_t idle_timeout_ns, const Clock* clock,
                         MemoryBudget* budget, Metrics* metrics)
    : clock_(clock),
      budget_(budget),
      metrics_(metrics),
      max_(max),
      idle_timeout_ns_(idle_timeout_ns),
      random_(std::random_device{}()) {}

void CursorTable::SetLimits(size_t max, int64_t idle_timeout_ns) {
  MutexLock lock(mu_);
  max_ = max;
  idle_timeout_ns_ = idle_timeout_ns;
}

bool CursorTable::ReserveMemory(Cursor* cursor) const {
  const size_t bytes = cursor->memory_bytes();
  if (cursor->memory.bytes() > 0) return cursor->memory.Resize(bytes).ok();
  Result<MemoryReservation> memory = budget_->Reserve(bytes, "a cursor");
  if (!memory.ok()) return false;
  cursor->memory = std::move(memory).value();
  return true;
}

std::unique_ptr<Cursor> CursorTable::Erase(Entries::iterator entry) {
  std::unique_ptr<Cursor> cursor = std::move(entry->second.cursor);
  entries_.erase(entry);
  metrics_->cursors.Set(static_cast<int64_t>(entries_.size()));
  return cursor;
}

uint64_t CursorTable::Keep(const RequestContext& owner, std::unique_ptr<Cursor> cursor) {
  if (!ReserveMemory(cursor.get())) return 0;
  std::unique_ptr<Cursor> evicted;  // destroyed after the lock
  MutexLock lock(mu_);
  // A client that leaves is noted in its requests first and gives up its cursors then: nobody
  // would come for one that is kept after that. One cancelled later is closed with the others.
  if (owner.cancelled) return 0;
  if (entries_.size() >= max_) {
    auto oldest = entries_.end();
    for (auto it = entries_.begin(); it != entries_.end(); ++it)
      if (it->second.cursor != nullptr &&
          (oldest == entries_.end() || it->second.idle_since_ns < oldest->second.idle_since_ns))
        oldest = it;
    if (oldest == entries_.end()) return 0;
    evicted = Erase(oldest);
    metrics_->cursors_expired.Add();
  }
  uint64_t id;
  do id = random_();
  while (id == 0 || entries_.count(id) > 0);
  entries_[id] = Entry{owner.client, owner.connection, std::move(cursor), clock_->SteadyNs()};
  metrics_->cursors.Set(static_cast<int64_t>(entries_.size()));
  return id;
}

Result<std::unique_ptr<Cursor>> CursorTable::Take(const RequestContext& owner, uint64_t id) {
  MutexLock lock(mu_);
  const auto it = entries_.find(id);
  if (it == entries_.end() || it->second.client != owner.client)
    return Status(ErrorCode::SNAPSHOT_TOO_OLD, "the continuation of this search is gone",
                  "It was idle for too long, or too many searches were under way.");
  if (it->second.cursor == nullptr)
    return Status(ErrorCode::INVALID_PARAMETER, "cursor is in use by another request");
  return std::move(it->second.cursor);
}

bool CursorTable::Return(uint64_t id, std::unique_ptr<Cursor> cursor) {
  if (!ReserveMemory(cursor.get())) {
    Drop(id);
    return false;
  }
  MutexLock lock(mu_);
  const auto it = entries_.find(id);
  if (it == entries_.end()) return false;
  it->second.cursor = std::move(cursor);
  it->second.idle_since_ns = clock_->SteadyNs();
  return true;
}

void CursorTable::Drop(uint64_t id) {
  std::unique_ptr<Cursor> dropped;
  MutexLock lock(mu_);
  if (const auto it = entries_.find(id); it != entries_.end()) dropped = Erase(it);
}

void CursorTable::Close(const RequestContext& owner, uint64_t id) {
  std::unique_ptr<Cursor> closed;
  MutexLock lock(mu_);
  const auto it = entries_.find(id);
  if (it != entries_.end() && it->second.client == owner.client) closed = Erase(it);
}

template <typename Matches>
size_t CursorTable::EraseWhere(Matches matches) {
  std::vector<std::unique_ptr<Cursor>> erased;
  size_t count = 0;
  MutexLock lock(mu_);
  for (auto it = entries_.begin(); it != entries_.end();) {
    const auto entry = it++;
    if (!matches(entry->second)) continue;
    erased.push_back(Erase(entry));
    count++;
  }
  return count;
}

void CursorTable::CloseConnection(ConnectionId connection) {
  EraseWhere([connection](const Entry& entry) { return entry.connection == connection; });
}

void CursorTable::CloseClient(const std::string& client) {
  EraseWhere([&](const Entry& entry) { return entry.client == client; });
}

void CursorTable::Expire() {
  const int64_t now_ns = clock_->SteadyNs();
  int64_t idle_timeout_ns;
  {
    MutexLock lock(mu_);
    if (entries_.empty()) return;
    idle_timeout_ns = idle_timeout_ns_;
  }
  metrics_->cursors_expired.Add(EraseWhere([=](const Entry& entry) {
    return entry.cursor != nullptr && now_ns - entry.idle_since_ns >= idle_timeout_ns;
  }));
}

size_t CursorTable::size() const {
  MutexLock lock(mu_);
  return entries_.size();
}

}  // namespace vectord

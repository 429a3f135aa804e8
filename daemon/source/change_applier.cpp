// change_applier.cpp - see change_applier.h.
#include "daemon/source/change_applier.h"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>

#include "daemon/base/refused_memory.h"
#include "shared/source_names.h"

namespace vectord {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPublishEvery{2};

}  // namespace

// One transaction: which feeds have begun it.
class ChangeApplier::Delivery {
 public:
  Delivery(ChangeApplier* applier, const TransactionInfo& info) : applier_(*applier), info_(info) {}

  void Take(const Change& change) {
    if (change.kind == ChangeKind::kMessage) {
      if (change.prefix == VFDW_RESYNC_PREFIX) TakeResync(change.content);
      return;
    }
    for (const auto& feed : Route(change.relation->id)) feed->Take(change);
  }

  void End(const Status& status) {
    for (const auto& feed : begun_) feed->End(info_, status);
  }
  bool saw_resync() const { return saw_resync_; }

 private:
  // Changes of one relation mostly follow each other.
  const Feeds& Route(uint32_t relation) {
    if (relation != last_relation_ || !has_route_) {
      const auto known = routes_.find(relation);
      if (known != routes_.end()) {
        route_ = &known->second;
      } else {
        route_ = &routes_.emplace(relation, applier_.FeedsOf(relation)).first->second;
        for (const auto& feed : *route_) BeginOnce(feed);
      }
      last_relation_ = relation;
      has_route_ = true;
    }
    return *route_;
  }

  void BeginOnce(const std::shared_ptr<TableFeed>& feed) {
    if (std::find(begun_.begin(), begun_.end(), feed) != begun_.end()) return;
    feed->Begin(info_);
    begun_.push_back(feed);
  }

  void TakeResync(std::string_view content) {
    const auto table = static_cast<uint32_t>(strtoul(std::string(content).c_str(), nullptr, 10));
    saw_resync_ = true;
    for (const auto& feed : Route(table)) feed->TakeResync();
  }

  ChangeApplier& applier_;
  const TransactionInfo& info_;
  std::unordered_map<uint32_t, Feeds> routes_;
  const Feeds* route_ = nullptr;
  uint32_t last_relation_ = 0;
  bool has_route_ = false, saw_resync_ = false;
  Feeds begun_;
};

ChangeApplier::ChangeApplier(AncestorLookup lookup, Compactor* compactor)
    : lookup_(std::move(lookup)), compactor_(compactor) {}

// ---- the feeds --------------------------------------------------------------------------------

void ChangeApplier::Add(std::shared_ptr<TableFeed> feed) {
  MutexLock lock(mu_);
  feeds_.push_back(std::move(feed));
}

void ChangeApplier::Remove(const std::shared_ptr<TableFeed>& feed) {
  MutexLock lock(mu_);
  feeds_.erase(std::remove(feeds_.begin(), feeds_.end(), feed), feeds_.end());
}

Status ChangeApplier::Serve(const std::shared_ptr<TableFeed>& feed) {
  const Status replaced(ErrorCode::CANCELED, "the collection was built anew");
  for (const auto& other : AllFeeds()) {
    if (other == feed || other->incarnation()->collection() != feed->incarnation()->collection())
      continue;
    other->Break(replaced);
    Remove(other);
  }
  Incarnation& incarnation = *feed->incarnation();
  {
    MutexLock lock(incarnation.mu);
    if (incarnation.state() != Incarnation::State::kFollowing) return incarnation.failure();
    VFDW_RETURN_IF_ERROR(incarnation.Serve());
  }
  if (compactor_ != nullptr) compactor_->Notify(feed->incarnation());
  return {};
}

Status ChangeApplier::ServeRestored(const std::shared_ptr<TableFeed>& feed, uint64_t builds) {
  {
    MutexLock lock(feed->incarnation()->mu);
    VFDW_RETURN_IF_ERROR(feed->incarnation()->ServeRestored(builds));
  }
  Add(feed);
  if (compactor_ != nullptr) compactor_->Notify(feed->incarnation());
  return {};
}

void ChangeApplier::AllowMerges(const std::shared_ptr<TableFeed>& feed) {
  {
    MutexLock lock(feed->incarnation()->mu);
    feed->incarnation()->AllowMerges();
  }
  if (compactor_ != nullptr) compactor_->Notify(feed->incarnation());
}

void ChangeApplier::RemoveCollection(const Collection& collection) {
  const Status closed(ErrorCode::CANCELED, "the collection does not follow its table any more");
  for (const auto& feed : AllFeeds()) {
    if (feed->incarnation()->collection().get() != &collection) continue;
    feed->Break(closed);
    Remove(feed);
  }
}

// A checkpoint that is under way must not count as one of the next era, nor find feeds of this one.
void ChangeApplier::BreakAll(const Status& why) {
  Feeds feeds;
  {
    MutexLock lock(mu_);
    era_++;
    source_ = {};
    durable_lsn_ = Lsn::kNone;
    position_->store(0, std::memory_order_release);
    feeds.swap(feeds_);
  }
  for (const auto& feed : feeds) feed->Break(why);
}

void ChangeApplier::BreakAndEmptyAll(const Status& why) {
  const Feeds feeds = AllFeeds();
  BreakAll(why);
  for (const auto& feed : feeds) feed->incarnation()->collection()->DropSet();
}

void ChangeApplier::SetSource(const SystemIdentity& source) {
  MutexLock lock(mu_);
  source_ = source;
}

ExpectedSource ChangeApplier::source() const {
  MutexLock lock(mu_);
  return {source_.system_identifier, source_.timeline};
}

// ---- the disk ---------------------------------------------------------------------------------

// The position before the feeds: each of them has applied at least as much when it is frozen.
ChangeApplier::CheckpointRound ChangeApplier::BeginCheckpoint() const {
  CheckpointRound round;
  MutexLock lock(mu_);
  round.era = era_;
  round.source = source_;
  round.position = static_cast<Lsn>(position_->load(std::memory_order_acquire));
  round.feeds = feeds_;
  return round;
}

void ChangeApplier::FinishCheckpoint(const CheckpointRound& round) {
  MutexLock lock(mu_);
  if (round.era == era_) durable_lsn_ = std::max(durable_lsn_, round.position);
}

void ChangeApplier::StartAt(Lsn durable_lsn) {
  MutexLock lock(mu_);
  durable_lsn_ = durable_lsn;
  position_->store(static_cast<uint64_t>(durable_lsn), std::memory_order_release);
}

ChangeApplier::Feeds ChangeApplier::AllFeeds() const {
  MutexLock lock(mu_);
  return feeds_;
}

ChangeApplier::Feeds ChangeApplier::FeedsOf(uint32_t relation) {
  const auto known = ancestors_.find(relation);
  Feeds found;
  MutexLock lock(mu_);
  for (const auto& feed : feeds_) {
    const uint32_t table = feed->table_oid();
    const bool is_its = table == relation || (known != ancestors_.end() &&
                                              std::find(known->second.begin(), known->second.end(),
                                                        table) != known->second.end());
    if (is_its) found.push_back(feed);
  }
  return found;
}

// ---- the stream -------------------------------------------------------------------------------

// The look-up is left to the transaction that needs it: if it fails here, nobody would tell us of
// the relation again, and changes of a partition would find no feed.
Status ChangeApplier::OnRelation(const Relation& relation, const Relation* /*previous*/) {
  without_ancestors_.insert(relation.id);
  return {};
}

Status ChangeApplier::RefreshAncestors() {
  // After DDL: a table may have become a partition, or none.
  if (std::exchange(ancestors_are_stale_, false))
    for (const auto& [relation, above] : ancestors_) without_ancestors_.insert(relation);
  while (!without_ancestors_.empty()) {
    const uint32_t relation = *without_ancestors_.begin();
    VFDW_ASSIGN_OR_RETURN(ancestors_[relation], lookup_(relation));
    without_ancestors_.erase(relation);
  }
  return {};
}

Status ChangeApplier::Apply(const Transaction& transaction) {
  // Before anything is applied, so that the transaction can come again.
  VFDW_RETURN_IF_ERROR(RefreshAncestors());
  Delivery delivery(this, transaction.info());
  const Status status = WithRefusedMemory("apply a transaction", [&] {
    return transaction.ForEach([&](const Change& change) -> Status {
      delivery.Take(change);
      return {};
    });
  });
  delivery.End(status);  // whatever happened: feeds that have begun hold locks
  ancestors_are_stale_ = delivery.saw_resync();
  return status;
}

void ChangeApplier::Progress(Lsn applied_end) {
  position_->store(static_cast<uint64_t>(applied_end), std::memory_order_release);
  is_unpublished_ = true;
  if (steady_clock::now() - published_at_ >= kPublishEvery) PublishAll();
}

void ChangeApplier::BeforeWait() {
  if (is_unpublished_) PublishAll();
}

void ChangeApplier::PublishAll() {
  for (const auto& feed : AllFeeds()) feed->Publish(compactor_);
  is_unpublished_ = false;
  published_at_ = steady_clock::now();
}

Lsn ChangeApplier::DurableLsn() {
  MutexLock lock(mu_);
  return durable_lsn_;
}

}  // namespace vectord

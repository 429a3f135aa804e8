// stream_model.h - tables as maps, kept equal to a source by its stream of changes.
//
// The model is strict: a row that is inserted twice, or changed without being there, is a fault of
// the stream, and is counted. Values are compared in PostgreSQL's binary form, byte by byte.
//
// Crash() is what a kill of vectord does: all that was applied after the last Checkpoint() is gone.
#ifndef VECTORD_TEST_UNIT_SOURCE_STREAM_MODEL_H
#define VECTORD_TEST_UNIT_SOURCE_STREAM_MODEL_H

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "daemon/base/lsn_text.h"
#include "daemon/base/mutex.h"
#include "daemon/source/change_sink.h"
#include "daemon/source/pg_connection.h"

namespace vectord {

using ModelValue = std::optional<std::string>;
using ModelRow = std::map<std::string, ModelValue>;  // by column; one that is absent is NULL
using ModelTable = std::map<std::string, ModelRow>;  // by the bytes of the key columns
using ModelTables = std::map<std::string, ModelTable>;

class StreamModel final : public ChangeSink {
 public:
  Status Apply(const Transaction& transaction) override {
    MutexLock lock(mu_);
    const TransactionInfo& info = transaction.info();
    if (info.commit_lsn < applied_) Fault("committed before what was applied: " + Name(info));
    if (!xids_.insert(static_cast<uint64_t>(info.xid)).second) Fault("came twice: " + Name(info));
    uint64_t seen = 0;
    const Status status = transaction.ForEach([&](const Change& change) REQUIRES(mu_) {
      seen++;
      ApplyChange(change);
      return Status();
    });
    if (!status.ok()) return status;
    if (seen != info.changes) Fault("another number of changes than announced: " + Name(info));
    applied_ = info.end_lsn;
    transactions_++;
    return {};
  }
  void Progress(Lsn applied_end) override {
    MutexLock lock(mu_);
    if (applied_end < applied_) Fault("progress goes back");
    applied_ = applied_end;
    if (checkpoints_always_) SaveLocked();
  }
  Lsn DurableLsn() override {
    MutexLock lock(mu_);
    return durable_;
  }
  Status OnRelation(const Relation&, const Relation* previous) override {
    MutexLock lock(mu_);
    relation_changes_ += previous != nullptr;
    return {};
  }
  Status OnMessage(const LogicalMessage& message) override {
    MutexLock lock(mu_);
    messages_.push_back(std::string(message.content));
    return {};
  }

  // ---- by the test ----
  void Checkpoint() {
    MutexLock lock(mu_);
    SaveLocked();
  }
  // REQUIRES: no stream runs.
  void Crash() {
    MutexLock lock(mu_);
    tables_ = saved_tables_;
    xids_ = saved_xids_;
    applied_ = durable_;
  }
  // What an initial copy does: the content of a table as of `at`.
  void Load(const std::string& table, ModelTable rows, Lsn at) {
    MutexLock lock(mu_);
    tables_[table] = std::move(rows);
    from_[table] = at;
  }
  void set_durable(Lsn lsn) {
    MutexLock lock(mu_);
    durable_ = lsn;
  }
  void set_checkpoints_always(bool on) {
    MutexLock lock(mu_);
    checkpoints_always_ = on;
  }
  Lsn applied() const {
    MutexLock lock(mu_);
    return applied_;
  }
  ModelTable table(const std::string& name) const {
    MutexLock lock(mu_);
    const auto found = tables_.find(name);
    return found == tables_.end() ? ModelTable() : found->second;
  }
  std::vector<std::string> faults() const {
    MutexLock lock(mu_);
    return faults_;
  }
  std::vector<std::string> messages() const {
    MutexLock lock(mu_);
    return messages_;
  }
  uint64_t unchanged_values() const {
    MutexLock lock(mu_);
    return unchanged_;
  }
  uint64_t relation_changes() const {
    MutexLock lock(mu_);
    return relation_changes_;
  }
  uint64_t transactions() const {
    MutexLock lock(mu_);
    return transactions_;
  }

 private:
  static std::string Name(const TransactionInfo& info) {
    return "transaction " + std::to_string(static_cast<uint64_t>(info.xid)) + " at " +
           LsnText(info.commit_lsn);
  }
  void Fault(const std::string& what) REQUIRES(mu_) {
    if (faults_.size() < 20) faults_.push_back(what);
  }
  void SaveLocked() REQUIRES(mu_) {
    saved_tables_ = tables_;
    saved_xids_ = xids_;
    durable_ = applied_;
  }

  static std::string KeyOf(const Relation& relation, const Tuple& tuple, const Change& change) {
    std::string key;
    for (size_t i = 0; i < tuple.size(); i++) {
      if (!relation.columns[i].in_identity) continue;
      const TupleValue& value =
          &tuple == change.new_tuple ? ValueAfter(change, i, relation) : tuple[i];
      key += std::to_string(value.bytes.size()) + ":" + std::string(value.bytes);
    }
    return key;
  }

  void ApplyChange(const Change& change) REQUIRES(mu_) {
    if (change.kind == ChangeKind::kMessage) {
      messages_.push_back(std::string(change.content));
      return;
    }
    const Relation& relation = *change.relation;
    ModelTable& table = tables_[relation.name];
    if (change.kind == ChangeKind::kTruncate) {
      table.clear();
      return;
    }
    ModelRow row;
    if (change.kind != ChangeKind::kInsert) {
      const Tuple& identity = change.old_tuple ? *change.old_tuple : *change.new_tuple;
      const auto old = table.find(KeyOf(relation, identity, change));
      if (old == table.end()) return Fault(relation.name + ": a row to be changed is not there");
      row = std::move(old->second);
      table.erase(old);
    }
    if (change.kind == ChangeKind::kDelete) return;
    for (size_t i = 0; i < relation.columns.size(); i++) {
      const TupleValue& value = ValueAfter(change, i, relation);
      if (value.kind == TupleValueKind::kUnchanged) {
        unchanged_++;
        if (change.kind == ChangeKind::kInsert) Fault(relation.name + ": unchanged, but new");
        continue;
      }
      row[relation.columns[i].name] =
          value.kind == TupleValueKind::kNull ? ModelValue() : ModelValue(value.bytes);
    }
    if (!table.emplace(KeyOf(relation, *change.new_tuple, change), std::move(row)).second)
      Fault(relation.name + ": a new row is there already");
  }

  mutable Mutex mu_;
  ModelTables tables_ GUARDED_BY(mu_), saved_tables_ GUARDED_BY(mu_);
  std::set<uint64_t> xids_ GUARDED_BY(mu_), saved_xids_ GUARDED_BY(mu_);
  std::map<std::string, Lsn> from_ GUARDED_BY(mu_);
  Lsn applied_ GUARDED_BY(mu_) = Lsn::kNone;
  Lsn durable_ GUARDED_BY(mu_) = Lsn::kNone;
  bool checkpoints_always_ GUARDED_BY(mu_) = false;
  std::vector<std::string> faults_ GUARDED_BY(mu_), messages_ GUARDED_BY(mu_);
  uint64_t unchanged_ GUARDED_BY(mu_) = 0, relation_changes_ GUARDED_BY(mu_) = 0;
  uint64_t transactions_ GUARDED_BY(mu_) = 0;
};

}  // namespace vectord

#endif

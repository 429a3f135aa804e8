// initial_copy.cpp - see initial_copy.h.
#include "daemon/source/initial_copy.h"

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cstdlib>
#include <system_error>
#include <thread>
#include <utility>

#include "daemon/base/mutex.h"
#include "daemon/base/refused_memory.h"
#include "daemon/base/thread_pool.h"
#include "daemon/source/vector_decoder.h"
#include "shared/limits.h"

namespace vectord {
namespace {

// Small enough that the last ranges end at about the same time, large enough that starting a
// statement does not show. Over a large tree of partitions, planning it does.
constexpr uint64_t kRangeBytes = 16 << 20;
constexpr uint64_t kPartitionsPerRangeGrowth = 16;

// Rows are handed over in batches of this many, or earlier when they are this large.
constexpr size_t kBatchRows = 1024;
constexpr size_t kBatchBytes = 1 << 20;
// One row may be as large as 1 GB, so memory can run out there in spite of all reservations.
constexpr char kToCopy[] = "copy rows of the source table";

// Rows looked at to estimate the width of columns.
constexpr char kSampleRows[] = "1000";

// The leader holds a lock that a waiting ALTER TABLE may queue behind, and the others would queue
// behind that: no deadlock that the server could see. So they do not wait for long.
constexpr char kWorkerLockTimeout[] = "SET LOCAL lock_timeout = '2s'";

// Each is in vain only if the table is renamed at that moment.
constexpr int kLockTries = 20;

constexpr char kTreeQuery[] = R"(
WITH RECURSIVE tree AS (
  SELECT $1::oid AS oid
  UNION
  SELECT i.inhrelid FROM pg_inherits i JOIN tree ON i.inhparent = tree.oid
)
SELECT c.relkind, am.amname IS NOT DISTINCT FROM 'heap',
       CASE WHEN c.relkind = 'r'
            THEN pg_relation_size(c.oid) / current_setting('block_size')::int END,
       CASE WHEN c.relkind = 'r' THEN pg_table_size(c.oid) END
FROM tree JOIN pg_class c ON c.oid = tree.oid LEFT JOIN pg_am am ON am.oid = c.relam
)";

uint64_t NumberAt(const PgRow& row, size_t field) {
  return row[field] ? strtoull(row[field]->c_str(), nullptr, 10) : 0;
}

}  // namespace

// pg_relation_filenode() looks at the present, whatever the snapshot.
Result<std::string> ReadStorageIdentity(PgConnection* connection, uint32_t table_oid) {
  VFDW_ASSIGN_OR_RETURN(
      const PgRows rows,
      connection->Exec("WITH RECURSIVE tree AS ("
                       " SELECT $1::oid AS oid"
                       " UNION"
                       " SELECT i.inhrelid FROM pg_inherits i JOIN tree ON i.inhparent = tree.oid)"
                       " SELECT string_agg(oid || ':' || coalesce(pg_relation_filenode(oid), 0),"
                       " ',' ORDER BY oid) FROM tree",
                       {std::to_string(table_oid)}));
  return rows.at(0).at(0).value_or("");
}

// The threads of one Run(), and what they share.
class InitialCopy::Workers {
 public:
  Workers(InitialCopy* copy, const Sink& sink) : copy_(*copy), sink_(sink) {}

  Status Run() {
    std::vector<std::thread> others;
    const size_t wanted = std::min<size_t>(copy_.source_.connections, copy_.ranges_.size());
    for (size_t i = 1; i < wanted; i++) {
      try {
        others.emplace_back([this, i] {
          SetThreadName("copy-" + std::to_string(i));
          KeepFirst(WithRefusedMemory(kToCopy, [this] { return RunOther(); }));
        });
      } catch (const std::system_error&) {
        break;  // the system refuses a thread: those there are do all the work
      }
    }
    KeepFirst(WithRefusedMemory(kToCopy, [this] { return CopyRanges(copy_.leader_.get()); }));
    for (std::thread& other : others) other.join();
    MutexLock lock(mu_);
    return first_error_;
  }

 private:
  Status RunOther() {
    VFDW_ASSIGN_OR_RETURN(auto connection, PgConnection::Connect(copy_.source_.dsn, copy_.stop_));
    for (const std::string& sql :
         {std::string("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"),
          "SET TRANSACTION SNAPSHOT '" + copy_.snapshot_ + "'", std::string(kWorkerLockTimeout)}) {
      VFDW_RETURN_IF_ERROR(connection->Exec(sql).status());
    }
    return CopyRanges(connection.get());
  }

  Status CopyRanges(PgConnection* connection) {
    while (!failed_.load(std::memory_order_relaxed)) {
      const size_t next = next_range_.fetch_add(1);
      if (next >= copy_.ranges_.size()) return {};
      VFDW_RETURN_IF_ERROR(CopyRange(connection, copy_.ranges_[next]));
    }
    return {};
  }

  Status CopyRange(PgConnection* connection, const BlockRange& range) {
    CopyRows parser(*copy_.source_.definition, copy_.totals_.dimensions);
    RowBatch batch = parser.EmptyBatch();
    size_t fed_bytes = 0;
    const auto hand_over = [&]() -> Status {
      VFDW_RETURN_IF_ERROR(sink_(batch));
      batch = parser.EmptyBatch();
      fed_bytes = 0;
      return {};
    };
    const Status copied =
        connection->CopyOut(copy_.CopyStatement(range), [&](std::string_view bytes) -> Status {
          if (failed_.load(std::memory_order_relaxed))
            return Status(ErrorCode::CANCELED, "another connection of the copy failed");
          VFDW_RETURN_IF_ERROR(parser.Feed(bytes, &batch));
          fed_bytes += bytes.size();
          if (fed_bytes < kBatchBytes && batch.rows() < kBatchRows) return {};
          return hand_over();
        });
    if (connection->sqlstate() == "42P01") return RenamedMeanwhile();  // undefined_table
    VFDW_RETURN_IF_ERROR(copied);
    VFDW_RETURN_IF_ERROR(copy_.CheckName(connection));
    VFDW_RETURN_IF_ERROR(parser.Finish());
    return hand_over();
  }

  void KeepFirst(const Status& status) {
    if (status.ok()) return;
    failed_.store(true, std::memory_order_relaxed);
    MutexLock lock(mu_);
    if (first_error_.ok()) first_error_ = status;
  }

  InitialCopy& copy_;
  const Sink& sink_;
  std::atomic<size_t> next_range_{0};
  std::atomic<bool> failed_{false};
  Mutex mu_;
  Status first_error_ GUARDED_BY(mu_);
};

InitialCopy::InitialCopy(CopySource source, const StopSignal& stop)
    : source_(std::move(source)), stop_(stop) {}

Status InitialCopy::Begin(const std::string& snapshot, const std::string& storage,
                          const std::function<void()>& on_taken) {
  VFDW_ASSIGN_OR_RETURN(leader_, PgConnection::Connect(source_.dsn, stop_));
  VFDW_RETURN_IF_ERROR(TakeSnapshot(snapshot));
  on_taken();
  if (const Status status = LockTable(storage); !status.ok()) return Explain(status);
  for (Status (InitialCopy::*step)() :
       {&InitialCopy::CheckStructure, &InitialCopy::PlanRanges, &InitialCopy::CountRows,
        &InitialCopy::FindDimensions, &InitialCopy::EstimateColumns}) {
    if (const Status status = (this->*step)(); !status.ok()) return Explain(status);
  }
  return {};
}

Status InitialCopy::Run(const Sink& sink) {
  Status status = Workers(this, sink).Run();
  if (!status.ok()) status = Explain(status);
  leader_.reset();  // ends the transaction: the server may vacuum again
  return status;
}

// The snapshot is exported again, so that whoever exported it first need not stay.
Status InitialCopy::TakeSnapshot(const std::string& snapshot) {
  VFDW_RETURN_IF_ERROR(
      leader_->Exec("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY").status());
  VFDW_RETURN_IF_ERROR(leader_->Exec("SET TRANSACTION SNAPSHOT '" + snapshot + "'").status());
  VFDW_ASSIGN_OR_RETURN(const PgRows rows, leader_->Exec("SELECT pg_export_snapshot()"));
  snapshot_ = rows.at(0).at(0).value_or("");
  return {};
}

Status InitialCopy::LockTable(const std::string& storage) {
  VFDW_RETURN_IF_ERROR(LockByOid());
  // The first row with a vector decides the dimensions: it should be the same each time.
  VFDW_RETURN_IF_ERROR(leader_->Exec("SET LOCAL max_parallel_workers_per_gather = 0").status());
  const Definition& definition = *source_.definition;
  VFDW_ASSIGN_OR_RETURN(const std::string now,
                        ReadStorageIdentity(leader_.get(), definition.table_oid));
  if (now != storage)
    return Status(ErrorCode::SOURCE_FAILED, "the table was rewritten before the copy began",
                  "The copy begins again.");
  relation_ = table_;
  for (const ColumnDefinition& column : definition.columns) {
    if (!columns_.empty()) columns_ += ", ";
    columns_ += Quote(column.name);
  }
  vector_ = Quote(definition.vector_column);
  return ChooseValues();
}

// SQL locks and copies a table by its name, and the name that was read with the definition may be
// another table's by now. So it is read anew, and counts if it leads to the table of the definition
// when that is locked. Then the table keeps its name; only its schema can still be renamed, hence
// CheckName() of each copied range.
Status InitialCopy::LockByOid() {
  for (int i = 0; i < kLockTries; i++) {
    VFDW_RETURN_IF_ERROR(leader_->Exec("SAVEPOINT before_lock").status());
    Status status = TryToLock();
    if (status.ok() || !leader_->usable()) return status;
    VFDW_RETURN_IF_ERROR(leader_->Exec("ROLLBACK TO SAVEPOINT before_lock").status());
    // What another table of that name was refused for says nothing.
    const bool is_gone = table_.empty();
    if (is_gone || (status.code() != ErrorCode::SOURCE_FAILED && CheckName(leader_.get()).ok()))
      return status;
  }
  return RenamedMeanwhile();
}

Status InitialCopy::TryToLock() {
  VFDW_ASSIGN_OR_RETURN(table_, ReadName(leader_.get()));
  if (table_.empty())
    return Status(ErrorCode::SOURCE_FAILED, "the table was dropped before the copy began");
  VFDW_RETURN_IF_ERROR(leader_->Exec("LOCK TABLE " + table_ + " IN ACCESS SHARE MODE").status());
  return CheckName(leader_.get());
}

// regclass looks at the present, whatever the snapshot, and needs no privilege. Of a table that is
// gone it is the number.
Result<std::string> InitialCopy::ReadName(PgConnection* connection) const {
  VFDW_ASSIGN_OR_RETURN(const PgRows rows,
                        connection->Exec("SELECT oid::regclass::text FROM pg_class WHERE oid = $1",
                                         {std::to_string(source_.definition->table_oid)}));
  std::string name = rows.empty() ? "" : rows[0].at(0).value_or("");
  if (!name.empty() && isdigit(static_cast<unsigned char>(name[0])) != 0) name.clear();
  return name;
}

// That it was this table which the statements before have named.
Status InitialCopy::CheckName(PgConnection* connection) const {
  VFDW_ASSIGN_OR_RETURN(const std::string now, ReadName(connection));
  return now == table_ ? Status() : RenamedMeanwhile();
}

Status InitialCopy::RenamedMeanwhile() {
  return Status(ErrorCode::SOURCE_FAILED, "the table was renamed before it was copied",
                "The copy begins again.");
}

// array_send() takes most of a copy's time; of pgvector's types values are sent fast.
Status InitialCopy::ChooseValues() {
  const Definition& definition = *source_.definition;
  values_ = columns_;
  if (definition.vector_source != VectorSource::kReal &&
      definition.vector_source != VectorSource::kDouble)
    return {};
  // An extension that was not updated lacks it, and whoever owns it may have revoked it.
  VFDW_ASSIGN_OR_RETURN(
      const PgRows rows,
      leader_->Exec("SELECT FROM pg_proc p WHERE p.oid = ANY (ARRAY["
                    "to_regprocedure('vector_fdw.packed_vector(real[])'),"
                    " to_regprocedure('vector_fdw.packed_vector(double precision[])')]::oid[])"
                    " AND has_function_privilege(p.oid, 'EXECUTE')"));
  if (rows.size() != 2) return {};
  values_.clear();
  for (const ColumnDefinition& column : definition.columns) {
    if (!values_.empty()) values_ += ", ";
    values_ += column.role == ColumnRole::kVector ? "vector_fdw.packed_vector(" + vector_ + ")"
                                                  : Quote(column.name);
  }
  return {};
}

Status InitialCopy::CheckStructure() {
  const Result<ReadDefinition> now = ReadOneDefinition(leader_.get(), source_.definition->name);
  if (!now.ok() && now.status().code() != ErrorCode::COLLECTION_MISSING) return now.status();
  if (now.ok() && now->structure == source_.structure) return now->problem;
  return Status(ErrorCode::SOURCE_FAILED, "the definition was changed before the copy began",
                "The copy begins again with the new definition.");
}

Status InitialCopy::PlanRanges() {
  VFDW_ASSIGN_OR_RETURN(const PgRows rows,
                        leader_->Exec(kTreeQuery, {std::to_string(source_.definition->table_oid)}));
  std::vector<RelationSize> sizes;
  for (const PgRow& row : rows) {
    const std::string kind = row[0].value_or("");
    if (kind == "p") continue;
    if (kind != "r" || row[1] != "t") by_ranges_ = false;
    sizes.push_back({NumberAt(row, 2), NumberAt(row, 3)});
    table_bytes_ += sizes.back().bytes;
  }
  if (rows.size() == 1) relation_ = "ONLY " + relation_;
  if (by_ranges_)
    ranges_ = PlanBlockRanges(sizes, kRangeBytes * (1 + sizes.size() / kPartitionsPerRangeGrowth));
  else
    ranges_ = {BlockRange()};
  return {};
}

Status InitialCopy::CountRows() {
  VFDW_ASSIGN_OR_RETURN(const PgRows rows,
                        leader_->Exec("SELECT count(*), count(" + vector_ + ") FROM " + relation_));
  totals_.rows = NumberAt(rows.at(0), 0);
  totals_.rows_with_vector = NumberAt(rows.at(0), 1);
  return {};
}

Status InitialCopy::FindDimensions() {
  const Definition& definition = *source_.definition;
  totals_.dimensions = definition.dimensions;
  if (definition.dimensions != 0 || totals_.rows_with_vector == 0) return {};
  std::string sql = "SELECT " + vector_ + " FROM " + relation_ + " WHERE " + vector_;
  const bool is_array = definition.vector_source == VectorSource::kReal ||
                        definition.vector_source == VectorSource::kDouble;
  // An array that is no vector is no example for the others.
  sql += is_array ? " IS NOT NULL AND array_ndims(" + vector_ + ") = 1" : " IS NOT NULL";
  VFDW_ASSIGN_OR_RETURN(const PgRows rows, leader_->ExecBinary(sql + " LIMIT 1"));
  if (rows.empty()) return {};
  totals_.dimensions = CountDimensions(definition.vector_source, rows[0].at(0).value_or(""));
  if (totals_.dimensions <= VFDW_MAX_DIMENSIONS) return {};
  return Status(ErrorCode::SOURCE_REFUSED,
                "vectors cannot have " + std::to_string(totals_.dimensions) + " dimensions",
                "The bound is " + std::to_string(VFDW_MAX_DIMENSIONS) + ".");
}

Status InitialCopy::EstimateColumns() {
  uint64_t fixed_bytes = 0;
  std::string widths;
  for (const ColumnDefinition& column : source_.definition->columns) {
    if (column.role == ColumnRole::kVector) continue;
    fixed_bytes += 1 + vfdw::FixedBytes(column.encoding);
    if (vfdw::FixedBytes(column.encoding) > 0) continue;
    fixed_bytes += sizeof(uint64_t);  // where the value ends
    const std::string name = Quote(column.name);
    // Compressed values are kept as they are sent, uncompressed; of types without a text's length
    // only the stored size is known cheaply.
    widths += widths.empty() ? "" : " + ";
    widths += "coalesce(avg(" +
              (column.encoding == ValueEncoding::kText ? "octet_length(" + name + "::text)"
                                                       : "pg_column_size(" + name + ")") +
              "), 0)";
  }
  uint64_t sampled_bytes = 0;
  if (!widths.empty() && totals_.rows > 0) {
    VFDW_ASSIGN_OR_RETURN(const PgRows rows,
                          leader_->Exec("SELECT (" + widths + ")::bigint FROM (SELECT " + columns_ +
                                        " FROM " + relation_ + " LIMIT " + kSampleRows + ") s"));
    sampled_bytes = NumberAt(rows.at(0), 0);
  }
  totals_.column_bytes = totals_.rows * (fixed_bytes + sampled_bytes);
  return {};
}

std::string InitialCopy::CopyStatement(const BlockRange& range) const {
  std::string where;
  if (by_ranges_ && ranges_.size() > 1) {
    where = " WHERE ctid >= '(" + std::to_string(range.begin) + ",0)'::tid";
    if (range.end != BlockRange::kNoEnd)
      where += " AND ctid < '(" + std::to_string(range.end) + ",0)'::tid";
  }
  return "COPY (SELECT " + values_ + " FROM " + relation_ + where + ") TO STDOUT (FORMAT binary)";
}

Status InitialCopy::Explain(const Status& error) const {
  if (error.code() != ErrorCode::NOT_PERMITTED || leader_ == nullptr) return error;
  const std::string role = Quote(leader_->user());
  const std::string schema = Quote(source_.definition->schema);
  const std::string table =
      table_.empty() ? schema + "." + Quote(source_.definition->table) : table_;
  return Status(ErrorCode::NOT_PERMITTED, "vectord's role may not read the source table",
                error.detail() + " Run as its owner: GRANT USAGE ON SCHEMA " + schema + " TO " +
                    role + "; GRANT SELECT ON " + table + " TO " + role +
                    "; where row security is on, the role needs BYPASSRLS too.");
}

}  // namespace vectord

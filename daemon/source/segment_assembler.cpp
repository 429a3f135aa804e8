// segment_assembler.cpp - see segment_assembler.h.
#include "daemon/source/segment_assembler.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "daemon/base/quantity.h"

namespace vectord {
namespace {

// Strings grow by doubling while rows are appended; Compact() gives the slack back.
constexpr uint64_t kGrowthFactor = 2;
// Batches under way, and what the parsers hold.
constexpr size_t kBatchBytes = 16 << 20;

Status RowsChanged(const std::string& detail) {
  return Status(ErrorCode::SOURCE_FAILED, "the table was changed while it was copied",
                detail + " It will be copied again.");
}

}  // namespace

SegmentAssembler::SegmentAssembler(std::shared_ptr<MemoryBudget> budget,
                                   std::shared_ptr<const Definition> definition,
                                   const CopyTotals& totals)
    : budget_(std::move(budget)),
      definition_(std::move(definition)),
      totals_(totals),
      with_vector_(EmptyColumnsOf(*definition_)),
      without_vector_(EmptyColumnsOf(*definition_)) {}

Result<std::unique_ptr<SegmentAssembler>> SegmentAssembler::Create(
    std::shared_ptr<MemoryBudget> budget, std::shared_ptr<const Definition> definition,
    const CopyTotals& totals, int build_threads) {
  // Rows of a segment are numbered with 32 bits; the store checks those that have vectors.
  const uint64_t vectorless = totals.rows - totals.rows_with_vector;
  if (vectorless > std::numeric_limits<uint32_t>::max())
    return Status(ErrorCode::LIMIT_EXCEEDED,
                  "the table has " + std::to_string(vectorless) + " rows without a vector",
                  "The bound is " + std::to_string(std::numeric_limits<uint32_t>::max()) + ".");
  std::unique_ptr<SegmentAssembler> assembler(
      new SegmentAssembler(std::move(budget), std::move(definition), totals));
  VFDW_RETURN_IF_ERROR(assembler->Reserve(build_threads));
  return assembler;
}

Status SegmentAssembler::Reserve(int build_threads) {
  const size_t rows = totals_.rows_with_vector, dimensions = totals_.dimensions;
  const bool has_store = rows > 0 && dimensions > 0;
  const size_t store_bytes = has_store ? VectorStore::BytesFor(rows, dimensions) : 0;
  size_t other_bytes = totals_.column_bytes * kGrowthFactor + kBatchBytes;
  if (has_store)
    other_bytes += EstimateIndexBytes(definition_->index, rows, dimensions) +
                   EstimateBuildBytes(definition_->index, rows, dimensions, build_threads);

  const std::string what = "collection \"" + definition_->name + "\" of " +
                           Counted(totals_.rows, "row") + " and " +
                           Counted(dimensions, "dimension");
  // As a whole first, so that a refusal names all that is needed.
  VFDW_ASSIGN_OR_RETURN(MemoryReservation all, budget_->Reserve(store_bytes + other_bytes, what));
  VFDW_RETURN_IF_ERROR(all.Resize(other_bytes));
  if (has_store) {
    VFDW_ASSIGN_OR_RETURN(MemoryReservation store_memory, budget_->Reserve(store_bytes, what));
    VFDW_ASSIGN_OR_RETURN(store_, VectorStore::Create(dimensions, rows, std::move(store_memory)));
  }
  MutexLock lock(mu_);
  memory_ = std::move(all);
  column_allowance_ = totals_.column_bytes * kGrowthFactor;
  return {};
}

Status SegmentAssembler::Add(const RowBatch& batch) {
  MutexLock lock(mu_);
  VFDW_RETURN_IF_ERROR(AddWithVector(batch));
  without_vector_.AppendAll(batch.without_vector);
  if (rejected_rows_ == 0) first_rejection_ = batch.first_rejection;
  rejected_rows_ += batch.rejected_rows;
  rejected_keys_.insert(rejected_keys_.end(), batch.rejected_keys.begin(),
                        batch.rejected_keys.end());
  if (with_vector_.rows() + without_vector_.rows() + rejected_rows_ > totals_.rows)
    return RowsChanged("More rows came than were counted before.");
  return FitColumns();
}

// Under the lock, so that the columns follow in the order of the vectors.
Status SegmentAssembler::AddWithVector(const RowBatch& batch) {
  const size_t rows = batch.with_vector.rows();
  if (rows == 0) return {};
  if (store_ == nullptr || rows > store_->capacity() - store_->size())
    return RowsChanged("More vectors came than were counted before.");
  VFDW_ASSIGN_OR_RETURN(const size_t first, store_->AppendBatch(batch.vectors.data(), rows));
  assert(first == with_vector_.rows());
  static_cast<void>(first);
  with_vector_.AppendAll(batch.with_vector);
  return {};
}

Status SegmentAssembler::FitColumns() {
  const size_t used = with_vector_.memory_bytes() + without_vector_.memory_bytes();
  if (used <= column_allowance_) return {};
  VFDW_RETURN_IF_ERROR(memory_.Resize(memory_.bytes() + used - column_allowance_));
  column_allowance_ = used;
  return {};
}

Status SegmentAssembler::CheckCompleteness() const {
  MutexLock lock(mu_);
  const uint64_t arrived = with_vector_.rows() + without_vector_.rows() + rejected_rows_;
  if (arrived == totals_.rows) return {};
  return RowsChanged("Of " + std::to_string(totals_.rows) + " rows only " +
                     std::to_string(arrived) + " came.");
}

uint64_t SegmentAssembler::rows_with_vector() const {
  MutexLock lock(mu_);
  return with_vector_.rows();
}

std::string SegmentAssembler::first_rejection() const {
  MutexLock lock(mu_);
  return first_rejection_;
}

std::vector<KeyHash> SegmentAssembler::rejected_keys() const {
  MutexLock lock(mu_);
  return rejected_keys_;
}

Result<std::shared_ptr<SegmentSet>> SegmentAssembler::Assemble(IndexKind kind,
                                                               const BuildControl& control) {
  VFDW_RETURN_IF_ERROR(CheckCompleteness());
  auto set = std::make_shared<SegmentSet>();
  set->budget = budget_;
  set->definition = definition_;
  set->generation = NextGeneration();
  set->dimensions = store_ ? static_cast<uint32_t>(store_->dimensions()) : definition_->dimensions;
  vfdw::RowVersionId next_version = 1;
  if (store_ != nullptr && store_->size() > 0) {
    VFDW_ASSIGN_OR_RETURN(auto segment, SealWithVectors(kind, control, next_version));
    next_version += segment->rows();
    set->segments.push_back(std::move(segment));
  }
  VFDW_ASSIGN_OR_RETURN(auto vectorless, SealWithoutVectors(next_version));
  if (vectorless != nullptr) set->segments.push_back(std::move(vectorless));
  MutexLock lock(mu_);
  set->rejected_rows = rejected_rows_;
  memory_.Release();
  set->CountRows();
  return set;
}

Result<std::shared_ptr<const Segment>> SegmentAssembler::SealWithVectors(
    IndexKind kind, const BuildControl& control, vfdw::RowVersionId first_version) {
  store_->Trim();
  IndexSpec spec = definition_->index;
  spec.kind = kind;
  std::vector<uint32_t> permutation;
  VFDW_ASSIGN_OR_RETURN(std::unique_ptr<Index> index,
                        BuildIndex(spec, store_, control, &permutation));
  MutexLock lock(mu_);
  if (!permutation.empty()) with_vector_.Permute(permutation);
  with_vector_.Compact();
  const size_t bytes = with_vector_.memory_bytes() + index->memory_bytes();
  // From here on only what stays is needed, and the columns of the other segment.
  VFDW_RETURN_IF_ERROR(memory_.Resize(without_vector_.memory_bytes()));
  VFDW_ASSIGN_OR_RETURN(MemoryReservation memory,
                        budget_->Reserve(bytes, "collection \"" + definition_->name + "\""));
  return std::make_shared<const Segment>(std::move(with_vector_), std::move(store_),
                                         std::move(index), first_version, std::move(memory));
}

// Null when every row has a vector.
Result<std::shared_ptr<const Segment>> SegmentAssembler::SealWithoutVectors(
    vfdw::RowVersionId first_version) {
  MutexLock lock(mu_);
  if (without_vector_.rows() == 0) return std::shared_ptr<const Segment>();
  without_vector_.Compact();
  VFDW_RETURN_IF_ERROR(memory_.Resize(without_vector_.memory_bytes()));
  return std::make_shared<const Segment>(std::move(without_vector_), nullptr, nullptr,
                                         first_version, std::move(memory_));
}

}  // namespace vectord

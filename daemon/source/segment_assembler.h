// segment_assembler.h - rows that arrive in batches become the segments of a collection.
//
//   Collecting --Assemble()--> used up; what comes out is a SegmentSet, ready to be published
//
// The number of rows is known beforehand, so vectors are stored once, where they will stay. All
// memory that the segments and the building of the index need is reserved before the first row.
//
// Threads: any number may Add() at once; one calls Assemble(), after them.
#ifndef VECTORD_SOURCE_SEGMENT_ASSEMBLER_H
#define VECTORD_SOURCE_SEGMENT_ASSEMBLER_H

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "daemon/base/memory_budget.h"
#include "daemon/base/mutex.h"
#include "daemon/base/status.h"
#include "daemon/collection/definition.h"
#include "daemon/collection/segment_set.h"
#include "daemon/source/copy_rows.h"

namespace vectord {

// What a table holds under the snapshot that is copied.
struct CopyTotals {
  uint64_t rows = 0;
  uint64_t rows_with_vector = 0;
  uint32_t dimensions = 0;    // 0: no row has a usable vector
  uint64_t column_bytes = 0;  // of all rows but their vectors, estimated
};

class SegmentAssembler {
 public:
  // OUT_OF_MEMORY, saying what is needed, before anything is allocated.
  // build_threads: for the index; as many as will be given to Assemble().
  static Result<std::unique_ptr<SegmentAssembler>> Create(
      std::shared_ptr<MemoryBudget> budget, std::shared_ptr<const Definition> definition,
      const CopyTotals& totals, int build_threads);

  // Takes the rows of a batch. SOURCE_FAILED when more come than there were, OUT_OF_MEMORY when
  // they are larger than estimated and there is no room.
  Status Add(const RowBatch& batch);

  // Returns the set, with an index of that kind; its as_of is still 0. SOURCE_FAILED when rows are
  // missing. CANCELED as control says.
  Result<std::shared_ptr<SegmentSet>> Assemble(IndexKind kind, const BuildControl& control);

  // That were accepted so far.
  uint64_t rows_with_vector() const;
  // What was wrong with the first rejected row, as a sentence without its full stop.
  std::string first_rejection() const;
  std::vector<KeyHash> rejected_keys() const;

 private:
  SegmentAssembler(std::shared_ptr<MemoryBudget> budget,
                   std::shared_ptr<const Definition> definition, const CopyTotals& totals);

  Status Reserve(int build_threads);
  Status CheckCompleteness() const;
  Status AddWithVector(const RowBatch& batch) REQUIRES(mu_);
  Status FitColumns() REQUIRES(mu_);
  Result<std::shared_ptr<const Segment>> SealWithVectors(IndexKind kind,
                                                         const BuildControl& control,
                                                         vfdw::RowVersionId first_version);
  Result<std::shared_ptr<const Segment>> SealWithoutVectors(vfdw::RowVersionId first_version);

  const std::shared_ptr<MemoryBudget> budget_;  // first: reservations below come from it
  const std::shared_ptr<const Definition> definition_;
  const CopyTotals totals_;
  std::shared_ptr<VectorStore> store_;  // null: no row has a usable vector

  mutable Mutex mu_;
  MemoryReservation memory_ GUARDED_BY(mu_);     // of all but store_
  size_t column_allowance_ GUARDED_BY(mu_) = 0;  // the part of memory_ that is for columns
  ColumnSet with_vector_ GUARDED_BY(mu_);        // row i belongs to row i of store_
  ColumnSet without_vector_ GUARDED_BY(mu_);
  uint64_t rejected_rows_ GUARDED_BY(mu_) = 0;
  std::vector<KeyHash> rejected_keys_ GUARDED_BY(mu_);
  std::string first_rejection_ GUARDED_BY(mu_);
};

}  // namespace vectord

#endif

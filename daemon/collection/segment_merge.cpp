// segment_merge.cpp - see segment_merge.h.
#include "daemon/collection/segment_merge.h"

#include <utility>
#include <vector>

#include "daemon/base/refused_memory.h"
#include "daemon/collection/segment_copy.h"
#include "daemon/index/index_builder.h"

namespace vectord {
namespace {

constexpr char kToMerge[] = "merge segments";
constexpr char kWhat[] = "the index of a merged segment";

struct BuiltIndex {
  std::unique_ptr<const Index> index;
  MemoryReservation memory;
  std::vector<uint32_t> permutation;
};

Result<BuiltIndex> Build(const IndexSpec& spec, const std::shared_ptr<VectorStore>& store,
                         const BuildControl& control, MemoryBudget* budget) {
  const size_t rows = store->size(), dimensions = store->dimensions();
  BuiltIndex built;
  VFDW_ASSIGN_OR_RETURN(
      built.memory, budget->Reserve(EstimateIndexBytes(spec, rows, dimensions) +
                                        EstimateBuildBytes(spec, rows, dimensions, control.threads),
                                    kWhat));
  VFDW_ASSIGN_OR_RETURN(built.index, BuildIndex(spec, store, control, &built.permutation));
  VFDW_RETURN_IF_ERROR(built.memory.Resize(built.index->memory_bytes()));
  return built;
}

// Takes the result over, for which the lock is held. A refusal in its midst leaves keys that lead
// to no row: then the incarnation is of no more use.
template <typename Finish>
Status FinishLocked(Incarnation* incarnation, const Finish& finish) REQUIRES(incarnation->mu) {
  if (incarnation->state() == Incarnation::State::kRetired) return {};
  const Status status = WithRefusedMemory(kToMerge, finish);
  if (!status.ok() && incarnation->state() != Incarnation::State::kRetired)
    incarnation->Retire(status);
  return status;
}

Status AddIndex(Incarnation* incarnation, const MergePlan& plan, const BuildControl& control) {
  const Segment& segment = *plan.views[0];
  // Shared with searches: an index that keeps the rows where they are only reads them.
  const auto store = std::const_pointer_cast<VectorStore>(segment.shared_vectors());
  VFDW_ASSIGN_OR_RETURN(BuiltIndex built, Build(incarnation->definition()->index, store, control,
                                                incarnation->collection()->budget().get()));
  auto indexed =
      std::make_shared<const Segment>(segment, std::move(built.index), std::move(built.memory));
  MutexLock lock(incarnation->mu);
  return FinishLocked(incarnation, [&]() NO_THREAD_SAFETY_ANALYSIS {
    incarnation->writer().FinishIndex(plan, std::move(indexed));
    return incarnation->Publish();
  });
}

// Row i of the result came from origins[permutation[i]].
void Reorder(const std::vector<uint32_t>& permutation, CopiedRows* rows) {
  rows->columns.Permute(permutation);
  std::vector<RowOrigin> origins;
  origins.reserve(permutation.size());
  for (const uint32_t old_row : permutation) origins.push_back(rows->origins[old_row]);
  rows->origins = std::move(origins);
  if (rows->tags.empty()) return;
  RowTags tags;
  tags.reserve(permutation.size());
  for (const uint32_t old_row : permutation) tags.push_back(rows->tags[old_row]);
  rows->tags = std::move(tags);
}

Status Merge(Incarnation* incarnation, const MergePlan& plan, const BuildControl& control) {
  const std::shared_ptr<MemoryBudget>& budget = incarnation->collection()->budget();
  const bool has_vectors = plan.views[0]->has_vectors();
  const auto dimensions =
      has_vectors ? static_cast<uint32_t>(plan.views[0]->vectors().dimensions()) : 0;
  VFDW_ASSIGN_OR_RETURN(CopiedRows rows,
                        CopyLiveRows(plan.views, dimensions, budget.get(), control.cancelled));
  BuiltIndex built;
  if (has_vectors && !rows.origins.empty()) {
    IndexSpec spec = incarnation->definition()->index;
    if (!plan.build_index) spec.kind = IndexKind::kFlat;
    VFDW_ASSIGN_OR_RETURN(built, Build(spec, rows.vectors, control, budget.get()));
    if (!built.permutation.empty()) Reorder(built.permutation, &rows);
  }
  rows.columns.Compact();
  const size_t bytes =
      rows.columns.memory_bytes() + rows.tags.capacity() * sizeof(RowTag) + built.memory.bytes();
  built.memory.Release();
  VFDW_RETURN_IF_ERROR(rows.column_memory.Resize(bytes));
  MutexLock lock(incarnation->mu);
  return FinishLocked(incarnation, [&]() NO_THREAD_SAFETY_ANALYSIS -> Status {
    CollectionWriter& writer = incarnation->writer();
    std::shared_ptr<const Segment> merged;
    if (!rows.origins.empty())
      merged = std::make_shared<const Segment>(std::move(rows.columns), std::move(rows.vectors),
                                               std::move(built.index),
                                               writer.TakeVersions(rows.origins.size()),
                                               std::move(rows.column_memory), std::move(rows.tags));
    VFDW_RETURN_IF_ERROR(writer.FinishMerge(plan, std::move(merged), rows.origins));
    return incarnation->Publish();
  });
}

}  // namespace

Status RunMerge(Incarnation* incarnation, const MergePlan& plan, const BuildControl& control) {
  const Status status = WithRefusedMemory(kToMerge, [&] {
    return plan.keeps_rows ? AddIndex(incarnation, plan, control)
                           : Merge(incarnation, plan, control);
  });
  if (status.ok()) return {};
  MutexLock lock(incarnation->mu);
  if (incarnation->state() != Incarnation::State::kRetired)
    incarnation->writer().AbandonMerge(plan);
  return status;
}

}  // namespace vectord

// index_builder.cpp - see index_builder.h.
#include "daemon/index/index_builder.h"

#include <algorithm>
#include <exception>
#include <new>
#include <string>
#include <utility>

#include "daemon/base/quantity.h"
#include "daemon/index/calibration.h"
#include "daemon/index/flat_index.h"
#include "daemon/index/hnsw_builder.h"
#include "daemon/index/hnsw_index.h"
#include "daemon/index/ivf_builder.h"
#include "daemon/index/ivf_index.h"
#include "daemon/index/list_calibration.h"
#include "daemon/index/vector_codes.h"

namespace vectord {
namespace {

using IndexOrError = Result<std::unique_ptr<Index>>;
using SharedStore = std::shared_ptr<VectorStore>;

IndexOrError BuildHnsw(const IndexSpec& spec, const SharedStore& store,
                       const BuildControl& control) {
  VFDW_ASSIGN_OR_RETURN(HnswBuild build, BuildHnswGraph(spec, *store, control));
  return std::unique_ptr<Index>(std::make_unique<HnswIndex>(
      store, spec.metric, std::move(build.graph), build.given_effort, std::move(build.curves)));
}

// Of rows, rising, what permutation made of their numbers.
std::vector<uint32_t> NewNumbers(const std::vector<uint32_t>& rows,
                                 const std::vector<uint32_t>& permutation) {
  std::vector<uint32_t> now;
  for (size_t i = 0; i < permutation.size(); i++)
    if (std::binary_search(rows.begin(), rows.end(), permutation[i]))
      now.push_back(static_cast<uint32_t>(i));
  return now;
}

IndexOrError BuildIvf(const IndexSpec& spec, const SharedStore& store, const BuildControl& control,
                      std::vector<uint32_t>* permutation) {
  std::vector<uint32_t> held_out;
  if (spec.nprobe == 0) held_out = ChooseHeldOut(store->size(), store->dimensions());
  VFDW_ASSIGN_OR_RETURN(IvfLists lists,
                        BuildIvfLists(spec, store.get(), held_out, control, permutation));
  // Not before: the rows are now in the order of the lists.
  VFDW_ASSIGN_OR_RETURN(lists.codes, MakeCodes(spec.quantizer, spec.metric, *store, control));
  const uint32_t count = static_cast<uint32_t>(std::max<size_t>(1, lists.count()));
  RecallCurves curves;
  if (spec.nprobe == 0) {
    const IvfIndex unmeasured(store, spec.metric, lists, /*given_effort=*/1, RecallCurves());
    VFDW_ASSIGN_OR_RETURN(
        curves, MeasureListRecall(unmeasured, NewNumbers(held_out, *permutation), control));
  }
  // Of a table too small to be measured all lists: nobody knows how few would do, and a scan is
  // cheap.
  const uint32_t probes = spec.nprobe != 0 ? std::min(spec.nprobe, count)
                          : curves.empty() ? count + 1
                                           : std::max(1u, count / 10);
  return std::unique_ptr<Index>(
      std::make_unique<IvfIndex>(store, spec.metric, std::move(lists), probes, std::move(curves)));
}

IndexOrError BuildOrThrow(const IndexSpec& spec, const SharedStore& store,
                          const BuildControl& control, std::vector<uint32_t>* permutation) {
  switch (spec.kind) {
    case IndexKind::kFlat:
      if (control.rows_done != nullptr) *control.rows_done = store->size();
      return std::unique_ptr<Index>(std::make_unique<FlatIndex>(store, spec.metric));
    case IndexKind::kHnsw:
      return BuildHnsw(spec, store, control);
    case IndexKind::kIvf:
      return BuildIvf(spec, store, control, permutation);
  }
  return Status(ErrorCode::INVALID_PARAMETER, "unknown kind of index");
}

}  // namespace

size_t EstimateIndexBytes(const IndexSpec& spec, size_t rows, size_t dimensions) {
  switch (spec.kind) {
    case IndexKind::kFlat:
      return sizeof(FlatIndex);
    case IndexKind::kHnsw:
      return sizeof(HnswIndex) + EstimateHnswGraphBytes(spec, rows, dimensions);
    case IndexKind::kIvf:
      return sizeof(IvfIndex) + EstimateIvfListsBytes(spec, rows, dimensions) +
             EstimateCodesBytes(spec.quantizer, rows, dimensions);
  }
  return 0;
}

size_t EstimateBuildBytes(const IndexSpec& spec, size_t rows, size_t dimensions, int threads) {
  switch (spec.kind) {
    case IndexKind::kFlat:
      return 0;
    case IndexKind::kHnsw:
      return EstimateHnswBuildBytes(spec, rows, dimensions, threads);
    case IndexKind::kIvf:
      return std::max(EstimateIvfBuildBytes(spec, rows, dimensions),
                      EstimateMakingCodesBytes(spec.quantizer, rows, dimensions, threads));
  }
  return 0;
}

IndexOrError BuildIndex(const IndexSpec& spec, const SharedStore& store,
                        const BuildControl& control, std::vector<uint32_t>* permutation) {
  permutation->clear();
  VFDW_RETURN_IF_ERROR(ValidateIndexSpec(spec));
  try {
    return BuildOrThrow(spec, store, control, permutation);
  } catch (const std::bad_alloc&) {
    return Status(ErrorCode::OUT_OF_MEMORY, "not enough memory to build the index",
                  "The system refused memory for an index of " + Counted(store->size(), "row") +
                      " of " + Counted(store->dimensions(), "dimension") + ".");
  } catch (const std::exception& error) {
    const bool by_faiss = spec.kind == IndexKind::kIvf;
    return Status(ErrorCode::INTERNAL, "the index could not be built",
                  std::string(by_faiss ? "FAISS or the standard library says: "
                                       : "The standard library says: ") +
                      error.what());
  }
}

}  // namespace vectord

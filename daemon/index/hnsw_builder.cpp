// hnsw_builder.cpp - see hnsw_builder.h.
//
// Some rows are held back from the linker until searches for them have shown how much effort this
// graph needs (calibration.h).
#include "daemon/index/hnsw_builder.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "daemon/index/calibration.h"
#include "daemon/index/code_keys.h"
#include "daemon/index/exact_scan.h"
#include "daemon/index/filtered_walk.h"
#include "daemon/index/hnsw_index.h"
#include "daemon/index/hnsw_linker.h"
#include "daemon/index/hnsw_walk.h"
#include "daemon/index/scratch_pool.h"

namespace vectord {
namespace {

// Of tables too small to be measured.
constexpr uint32_t kUnmeasuredEffort = 100;

// How often rows that pass a filter are met depends on their share; walks for the shares above and
// between these differ little (hnsw_index.cpp), and the last is the least that is walked for.
std::vector<float> SharesToMeasure(size_t rows) {
  const double scanned = double{kFewestAllowedRows} / static_cast<double>(rows);
  const float least =
      std::nextafter(static_cast<float>(std::max(kLeastShareOfFilteredWalk, scanned)), 1.0f);
  std::vector<float> shares = {0.2f, 0.04f};
  constexpr float kNotNear = 0.7f;
  if (least < kNotNear * shares.back()) shares.push_back(least);
  return shares;
}

std::vector<FilterShare> FiltersToMeasure(const HnswGraph& graph, const VectorStore& store) {
  std::vector<FilterShare> filters;
  double largest = kLeastPlainShare;  // of the shares that go by it
  for (const float share : SharesToMeasure(store.size())) {
    filters.push_back({share, HnswIndex::LastEffort(graph, store, largest)});
    largest = share;
  }
  return filters;
}

// What searches for the held-out rows' neighbours find in the graph without them.
Result<RecallCurves> MeasureGraph(const HnswGraph& graph, vfdw_metric metric,
                                  const VectorStore& store, const std::vector<uint32_t>& held_out,
                                  const BuildControl& control) {
  ScratchPool<WalkScratch> scratch_pool;
  const CalibrationTask task{
      store,
      metric,
      held_out,
      HnswIndex::LastEffort(graph, store, /*share=*/1),
      HnswIndex::CostInRows(graph, store, 1),
      FiltersToMeasure(graph, store),
      [&](const float* query, const SearchParams& params, bool filtered,
          std::vector<Candidate>* out) {
        SearchStats stats;
        const auto scratch = scratch_pool.Borrow();
        if (!filtered) {
          SearchParams unfiltered = params;
          unfiltered.allowed_rows = nullptr;  // the graph does not have the held-out rows
          return WalkGraph(graph, store, metric, query, unfiltered, params.effort, scratch.get(),
                           out, &stats);
        }
        const size_t allowed = CountAllowed(params.allowed_rows, store.size());
        if (allowed > params.effort)
          return WalkAllowedRows(graph, store, metric, query, params, allowed, params.effort,
                                 scratch.get(), out, &stats);
        out->clear();
        return Status();
      }};
  return MeasureRecall(task, control);
}

// Moves the rows to be measured with to the end; returns them, in an order by chance, as the
// linking order is. They are on the bottom level only.
std::vector<uint32_t> HoldOut(const VectorStore& store, LinkingOrder* order) {
  const std::vector<uint32_t> chosen = ChooseHeldOut(store.size(), store.dimensions());
  const size_t upper_rows = order->seats.empty() ? 0 : order->seats.front();
  const auto begin = std::stable_partition(
      order->rows.begin() + static_cast<std::ptrdiff_t>(upper_rows), order->rows.end(),
      [&](uint32_t row) { return !std::binary_search(chosen.begin(), chosen.end(), row); });
  return {begin, order->rows.end()};
}

struct Codes {
  std::optional<CodeKeys> linking;  // none: by float32
  SharedCodes searching;            // null: by float32
};

// Codes that suit link the graph, whatever it is searched by.
Result<Codes> MakeGraphCodes(const IndexSpec& spec, const VectorStore& store,
                             const BuildControl& control) {
  Codes codes;
  VFDW_ASSIGN_OR_RETURN(SharedCodes suitable,
                        MakeCodes(Quantizer::kAutomatic, spec.metric, store, control));
  if (suitable) {
    VFDW_ASSIGN_OR_RETURN(
        codes.linking,
        CodeKeys::Make(std::static_pointer_cast<const Sq8Codes>(suitable), store, control));
  }
  if (spec.quantizer == Quantizer::kAutomatic || (suitable && spec.quantizer == Quantizer::kSq8)) {
    codes.searching = std::move(suitable);
  } else {
    VFDW_ASSIGN_OR_RETURN(codes.searching, MakeCodes(spec.quantizer, spec.metric, store, control));
  }
  return codes;
}

}  // namespace

Result<HnswBuild> BuildHnswGraph(const IndexSpec& spec, const VectorStore& store,
                                 const BuildControl& control) {
  LinkingOrder order = ChooseLinkingOrder(spec, store);
  std::vector<uint32_t> held_out;
  if (spec.ef_search == 0) held_out = HoldOut(store, &order);
  HnswBuild build{{}, spec.ef_search != 0 ? spec.ef_search : kUnmeasuredEffort, {}};
  const size_t rows = order.rows.size(), measured_rows = rows - held_out.size();
  VFDW_ASSIGN_OR_RETURN(Codes codes, MakeGraphCodes(spec, store, control));
  VFDW_ASSIGN_OR_RETURN(const auto linker,
                        MakeHnswLinker(spec, store, std::move(order), std::move(codes.linking)));
  VFDW_RETURN_IF_ERROR(linker->Link(0, measured_rows, control));
  if (!held_out.empty()) {
    HnswGraph graph = linker->Seal(measured_rows);
    graph.codes = codes.searching;
    VFDW_ASSIGN_OR_RETURN(build.curves, MeasureGraph(graph, spec.metric, store, held_out, control));
    linker->Reopen(std::move(graph));
    VFDW_RETURN_IF_ERROR(linker->Link(measured_rows, rows, control));
  }
  if (control.rows_done != nullptr) *control.rows_done = store.size();
  build.graph = linker->Seal(rows);
  build.graph.codes = std::move(codes.searching);
  return build;
}

size_t EstimateHnswGraphBytes(const IndexSpec& spec, size_t rows, size_t dimensions) {
  const size_t bottom = rows * 2 * spec.m * sizeof(uint32_t);
  // One row in m is on level 1, one in m^2 on level 2, and so on.
  const size_t seats = rows / (spec.m - 1);
  const size_t visited_rows = rows;  // of the searches that will run, one at a time
  return PageBuffer::RoundedUp(bottom) + seats * (spec.m + 2) * sizeof(uint32_t) + visited_rows +
         EstimateCodesBytes(spec.quantizer, rows, dimensions);
}

size_t EstimateHnswBuildBytes(const IndexSpec& spec, size_t rows, size_t dimensions, int threads) {
  const size_t levels = rows;  // a byte each, while the order is made
  size_t codes = EstimateMakingCodesBytes(spec.quantizer, rows, dimensions, threads);
  if (CodeKeys::ArePossible(rows, dimensions)) {
    codes = std::max(codes, Sq8Codes::kBytesToMake + CodeKeys::BytesFor(rows, threads));
    if (spec.quantizer != Quantizer::kAutomatic && spec.quantizer != Quantizer::kSq8)
      codes += Sq8Codes::BytesFor(rows, dimensions);
  }
  return EstimateLinkerBytes(spec, rows, threads) + levels + codes;
}

}  // namespace vectord

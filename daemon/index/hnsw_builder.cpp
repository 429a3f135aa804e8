// hnsw_builder.cpp - see hnsw_builder.h.
//
// FAISS's HNSW::add_with_locks() does the linking, with our distances and our threads. Rows go in
// from the highest level down, as FAISS's own loop does it (otherwise the upper levels would be
// built through a graph that is not there yet), and shuffled within a level, so that neighbours
// in the table do not wait for each other's locks. Levels come from FAISS's fixed seed: the same
// table gives the same levels; the links still depend on how the threads interleave.
#include "daemon/index/hnsw_builder.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <random>
#include <vector>

#include "daemon/base/thread_pool.h"
#include "daemon/index/calibration.h"
#include "daemon/index/faiss_compat.h"
#include "daemon/index/hnsw_index.h"
#include "daemon/index/hnsw_walk.h"
#include "daemon/index/scratch_pool.h"
#include "daemon/kernel/distance.h"
#include "shared/limits.h"

namespace vectord {
namespace {

// Below this nothing is gained: a search then costs little more than its fixed part.
constexpr uint32_t kLeastDefaultEffort = 40;
// Of tables too small to be measured.
constexpr uint32_t kUnmeasuredEffort = 100;

// Distances between rows, in the form FAISS asks for. One for each thread.
template <vfdw_metric kMetric>
class RowDistances final : public faiss::DistanceComputer {
 public:
  explicit RowDistances(const VectorStore& store)
      : rows_(store.data()),
        stride_(store.stride()),
        dimensions_(store.dimensions()),
        norms_(store.squared_norms()),
        sum_(ActiveKernels().ForMetric(kMetric).one) {}

  // Only ever called with a row of the store.
  void set_query(const float* row) override { query_ = static_cast<size_t>(row - rows_) / stride_; }
  float operator()(faiss_compat::RowId i) override { return Between(query_, i); }
  float symmetric_dis(faiss_compat::RowId i, faiss_compat::RowId j) override {
    return Between(i, j);
  }

 private:
  float Between(size_t i, size_t j) const {
    const float key = KeyBetween(i, j);
    // Sums of huge elements can overflow to NaN, which no priority queue can order.
    return key == key ? key : std::numeric_limits<float>::max();
  }

  float KeyBetween(size_t i, size_t j) const {
    const float sum = sum_(rows_ + i * stride_, rows_ + j * stride_, dimensions_);
    // No distance, but measured: with links chosen by a true one (an extra coordinate that makes
    // all lengths equal) searches by product found far less.
    if (kMetric == VFDW_METRIC_IP) return -sum;
    if (kMetric == VFDW_METRIC_COSINE) return -sum / (std::sqrt(norms_[i]) * std::sqrt(norms_[j]));
    return sum;
  }

  const float* const rows_;
  const size_t stride_, dimensions_;
  const float* const norms_;
  float (*const sum_)(const float*, const float*, size_t);
  size_t query_ = 0;
};

std::unique_ptr<faiss::DistanceComputer> MakeRowDistances(vfdw_metric metric,
                                                          const VectorStore& store) {
  switch (metric) {
    case VFDW_METRIC_L2:
      return std::make_unique<RowDistances<VFDW_METRIC_L2>>(store);
    case VFDW_METRIC_IP:
      return std::make_unique<RowDistances<VFDW_METRIC_IP>>(store);
    case VFDW_METRIC_COSINE:
      return std::make_unique<RowDistances<VFDW_METRIC_COSINE>>(store);
    case VFDW_METRIC_L1:
      return std::make_unique<RowDistances<VFDW_METRIC_L1>>(store);
  }
  return nullptr;
}

bool HasPlaceInGraph(vfdw_metric metric, const VectorStore& store, size_t row) {
  return metric != VFDW_METRIC_COSINE || store.squared_norms()[row] != 0;
}

// The rows to link, in the order to link them. FAISS counts levels from 1.
std::vector<uint32_t> LinkingOrder(const faiss::HNSW& hnsw, vfdw_metric metric,
                                   const VectorStore& store) {
  std::vector<uint32_t> order;
  order.reserve(store.size());
  for (size_t row = 0; row < store.size(); row++)
    if (HasPlaceInGraph(metric, store, row)) order.push_back(static_cast<uint32_t>(row));
  constexpr uint32_t kSeed = 789;
  std::shuffle(order.begin(), order.end(), std::mt19937(kSeed));
  std::stable_sort(order.begin(), order.end(),
                   [&hnsw](uint32_t a, uint32_t b) { return hnsw.levels[a] > hnsw.levels[b]; });
  return order;
}

// Links rows by FAISS. One for the whole build; each worker thread has tools of its own.
class Linker {
 public:
  Linker(const IndexSpec& spec, const VectorStore& store, const BuildControl& control)
      : hnsw_(static_cast<int>(spec.m)),
        metric_(spec.metric),
        store_(store),
        control_(control),
        locks_(store.size()),
        workers_(std::max(1, control.threads)) {
    hnsw_.efConstruction = static_cast<int>(spec.ef_construction);
    hnsw_.prepare_level_tab(store.size());
  }

  const faiss::HNSW& hnsw() const { return hnsw_; }

  // Links order[begin] .. order[end - 1].
  Status Link(const std::vector<uint32_t>& order, size_t begin, size_t end) {
    const auto link = [&](size_t from, size_t to, int worker) {
      for (size_t i = from; i < to; i++) LinkRow(order[begin + i], &workers_[worker]);
      if (control_.rows_done != nullptr) *control_.rows_done += to - from;
    };
    constexpr size_t kRowsAtOnce = 16;
    return ParallelFor(control_.threads, end - begin, kRowsAtOnce, link, control_.cancelled);
  }

 private:
  struct Worker {
    std::unique_ptr<faiss::DistanceComputer> distances;
    std::unique_ptr<faiss::VisitedTable> visited;
  };

  void LinkRow(uint32_t row, Worker* worker) {
    if (!worker->distances) {
      worker->distances = MakeRowDistances(metric_, store_);
      worker->visited = faiss_compat::MakeVisitedTable(store_.size());
    }
    worker->distances->set_query(store_.row(row));
    hnsw_.add_with_locks(*worker->distances, hnsw_.levels[row] - 1, static_cast<int>(row), locks_,
                         *worker->visited);
  }

  faiss::HNSW hnsw_;
  const vfdw_metric metric_;
  const VectorStore& store_;
  const BuildControl& control_;
  faiss_compat::GraphLocks locks_;
  std::vector<Worker> workers_;
};

// Copies the links of one row on one level; `translate` turns rows into what the target holds.
template <class Translate>
void CopyLinks(const faiss::HNSW& hnsw, size_t row, int level, uint32_t* out, Translate translate) {
  size_t begin, end;
  hnsw.neighbor_range(row, level, &begin, &end);
  size_t count = 0;
  for (size_t i = begin; i < end && hnsw.neighbors[i] >= 0; i++)
    out[count++] = translate(static_cast<uint32_t>(hnsw.neighbors[i]));
  std::fill(out + count, out + (end - begin), kNoLink);
}

HnswGraph::UpperLevel SealUpperLevel(const faiss::HNSW& hnsw, int level, uint32_t degree,
                                     const std::vector<uint32_t>& rows,
                                     const std::vector<uint32_t>& rows_below) {
  // Both lists rise, so a row's seat is found by bisection.
  const auto seat_in = [](const std::vector<uint32_t>& list, uint32_t row) {
    return static_cast<uint32_t>(std::lower_bound(list.begin(), list.end(), row) - list.begin());
  };
  HnswGraph::UpperLevel upper;
  upper.row = rows;
  upper.below.resize(rows.size());
  upper.links.resize(rows.size() * degree);
  for (size_t seat = 0; seat < rows.size(); seat++) {
    upper.below[seat] = level == 1 ? rows[seat] : seat_in(rows_below, rows[seat]);
    CopyLinks(hnsw, rows[seat], level, upper.links.data() + seat * degree,
              [&](uint32_t row) { return seat_in(rows, row); });
  }
  return upper;
}

Result<HnswGraph> Seal(const faiss::HNSW& hnsw, const std::vector<uint32_t>& linked, size_t rows) {
  HnswGraph graph;
  graph.bottom_degree = static_cast<uint32_t>(hnsw.nb_neighbors(0));
  graph.upper_degree = static_cast<uint32_t>(hnsw.nb_neighbors(1));
  graph.linked_rows = linked.size();
  const size_t bottom_links = rows * graph.bottom_degree;
  VFDW_ASSIGN_OR_RETURN(graph.bottom, PageBuffer::Create(bottom_links * sizeof(uint32_t)));
  for (size_t row = 0; row < rows; row++)
    CopyLinks(hnsw, row, 0, graph.bottom.as<uint32_t>() + row * graph.bottom_degree,
              [](uint32_t link) { return link; });
  if (linked.empty()) return graph;

  std::vector<uint32_t> rows_below;
  for (int level = 1; level <= hnsw.max_level; level++) {
    std::vector<uint32_t> rows_here;
    for (const uint32_t row : linked)
      if (hnsw.levels[row] > level) rows_here.push_back(row);
    std::sort(rows_here.begin(), rows_here.end());
    rows_here.shrink_to_fit();
    graph.upper.push_back(SealUpperLevel(hnsw, level, graph.upper_degree, rows_here, rows_below));
    rows_below = std::move(rows_here);
  }
  const uint32_t entry_row = static_cast<uint32_t>(hnsw.entry_point);
  graph.entry = graph.upper.empty()
                    ? entry_row
                    : static_cast<uint32_t>(
                          std::lower_bound(rows_below.begin(), rows_below.end(), entry_row) -
                          rows_below.begin());
  return graph;
}

// The least effort that finds the held-out rows' neighbours in the graph without them.
Result<uint32_t> MeasureEffort(const HnswGraph& graph, vfdw_metric metric, const VectorStore& store,
                               const std::vector<uint32_t>& held_out, const BuildControl& control) {
  // Beyond this an exact scan is cheaper, and Index::Search() makes it.
  const double largest = static_cast<double>(store.size()) / HnswIndex::CostInRows(graph, 1);
  const uint32_t last_effort = static_cast<uint32_t>(
      std::clamp(largest, static_cast<double>(kLeastDefaultEffort), double{VFDW_MAX_EF_SEARCH}));
  ScratchPool<WalkScratch> scratch_pool;
  const CalibrationTask task{
      store,
      metric,
      held_out,
      kLeastDefaultEffort,
      last_effort,
      kDefaultTargetRecall,
      [&](const float* query, const SearchParams& params, std::vector<Candidate>* out) {
        SearchParams unfiltered = params;
        unfiltered.allowed_rows = nullptr;  // the graph does not have the held-out rows
        SearchStats stats;
        const auto scratch = scratch_pool.Borrow();
        return WalkGraph(graph, store, metric, query, unfiltered, params.effort, scratch.get(), out,
                         &stats);
      }};
  VFDW_ASSIGN_OR_RETURN(const std::vector<EffortRecall> curve, MeasureRecall(task, control));
  return ChooseEffort(task, curve);
}

// Moves the rows to be measured with to the end; returns them. They are on the bottom level only.
std::vector<uint32_t> HoldOut(const faiss::HNSW& hnsw, size_t rows, std::vector<uint32_t>* order) {
  const std::vector<uint32_t> chosen = ChooseHeldOut(rows);
  const auto is_held_out = [&](uint32_t row) {
    return hnsw.levels[row] == 1 && std::binary_search(chosen.begin(), chosen.end(), row);
  };
  const auto begin = std::stable_partition(order->begin(), order->end(),
                                           [&](uint32_t row) { return !is_held_out(row); });
  return {begin, order->end()};
}

}  // namespace

Result<HnswBuild> BuildHnswGraph(const IndexSpec& spec, const VectorStore& store,
                                 const BuildControl& control) {
  Linker linker(spec, store, control);
  std::vector<uint32_t> order = LinkingOrder(linker.hnsw(), spec.metric, store);
  HnswBuild build{{}, spec.ef_search != 0 ? spec.ef_search : kUnmeasuredEffort};
  size_t linked = 0;
  if (spec.ef_search == 0) {
    const std::vector<uint32_t> held_out = HoldOut(linker.hnsw(), store.size(), &order);
    if (!held_out.empty()) {
      linked = order.size() - held_out.size();
      VFDW_RETURN_IF_ERROR(linker.Link(order, 0, linked));
      VFDW_ASSIGN_OR_RETURN(const HnswGraph graph, Seal(linker.hnsw(), order, store.size()));
      VFDW_ASSIGN_OR_RETURN(build.default_effort,
                            MeasureEffort(graph, spec.metric, store, held_out, control));
    }
  }
  VFDW_RETURN_IF_ERROR(linker.Link(order, linked, order.size()));
  if (control.rows_done != nullptr) *control.rows_done = store.size();
  VFDW_ASSIGN_OR_RETURN(build.graph, Seal(linker.hnsw(), order, store.size()));
  return build;
}

size_t EstimateHnswGraphBytes(const IndexSpec& spec, size_t rows) {
  const size_t bottom = rows * 2 * spec.m * sizeof(uint32_t);
  // One row in m is on level 1, one in m^2 on level 2, and so on.
  const size_t seats = rows / (spec.m - 1);
  const size_t visited_rows = rows;  // of the searches that will run, one at a time
  return PageBuffer::RoundedUp(bottom) + seats * (spec.m + 2) * sizeof(uint32_t) + visited_rows;
}

size_t EstimateHnswBuildBytes(const IndexSpec& spec, size_t rows, int threads) {
  const size_t links = rows * 2 * spec.m + rows / (spec.m - 1) * spec.m;
  const size_t faiss_row = sizeof(size_t) + sizeof(int) + sizeof(omp_lock_t);
  const size_t our_row = sizeof(uint32_t) + static_cast<size_t>(threads);
  return links * sizeof(int) + rows * (faiss_row + our_row);
}

}  // namespace vectord

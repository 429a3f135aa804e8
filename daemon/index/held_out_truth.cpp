// held_out_truth.cpp - see held_out_truth.h.
//
// Rows are ranked by float32 keys (hnsw_walk.h) and only those found get exact distances. A key
// orders rows as their distances do but for what rounding makes equal, and such rows count alike.
#include "daemon/index/held_out_truth.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "daemon/base/thread_pool.h"
#include "daemon/index/bound_query.h"
#include "daemon/kernel/distance.h"

namespace vectord {
namespace {

constexpr size_t kBlock = BoundQuery::kMaxBatch;
static_assert(kBlock == 64, "a block has one word of a bitmap of rows");

class Scan {
 public:
  Scan(const VectorStore& store, vfdw_metric metric, const std::vector<uint32_t>& queries,
       const std::vector<TruthQuestion>& questions, const BuildControl& control)
      : store_(store),
        metric_(metric),
        sums_(ActiveKernels().ForMetric(metric)),
        queries_(queries),
        questions_(questions),
        control_(control) {}

  // Answers all questions about the queries [begin, end). False: cancelled.
  bool Run(size_t begin, size_t end, std::vector<std::vector<TrueNeighbours>>* answers) const {
    std::vector<std::vector<TopK>> best(questions_.size());
    for (size_t i = 0; i < questions_.size(); i++)
      for (size_t q = begin; q < std::min(end, questions_[i].wanted.size()); q++)
        best[i].emplace_back(questions_[i].wanted[q]);
    for (size_t first = 0; first < store_.size(); first += kBlock) {
      if (control_.IsCancelled()) return false;
      const size_t count = std::min(kBlock, store_.size() - first);
      for (size_t q = begin; q < end; q++) {
        float keys[kBlock] = {};
        Keys(queries_[q], first, count, keys);
        const float least = Least(keys);
        for (size_t i = 0; i < questions_.size(); i++)
          if (q - begin < best[i].size() && !(least > best[i][q - begin].Bound()))
            Push(keys, first, questions_[i].allowed_rows[first / 64], &best[i][q - begin]);
      }
    }
    for (size_t i = 0; i < questions_.size(); i++)
      for (size_t q = 0; q < best[i].size(); q++)
        (*answers)[i][begin + q] = Neighbours(queries_[begin + q], &best[i][q]);
    return true;
  }

 private:
  void Keys(uint32_t query, size_t first, size_t count, float* keys) const {
    sums_.batch(store_.row(query), store_.row(first), store_.stride(), count, store_.dimensions(),
                keys);
    if (metric_ == VFDW_METRIC_IP)
      for (size_t i = 0; i < count; i++) keys[i] = -keys[i];
    if (metric_ == VFDW_METRIC_COSINE)
      for (size_t i = 0; i < count; i++) keys[i] /= -std::sqrt(store_.squared_norms()[first + i]);
  }

  // Of all that are no NaN; infinity when there are none. Most blocks have nothing near enough.
  static float Least(const float* keys) {
    constexpr size_t kLanes = 8;  // so that it compiles to vector instructions
    float least[kLanes];
    std::fill(least, least + kLanes, std::numeric_limits<float>::infinity());
    for (size_t i = 0; i < kBlock; i += kLanes)
      for (size_t lane = 0; lane < kLanes; lane++)
        least[lane] = keys[i + lane] < least[lane] ? keys[i + lane] : least[lane];
    return *std::min_element(least, least + kLanes);
  }

  // Bits beyond the last row are not set.
  void Push(const float* keys, size_t first, uint64_t allowed, TopK* best) const {
    for (; allowed != 0; allowed &= allowed - 1) {
      const size_t i = __builtin_ctzll(allowed);
      if (!(double{keys[i]} > best->Bound())) best->Push(keys[i], static_cast<uint32_t>(first + i));
    }
  }

  TrueNeighbours Neighbours(uint32_t query, TopK* best) const {
    TrueNeighbours found;
    if (!best->Take(&found)) return {};  // only a flag can stop it, and it has none
    const BoundQuery bound(store_, metric_, store_.row(query));
    for (Candidate& row : found) bound.Gather(&row.row, 1, &row.distance);
    std::sort(found.begin(), found.end(), ComesBefore);
    return found;
  }

  const VectorStore& store_;
  const vfdw_metric metric_;
  const SumKernels& sums_;
  const std::vector<uint32_t>& queries_;
  const std::vector<TruthQuestion>& questions_;
  const BuildControl& control_;
};

}  // namespace

Result<std::vector<std::vector<TrueNeighbours>>> FindTrueNeighbours(
    const VectorStore& store, vfdw_metric metric, const std::vector<uint32_t>& queries,
    const std::vector<TruthQuestion>& questions, const BuildControl& control) {
  std::vector<std::vector<TrueNeighbours>> answers(questions.size());
  for (size_t i = 0; i < questions.size(); i++) answers[i].resize(questions[i].wanted.size());
  const Scan scan(store, metric, queries, questions, control);
  // So many share one pass over memory, whose cost is then small beside that of their distances.
  constexpr size_t kQueriesAtOnce = 64;
  std::atomic<bool> stopped{false};
  const auto run = [&](size_t begin, size_t end, int) {
    if (!scan.Run(begin, end, &answers)) stopped = true;
  };
  VFDW_RETURN_IF_ERROR(
      ParallelFor(control.threads, queries.size(), kQueriesAtOnce, run, control.cancelled));
  if (stopped) return BuildCanceledStatus();
  return answers;
}

}  // namespace vectord

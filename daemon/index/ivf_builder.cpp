// ivf_builder.cpp - see ivf_builder.h.
//
// FAISS's Clustering runs k-means and calls back for its one costly step, "which centroid is
// nearest": that step runs on our kernels and threads, and is where a build can be stopped.
#include "daemon/index/ivf_builder.h"

#include <faiss/Clustering.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <numeric>
#include <random>

#include "daemon/base/thread_pool.h"
#include "daemon/index/faiss_compat.h"
#include "daemon/kernel/distance.h"

namespace vectord {
namespace {

// More rows for each centroid refine it no further (FAISS warns below 39).
constexpr size_t kSampleRowsPerList = 40;
constexpr int kIterations = 10;

// Leaves Clustering::train(), which has no other way to be stopped.
struct BuildStopped {
  Status status;
};

// The nearest of the centroids, by Euclidean distance, largest product (cosine; the centroids are
// of unit length) or L1 distance.
class NearestCentroid {
 public:
  NearestCentroid(const VectorStore& centroids, vfdw_metric metric)
      : centroids_(centroids),
        sign_(metric == VFDW_METRIC_COSINE ? -1.0f : 1.0f),
        // Lists of ip are made of near rows too; only their ranking is by product.
        sums_(ActiveKernels().ForMetric(metric == VFDW_METRIC_IP ? VFDW_METRIC_L2 : metric)) {}

  uint32_t Of(const float* vector, float* key) const {
    constexpr size_t kBatch = 64;
    float sums[kBatch];
    uint32_t best = 0;
    *key = std::numeric_limits<float>::infinity();
    for (size_t first = 0; first < centroids_.size(); first += kBatch) {
      const size_t count = std::min(kBatch, centroids_.size() - first);
      sums_.batch(vector, centroids_.row(first), centroids_.stride(), count,
                  centroids_.dimensions(), sums);
      for (size_t i = 0; i < count; i++) {
        if (!(sign_ * sums[i] < *key)) continue;
        *key = sign_ * sums[i];
        best = static_cast<uint32_t>(first + i);
      }
    }
    return best;
  }

 private:
  const VectorStore& centroids_;
  const float sign_;
  const SumKernels& sums_;
};

// What Clustering sees as its index of centroids.
class Assigner final : public faiss::Index {
 public:
  using Row = faiss_compat::RowId;

  Assigner(size_t dimensions, size_t lists, vfdw_metric metric, const BuildControl& control)
      : faiss::Index(static_cast<Row>(dimensions)),
        lists_(lists),
        metric_(metric),
        control_(control) {}

  void add(Row n, const float* vectors) override {
    auto store = VectorStore::Create(d, lists_);
    if (!store.ok()) throw BuildStopped{store.status()};
    centroids_ = std::move(store).value();
    auto added = centroids_->AppendBatch(vectors, n);
    if (!added.ok()) throw BuildStopped{added.status()};
    ntotal = n;
  }
  void reset() override { ntotal = 0; }

  void search(Row n, const float* vectors, [[maybe_unused]] Row k, float* keys, Row* labels,
              const faiss::SearchParameters*) const override {
    assert(k == 1);
    const NearestCentroid nearest(*centroids_, metric_);
    const auto assign = [&](size_t begin, size_t end, int) {
      for (size_t i = begin; i < end; i++) labels[i] = nearest.Of(vectors + i * d, keys + i);
    };
    const Status done = ParallelFor(control_.threads, n, /*grain=*/32, assign, control_.cancelled);
    if (!done.ok()) throw BuildStopped{done};
  }

  std::shared_ptr<const VectorStore> TakeCentroids() { return std::move(centroids_); }

 private:
  const size_t lists_;
  const vfdw_metric metric_;
  const BuildControl& control_;
  std::shared_ptr<VectorStore> centroids_;
};

bool HasDirection(vfdw_metric metric, const VectorStore& store, size_t row) {
  return metric != VFDW_METRIC_COSINE || store.squared_norms()[row] != 0;
}

// The rows that go into lists.
std::vector<uint32_t> ListedRows(vfdw_metric metric, const VectorStore& store) {
  std::vector<uint32_t> rows;
  rows.reserve(store.size());
  for (size_t row = 0; row < store.size(); row++)
    if (HasDirection(metric, store, row)) rows.push_back(static_cast<uint32_t>(row));
  return rows;
}

// The rows that are not held out; all where those are too few to train so many lists.
std::vector<uint32_t> RowsToTrainWith(const std::vector<uint32_t>& rows,
                                      const std::vector<uint32_t>& held_out, size_t lists) {
  std::vector<uint32_t> others;
  others.reserve(rows.size());
  std::set_difference(rows.begin(), rows.end(), held_out.begin(), held_out.end(),
                      std::back_inserter(others));
  return others.size() >= lists ? others : rows;
}

// Some of the rows, one vector after the other, of unit length under cosine.
std::vector<float> Sample(const std::vector<uint32_t>& rows, size_t wanted, vfdw_metric metric,
                          const VectorStore& store) {
  std::vector<uint32_t> chosen;
  chosen.reserve(wanted);
  constexpr uint32_t kSeed = 456;
  std::sample(rows.begin(), rows.end(), std::back_inserter(chosen), wanted, std::mt19937(kSeed));
  const size_t dimensions = store.dimensions();
  std::vector<float> sample(chosen.size() * dimensions);
  for (size_t i = 0; i < chosen.size(); i++) {
    float* const out = sample.data() + i * dimensions;
    memcpy(out, store.row(chosen[i]), dimensions * sizeof(float));
    if (metric != VFDW_METRIC_COSINE) continue;
    const float length = std::sqrt(store.squared_norms()[chosen[i]]);
    for (size_t j = 0; j < dimensions; j++) out[j] /= length;
  }
  return sample;
}

std::shared_ptr<const VectorStore> TrainCentroids(const std::vector<float>& sample, size_t lists,
                                                  vfdw_metric metric, size_t dimensions,
                                                  const BuildControl& control) {
  const faiss_compat::SingleOmpThread single_thread;
  const size_t points = sample.size() / dimensions;
  faiss::Clustering clustering(static_cast<int>(dimensions), static_cast<int>(lists));
  clustering.niter = kIterations;
  clustering.spherical = metric == VFDW_METRIC_COSINE;
  clustering.min_points_per_centroid = 1;  // no warning on stderr
  clustering.max_points_per_centroid = static_cast<int>(points / lists) + 1;  // no second sample
  Assigner assigner(dimensions, lists, metric, control);
  clustering.train(static_cast<Assigner::Row>(points), sample.data(), assigner);
  return assigner.TakeCentroids();
}

// The list of each of `rows`.
Result<std::vector<uint32_t>> AssignRows(const std::vector<uint32_t>& rows,
                                         const VectorStore& centroids, vfdw_metric metric,
                                         const VectorStore& store, const BuildControl& control) {
  const NearestCentroid nearest(centroids, metric);
  std::vector<uint32_t> list_of(rows.size());
  const auto assign = [&](size_t begin, size_t end, int) {
    float key;
    for (size_t i = begin; i < end; i++) list_of[i] = nearest.Of(store.row(rows[i]), &key);
    if (control.rows_done != nullptr) *control.rows_done += end - begin;
  };
  VFDW_RETURN_IF_ERROR(
      ParallelFor(control.threads, rows.size(), /*grain=*/64, assign, control.cancelled));
  return list_of;
}

// Counting sort by list; rows without a list keep their order behind the last.
std::vector<uint32_t> OrderByList(const std::vector<uint32_t>& rows,
                                  const std::vector<uint32_t>& list_of, size_t all_rows,
                                  std::vector<uint32_t>* list_begin) {
  for (const uint32_t list : list_of) (*list_begin)[list + 1]++;
  std::partial_sum(list_begin->begin(), list_begin->end(), list_begin->begin());
  std::vector<uint32_t> next(list_begin->begin(), list_begin->end() - 1);
  std::vector<uint32_t> old_row(all_rows);
  std::vector<bool> listed(all_rows);
  for (size_t i = 0; i < rows.size(); i++) {
    old_row[next[list_of[i]]++] = rows[i];
    listed[rows[i]] = true;
  }
  size_t end = rows.size();
  for (size_t row = 0; row < all_rows; row++)
    if (!listed[row]) old_row[end++] = static_cast<uint32_t>(row);
  return old_row;
}

size_t ListCount(const IndexSpec& spec, size_t rows) {
  return std::min(spec.nlist != 0 ? spec.nlist : DefaultListCount(rows), rows);
}

}  // namespace

size_t DefaultListCount(size_t rows) {
  return std::max<size_t>(1, static_cast<size_t>(2 * std::sqrt(static_cast<double>(rows))));
}

Result<IvfLists> BuildIvfLists(const IndexSpec& spec, VectorStore* store,
                               const std::vector<uint32_t>& held_out, const BuildControl& control,
                               std::vector<uint32_t>* permutation) {
  const std::vector<uint32_t> rows = ListedRows(spec.metric, *store);
  const size_t count = ListCount(spec, rows.size());
  IvfLists lists;
  permutation->resize(store->size());
  std::iota(permutation->begin(), permutation->end(), 0);
  if (count == 0) return lists;
  try {
    const std::vector<float> sample = Sample(RowsToTrainWith(rows, held_out, count),
                                             count * kSampleRowsPerList, spec.metric, *store);
    lists.centroids = TrainCentroids(sample, count, spec.metric, store->dimensions(), control);
  } catch (const BuildStopped& stopped) {
    return stopped.status;
  }
  VFDW_ASSIGN_OR_RETURN(const std::vector<uint32_t> list_of,
                        AssignRows(rows, *lists.centroids, spec.metric, *store, control));
  lists.list_begin.assign(count + 1, 0);
  *permutation = OrderByList(rows, list_of, store->size(), &lists.list_begin);
  store->Permute(*permutation);
  return lists;
}

size_t EstimateIvfListsBytes(const IndexSpec& spec, size_t rows, size_t dimensions) {
  const size_t lists = ListCount(spec, rows);
  return VectorStore::BytesFor(lists, dimensions) + (lists + 1) * sizeof(uint32_t);
}

size_t EstimateIvfBuildBytes(const IndexSpec& spec, size_t rows, size_t dimensions) {
  const size_t lists = ListCount(spec, rows);
  const size_t sample = std::min(rows, lists * kSampleRowsPerList);
  const size_t for_each_sample = dimensions * sizeof(float) + sizeof(float) + sizeof(int64_t);
  const size_t centroids = 3 * lists * dimensions * sizeof(float);
  return sample * for_each_sample + centroids + 4 * rows * sizeof(uint32_t);
}

}  // namespace vectord

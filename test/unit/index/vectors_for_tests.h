// vectors_for_tests.h - data sets for the tests of daemon/index, and the answers by sorting all.
#ifndef VECTOR_FDW_TEST_UNIT_INDEX_VECTORS_FOR_TESTS_H
#define VECTOR_FDW_TEST_UNIT_INDEX_VECTORS_FOR_TESTS_H

#include <algorithm>
#include <cmath>
#include <memory>
#include <ostream>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "daemon/index/index_builder.h"
#include "daemon/index/vector_store.h"
#include "daemon/kernel/topk.h"

namespace vectord {

inline constexpr vfdw_metric kMetrics[] = {VFDW_METRIC_L2, VFDW_METRIC_IP, VFDW_METRIC_COSINE,
                                           VFDW_METRIC_L1};
inline constexpr IndexKind kKinds[] = {IndexKind::kFlat, IndexKind::kHnsw, IndexKind::kIvf};

struct Vectors {
  size_t dimensions;
  std::vector<float> elements;  // one vector after the other

  size_t size() const { return elements.size() / dimensions; }
  const float* operator[](size_t i) const { return elements.data() + i * dimensions; }
};

inline Vectors RandomVectors(size_t count, size_t dimensions, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  Vectors vectors{dimensions, std::vector<float>(count * dimensions)};
  for (float& x : vectors.elements) x = normal(random);
  return vectors;
}

// Clusters in 12 dimensions seen in `dimensions` of them, of unit length, as embeddings are. Calls
// with the same world_seed draw from the same clusters.
inline Vectors ClusteredVectors(size_t count, size_t dimensions, uint32_t seed,
                                uint32_t world_seed = 99) {
  constexpr size_t kLatent = 12, kClusters = 40;
  const Vectors axes = RandomVectors(kLatent, dimensions, world_seed);
  const Vectors centers = RandomVectors(kClusters, kLatent, world_seed + 1);
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  Vectors vectors{dimensions, std::vector<float>(count * dimensions)};
  for (size_t i = 0; i < count; i++) {
    const float* const center = centers[random() % kClusters];
    for (size_t l = 0; l < kLatent; l++) {
      const float latent = 1.2f * center[l] + 0.7f * normal(random);
      for (size_t d = 0; d < dimensions; d++)
        vectors.elements[i * dimensions + d] += latent * axes[l][d];
    }
    for (size_t d = 0; d < dimensions; d++)
      vectors.elements[i * dimensions + d] += 0.3f * normal(random);
    const float length = std::sqrt(vfdw_sum_ip(vectors[i], vectors[i], dimensions));
    for (size_t d = 0; d < dimensions; d++) vectors.elements[i * dimensions + d] /= length;
  }
  return vectors;
}

// Integers from -3 to 3: many ties, many duplicates, some zero vectors when dimensions are few.
inline Vectors CoarseVectors(size_t count, size_t dimensions, uint32_t seed) {
  std::mt19937 random(seed);
  Vectors vectors{dimensions, std::vector<float>(count * dimensions)};
  for (float& x : vectors.elements) x = static_cast<float>(random() % 7) - 3;
  return vectors;
}

inline std::shared_ptr<VectorStore> StoreOf(const Vectors& vectors) {
  auto store = VectorStore::Create(vectors.dimensions, vectors.size());
  if (!store.ok()) throw std::runtime_error(store.status().ToString());
  if (const auto added = (*store)->AppendBatch(vectors.elements.data(), vectors.size());
      !added.ok())
    throw std::runtime_error(added.status().ToString());
  return std::move(store).value();
}

inline std::unique_ptr<Index> BuildFrom(const IndexSpec& spec,
                                        const std::shared_ptr<VectorStore>& store) {
  BuildControl control;
  control.threads = 2;
  std::vector<uint32_t> permutation;
  auto index = BuildIndex(spec, store, control, &permutation);
  if (!index.ok()) throw std::runtime_error(index.status().ToString());
  return std::move(index).value();
}

// With a given effort, which spares the time to measure one.
inline std::unique_ptr<Index> Build(IndexKind kind, vfdw_metric metric,
                                    const std::shared_ptr<VectorStore>& store) {
  IndexSpec spec;
  spec.kind = kind;
  spec.metric = metric;
  spec.ef_search = 40;
  spec.nprobe = 10;
  return BuildFrom(spec, store);
}

// With the effort that the builder measures to be enough.
inline std::unique_ptr<Index> BuildWithDefaults(IndexKind kind, vfdw_metric metric,
                                                const std::shared_ptr<VectorStore>& store) {
  IndexSpec spec;
  spec.kind = kind;
  spec.metric = metric;
  return BuildFrom(spec, store);
}

// All rows of the store that qualify, in order, by metric.h and std::sort.
inline std::vector<Candidate> SortedByDistance(const VectorStore& store, vfdw_metric metric,
                                               const float* query,
                                               const uint64_t* allowed = nullptr) {
  std::vector<Candidate> all;
  for (uint32_t row = 0; row < store.size(); row++)
    if (allowed == nullptr || (allowed[row / 64] >> (row % 64) & 1) != 0)
      all.push_back({vfdw_distance(metric, query, store.row(row), store.dimensions()), row});
  std::sort(all.begin(), all.end(), ComesBefore);
  return all;
}

inline std::vector<Candidate> FirstOf(std::vector<Candidate> sorted, size_t k) {
  sorted.resize(std::min(k, sorted.size()));
  return sorted;
}

inline void PrintTo(const Candidate& candidate, std::ostream* out) {
  *out << "row " << candidate.row << " at " << candidate.distance;
}

// REQUIRES: the search succeeds.
inline std::vector<Candidate> MustSearch(const Index& index, const float* query,
                                         const SearchParams& params, SearchStats* stats) {
  std::vector<Candidate> out;
  const Status status = index.Search(query, params, &out, stats);
  if (!status.ok()) throw std::runtime_error(status.ToString());
  return out;
}

// Share of the true k nearest that searches with these parameters find.
inline double RecallOf(const Index& index, const Vectors& queries, const SearchParams& params) {
  size_t hits = 0;
  for (size_t q = 0; q < queries.size(); q++) {
    SearchStats stats;
    const auto truth =
        FirstOf(SortedByDistance(index.store(), index.metric(), queries[q]), params.k);
    for (const Candidate& found : MustSearch(index, queries[q], params, &stats))
      hits += std::find(truth.begin(), truth.end(), found) != truth.end();
  }
  return static_cast<double>(hits) / (queries.size() * params.k);
}

inline std::string Named(IndexKind kind, vfdw_metric metric) {
  const char* const names[] = {"", "l2", "ip", "cosine", "l1"};
  return std::string(IndexKindName(kind)) + " with " + names[metric];
}

}  // namespace vectord

#endif

// contender.cpp - see contender.h.
#include "test/bench/contender.h"

#include <chrono>
#include <utility>
#include <vector>

#include "daemon/collection/definition.h"
#include "daemon/index/index_builder.h"
#include "test/bench/rival_hnswlib.h"

namespace bench {
namespace {

using namespace vectord;

double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

class Ours final : public Contender {
 public:
  Ours(std::string name, double build_seconds, std::unique_ptr<Index> index,
       std::vector<uint32_t> permutation)
      : Contender(std::move(name), build_seconds),
        index_(std::move(index)),
        permutation_(std::move(permutation)) {
    params_.k = kNeighbours;
  }

  void SetEffort(uint32_t ef) override { params_.effort = ef; }
  size_t Search(const float* query, uint32_t* found) override {
    SearchStats stats;
    if (!index_->Search(query, params_, &candidates_, &stats).ok()) return 0;  // a recall of 0
    for (size_t i = 0; i < candidates_.size(); i++)
      found[i] = permutation_.empty() ? candidates_[i].row : permutation_[candidates_[i].row];
    return candidates_.size();
  }
  uint32_t default_effort() const override { return index_->default_effort(); }
  size_t memory_bytes() const override {
    return index_->memory_bytes() + index_->store().memory_bytes();
  }

 private:
  const std::unique_ptr<Index> index_;
  const std::vector<uint32_t> permutation_;  // of the builder; empty: rows kept their numbers
  SearchParams params_;
  std::vector<Candidate> candidates_;
};

class Rival final : public Contender {
 public:
  Rival(RivalGraph* graph, double build_seconds)
      : Contender("hnswlib", build_seconds), graph_(graph) {}

  void SetEffort(uint32_t ef) override { graph_->SetEffort(ef); }
  size_t Search(const float* query, uint32_t* found) override {
    return graph_->Search(query, kNeighbours, found);
  }
  size_t memory_bytes() const override { return graph_->memory_bytes(); }

 private:
  RivalGraph* const graph_;
};

}  // namespace

Result<std::shared_ptr<VectorStore>> MakeStore(const Dataset& dataset, size_t rows, int threads) {
  auto created = VectorStore::Create(dataset.dimensions(), rows);
  if (!created.ok()) return created.status();
  std::shared_ptr<VectorStore> store = std::move(created).value();
  constexpr size_t kRowsAtOnce = 65536;
  for (size_t done = 0; done < rows; done += kRowsAtOnce) {
    const size_t now = std::min(kRowsAtOnce, rows - done);
    const std::vector<float> vectors = dataset.Make(Series::kRows, done, now, threads);
    const auto added = store->AppendBatch(vectors.data(), now);
    if (!added.ok()) return added.status();
  }
  return store;
}

Result<std::unique_ptr<Contender>> BuildOurs(const std::string& name,
                                             const std::string& options_json,
                                             const std::shared_ptr<VectorStore>& store,
                                             int threads) {
  Definition definition;
  definition.index.metric = VFDW_METRIC_L2;
  VFDW_RETURN_IF_ERROR(ApplyOptions(options_json, &definition));
  BuildControl control;
  control.threads = threads;
  std::vector<uint32_t> permutation;
  const auto start = std::chrono::steady_clock::now();
  auto index = BuildIndex(definition.index, store, control, &permutation);
  if (!index.ok()) return index.status();
  const double seconds = SecondsSince(start);
  return std::unique_ptr<Contender>(
      new Ours(name, seconds, std::move(index).value(), std::move(permutation)));
}

std::unique_ptr<RivalGraph> BuildRival(const Dataset& dataset, size_t rows, size_t spare_rows,
                                       int threads, double* build_seconds) {
  const IndexSpec defaults;
  auto graph = MakeHnswlib(/*inner_product=*/false, dataset.dimensions(), rows + spare_rows,
                           defaults.m, defaults.ef_construction);
  const std::vector<float> vectors = dataset.Make(Series::kRows, 0, rows, threads);
  const auto start = std::chrono::steady_clock::now();
  graph->Build(vectors.data(), rows, threads);
  *build_seconds = SecondsSince(start);
  return graph;
}

std::unique_ptr<Contender> MakeRivalContender(RivalGraph* graph, double build_seconds) {
  return std::make_unique<Rival>(graph, build_seconds);
}

}  // namespace bench

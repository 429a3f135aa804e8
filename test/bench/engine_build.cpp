// engine_build.cpp - how long the engine takes to build an HNSW index, and how good it is, beside
// hnswlib in the same process on the same rows.
//
//   make -f daemon/Makefile engine_build
//   build/engine_build --rows 100000 --data clustered --metric l2 --rounds 3
//
// Prints CSV: one line for each build and effort. Machines are noisy, so the two take turns, and
// only the ratio within one run says anything.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <map>
#include <string>
#include <vector>

#include "daemon/index/index_builder.h"
#include "daemon/kernel/cpu.h"
#include "test/bench/rival_hnswlib.h"
#include "test/unit/index/vectors_for_tests.h"

namespace {

using namespace vectord;

constexpr size_t kNeighbours = 10;

struct Settings {
  size_t rows = 100000, dimensions = 128, queries = 500;
  uint32_t m = 16, ef_construction = 64;
  int threads = 2, rounds = 1;
  float blur = 0.0005f;
  std::string data = "clustered", engines = "vectord,hnswlib";
  vfdw_metric metric = VFDW_METRIC_L2;
  std::vector<uint32_t> efforts = {20, 40, 80};
};

const std::map<std::string, vfdw_metric> kMetricNames = {{"l2", VFDW_METRIC_L2},
                                                         {"ip", VFDW_METRIC_IP},
                                                         {"cosine", VFDW_METRIC_COSINE},
                                                         {"l1", VFDW_METRIC_L1}};

// Of all threads of this process: on a shared machine it says more than the clock does.
double CpuSeconds() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

struct BuildTime {
  double seconds, cpu_seconds;
};

double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Each row a copy of one of few, a hundred times each on average.
Vectors Repeated(const Vectors& distinct, size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  Vectors vectors{distinct.dimensions, {}};
  vectors.elements.reserve(count * distinct.dimensions);
  for (size_t i = 0; i < count; i++) {
    const float* const row = distinct[random() % distinct.size()];
    vectors.elements.insert(vectors.elements.end(), row, row + distinct.dimensions);
  }
  return vectors;
}

// As Repeated(), but no two rows are quite the same.
Vectors Blurred(Vectors repeated, float blur, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, blur);
  for (float& x : repeated.elements) x += normal(random);
  return repeated;
}

Vectors MakeData(const Settings& settings, size_t count, uint32_t seed) {
  if (settings.data == "uniform") return RandomVectors(count, settings.dimensions, seed);
  if (settings.data == "clustered") return ClusteredVectors(count, settings.dimensions, seed);
  const size_t distinct = std::max<size_t>(1, settings.rows / 100);
  Vectors repeated = Repeated(ClusteredVectors(distinct, settings.dimensions, 1), count, seed);
  return settings.data == "duplicates" ? repeated
                                       : Blurred(std::move(repeated), settings.blur, seed);
}

struct Truth {
  Vectors queries;
  std::vector<double> farthest;  // of each query's true answer
};

Truth MakeTruth(const Settings& settings, const std::shared_ptr<VectorStore>& store) {
  Truth truth{MakeData(settings, settings.queries, 2), {}};
  const auto flat = vectord::Build(IndexKind::kFlat, settings.metric, store);
  SearchParams params;
  params.k = kNeighbours;
  for (size_t q = 0; q < truth.queries.size(); q++) {
    SearchStats stats;
    truth.farthest.push_back(MustSearch(*flat, truth.queries[q], params, &stats).back().distance);
  }
  return truth;
}

// Of ties at the end any is right, so distances decide.
void Report(const Settings& settings, const char* engine, BuildTime time, uint32_t effort,
            size_t hits, double search_us) {
  printf("%s,%s,%zu,%zu,%d,%.2f,%.2f,%u,%.4f,%.1f\n", engine, settings.data.c_str(), settings.rows,
         settings.dimensions, settings.threads, time.seconds, time.cpu_seconds, effort,
         static_cast<double>(hits) / (settings.queries * kNeighbours), search_us);
  fflush(stdout);
}

void RunOurs(const Settings& settings, const std::shared_ptr<VectorStore>& store,
             const Truth& truth) {
  IndexSpec spec;
  spec.metric = settings.metric;
  spec.m = settings.m;
  spec.ef_construction = settings.ef_construction;
  spec.ef_search = settings.efforts.front();  // given, so that none is measured
  BuildControl control;
  control.threads = settings.threads;
  std::vector<uint32_t> permutation;
  const double cpu_start = CpuSeconds();
  const auto start = std::chrono::steady_clock::now();
  const auto index = BuildIndex(spec, store, control, &permutation);
  const BuildTime time{SecondsSince(start), CpuSeconds() - cpu_start};
  if (!index.ok()) throw std::runtime_error(index.status().ToString());
  for (const uint32_t effort : settings.efforts) {
    SearchParams params;
    params.k = kNeighbours;
    params.effort = effort;
    size_t hits = 0;
    const auto search_start = std::chrono::steady_clock::now();
    for (size_t q = 0; q < truth.queries.size(); q++) {
      SearchStats stats;
      for (const Candidate& found : MustSearch(**index, truth.queries[q], params, &stats))
        hits += found.distance <= truth.farthest[q];
    }
    Report(settings, "vectord", time, effort, hits,
           SecondsSince(search_start) * 1e6 / settings.queries);
  }
}

void RunRival(const Settings& settings, const VectorStore& store, const Truth& truth) {
  // hnswlib knows neither l1 nor, but by vectors of length one, cosine.
  if (settings.metric == VFDW_METRIC_L1) return;
  std::vector<float> rows(store.size() * store.dimensions());
  for (size_t row = 0; row < store.size(); row++) {
    const float norm = store.squared_norms()[row];
    const float scale =
        settings.metric == VFDW_METRIC_COSINE && norm > 0 ? 1 / std::sqrt(norm) : 1.0f;
    for (size_t i = 0; i < store.dimensions(); i++)
      rows[row * store.dimensions() + i] = store.row(row)[i] * scale;
  }
  const auto graph = bench::MakeHnswlib(settings.metric != VFDW_METRIC_L2, store.dimensions(),
                                        store.size(), settings.m, settings.ef_construction);
  const double cpu_start = CpuSeconds();
  const auto start = std::chrono::steady_clock::now();
  graph->Build(rows.data(), store.size(), settings.threads);
  const BuildTime time{SecondsSince(start), CpuSeconds() - cpu_start};
  for (const uint32_t effort : settings.efforts) {
    size_t hits = 0;
    graph->SetEffort(effort);
    const auto search_start = std::chrono::steady_clock::now();
    for (size_t q = 0; q < truth.queries.size(); q++) {
      uint32_t found[kNeighbours];
      const size_t count = graph->Search(truth.queries[q], kNeighbours, found);
      for (size_t i = 0; i < count; i++)
        hits += vfdw_distance(settings.metric, truth.queries[q], store.row(found[i]),
                              store.dimensions()) <= truth.farthest[q];
    }
    Report(settings, "hnswlib", time, effort, hits,
           SecondsSince(search_start) * 1e6 / settings.queries);
  }
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  CLI::App app("Builds HNSW indexes by vectord's engine and by hnswlib in turn.");
  app.add_option("--rows", settings.rows);
  app.add_option("--dimensions", settings.dimensions);
  app.add_option("--queries", settings.queries);
  app.add_option("--data", settings.data)
      ->check(CLI::IsMember({"clustered", "uniform", "duplicates", "tight"}));
  app.add_option("--blur", settings.blur, "how far copies in tight data lie apart");
  app.add_option("--metric", settings.metric)->transform(CLI::CheckedTransformer(kMetricNames));
  app.add_option("--m", settings.m);
  app.add_option("--ef-construction", settings.ef_construction);
  app.add_option("--threads", settings.threads);
  app.add_option("--rounds", settings.rounds);
  app.add_option("--engines", settings.engines, "vectord, hnswlib or both, separated by a comma");
  app.add_option("--ef", settings.efforts, "efforts to measure recall@10 with")->delimiter(',');
  std::string isa;
  app.add_option("--isa", isa, "of vectord's kernels")
      ->check(CLI::IsMember({"scalar", "avx2", "avx512"}));
  CLI11_PARSE(app, argc, argv);
  if (!isa.empty() && !ForceIsa(IsaFromName(isa)).ok()) return 1;

  const std::shared_ptr<VectorStore> store = StoreOf(MakeData(settings, settings.rows, 1));
  const Truth truth = MakeTruth(settings, store);
  puts("engine,data,rows,dimensions,threads,build_s,build_cpu_s,ef,recall_at_10,search_us");
  for (int round = 0; round < settings.rounds; round++) {
    if (settings.engines.find("vectord") != std::string::npos) RunOurs(settings, store, truth);
    if (settings.engines.find("hnswlib") != std::string::npos) RunRival(settings, *store, truth);
  }
}

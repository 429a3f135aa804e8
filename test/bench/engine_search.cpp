// engine_search.cpp - how long one search of the engine takes at a given recall, by each quantizer,
// beside hnswlib in the same process on the same rows.
//
//   make -f daemon/Makefile engine_search
//   build/engine_search --rows 500000 --dimensions 128
//
// Builds each index once, finds for each the least effort that reaches each recall asked for, and
// then has all of them answer the same queries in turn: machines are noisy, so only the ratio
// within one run says anything. The median of the rounds' processor times counts. Prints CSV.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "daemon/index/index_builder.h"
#include "daemon/index/index_bytes.h"
#include "daemon/index/vector_codes.h"
#include "daemon/kernel/cpu.h"
#include "test/bench/rival_hnswlib.h"
#include "test/unit/index/vectors_for_tests.h"

namespace {

using namespace vectord;

constexpr size_t kNeighbours = 10;

struct Settings {
  size_t rows = 100000, dimensions = 128, queries = 1000;
  uint32_t m = 16, ef_construction = 64;
  int threads = 2;
  size_t rounds = 20;  // of different queries each
  double oversample = 0;
  std::string data = "clustered", kind = "hnsw", keep;
  std::vector<std::string> engines = {"automatic", "none", "hnswlib"};
  vfdw_metric metric = VFDW_METRIC_L2;
  std::vector<double> recalls = {0.95, 0.98, 0.995};
};

const std::map<std::string, vfdw_metric> kMetricNames = {{"l2", VFDW_METRIC_L2},
                                                         {"ip", VFDW_METRIC_IP},
                                                         {"cosine", VFDW_METRIC_COSINE},
                                                         {"l1", VFDW_METRIC_L1}};

struct Truth {
  Vectors queries;
  std::vector<double> farthest;  // of each query's true answer
};

// A search fills found[0 .. k) and returns how many.
using Search = std::function<size_t(const float* query, uint32_t effort, uint32_t* found)>;

struct Engine {
  std::string name;
  Search search;
  double bytes_per_row;                     // of memory, beside what it shares with no one
  std::shared_ptr<const VectorStore> rows;  // in its own order
};

struct Point {
  const Engine* engine;
  double wanted_recall, recall;
  uint32_t effort;
  std::vector<double> microseconds;  // of each round
};

Vectors MakeData(const Settings& settings, size_t count, uint32_t seed) {
  return settings.data == "uniform" ? RandomVectors(count, settings.dimensions, seed)
                                    : ClusteredVectors(count, settings.dimensions, seed);
}

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

// ---- the engines
// ----------------------------------------------------------------------------------

std::unique_ptr<const Index> BuildOrLoad(const Settings& settings, const IndexSpec& spec,
                                         const std::shared_ptr<VectorStore>& store) {
  std::ostringstream name;
  name << settings.keep << "/" << settings.kind << "-" << settings.data << "-" << settings.rows
       << "x" << settings.dimensions << "-" << spec.metric << "-" << QuantizerName(spec.quantizer);
  if (!settings.keep.empty()) {
    std::ifstream file(name.str(), std::ios::binary);
    if (file) {
      std::stringstream bytes;
      bytes << file.rdbuf();
      const std::string held = bytes.str();
      SpanSource source(held);
      auto index = ReadIndex(&source, store, spec.metric);
      if (index.ok()) return std::move(index).value();
    }
  }
  const auto start = std::chrono::steady_clock::now();
  std::unique_ptr<const Index> index = BuildFrom(spec, store);
  fprintf(stderr, "%s: built in %.1f s\n", QuantizerName(spec.quantizer),
          std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  if (!settings.keep.empty()) {
    StringSink sink;
    if (WriteIndex(*index, &sink).ok()) std::ofstream(name.str(), std::ios::binary) << sink.bytes();
  }
  return index;
}

Engine MakeOurs(const Settings& settings, const std::string& quantizer,
                const std::shared_ptr<VectorStore>& store) {
  IndexSpec spec;
  IndexKindFromName(settings.kind, &spec.kind);
  spec.metric = settings.metric;
  spec.m = settings.m;
  spec.ef_construction = settings.ef_construction;
  spec.ef_search = 40;  // given, so that none is measured
  spec.nprobe = 10;
  if (quantizer != "automatic") QuantizerFromName(quantizer, &spec.quantizer);
  const std::shared_ptr<const Index> index = BuildOrLoad(settings, spec, store);
  const double oversample = settings.oversample;
  const auto search = [index, oversample](const float* query, uint32_t effort, uint32_t* found) {
    SearchParams params;
    params.k = kNeighbours;
    params.effort = effort;
    params.oversample = oversample;
    SearchStats stats;
    std::vector<Candidate> out;
    if (!index->Search(query, params, &out, &stats).ok()) return size_t{0};
    for (size_t i = 0; i < out.size(); i++) found[i] = out[i].row;
    return out.size();
  };
  const double bytes = static_cast<double>(index->memory_bytes()) / settings.rows;
  return {quantizer, search, bytes, store};
}

Engine MakeRival(const Settings& settings, const std::shared_ptr<VectorStore>& held) {
  const VectorStore& store = *held;
  std::vector<float> rows(store.size() * store.dimensions());
  for (size_t row = 0; row < store.size(); row++) {
    const float scale = UnitFactor(settings.metric, store, row);
    for (size_t i = 0; i < store.dimensions(); i++)
      rows[row * store.dimensions() + i] = store.row(row)[i] * scale;
  }
  const std::shared_ptr<bench::RivalGraph> graph =
      bench::MakeHnswlib(settings.metric != VFDW_METRIC_L2, store.dimensions(), store.size(),
                         settings.m, settings.ef_construction);
  graph->Build(rows.data(), store.size(), settings.threads);
  const auto search = [graph](const float* query, uint32_t effort, uint32_t* found) {
    return graph->Search(query, kNeighbours, effort, found);
  };
  return {"hnswlib", search, 0, held};
}

// ---- measuring
// ------------------------------------------------------------------------------------

// Of ties at the end any is right, so distances decide.
double RecallOf(const Settings& settings, const Truth& truth, const Engine& engine,
                uint32_t effort) {
  size_t hits = 0;
  for (size_t q = 0; q < truth.queries.size(); q++) {
    uint32_t found[kNeighbours];
    const size_t count = engine.search(truth.queries[q], effort, found);
    for (size_t i = 0; i < count; i++)
      hits += vfdw_distance(settings.metric, truth.queries[q], engine.rows->row(found[i]),
                            settings.dimensions) <= truth.farthest[q];
  }
  return static_cast<double>(hits) / static_cast<double>(truth.queries.size() * kNeighbours);
}

// The least effort that reaches the recall, to within a twentieth.
Point FindEffort(const Settings& settings, const Truth& truth, const Engine& engine,
                 double wanted) {
  const uint32_t least = settings.kind == "hnsw" ? kNeighbours : 1;
  Point point{&engine, wanted, 0, least, {}};
  for (;; point.effort += std::max(1u, point.effort / 20)) {
    point.recall = RecallOf(settings, truth, engine, point.effort);
    if (point.recall >= wanted || point.effort > 4000) return point;
  }
}

// Of this thread alone: on a shared machine it says more than the clock does.
double CpuMicroseconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) * 1e-3;
}

// A search, each of the round's.
double MicrosecondsOf(const Settings& settings, const Truth& truth, const Point& point,
                      size_t round) {
  const size_t share = (truth.queries.size() + settings.rounds - 1) / settings.rounds;
  uint32_t found[kNeighbours];
  const auto ask = [&] {
    for (size_t i = 0; i < share; i++)
      point.engine->search(truth.queries[(round * share + i) % truth.queries.size()], point.effort,
                           found);
  };
  point.engine->search(truth.queries[0], point.effort, found);
  const double start = CpuMicroseconds();
  ask();
  return (CpuMicroseconds() - start) / static_cast<double>(share);
}

double Median(std::vector<double> numbers) {
  std::sort(numbers.begin(), numbers.end());
  return numbers[numbers.size() / 2];
}

void Report(const Settings& settings, const std::vector<Point>& points) {
  puts(
      "engine,data,rows,dimensions,wanted_recall,recall_at_10,effort,search_us,against_hnswlib,"
      "index_bytes_per_row");
  for (const Point& point : points) {
    double rival = 0;
    for (const Point& other : points)
      if (other.engine->name == "hnswlib" && other.wanted_recall == point.wanted_recall)
        rival = Median(other.microseconds);
    const double own = Median(point.microseconds);
    printf("%s,%s,%zu,%zu,%.3f,%.4f,%u,%.1f,%.2f,%.0f\n", point.engine->name.c_str(),
           settings.data.c_str(), settings.rows, settings.dimensions, point.wanted_recall,
           point.recall, point.effort, own, rival > 0 ? own / rival : 0.0,
           point.engine->bytes_per_row);
  }
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  CLI::App app("Measures searches by vectord's engine and by hnswlib in turn.");
  app.add_option("--rows", settings.rows);
  app.add_option("--dimensions", settings.dimensions);
  app.add_option("--queries", settings.queries);
  app.add_option("--data", settings.data)->check(CLI::IsMember({"clustered", "uniform"}));
  app.add_option("--kind", settings.kind)->check(CLI::IsMember({"hnsw", "ivf"}));
  app.add_option("--metric", settings.metric)->transform(CLI::CheckedTransformer(kMetricNames));
  app.add_option("--m", settings.m);
  app.add_option("--ef-construction", settings.ef_construction);
  app.add_option("--threads", settings.threads, "of hnswlib's build");
  app.add_option("--rounds", settings.rounds);
  app.add_option("--oversample", settings.oversample);
  app.add_option("--keep", settings.keep, "directory to keep our indexes in for another run");
  app.add_option("--engines", settings.engines, "quantizers, automatic, and hnswlib")
      ->delimiter(',')
      ->check(CLI::IsMember({"automatic", "none", "fp16", "sq8", "pq", "hnswlib"}));
  app.add_option("--recall", settings.recalls)->delimiter(',');
  std::string isa;
  app.add_option("--isa", isa, "of vectord's kernels")
      ->check(CLI::IsMember({"scalar", "avx2", "avx512"}));
  CLI11_PARSE(app, argc, argv);
  if (!isa.empty() && !ForceIsa(IsaFromName(isa)).ok()) return 1;

  const std::shared_ptr<VectorStore> store = StoreOf(MakeData(settings, settings.rows, 1));
  std::vector<Engine> engines;
  for (const std::string& name : settings.engines) {
    if (name == "hnswlib") continue;
    // Building ivf reorders the rows: each index needs its own.
    const bool shared = settings.kind == "hnsw";
    engines.push_back(
        MakeOurs(settings, name, shared ? store : StoreOf(MakeData(settings, settings.rows, 1))));
  }
  if (std::count(settings.engines.begin(), settings.engines.end(), "hnswlib") > 0)
    engines.push_back(MakeRival(settings, store));
  const Truth truth = MakeTruth(settings, store);
  std::vector<Point> points;
  for (const double recall : settings.recalls)
    for (const Engine& engine : engines)
      points.push_back(FindEffort(settings, truth, engine, recall));
  for (size_t round = 0; round < settings.rounds; round++)
    for (Point& point : points)
      point.microseconds.push_back(MicrosecondsOf(settings, truth, point, round));
  Report(settings, points);
}

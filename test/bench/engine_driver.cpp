// engine_driver.cpp - our indexes and hnswlib in one process, on the same rows, taking turns.
//
// Every engine searches with rising efforts by one thread. Turns go round by round, because what
// else the machine does changes from second to second: only times of the same rounds compare.
// Measured for each engine and effort: recall@10, and the mean time without the slowest twentieth
// of all searches, which lost their core to somebody else if to anything.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <numeric>

#include "daemon/index/exact_scan.h"
#include "test/bench/contender.h"
#include "test/bench/drivers.h"
#include "test/bench/memory_bandwidth.h"
#include "test/bench/parallel.h"
#include "test/bench/rival_hnswlib.h"

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint32_t kEfforts[] = {10, 12, 14, 17,  20,  24,  28,  34,  40,  48, 56,
                                 68, 80, 96, 114, 136, 160, 200, 250, 320, 400};
// More recall than this is asked of nobody.
constexpr double kEnoughRecall = 0.997;
constexpr double kThroughputRecall = 0.98;

double MicrosecondsSince(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

double Quantile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(share * static_cast<double>(values.size() - 1) + 0.5)];
}

void Print(const std::string& system, const char* measure, uint32_t effort, double value) {
  printf("%s,%s,%s,%.6g\n", system.c_str(), measure,
         effort == 0 ? "" : std::to_string(effort).c_str(), value);
  fflush(stdout);
}

double MeanOfFastest(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  values.resize(
      std::max<size_t>(1, static_cast<size_t>(share * static_cast<double>(values.size()))));
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

struct Queries {
  std::vector<float> vectors;
  size_t dimensions;
  GroundTruth truth;

  size_t size() const { return truth.queries(); }
  const float* operator[](size_t i) const { return vectors.data() + i * dimensions; }
};

struct Point {
  uint32_t effort;
  double recall;
  std::vector<double> times_us;
};

double MeasureRecall(Contender& contender, uint32_t effort, const Queries& queries) {
  contender.SetEffort(effort);
  size_t hits = 0;
  for (size_t q = 0; q < queries.size(); q++) {
    uint32_t found[kNeighbours];
    hits += queries.truth.CountHits(q, found, contender.Search(queries[q], found));
  }
  return static_cast<double>(hits) / static_cast<double>(queries.size() * kNeighbours);
}

// Up to the first effort that finds enough; it warms up, too.
std::vector<Point> MeasureRecalls(Contender& contender, const Queries& queries) {
  std::vector<Point> points;
  for (const uint32_t effort : kEfforts) {
    points.push_back({effort, MeasureRecall(contender, effort, queries), {}});
    if (points.back().recall >= kEnoughRecall) break;
  }
  return points;
}

void TimeRound(Contender& contender, const Queries& queries, Point* point) {
  contender.SetEffort(point->effort);
  for (size_t q = 0; q < queries.size(); q++) {
    uint32_t found[kNeighbours];
    const auto start = Clock::now();
    contender.Search(queries[q], found);
    point->times_us.push_back(MicrosecondsSince(start));
  }
}

struct Entrant {
  std::unique_ptr<Contender> contender;
  const Queries* queries;  // with the truth over its rows
};
using Entrants = std::vector<Entrant>;

std::vector<std::vector<Point>> Compete(const Entrants& entrants, int rounds) {
  std::vector<std::vector<Point>> points;
  size_t most = 0;
  for (const Entrant& entrant : entrants) {
    points.push_back(MeasureRecalls(*entrant.contender, *entrant.queries));
    most = std::max(most, points.back().size());
  }
  for (int round = 0; round < rounds; round++)
    for (size_t i = 0; i < most; i++)
      for (size_t e = 0; e < entrants.size(); e++)
        if (i < points[e].size())
          TimeRound(*entrants[e].contender, *entrants[e].queries, &points[e][i]);
  for (size_t e = 0; e < entrants.size(); e++)
    for (const Point& point : points[e]) {
      const std::string& name = entrants[e].contender->name();
      Print(name, "recall", point.effort, point.recall);
      Print(name, "search_us", point.effort, MeanOfFastest(point.times_us, 0.95));
      Print(name, "p50_us", point.effort, Quantile(point.times_us, 0.5));
      Print(name, "p99_us", point.effort, Quantile(point.times_us, 0.99));
    }
  return points;
}

// Searches per second of so many threads.
double Throughput(RivalGraph& graph, const Queries& queries, int threads) {
  constexpr auto kDuration = std::chrono::milliseconds(1500);
  std::atomic<size_t> done{0};
  const auto start = Clock::now();
  InParallel(threads, static_cast<size_t>(threads), [&](size_t thread, size_t, int) {
    uint32_t found[kNeighbours];
    for (size_t q = thread * 17; Clock::now() - start < kDuration; q++) {
      graph.Search(queries[q % queries.size()], kNeighbours, found);
      done.fetch_add(1, std::memory_order_relaxed);
    }
  });
  return static_cast<double>(done.load()) / (MicrosecondsSince(start) * 1e-6);
}

void MeasureRivalFurther(RivalGraph& graph, const std::vector<Point>& points,
                         const Queries& queries, const Dataset& dataset, size_t rows,
                         size_t spare_rows) {
  const auto enough = std::find_if(points.begin(), points.end(),
                                   [](const Point& p) { return p.recall >= kThroughputRecall; });
  if (enough != points.end()) {
    graph.SetEffort(enough->effort);
    Print("hnswlib", "qps_8", enough->effort, Throughput(graph, queries, 8));
    Print("hnswlib", "qps_64", enough->effort, Throughput(graph, queries, 64));
  }
  const std::vector<float> fresh = dataset.Make(Series::kRows, rows, spare_rows, 1);
  const auto start = Clock::now();
  for (size_t i = 0; i < spare_rows; i++)
    graph.Add(fresh.data() + i * dataset.dimensions(), static_cast<uint32_t>(rows + i));
  Print("hnswlib", "insert_rows_per_s", 0,
        static_cast<double>(spare_rows) / (MicrosecondsSince(start) * 1e-6));
}

// Scans and plain reading of the same memory, in turn.
void MeasureExactScan(const vectord::VectorStore& store, const Queries& queries) {
  constexpr size_t kRounds = 15;
  const size_t bytes = store.size() * store.stride() * sizeof(float);
  std::vector<double> scan_us, read_bytes_per_s;
  vectord::SearchParams params;
  params.k = kNeighbours;
  for (size_t round = 0; round < kRounds; round++) {
    read_bytes_per_s.push_back(ReadBytesPerSecond(store.data(), bytes));
    std::vector<vectord::Candidate> found;
    vectord::SearchStats stats;
    const auto start = Clock::now();
    if (!vectord::ExactScan(store, VFDW_METRIC_L2, queries[round % queries.size()], params, &found,
                            &stats)
             .ok())
      return;
    scan_us.push_back(MicrosecondsSince(start));
  }
  Print("exact", "p50_us", 0, Quantile(scan_us, 0.5));
  Print("exact", "p99_us", 0, Quantile(scan_us, 0.99));
  Print("exact", "gb_per_s", 0, static_cast<double>(bytes) / Quantile(scan_us, 0.5) * 1e-3);
  Print("memory", "gb_per_s", 0, Quantile(read_bytes_per_s, 0.5) * 1e-9);
}

void PrintBuild(const Contender& contender, size_t rows) {
  Print(contender.name(), "build_s", 0, contender.build_seconds());
  Print(contender.name(), "bytes_per_vector", 0,
        static_cast<double>(contender.memory_bytes()) / static_cast<double>(rows));
  if (contender.default_effort() != 0)
    Print(contender.name(), "default_effort", 0, contender.default_effort());
}

int Fail(const vectord::Status& status) {
  fprintf(stderr, "%s\n", status.ToString().c_str());
  return 1;
}

// "name={json}"
bool SplitIndex(const std::string& text, std::string* name, std::string* options) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos) return false;
  *name = text.substr(0, equals);
  *options = text.substr(equals + 1);
  return true;
}

// What vectord refuses is reported as refused.
vectord::Status BuildAllOurs(const EngineSettings& settings, const Dataset& dataset,
                             const Queries& queries, Entrants* entrants) {
  for (const std::string& text : settings.indexes) {
    std::string name, options;
    if (!SplitIndex(text, &name, &options))
      return vectord::Status(vfdw::ErrorCode::INVALID_PARAMETER, "no NAME={options}: " + text);
    fprintf(stderr, "building the engine's index \"%s\"\n", name.c_str());
    auto store = MakeStore(dataset, settings.rows, settings.threads);
    if (!store.ok()) return store.status();
    auto built = BuildOurs(name, options, *store, settings.threads);
    if (!built.ok()) {
      printf("%s,refused,,1\n", name.c_str());
      fprintf(stderr, "%s: %s\n", name.c_str(), built.status().ToString().c_str());
      continue;
    }
    entrants->push_back({std::move(built).value(), &queries});
    PrintBuild(*entrants->back().contender, settings.rows);
  }
  return {};
}

Queries MakeQueries(const EngineSettings& settings, const Dataset& dataset,
                    const vectord::VectorStore& rows) {
  fprintf(stderr, "finding the true neighbours of %zu queries\n", settings.queries);
  Queries queries{dataset.Make(Series::kQueries, 0, settings.queries, settings.threads),
                  settings.dimensions,
                  {}};
  queries.truth = GroundTruth::Compute({rows.data(), rows.size(), rows.stride(), rows.dimensions()},
                                       queries.vectors, settings.threads);
  return queries;
}

}  // namespace

int RunEngineDriver(const EngineSettings& settings) {
  const Dataset dataset(settings.dimensions);
  auto plain = MakeStore(dataset, settings.rows, settings.threads);
  if (!plain.ok()) return Fail(plain.status());
  const Queries queries = MakeQueries(settings, dataset, **plain);
  if (settings.exact) {
    fputs("scanning exactly\n", stderr);
    MeasureExactScan(**plain, queries);
  }
  plain->reset();

  Entrants entrants;
  if (const auto status = BuildAllOurs(settings, dataset, queries, &entrants); !status.ok())
    return Fail(status);
  const size_t spare_rows = std::min<size_t>(settings.rows / 10 + 1, 5000);
  std::unique_ptr<RivalGraph> graph;
  if (settings.hnswlib) {
    fputs("building hnswlib's graph\n", stderr);
    double build_seconds = 0;
    graph = BuildRival(dataset, settings.rows, spare_rows, settings.threads, &build_seconds);
    entrants.push_back({MakeRivalContender(graph.get(), build_seconds), &queries});
    PrintBuild(*entrants.back().contender, settings.rows);
  }
  if (entrants.empty()) return 0;
  fputs("searching by turns\n", stderr);
  const auto points = Compete(entrants, settings.rounds);
  if (graph != nullptr)
    MeasureRivalFurther(*graph, points.back(), queries, dataset, settings.rows, spare_rows);
  return 0;
}

int RunScaleDriver(const EngineSettings& settings, size_t more_rows) {
  const Dataset dataset(settings.dimensions);
  std::vector<std::unique_ptr<Queries>> queries;
  Entrants entrants;
  for (const size_t rows : {settings.rows, more_rows}) {
    const auto store = MakeStore(dataset, rows, settings.threads);
    if (!store.ok()) return Fail(store.status());
    queries.push_back(std::make_unique<Queries>(MakeQueries(settings, dataset, **store)));
    fprintf(stderr, "building an index of %zu rows\n", rows);
    auto built = BuildOurs(entrants.empty() ? "few" : "many", "{}", *store, settings.threads);
    if (!built.ok()) return Fail(built.status());
    entrants.push_back({std::move(built).value(), queries.back().get()});
    PrintBuild(*entrants.back().contender, rows);
  }
  fputs("searching by turns\n", stderr);
  Compete(entrants, settings.rounds);
  return 0;
}

}  // namespace bench

// driver.cpp - bench_driver: rows for PostgreSQL, ground truth, and the measurements that need no
// SQL.
//
//   bench_driver rows    --dimensions D --first F --count N --type real|vector [--queries]
//   bench_driver truth   --dimensions D --rows N --queries Q --out FILE
//   bench_driver engine  --dimensions D --rows N --queries Q --index 'NAME={JSON}' --hnswlib
//   --exact bench_driver echo    --dimensions D
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <map>
#include <string>
#include <thread>

#include "test/bench/copy_stream.h"
#include "test/bench/dataset.h"
#include "test/bench/drivers.h"
#include "test/bench/ground_truth.h"

namespace {

using namespace bench;

const int kCores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));

int WriteRows(size_t dimensions, Series series, ColumnType type, size_t first, size_t count) {
  const Dataset dataset(dimensions);
  if (WriteCopyStream(dataset, series, type, first, count, kCores, stdout)) return 0;
  perror("could not write the rows");
  return 1;
}

int WriteTruth(size_t dimensions, size_t rows, size_t queries, const std::string& path) {
  const Dataset dataset(dimensions);
  const std::vector<float> vectors = dataset.Make(Series::kRows, 0, rows, kCores);
  const GroundTruth truth =
      GroundTruth::Compute({vectors.data(), rows, dimensions, dimensions},
                           dataset.Make(Series::kQueries, 0, queries, kCores), kCores);
  if (truth.Write(path)) return 0;
  perror(path.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Parts of the benchmark; test/bench/run calls them.");
  app.require_subcommand(1);
  EngineSettings settings;
  settings.threads = kCores;
  size_t first = 0, count = 1000;
  ColumnType type = ColumnType::kRealArray;
  bool queries = false;
  std::string path;
  int round_trips = 10000;
  const std::map<std::string, ColumnType> types = {{"real", ColumnType::kRealArray},
                                                   {"vector", ColumnType::kPgvector}};

  CLI::App* const rows_command = app.add_subcommand("rows", "writes binary COPY data");
  rows_command->add_option("--first", first);
  rows_command->add_option("--count", count);
  rows_command->add_option("--type", type)->transform(CLI::CheckedTransformer(types));
  rows_command->add_flag("--queries", queries, "query vectors instead of rows");
  CLI::App* const truth_command = app.add_subcommand("truth", "writes the true nearest rows");
  truth_command->add_option("--out", path)->required();
  CLI::App* const engine_command = app.add_subcommand("engine", "measures indexes in this process");
  engine_command->add_option("--index", settings.indexes, "NAME={\"option\":value}, repeatedly")
      ->delimiter('\0');
  engine_command->add_flag("--hnswlib", settings.hnswlib);
  engine_command->add_flag("--exact", settings.exact);
  CLI::App* const scale_command = app.add_subcommand("scale", "compares few rows with many");
  size_t more_rows = 1000000;
  scale_command->add_option("--more-rows", more_rows);
  CLI::App* const echo_command = app.add_subcommand("echo", "times bare round trips by ZeroMQ");
  echo_command->add_option("--count", round_trips);
  for (CLI::App* command :
       {rows_command, truth_command, engine_command, scale_command, echo_command})
    command->add_option("--dimensions", settings.dimensions);
  for (CLI::App* command : {truth_command, engine_command, scale_command}) {
    command->add_option("--rows", settings.rows);
    command->add_option("--queries", settings.queries);
  }
  for (CLI::App* command : {engine_command, scale_command}) {
    command->add_option("--threads", settings.threads, "of builds");
    command->add_option("--rounds", settings.rounds);
  }
  CLI11_PARSE(app, argc, argv);

  if (rows_command->parsed())
    return WriteRows(settings.dimensions, queries ? Series::kQueries : Series::kRows, type, first,
                     count);
  if (truth_command->parsed())
    return WriteTruth(settings.dimensions, settings.rows, settings.queries, path);
  if (echo_command->parsed()) return RunEchoDriver(settings.dimensions, round_trips);
  if (scale_command->parsed()) return RunScaleDriver(settings, more_rows);
  return RunEngineDriver(settings);
}

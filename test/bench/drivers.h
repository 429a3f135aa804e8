// drivers.h - what bench_driver can do besides writing rows: each a subcommand of driver.cpp.
//
// All print lines "system,measure,effort,value" to standard output, which test/bench/engine.py
// reads, and say on standard error what they are at. They return the exit status.
#ifndef VECTOR_FDW_TEST_BENCH_DRIVERS_H
#define VECTOR_FDW_TEST_BENCH_DRIVERS_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace bench {

struct EngineSettings {
  size_t dimensions = 128, rows = 100000, queries = 1000;
  int threads = 1;  // of builds; searches have one
  int rounds = 3;   // of each effort, the engines taking turns
  // Our indexes to build: each a name and the options that create_collection would be given.
  std::vector<std::string> indexes;
  bool hnswlib = false;
  bool exact = false;  // and the memory bandwidth beside it
};

int RunEngineDriver(const EngineSettings& settings);

// The index with default settings over settings.rows rows ("few") and over more_rows ("many").
int RunScaleDriver(const EngineSettings& settings, size_t more_rows);

// As big as a search of so many dimensions, and its reply of ten rows.
int RunEchoDriver(size_t dimensions, int count);

}  // namespace bench

#endif

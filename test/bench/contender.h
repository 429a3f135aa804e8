// contender.h - one index in this process, ours or a rival's, as the engine's driver sees it.
//
// Threads: one at a time, unless a member says otherwise.
#ifndef VECTOR_FDW_TEST_BENCH_CONTENDER_H
#define VECTOR_FDW_TEST_BENCH_CONTENDER_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "daemon/base/status.h"
#include "daemon/index/vector_store.h"
#include "test/bench/dataset.h"
#include "test/bench/ground_truth.h"

namespace bench {

class Contender {
 public:
  virtual ~Contender() = default;
  Contender(const Contender&) = delete;
  Contender& operator=(const Contender&) = delete;

  virtual void SetEffort(uint32_t ef) = 0;
  // Fills found[0 .. kNeighbours) with rows by their numbers in the data set; returns how many.
  virtual size_t Search(const float* query, uint32_t* found) = 0;
  // What Search() gives without SetEffort(); 0: there is no such thing.
  virtual uint32_t default_effort() const { return 0; }
  virtual size_t memory_bytes() const = 0;

  const std::string& name() const { return name_; }
  double build_seconds() const { return build_seconds_; }

 protected:
  Contender(std::string name, double build_seconds)
      : name_(std::move(name)), build_seconds_(build_seconds) {}

 private:
  const std::string name_;
  const double build_seconds_;
};

// The data set's first rows, as vectord holds them.
vectord::Result<std::shared_ptr<vectord::VectorStore>> MakeStore(const Dataset& dataset,
                                                                 size_t rows, int threads);

// By vectord's own builder, with the options that create_collection would be given. Takes the
// store, whose rows may get another order. An error when vectord refuses the options.
vectord::Result<std::unique_ptr<Contender>> BuildOurs(
    const std::string& name, const std::string& options_json,
    const std::shared_ptr<vectord::VectorStore>& store, int threads);

// With the m and ef_construction that are our defaults. spare_rows: may be added later.
class RivalGraph;
std::unique_ptr<RivalGraph> BuildRival(const Dataset& dataset, size_t rows, size_t spare_rows,
                                       int threads, double* build_seconds);
// REQUIRES: the graph outlives it.
std::unique_ptr<Contender> MakeRivalContender(RivalGraph* graph, double build_seconds);

}  // namespace bench

#endif

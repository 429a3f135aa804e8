// rival_hnswlib.cpp - see rival_hnswlib.h. Compile with -march=native.
#include "test/bench/rival_hnswlib.h"

// The library as packaged is not free of warnings.
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include <hnswlib/hnswlib.h>

#include <atomic>
#include <thread>
#include <vector>

namespace bench {
namespace {

class Hnswlib final : public RivalGraph {
 public:
  Hnswlib(bool inner_product, size_t dimensions, size_t rows, size_t m, size_t ef_construction)
      : dimensions_(dimensions),
        space_(inner_product ? static_cast<hnswlib::SpaceInterface<float>*>(
                                   new hnswlib::InnerProductSpace(dimensions))
                             : new hnswlib::L2Space(dimensions)),
        graph_(space_.get(), rows, m, ef_construction) {}

  void Build(const float* rows, size_t count, int threads) override {
    if (count == 0) return;
    graph_.addPoint(rows, 0);
    std::atomic<size_t> next{1};
    const auto work = [&] {
      for (size_t i; (i = next.fetch_add(1)) < count;) graph_.addPoint(rows + i * dimensions_, i);
    };
    std::vector<std::thread> helpers;
    for (int i = 1; i < threads; i++) helpers.emplace_back(work);
    work();
    for (std::thread& helper : helpers) helper.join();
  }

  void Add(const float* row, uint32_t number) override { graph_.addPoint(row, number); }

  void SetEffort(size_t ef) override { graph_.setEf(ef); }

  size_t Search(const float* query, size_t k, uint32_t* found) override {
    auto nearest = graph_.searchKnn(query, k);
    size_t count = 0;
    for (; !nearest.empty(); nearest.pop())
      found[count++] = static_cast<uint32_t>(nearest.top().second);
    return count;
  }

  size_t memory_bytes() const override {
    size_t bytes = graph_.max_elements_ * graph_.size_data_per_element_;
    for (size_t i = 0; i < graph_.cur_element_count; i++)
      bytes += static_cast<size_t>(graph_.element_levels_[i]) * graph_.size_links_per_element_;
    return bytes;
  }

 private:
  const size_t dimensions_;
  const std::unique_ptr<hnswlib::SpaceInterface<float>> space_;
  hnswlib::HierarchicalNSW<float> graph_;
};

}  // namespace

std::unique_ptr<RivalGraph> MakeHnswlib(bool inner_product, size_t dimensions, size_t rows,
                                        size_t m, size_t ef_construction) {
  return std::make_unique<Hnswlib>(inner_product, dimensions, rows, m, ef_construction);
}

}  // namespace bench

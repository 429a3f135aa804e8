// small_collection.h - a served collection made by hand, and a dispatcher around it, for tests.
#ifndef VECTOR_FDW_TEST_UNIT_SERVICE_SMALL_COLLECTION_H
#define VECTOR_FDW_TEST_UNIT_SERVICE_SMALL_COLLECTION_H

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/config.h"
#include "daemon/base/memory_budget.h"
#include "daemon/base/metrics.h"
#include "daemon/collection/catalog.h"
#include "daemon/index/index_builder.h"
#include "daemon/service/dispatcher.h"
#include "shared/codec.h"

namespace vectord {

// Columns: id int8 (key), embedding (vector), title text with NULLs. Row i (from 0) has id i, the
// title "title i", NULL for every third, and is of version i + 1. The last rows have no vector.
struct SmallCollection {
  static constexpr char kDatabase[] = "app", kSchema[] = "public", kName[] = "docs_vec";
  static constexpr uint32_t kTableOid = 16385;
  size_t dimensions = 4;
  size_t vector_rows = 100;
  size_t null_rows = 7;
  IndexKind kind = IndexKind::kFlat;
  size_t title_bytes = 0;  // more of each title

  Definition MakeDefinition() const {
    Definition d;
    d.database = kDatabase;
    d.schema = kSchema;
    d.name = kName;
    d.table = "docs";
    d.table_oid = kTableOid;
    d.definition_id = "00000000-0000-0000-0000-000000000001";
    d.vector_column = "embedding";
    d.dimensions = static_cast<uint32_t>(dimensions);
    d.index.kind = kind;
    d.index.metric = VFDW_METRIC_L2;
    d.columns = {{"id", 20, "bigint", -1, ColumnRole::kKey, ValueEncoding::kInt64, true},
                 {"embedding", 1021, "real[]", -1, ColumnRole::kVector,
                  ValueEncoding::kFloat32Vector, false},
                 {"title", 25, "text", -1, ColumnRole::kIncluded, ValueEncoding::kText, false}};
    return d;
  }

  ColumnSet MakeColumns(size_t first, size_t rows) const {
    Column id(ValueEncoding::kInt64, 20), title(ValueEncoding::kText, 25);
    for (size_t i = first; i < first + rows; i++) {
      const int64_t value = static_cast<int64_t>(i);
      id.Append({reinterpret_cast<const char*>(&value), sizeof value});
      if (i % 3 == 0)
        title.AppendNull();
      else
        title.Append("title " + std::to_string(i) + std::string(title_bytes, '.'));
    }
    return ColumnSet({std::move(id), std::move(title)});
  }

  // Row i's vector is random but the same in every run.
  std::shared_ptr<VectorStore> MakeVectors() const {
    std::mt19937 random(42);
    std::uniform_real_distribution<float> value(-1, 1);
    std::shared_ptr<VectorStore> store =
        std::move(VectorStore::Create(dimensions, vector_rows)).value();
    std::vector<float> v(dimensions);
    for (size_t i = 0; i < vector_rows; i++) {
      for (float& x : v) x = value(random);
      EXPECT_TRUE(store->AppendBatch(v.data(), 1).ok());
    }
    return store;
  }

  std::shared_ptr<SegmentSet> MakeSet(uint64_t generation = 1) const {
    auto set = std::make_shared<SegmentSet>();
    set->definition = std::make_shared<const Definition>(MakeDefinition());
    set->generation = generation;
    set->dimensions = static_cast<uint32_t>(dimensions);
    if (vector_rows > 0) {
      std::shared_ptr<VectorStore> store = MakeVectors();
      std::vector<uint32_t> permutation;
      auto index = BuildIndex(set->definition->index, store, BuildControl(), &permutation);
      EXPECT_TRUE(index.ok());
      ColumnSet columns = MakeColumns(0, vector_rows);
      if (!permutation.empty()) columns.Permute(permutation);
      set->segments.emplace_back(std::make_shared<Segment>(
          std::move(columns), std::move(store), std::move(index).value(), 1, MemoryReservation()));
    }
    if (null_rows > 0)
      set->segments.emplace_back(std::make_shared<Segment>(MakeColumns(vector_rows, null_rows),
                                                           nullptr, nullptr, vector_rows + 1,
                                                           MemoryReservation()));
    set->CountRows();
    return set;
  }
};

inline Config SmallConfig() {
  Config config;
  config.search.threads = 2;
  return config;
}

// All that a dispatcher needs, with time that can be moved on top of the real one.
struct TestService {
  class ShiftedClock final : public Clock {
   public:
    int64_t SteadyNs() const override { return SteadyNowNs() + shift_ns; }
    int64_t WallUs() const override { return 1000000; }
    std::atomic<int64_t> shift_ns{0};
  };

  explicit TestService(const SmallCollection& small = {}, Config c = SmallConfig())
      : config(std::move(c)), dispatcher(&catalog, config, &budget, &metrics, &clock) {
    catalog.SetDatabases({SmallCollection::kDatabase});
    catalog.SetSourceStatus(SmallCollection::kDatabase, Status());
    collection = std::make_shared<Collection>(small.MakeDefinition(), &budget);
    collection->Publish(small.MakeSet());
    catalog.Add(collection);
  }

  Config config;
  ShiftedClock clock;
  Metrics metrics;
  MemoryBudget budget{size_t{1} << 30, "test"};
  Catalog catalog;
  std::shared_ptr<Collection> collection;
  Dispatcher dispatcher;
};

inline vfdw::SearchRequest SmallSearch(uint64_t k) {
  vfdw::SearchRequest request;
  request.collection = {SmallCollection::kDatabase, SmallCollection::kSchema,
                        SmallCollection::kName};
  request.metric = VFDW_METRIC_L2;
  request.k = k;
  request.columns = {"id"};
  return request;
}

inline std::string RawVector(const std::vector<float>& vector) {
  return {reinterpret_cast<const char*>(vector.data()), vector.size() * sizeof(float)};
}

// Reads the values of column c, of a fixed width, of a batch.
template <typename T>
std::vector<T> FixedValues(const vfdw::SearchReply& reply, std::string_view raw, size_t c) {
  std::vector<T> values(reply.rows);
  if (reply.rows > 0)
    memcpy(values.data(), raw.data() + reply.columns[c].values_offset, reply.rows * sizeof(T));
  return values;
}

}  // namespace vectord

#endif

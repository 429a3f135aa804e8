// metrics_page.cpp - see metrics_page.h. One table of gauges per collection.
#include "daemon/service/metrics_page.h"

#include <cstdint>
#include <vector>

namespace vectord {
namespace {

using vfdw::CollectionStatus;

struct CollectionGauge {
  const char* name;
  const char* help;
  uint64_t (*value)(const CollectionStatus& status);
};

constexpr CollectionGauge kCollectionGauges[] = {
    {"rows", "Rows that are served.", [](const CollectionStatus& s) { return s.rows; }},
    {"null_vectors", "Of these, rows whose vector is NULL.",
     [](const CollectionStatus& s) { return s.null_vectors; }},
    {"rejected_rows", "Rows left out because of their vector.",
     [](const CollectionStatus& s) { return s.rejected_rows; }},
    {"memory_bytes", "Memory reserved.", [](const CollectionStatus& s) { return s.memory_bytes; }},
    {"segments", "Segments searched.",
     [](const CollectionStatus& s) { return uint64_t{s.segments}; }},
    {"builds", "Times that its rows were copied and indexed, also before restarts.",
     [](const CollectionStatus& s) { return s.builds; }},
    {"serving", "1 while searches are answered.",
     [](const CollectionStatus& s) { return uint64_t{s.serving}; }},
    {"phase_done", "Progress of the work under way.",
     [](const CollectionStatus& s) { return s.phase_done; }},
    {"phase_total", "What phase_done will reach; 0 when not known.",
     [](const CollectionStatus& s) { return s.phase_total; }},
};

// A label's value as the text format wants it.
std::string Escaped(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\\' || c == '"') escaped += '\\';
    if (c == '\n')
      escaped += "\\n";
    else
      escaped += c;
  }
  return escaped;
}

}  // namespace

std::string MetricsPage(const Service& service) {
  struct Row {
    std::string labels;
    CollectionStatus status;
  };
  std::vector<Row> rows;
  int64_t ready = 0;
  for (const auto& collection : service.catalog->All()) {
    CollectionStatus status = collection->GetStatus();
    ready += status.serving;
    rows.push_back({"{database=\"" + Escaped(collection->database()) + "\",schema=\"" +
                        Escaped(status.schema) + "\",collection=\"" + Escaped(status.name) + "\"}",
                    std::move(status)});
  }
  Metrics& metrics = *service.metrics;
  metrics.collections.Set(static_cast<int64_t>(rows.size()));
  metrics.collections_ready.Set(ready);
  metrics.memory_bytes.Set(static_cast<int64_t>(service.budget->used()));
  metrics.memory_limit_bytes.Set(static_cast<int64_t>(service.budget->limit()));

  std::string text = PrometheusText(metrics);
  text +=
      "# HELP vectord_replies_dropped_total Replies whose client had left or did not read.\n"
      "# TYPE vectord_replies_dropped_total counter\nvectord_replies_dropped_total " +
      std::to_string(service.replies_dropped.value()) + "\n";
  for (const CollectionGauge& gauge : kCollectionGauges) {
    const std::string name = std::string("vectord_collection_") + gauge.name;
    text += "# HELP " + name + " " + gauge.help + "\n# TYPE " + name + " gauge\n";
    for (const Row& row : rows)
      text += name + row.labels + " " + std::to_string(gauge.value(row.status)) + "\n";
  }
  return text;
}

}  // namespace vectord

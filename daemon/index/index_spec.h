// index_spec.h - what index to build, and the one table of its options.
//
// The names are those users type in create_collection(options => ...). Checks of definitions,
// documentation and the builder read the same rows.
#ifndef VECTOR_FDW_DAEMON_INDEX_INDEX_SPEC_H
#define VECTOR_FDW_DAEMON_INDEX_INDEX_SPEC_H

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "daemon/base/status.h"
#include "daemon/index/index.h"
#include "daemon/index/quantizer.h"
#include "shared/limits.h"
#include "shared/metric.h"

namespace vectord {

struct IndexSpec {
  IndexKind kind = IndexKind::kHnsw;
  vfdw_metric metric = VFDW_METRIC_L2;
  uint32_t m = 16;
  uint32_t ef_construction = 64;
  uint32_t nlist = 0;
  Quantizer quantizer = Quantizer::kAutomatic;
  // Effort of searches that name none.
  uint32_t ef_search = 0;
  uint32_t nprobe = 0;
};

struct IndexOption {
  const char* name;
  IndexKind kind;  // the kind of index that heeds it
  uint32_t min, max;
  uint32_t default_value;  // 0: chosen by the builder; then 0 is also accepted
  uint32_t IndexSpec::*field;
  const char* help;
};

inline constexpr IndexOption kIndexOptions[] = {
    {"m", IndexKind::kHnsw, 2, 100, 16, &IndexSpec::m,
     "Links of a row in the graph; twice as many on the bottom level."},
    {"ef_construction", IndexKind::kHnsw, 4, 4000, 64, &IndexSpec::ef_construction,
     "Rows looked at to link a new one. More: better graph, slower build."},
    {"ef_search", IndexKind::kHnsw, VFDW_MIN_EF_SEARCH, VFDW_MAX_EF_SEARCH, 0,
     &IndexSpec::ef_search, "Rows kept in view by a search. More: better recall, slower."},
    {"nlist", IndexKind::kIvf, 1, 1000000, 0, &IndexSpec::nlist,
     "Lists that the rows are divided into. Default: by the number of rows."},
    {"nprobe", IndexKind::kIvf, 1, VFDW_MAX_NPROBE, 0, &IndexSpec::nprobe,
     "Lists scanned by a search. Default: a share of nlist."},
};

// The row of the table, or nullptr.
const IndexOption* FindIndexOption(std::string_view name);

// INVALID_PARAMETER, naming option and bounds, when a field is outside them.
Status ValidateIndexSpec(const IndexSpec& spec);

// An index of another kind, or none when `name` is unknown: false.
bool IndexKindFromName(std::string_view name, IndexKind* kind);

}  // namespace vectord

#endif

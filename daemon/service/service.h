// service.h - what the handlers work with; owned by the dispatcher.
//
// Every member may be used by any thread.
#ifndef VECTOR_FDW_DAEMON_SERVICE_SERVICE_H
#define VECTOR_FDW_DAEMON_SERVICE_SERVICE_H

#include <cstdint>
#include <string>

#include "daemon/base/clock.h"
#include "daemon/base/memory_budget.h"
#include "daemon/base/metrics.h"
#include "daemon/collection/catalog.h"
#include "daemon/service/admission.h"
#include "daemon/service/cursor_table.h"
#include "daemon/service/freshness_queue.h"
#include "daemon/service/in_flight.h"

namespace vectord {

struct Service {
  Catalog* const catalog;
  MemoryBudget* const budget;
  Metrics* const metrics;
  const Clock* const clock;
  const std::string daemon_name;
  const int64_t started_at_us;  // wall time
  Admission admission;
  FreshnessQueue freshness;
  CursorTable cursors;
  InFlight in_flight;
  Counter replies_dropped;  // that no client could take
};

}  // namespace vectord

#endif

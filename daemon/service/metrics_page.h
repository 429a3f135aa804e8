// metrics_page.h - all that Prometheus is told: the daemon's metrics and a few gauges for each
// collection.
#ifndef VECTOR_FDW_DAEMON_SERVICE_METRICS_PAGE_H
#define VECTOR_FDW_DAEMON_SERVICE_METRICS_PAGE_H

#include <string>

#include "daemon/service/service.h"

namespace vectord {

std::string MetricsPage(const Service& service);

}  // namespace vectord

#endif

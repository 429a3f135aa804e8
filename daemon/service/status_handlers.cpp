// status_handlers.cpp - what is held, and how it is doing.
#include <unistd.h>

#include <cstdio>
#include <utility>

#include "daemon/service/handlers.h"
#include "shared/codec.h"
#include "shared/version.h"

namespace vectord {
namespace {

// Memory of this process that is in RAM; 0 where the system does not say.
uint64_t ResidentBytes() {
  FILE* const file = fopen("/proc/self/statm", "re");
  if (file == nullptr) return 0;
  unsigned long long total = 0, resident = 0;
  const int fields = fscanf(file, "%llu %llu", &total, &resident);
  fclose(file);
  return fields == 2 ? resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE)) : 0;
}

}  // namespace

Reply HandleDescribe(Service& service, RequestContext& context) {
  vfdw::DescribeRequest request;
  if (Status status = vfdw::Decode(context.body, &request); !status.ok())
    return Reply::Error(std::move(status));
  const vfdw::CollectionRef& wanted = request.collection;
  const auto found = service.catalog->Find(wanted.database, wanted.schema, wanted.name);
  if (!found.ok()) return Reply::Error(found.status());
  // The definition tells the columns, the set how many rows there are.
  const auto set = (*found)->current();
  Status status = (*found)->definition()->CheckTable(wanted.table_oid);
  if (status.ok() && set != nullptr) status = set->definition->CheckTable(wanted.table_oid);
  if (!status.ok()) return Reply::Error(std::move(status));
  return Reply::Message(vfdw::Encode((*found)->GetInfo()));
}

Reply HandleList(Service& service, RequestContext& context) {
  vfdw::ListRequest request;
  if (Status status = vfdw::Decode(context.body, &request); !status.ok())
    return Reply::Error(std::move(status));
  if (Status status = service.catalog->CheckRead(request.database); !status.ok())
    return Reply::Error(std::move(status));
  vfdw::ListReply reply;
  for (const auto& collection : service.catalog->OfDatabase(request.database)) {
    vfdw::CollectionInfo info = collection->GetInfo();
    if (request.schema.empty() || request.schema == info.schema)
      reply.collections.push_back(std::move(info));
  }
  return Reply::Message(vfdw::Encode(reply));
}

Reply HandleStatus(Service& service, RequestContext& context) {
  vfdw::StatusRequest request;
  if (Status status = vfdw::Decode(context.body, &request); !status.ok())
    return Reply::Error(std::move(status));
  vfdw::StatusReply reply;
  for (const auto& collection : service.catalog->OfDatabase(request.database))
    if (request.name.empty() || request.name == collection->name())
      reply.collections.push_back(collection->GetStatus());
  return Reply::Message(vfdw::Encode(reply));
}

Reply HandleDaemonStatus(Service& service, RequestContext& context) {
  vfdw::EmptyMessage request;
  if (Status status = vfdw::Decode(context.body, &request); !status.ok())
    return Reply::Error(std::move(status));
  const Metrics& metrics = *service.metrics;
  vfdw::DaemonStatusReply reply;
  reply.name = service.daemon_name;
  reply.version = VECTOR_FDW_VERSION;
  reply.protocol_version = VFDW_PROTOCOL_VERSION;
  reply.pid = static_cast<uint32_t>(getpid());
  reply.started_at_us = service.started_at_us;
  reply.memory_bytes = service.budget->used();
  reply.memory_limit = service.budget->limit();
  reply.connections = static_cast<uint64_t>(metrics.connections.value());
  reply.requests = metrics.requests.value();
  reply.errors = metrics.errors.value();
  reply.search_p50_us = static_cast<uint64_t>(metrics.search_time.PercentileUs(0.5));
  reply.search_p99_us = static_cast<uint64_t>(metrics.search_time.PercentileUs(0.99));
  reply.resident_bytes = ResidentBytes();
  return Reply::Message(vfdw::Encode(reply));
}

}  // namespace vectord
